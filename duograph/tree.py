"""Nested containers of leaves: lists, tuples, named tuples and dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of a nest from left to right, and a function that puts others in their places. None has no leaves."""
    if isinstance(tree, dict):
        keys = list(tree)
        return _branch([tree[k] for k in keys], lambda parts: type(tree)(zip(keys, parts, strict=True)))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return _branch(list(tree), lambda parts: type(tree)(*parts))
    if isinstance(tree, list | tuple):
        return _branch(list(tree), type(tree))
    if tree is None:
        return [], lambda leaves: None
    return [tree], lambda leaves: leaves[0]


def _branch(children: list[Any], build: Callable[[list[Any]], Any]) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    parts = [flatten(c) for c in children]

    def rebuild(leaves: list[Any]) -> Any:
        made, start = [], 0
        for own, put in parts:
            made.append(put(leaves[start : start + len(own)]))
            start += len(own)
        return build(made)

    return [leaf for own, _ in parts for leaf in own], rebuild


def leaves(tree: Any) -> list[Any]:
    """The leaves of a nest from left to right."""
    return flatten(tree)[0]


def map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """A nest of the same form with `function` of each leaf (and of the leaves of `others` at its place)."""
    own, rebuild = flatten(tree)
    columns = [own, *(leaves(o) for o in others)]
    return rebuild([function(*row) for row in zip(*columns, strict=True)])
