"""Reading and writing at positions that are data, and sorting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, int64
from ..errors import (
    ArgumentError,
    DTypeError,
    IndexOutOfRange,
    ShapeError,
)
from ..node import Node, Primitive, Sample, Shape, register
from .rules import normalize_axis, ordered, same_dtype, to_index, zero_gradient
from .samples import integers, uniform

MODES = {
    "set": None,
    "add": np.add,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
"""How `put` and `put_along` join an update to what is there."""


def _positions(indices: np.ndarray, size: int, axis: int) -> np.ndarray:
    """`indices` as int64 counted from the front. Raises IndexOutOfRange."""
    if indices.dtype != np.uint64:  # whose greatest are no int64
        indices = indices.astype(np.int64)
    outside = (indices < -size) | (indices >= size)
    if outside.any():
        worst = int(indices[outside].flat[0])
        raise IndexOutOfRange(
            f"index {worst} is out of range for axis {axis} of size {size}: expected {-size} to {size - 1}"
        )
    indices = indices.astype(np.int64)
    return np.where(indices < 0, indices + size, indices)


def _read_dtype(x: DType, indices: DType, **_: Any) -> DType:
    if indices.category != "int":
        raise DTypeError(f"expected integer indices. Received: {indices.name}")
    return x


def _write_dtype(x: DType, indices: DType, updates: DType, *, mode: str, **_: Any) -> DType:
    return (ordered if mode in ("maximum", "minimum") else same_dtype())(_read_dtype(x, indices), updates)


def _axis(x: Shape, axis: int) -> int:
    if not x:
        raise ShapeError("expected a tensor of at least one dimension. Received: a 0-d tensor")
    return normalize_axis(axis, len(x))


def _take_shape(x: Shape, indices: Shape, *, axis: int) -> Shape:
    axis = _axis(x, axis)
    return x[:axis] + indices + x[axis + 1 :]


def _take_along_shape(x: Shape, indices: Shape, *, axis: int) -> Shape:
    axis = _axis(x, axis)
    if len(indices) != len(x) or any(i > n for k, (i, n) in enumerate(zip(indices, x, strict=True)) if k != axis):
        raise ShapeError(
            f"expected indices with as many axes as {x}, none longer but axis {axis}. Received: shape {indices}"
        )
    return indices


def _put_shape(x: Shape, indices: Shape, updates: Shape, *, axis: int, mode: str) -> Shape:
    return _written(x, updates, _take_shape(x, indices, axis=axis), mode)


def _put_along_shape(x: Shape, indices: Shape, updates: Shape, *, axis: int, mode: str) -> Shape:
    return _written(x, updates, _take_along_shape(x, indices, axis=axis), mode)


def _written(x: Shape, updates: Shape, expected: Shape, mode: str) -> Shape:
    if mode not in MODES:
        raise ArgumentError(f"expected a mode of {', '.join(MODES)}. Received: {mode!r}")
    if updates != expected:
        raise ShapeError(f"expected updates of shape {expected}. Received: {updates}")
    return x


def _evaluate_take(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    return np.take(x, _positions(indices, x.shape[axis], axis), axis)


def _crop(x: np.ndarray, indices: np.ndarray, axis: int) -> tuple[slice, ...]:
    """The part of `x` that indices as long or shorter than its axes can reach."""
    return tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(indices.shape))


def _evaluate_take_along(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    places = _positions(indices, x.shape[axis], axis)
    return np.take_along_axis(x[_crop(x, indices, axis)], places, axis)


def _write(rows: np.ndarray, places: np.ndarray, updates: np.ndarray, mode: str) -> None:
    """Write `updates` to `rows` at `places` in order: among equal places the last one wins, or all are combined."""
    if not updates.size:
        return
    order = np.argsort(places, kind="stable")
    places, updates = places[order], updates[order]
    starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
    targets, ufunc = places[starts], MODES[mode]
    if ufunc is None:
        rows[targets] = updates[np.r_[starts[1:], len(places)] - 1]
    else:
        rows[targets] = ufunc(rows[targets], ufunc.reduceat(updates, starts, axis=0, dtype=rows.dtype))


def _evaluate_put(x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, axis: int, mode: str) -> np.ndarray:
    places = _positions(indices, x.shape[axis], axis).reshape(-1)
    result = x.copy()
    rows = np.moveaxis(result, axis, 0)
    joined = updates.reshape(*x.shape[:axis], places.size, *x.shape[axis + 1 :])
    _write(rows, places, np.moveaxis(joined, axis, 0), mode)
    return result


def _evaluate_put_along(x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, axis: int, mode: str) -> np.ndarray:
    places = _positions(indices, x.shape[axis], axis)
    result = np.array(x, order="C")
    if places.size:
        grid = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
        grid[axis] = places
        flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*grid)), x.shape)
        _write(result.reshape(-1), flat.reshape(-1), updates.reshape(-1), mode)
    return result


def _take_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    x, indices = node.inputs
    return lang.put(lang.zeros_like(x), indices, dy, node["axis"], "add"), None


def _take_along_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    x, indices = node.inputs
    return lang.put_along(lang.zeros_like(x), indices, dy, node["axis"], "add"), None


def _put_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """The gradient of `put` and `put_along` alike."""
    x, indices, updates = node.inputs
    along, axis, mode = node.op.name == "put_along", node["axis"], node["mode"]
    put, take = (lang.put_along, lang.take_along) if along else (lang.put, lang.take)
    if mode == "add":
        return dy, None, take(dy, indices, axis)
    if mode == "set":
        kept = put(dy, indices, lang.zeros_like(updates), axis, "set")
        # among updates of one place only the last one counts: write their numbers and see which remain
        numbers = lang.reshape(lang.iota(indices.size, int64), indices.shape)
        places = lang.full(x.shape if along else (x.shape[axis],), -1, int64)
        where = axis if along else 0
        last = lang.equal(take(put(places, indices, numbers, where), indices, where), numbers)
        if not along:
            last = lang.reshape(last, (*indices.shape, *(1,) * (x.ndim - axis - 1)))
        return kept, None, lang.select(last, take(dy, indices, axis), 0)
    if mode in ("maximum", "minimum"):
        # divided evenly among those that tie with the result
        stayed = lang.cast(lang.equal(x, node), x.dtype)
        arrived = lang.cast(lang.equal(updates, take(node, indices, axis)), x.dtype)
        share = dy / put(stayed, indices, arrived, axis, "add")
        return share * stayed, None, take(share, indices, axis) * arrived
    # each factor's share is the product of the others: of all but zeros, where at most one other factor is zero
    none, also = (lang.equal(t, 0) for t in (x, updates))
    zeros = put(lang.cast(none, x.dtype), indices, lang.cast(also, x.dtype), axis, "add")
    factors = lang.select(none, 1, x), lang.select(also, 1, updates)
    rest = put(factors[0], indices, factors[1], axis, "multiply") * dy
    there = take(rest, indices, axis), take(zeros, indices, axis)
    return (
        lang.select(lang.equal(zeros, lang.cast(none, x.dtype)), rest / factors[0], 0),
        None,
        lang.select(lang.equal(there[1], lang.cast(also, x.dtype)), there[0] / factors[1], 0),
    )


def _take_samples() -> Iterable[Sample]:
    cases: list[tuple[Shape, Shape, int]] = [
        ((5,), (), 0),
        ((5,), (7,), 0),
        ((3, 5), (4,), 1),
        ((3, 5), (2, 3), 0),
        ((2, 4, 3), (2, 2), 1),
        ((3, 5), (0,), 0),
        ((0, 5), (2,), 1),
    ]
    for x, indices, axis in cases:
        yield Sample((uniform(-2, 3, *x), integers(-x[axis], x[axis], *indices)), {"axis": axis})


def _take_along_samples() -> Iterable[Sample]:
    cases: list[tuple[Shape, Shape, int]] = [
        ((5,), (7,), 0),
        ((3, 5), (3, 2), 1),
        ((3, 5), (6, 4), 0),
        ((2, 4, 3), (1, 5, 2), 1),
        ((3, 5), (0, 5), 0),
    ]
    for x, indices, axis in cases:
        yield Sample((uniform(-2, 3, *x), integers(-x[axis], x[axis], *indices)), {"axis": axis})


def _with_updates(samples: Iterable[Sample], along: bool) -> Iterable[Sample]:
    for sample in samples:
        x, indices = sample.inputs
        rule = _take_along_shape if along else _take_shape
        shape = rule(x.shape, indices.shape, axis=sample.attributes["axis"])
        for mode in MODES:
            yield Sample(
                (x, indices, uniform(-2, 4, *shape) + 0.0137),
                {**sample.attributes, "mode": mode},
            )


_TORCH_REDUCE = {"multiply": "prod", "maximum": "amax", "minimum": "amin"}


def _in_torch_put(torch: Any, x: Any, indices: Any, updates: Any, *, axis: int, mode: str) -> Any:
    flat = (indices % max(x.shape[axis], 1)).reshape(-1)
    updates = updates.reshape(*x.shape[:axis], flat.numel(), *x.shape[axis + 1 :])
    if mode == "set":
        return x.index_copy(axis, flat, updates)
    if mode == "add":
        return x.index_add(axis, flat, updates)
    return x.index_reduce(axis, flat, updates, _TORCH_REDUCE[mode])


def _in_torch_put_along(torch: Any, x: Any, indices: Any, updates: Any, *, axis: int, mode: str) -> Any:
    indices = indices % max(x.shape[axis], 1)
    if mode == "set":
        return x.scatter(axis, indices, updates)
    if mode == "add":
        return x.scatter_add(axis, indices, updates)
    return x.scatter_reduce(axis, indices, updates, _TORCH_REDUCE[mode])


register(
    Primitive(
        name="take",
        kind="index",
        arity=2,
        attributes=("axis",),
        shape=_take_shape,
        dtype=_read_dtype,
        evaluate=_evaluate_take,
        gradient=_take_gradient,
        torch=lambda torch, x, indices, *, axis: torch.index_select(
            x, axis, (indices % max(x.shape[axis], 1)).reshape(-1)
        ).reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])),
        samples=_take_samples,
        moves_bits=True,
    )
)
register(
    Primitive(
        name="take_along",
        kind="index",
        arity=2,
        attributes=("axis",),
        shape=_take_along_shape,
        dtype=_read_dtype,
        evaluate=_evaluate_take_along,
        gradient=_take_along_gradient,
        torch=lambda torch, x, indices, *, axis: torch.gather(x, axis, indices % max(x.shape[axis], 1)),
        samples=_take_along_samples,
        moves_bits=True,
    )
)
register(
    Primitive(
        name="put",
        kind="index",
        arity=3,
        attributes=("axis", "mode"),
        shape=_put_shape,
        dtype=_write_dtype,
        evaluate=_evaluate_put,
        gradient=_put_gradient,
        torch=_in_torch_put,
        samples=lambda: _with_updates(_take_samples(), along=False),
    )
)
register(
    Primitive(
        name="put_along",
        kind="index",
        arity=3,
        attributes=("axis", "mode"),
        shape=_put_along_shape,
        dtype=_write_dtype,
        evaluate=_evaluate_put_along,
        gradient=_put_gradient,
        torch=_in_torch_put_along,
        samples=lambda: _with_updates(_take_along_samples(), along=True),
    )
)


def _argsort_shape(x: Shape, *, axis: int, descending: bool) -> Shape:
    normalize_axis(axis, len(x))
    return x


def _argsort(x: np.ndarray, *, axis: int, descending: bool) -> np.ndarray:
    """Stable; NaNs count as the largest."""
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # from the back, ascending, and turned round: equal elements keep their order
    backwards = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)


register(
    Primitive(
        name="argsort",
        exact=True,
        kind="sort",
        arity=1,
        attributes=("axis", "descending"),
        shape=_argsort_shape,
        dtype=to_index,
        evaluate=_argsort,
        gradient=zero_gradient,
        torch=lambda torch, x, *, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True),
        samples=lambda: [
            Sample((x,), {"axis": axis, "descending": descending})
            for x, axis in [
                (uniform(-2, 3), 0),
                (uniform(-2, 3, 3, 5), 0),
                (integers(0, 4, 3, 9).astype(np.float64), 1),
                (np.array([2.0, np.nan, 1.0, np.nan, np.inf, 1.0]), 0),
                (uniform(-2, 3, 0, 3), 1),
            ]
            for descending in (False, True)
        ],
    )
)
