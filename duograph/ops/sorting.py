"""Order: sort, top-k, unique, search."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.errors import ArgumentError, ShapeError
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axis
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor, apply
from .define import function, into
from .results import RANKED, Ranked


@composite
def in_order(x: Node, *, axis: int, descending: bool, count: int | None = None) -> tuple[Node, Node]:
    """Sorted values (the first `count`) and where they stood; equal ones keep their order, NaN counts as largest."""
    if not x.ndim:
        return g.apply("copy", x), g.full((), 0, int64)
    places = g.argsort(x, axis, descending)
    if count is not None:
        places = g.narrow(places, axis, 0, count)
    return g.take_along(x, places, axis), places


@function()
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Ranked:
    """Values in order along an axis, and the indices they had. Always stable."""
    attributes = (("axis", normalize_axis(dim, input.ndim)), ("descending", bool(descending)))
    return RANKED["sort"](*apply(in_order, (input,), attributes))


@function()
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along an axis. Always stable."""
    return sort(input, dim, descending).indices


@function()
def msort(input: Tensor) -> Tensor:
    """Values in order along the first axis."""
    return sort(input, 0).values


@function()
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ranked:
    """The k largest (or smallest) elements along an axis, in order, and their indices."""
    axis = normalize_axis(dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if not 0 <= k <= size:
        raise ArgumentError(f"topk: expected k from 0 to {size}, the size of axis {dim}. Received: {k}")
    attributes = (("axis", axis), ("descending", bool(largest)), ("count", int(k) if input.ndim else None))
    return RANKED["topk"](*apply(in_order, (input,), attributes))


@composite
def ranked(x: Node, *, axis: int, rank: int, keepdims: bool) -> tuple[Node, Node]:
    """The element of a rank in sorted order, and its index."""
    if not x.ndim:
        return g.apply("copy", x), g.full((), 0, int64)
    place = g.narrow(g.argsort(x, axis), axis, rank, 1)
    value = g.take_along(x, place, axis)
    if keepdims:
        return value, place
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return g.reshape(value, shape), g.reshape(place, shape)


@function()
def kthvalue(
    input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: tuple[Tensor, Tensor] | None = None
) -> Ranked:
    """The k-th smallest element along an axis (k from 1), and its index."""
    axis = normalize_axis(dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if not 1 <= k <= size:
        raise ArgumentError(f"kthvalue: expected k from 1 to {size}. Received: {k}")
    attributes = (("axis", axis), ("rank", int(k) - 1), ("keepdims", bool(keepdim)))
    found = apply(ranked, (input,), attributes)
    return RANKED["kthvalue"](*(into(o, f, input) for o, f in zip(out or (None, None), found, strict=True)))


@function()
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The (lower) median of all elements, or medians and indices along an axis."""
    if dim is None:
        flat = input.reshape(-1)
        return kthvalue(flat, (flat.numel() + 1) // 2, 0).values
    size = input.shape[normalize_axis(dim, input.ndim)] if input.ndim else 1
    return RANKED["median"](*kthvalue(input, (size + 1) // 2, dim, keepdim))


@composite
def ranked_without_nan(x: Node, *, axis: int, keepdims: bool) -> tuple[Node, Node]:
    """The lower median of what is not NaN, and its index; NaN where all is."""
    if not x.ndim:
        return g.apply("copy", x), g.full((), 0, int64)
    order = g.argsort(x, axis)  # NaN comes last
    count = g.sum(g.cast(g.equal(x, x), int64), axis, keepdims=True)
    place = g.take_along(order, g.maximum(g.apply("floor_divide", count - 1, 2), 0), axis)
    value = g.take_along(x, place, axis)
    if keepdims:
        return value, place
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return g.reshape(value, shape), g.reshape(place, shape)


@function()
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The (lower) median of what is not NaN, of all elements, or medians and indices along an axis."""
    x = input.reshape(-1) if dim is None else input
    attributes = (("axis", normalize_axis(-1 if dim is None else dim, x.ndim)), ("keepdims", bool(keepdim)))
    found = RANKED["nanmedian"](*apply(ranked_without_nan, (x,), attributes))
    return found.values if dim is None else found


@composite
def most_frequent(x: Node, *, axis: int, keepdims: bool) -> tuple[Node, Node]:
    """The element that occurs most often (the least of several) and an index of it: the end of the longest run of
    equal elements in sorted order."""
    if not x.ndim:
        return g.apply("copy", x), g.full((), 0, int64)
    order, size = g.argsort(x, axis), x.shape[axis]
    ordered = g.take_along(x, order, axis)
    along = tuple(-1 if k == axis else 1 for k in range(x.ndim))
    places = g.broadcast_to(g.reshape(g.iota(size, int64), along), x.shape)
    begins = g.not_equal(g.narrow(ordered, axis, 1, size - 1), g.narrow(ordered, axis, 0, size - 1))
    starts = g.select(begins, g.narrow(places, axis, 1, size - 1), 0)
    starts = g.concatenate((g.narrow(places, axis, 0, 1) * 0, starts), axis)
    end = g.expand_dims(g.argmax(places - g.cumulative("cummax", starts, axis), axis), axis)
    place = g.take_along(order, end, axis)
    value = g.take_along(x, place, axis)
    if keepdims:
        return value, place
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return g.reshape(value, shape), g.reshape(place, shape)


@function()
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Ranked:
    """The most frequent element along an axis (the least of several), and an index of it."""
    attributes = (("axis", normalize_axis(dim, input.ndim)), ("keepdims", bool(keepdim)))
    return RANKED["mode"](*apply(most_frequent, (input,), attributes))


@function()
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` rows of `nonzero`, filled up with rows of `fill_value`. The content is observed."""
    rows = nonzero(input)._array()[:size]
    filled = np.full((size, rows.shape[1]), fill_value, np.int64)
    filled[: len(rows)] = rows
    return from_buffer(filled)


@function()
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of elements that are not zero: one row each, or one vector an axis. The content is observed."""
    found = np.nonzero(np.atleast_1d(input._array()))
    if as_tuple:
        return tuple(from_buffer(f.astype(np.int64)) for f in found)
    rows = np.stack(found, -1).astype(np.int64)
    return from_buffer(rows if input.ndim else rows[:, :0])


@function("argwhere")
def argwhere(input: Tensor) -> Tensor:
    """The indices of elements that are not zero, one row each."""
    return nonzero(input)


@function()
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:  # fmt: skip
    """The distinct elements in order. The content is observed."""
    array = input._array()
    values, inverse, counts = np.unique(array, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    shape = array.shape if dim is None else (array.shape[dim],)
    results = [from_buffer(values)]
    if return_inverse:
        results.append(from_buffer(inverse.reshape(shape).astype(np.int64)))
    if return_counts:
        results.append(from_buffer(counts.astype(np.int64)))
    return results[0] if len(results) == 1 else tuple(results)


@function()
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Elements without their immediate repetitions. The content is observed."""
    array = input._array()
    flat = array.reshape(-1) if dim is None else np.moveaxis(array, dim, 0)
    changed = np.ones(len(flat), bool)
    if len(flat) > 1:
        changed[1:] = (flat[1:] != flat[:-1]).reshape(len(flat) - 1, -1).any(-1)
    kept = flat[changed]
    results = [from_buffer(np.ascontiguousarray(kept if dim is None else np.moveaxis(kept, 0, dim)))]
    group = np.cumsum(changed) - 1
    if return_inverse:
        results.append(from_buffer(group.reshape(array.shape if dim is None else -1).astype(np.int64)))
    if return_counts:
        results.append(from_buffer(np.bincount(group, minlength=int(changed.sum())).astype(np.int64)))
    return results[0] if len(results) == 1 else tuple(results)


@function(is_method=False)
def searchsorted(sorted_sequence: Tensor, values: Any, *, right: bool = False, side: str | None = None,
                 out_int32: bool = False, sorter: Tensor | None = None) -> Tensor:  # fmt: skip
    """Where each value would be inserted to keep the (last axis of the) sequence sorted, which `sorter` puts in order.

    The content is observed.
    """
    edges = sorted_sequence._array()
    if sorter is not None:
        edges = np.take_along_axis(edges, sorter._array(), -1)
    wanted = values._array() if isinstance(values, Tensor) else np.asarray(values)
    hand: Any = "right" if right or side == "right" else "left"
    if edges.ndim == 1:
        found = np.searchsorted(edges, wanted, hand)
    elif not edges.size or not wanted.size:
        found = np.zeros(wanted.shape, np.int64)
    else:
        rows = zip(edges.reshape(-1, edges.shape[-1]), wanted.reshape(-1, wanted.shape[-1]), strict=True)
        found = np.stack([np.searchsorted(e, v, hand) for e, v in rows]).reshape(wanted.shape)
    return from_buffer(np.asarray(found, np.int32 if out_int32 else np.int64))


@function(is_method=False)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The bucket between boundaries that each element falls in."""
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries: expected 1 dimension. Received: shape {tuple(boundaries.shape)}")
    return searchsorted(boundaries, input, right=right, out_int32=out_int32)


@function()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each whole number occurs (or the sum of its weights). The content is observed."""
    array = input._array()
    if input.ndim != 1 or input.dtype.category != "int" or (array < 0).any():
        raise ArgumentError(
            f"bincount: expected a vector of whole numbers >= 0. Received: {input.dtype.name}{list(input.shape)}"
        )
    found = np.bincount(array, None if weights is None else weights._array(), minlength)
    if weights is not None and weights.dtype.itemsize != 4:
        return from_buffer(found)
    return from_buffer(found.astype(np.int64 if weights is None else weights.dtype.numpy))


@function()
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Counts in equal bins between min and max (the data's own if equal). The content is observed."""
    array = input._array()
    low, high = (float(array.min()), float(array.max())) if min == max and array.size else (float(min), float(max))
    if low == high:
        low, high = low - 1, high + 1
    return from_buffer(np.histogram(array, bins, (low, high))[0].astype(input.dtype.numpy))


@function(is_method=False)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """True where an element is among the test elements. The content is observed."""
    arrays = [x._array() if isinstance(x, Tensor) else np.asarray(x) for x in (elements, test_elements)]
    return from_buffer(np.isin(arrays[0], arrays[1], assume_unique=assume_unique, invert=invert))
