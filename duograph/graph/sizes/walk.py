"""Expressions within tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .expressions import Ratio, Size


def collect(value: Any, found: list[Any]) -> None:
    """The expressions in arguments, in order."""
    if isinstance(value, Size | Ratio):
        found.append(value)
    elif isinstance(value, tuple | list):
        for v in value:
            collect(v, found)
    elif isinstance(value, dict):
        for v in value.values():
            collect(v, found)


def _replace(value: Any, change: Callable[[Any], Any]) -> Any:
    """Arguments with their expressions replaced; the same object where there are none."""
    if isinstance(value, Size | Ratio):
        return change(value)
    if isinstance(value, tuple | list):
        parts = [_replace(v, change) for v in value]
        if all(a is b for a, b in zip(parts, value, strict=True)):
            return value
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {k: _replace(v, change) for k, v in value.items()}
    return value


def in_numbers(value: Any) -> Any:
    """A value with hints in place of its expressions."""
    return _replace(value, lambda size: size.value)
