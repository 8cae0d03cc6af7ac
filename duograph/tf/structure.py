"""Nested tuples, lists and dictionaries, as `tf.nest` treats them: dictionaries in the order of their sorted keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["flatten", "is_nested", "map_structure", "pack_sequence_as"]


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a tuple, list or dictionary."""
    return isinstance(structure, tuple | list | dict)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves."""
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, tuple | list):
        return [leaf for item in structure for leaf in flatten(item)]
    return [structure]


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """`structure` with other leaves."""
    return pack_like(structure, list(flat_sequence))


def pack_like(structure: Any, leaves: list[Any]) -> Any:
    """`structure` with other leaves. Raises ValueError where their number differs."""
    rest = iter(leaves)

    def build(part: Any) -> Any:
        if isinstance(part, dict):
            built = {key: build(part[key]) for key in sorted(part)}
            return {key: built[key] for key in part}
        if isinstance(part, tuple | list):
            items = [build(item) for item in part]
            return type(part)(*items) if hasattr(part, "_fields") else type(part)(items)
        return next(rest)

    if len(leaves) != len(flatten(structure)):
        raise ValueError(f"expected {len(flatten(structure))} leaves. Received: {len(leaves)}")
    return build(structure)


def map_structure(func: Callable[..., Any], *structure: Any, **_: Any) -> Any:
    """`func` of the leaves of structures of one form."""
    return pack_like(structure[0], [func(*leaves) for leaves in zip(*map(flatten, structure), strict=True)])
