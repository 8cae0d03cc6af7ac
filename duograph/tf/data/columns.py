"""Elements put together leaf by leaf, as batches are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import structure
from .elements import Element, leaves_of, stack

Column = np.ndarray | list[np.ndarray]
"""What one leaf is in some elements: `[elements, *shape]`, or a list of arrays where shapes or dtypes differ."""


def column(leaves: Sequence[Any]) -> Column:
    """The column of these leaves, which are arrays or NumPy's scalars."""
    first = leaves[0]
    kind = first.dtype, first.shape
    if all((leaf.dtype, leaf.shape) == kind for leaf in leaves):
        return stack(leaves)
    return [np.asarray(leaf) for leaf in leaves]


def row(of: Column, place: int) -> np.ndarray:
    """The leaf of one element; it may share the column's memory."""
    return of[place] if isinstance(of, list) else of[place, ...]


class Columns:
    """`count` elements of one form."""

    def __init__(self, form: Any, leaves: list[Column], count: int) -> None:
        self.form = form
        self.leaves = leaves
        self.count = count

    @classmethod
    def of(cls, elements: Sequence[Element]) -> Columns:
        """These elements together. Raises TypeError where a leaf is no array, and so has no column."""
        flat = [leaves_of(element) for element in elements]
        if not all(isinstance(leaf, np.ndarray | np.generic) for leaves in flat for leaf in leaves):
            raise TypeError("elements with leaves that are no tensors cannot be put together")
        return cls(elements[0], [column(leaves) for leaves in zip(*flat, strict=True)], len(elements))

    @classmethod
    def of_batch(cls, batch: Element) -> Columns:
        """The rows of a batch."""
        leaves: list[Column] = list(leaves_of(batch))
        return cls(batch, leaves, len(leaves[0]))

    def batch(self) -> Element:
        """One element with a new first axis. Raises InvalidArgumentError where shapes or dtypes differ."""
        return structure.pack_like(self.form, [stack(c) if isinstance(c, list) else c for c in self.leaves])

    def elements(self) -> list[Element]:
        """The elements, each in memory of its own: who keeps one does not keep them all."""
        if not isinstance(self.form, tuple | dict):
            (only,) = self.leaves
            return [own(only, k) for k in range(self.count)]
        rows = zip(*([own(c, k) for k in range(self.count)] for c in self.leaves), strict=True)
        if type(self.form) is tuple and not any(isinstance(part, tuple | dict) for part in self.form):
            return list(rows)
        return [structure.pack_like(self.form, list(leaves)) for leaves in rows]

    def rows(self, places: Sequence[int]) -> Columns:
        """Some of the elements."""
        return Columns(self.form, [take(c, places) for c in self.leaves], len(places))


def take(of: Column, places: Sequence[int]) -> Column:
    """Some rows of a column."""
    return column([of[k] for k in places]) if isinstance(of, list) else of[np.asarray(places, np.intp)]


def joined(parts: Sequence[Column]) -> Column:
    """The rows of several columns as one."""
    arrays = [part for part in parts if not isinstance(part, list)]
    if len(arrays) == len(parts) and len({(a.dtype, a.shape[1:]) for a in arrays}) == 1:
        return np.concatenate(arrays)
    return column([row(part, k) for part in parts for k in range(len(part))])


def own(of: Column, place: int) -> np.ndarray:
    """The leaf of one element, in memory of its own."""
    return of[place] if isinstance(of, list) else of[place, ...].copy()
