"""Where elements are, which there are, and in which order. Shapes that depend on content observe it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..graph.errors import ShapeError
from ..ops import FUNCTIONS as F
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element is."""
    return F["argmax"](x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element is."""
    return F["argmin"](x, axis, keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The indices of elements that are not zero, by axis."""
    if not x.ndim:
        raise ShapeError("nonzero: expected at least one dimension. Received: a 0-d tensor")
    return F["nonzero"](x, as_tuple=True)


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where elements would be inserted to keep order."""
    return F["searchsorted"](x1 if sorter is None else take(x1, sorter), x2, side=side)


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The places `indices` of an axis."""
    return F["index_select"](x, 0 if axis is None else axis, indices)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Elements picked along an axis, by position."""
    return F["take_along_dim"](x, indices, axis)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Values in order along an axis."""
    return F["sort"](x, axis, descending).values


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort along an axis; equal elements keep their order, stable or not."""
    return F["argsort"](x, axis, descending)


class UniqueAll(NamedTuple):
    """Distinct elements, where each first stands, which each element is, and how often each occurs."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """Distinct elements and how often each occurs."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """Distinct elements and which each element is."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> UniqueAll:
    """Distinct elements, where each first stands, which each element is, and how often each occurs."""
    array = x._array()
    parts: Any = np.unique(array, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    values, indices, inverse, counts = (np.array(p) for p in parts)
    return UniqueAll(*map(from_buffer, (values, indices, inverse.reshape(array.shape), counts)))


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """Distinct elements and how often each occurs."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """Distinct elements and which each element is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Tensor, /) -> Tensor:
    """Distinct elements."""
    return unique_all(x).values
