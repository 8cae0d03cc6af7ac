"""Running sums, products and extremes along an axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, int64
from ..node import Node, Primitive, Sample, Shape, register
from .rules import normalize_axis, ordered, same_dtype
from .samples import uniform


def _shape(x: Shape, *, axis: int, reverse: bool) -> Shape:
    normalize_axis(axis, len(x))
    return x


def _accumulate(ufunc: np.ufunc) -> Callable[..., np.ndarray]:
    def evaluate(x: np.ndarray, *, axis: int, reverse: bool) -> np.ndarray:
        if not x.ndim:
            return x
        x = np.flip(x, axis) if reverse else x
        result = ufunc.accumulate(x, axis, x.dtype)
        return np.flip(result, axis) if reverse else result

    return evaluate


def _cumsum_gradient(node: Node, dy: Node) -> Sequence[Node]:
    return (lang.cumulative("cumsum", dy, node["axis"], not node["reverse"]),)


def _earlier(x: Node, axis: int, distance: int, reverse: bool, fill: float) -> Node:
    """At each place the element `distance` places earlier in the scan's direction; `fill` where there is none."""
    low, high = [0] * x.ndim, [0] * x.ndim
    low[axis], high[axis] = (-distance, distance) if reverse else (distance, -distance)
    return lang.pad(x, low, high, value=fill)


def _cumprod_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """Correct with zeros, which rules out dividing by x.

    With e the product of all elements before, dx = e r, where r collects from behind: rᵢ = dyᵢ + xᵢ₊₁ rᵢ₊₁. This
    linear recurrence is solved by doubling (Kogge and Stone, 1973): after k rounds each place has seen 2ᵏ successors.
    """
    (x,), axis, reverse = node.inputs, node["axis"], node["reverse"]
    if not x.ndim:
        return (dy,)
    size = x.shape[axis]
    factor, r, distance = _earlier(x, axis, 1, not reverse, 0), dy, 1
    while distance < size:
        r = r + factor * _earlier(r, axis, distance, not reverse, 0)
        factor = factor * _earlier(factor, axis, distance, not reverse, 0)
        distance *= 2
    return (_earlier(node, axis, 1, reverse, 1) * r,)


def _running_extreme_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """Each cotangent goes to the latest element that equals the extreme so far."""
    (x,), axis, reverse = node.inputs, node["axis"], node["reverse"]
    if not x.ndim:
        return (dy,)
    size = x.shape[axis]
    places = lang.reshape(lang.iota(size, int64), (size,) + (1,) * (x.ndim - axis - 1))
    taken = lang.equal(x, node) | lang.apply("is_nan", x)
    candidates = lang.select(taken, places, size - 1 if reverse else 0)
    source = lang.cumulative("cummin" if reverse else "cummax", candidates, axis, reverse)
    return (lang.put_along(lang.zeros_like(x), source, dy, axis, "add"),)


def _samples() -> Iterable[Sample]:
    cases: list[tuple[Shape, int]] = [
        ((), 0),
        ((7,), 0),
        ((3, 5), 0),
        ((3, 5), 1),
        ((2, 6, 3), 1),
        ((0, 3), 0),
        ((2, 1), 1),
    ]
    return [
        Sample((uniform(-2, 3, *shape),), {"axis": axis, "reverse": reverse})
        for shape, axis in cases
        for reverse in (False, True)
    ]


def _samples_with_zeros() -> Iterable[Sample]:
    x = uniform(-2, 3, 3, 6)
    x[0, 2] = x[1, 0] = x[1, 3] = x[2, 5] = 0
    return [
        *_samples(),
        *(Sample((x,), {"axis": axis, "reverse": r}) for axis in (0, 1) for r in (False, True)),
    ]


def _scan(
    name: str,
    ufunc: np.ufunc,
    gradient: Callable[[Node, Node], Sequence[Node]],
    dtype: Callable[..., DType],
    samples: Callable[[], Iterable[Sample]] = _samples,
) -> None:
    def in_torch(torch: Any, x: Any, *, axis: int, reverse: bool) -> Any:
        result = getattr(torch, name)(x.flip(axis) if reverse and x.ndim else x, axis)
        result = result[0] if name in ("cummax", "cummin") else result
        return result.flip(axis) if reverse and x.ndim else result

    register(
        Primitive(
            name=name,
            kind="scan",
            arity=1,
            attributes=("axis", "reverse"),
            shape=_shape,
            dtype=dtype,
            evaluate=_accumulate(ufunc),
            gradient=gradient,
            torch=in_torch,
            samples=samples,
            exact=name in ("cummax", "cummin"),
            wirtinger=name == "cumsum",
        )
    )


_scan("cumsum", np.add, _cumsum_gradient, same_dtype("int float complex"))
_scan(
    "cumprod",
    np.multiply,
    _cumprod_gradient,
    same_dtype("int float complex"),
    _samples_with_zeros,
)
_scan("cummax", np.maximum, _running_extreme_gradient, ordered)
_scan("cummin", np.minimum, _running_extreme_gradient, ordered)
