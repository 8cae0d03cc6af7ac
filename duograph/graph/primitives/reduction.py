"""Reductions over axes, and the positions of extremes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType
from ..errors import AxisError, EmptyAxisError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import normalize_axis, ordered, same_dtype, to_bool, to_index, zero_gradient
from .samples import integers, uniform


def _reduced_shape(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    if any(not 0 <= a < len(x) for a in axes) or tuple(sorted(set(axes))) != axes:
        raise AxisError(f"expected sorted axes in [0, {len(x)}), each once. Received: {axes}")
    return tuple(s for k, s in enumerate(x) if k not in axes)


def _chosen_shape(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    shape = _reduced_shape(x, axes=axes)
    if any(x[a] == 0 for a in axes):
        raise EmptyAxisError(
            f"max and min need at least one element in each reduced axis. Received: shape {x}, axes {axes}"
        )
    return shape


def _kept(node: Node, y: Node) -> Node:
    """`y`, of the shape of the reduction `node`, with the reduced axes as 1: it broadcasts against the input."""
    x, axes = node.inputs[0], node["axes"]
    return lang.reshape(y, tuple(1 if k in axes else s for k, s in enumerate(x.shape)))


def _sum_gradient(node: Node, dy: Node) -> Sequence[Node]:
    return (lang.broadcast_to(_kept(node, dy), node.inputs[0].shape),)


def _prod_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """dy times the product of all the other elements: of those before times of those after, which no zero spoils."""
    (x,), axes = node.inputs, node["axes"]
    rest = tuple(k for k in range(x.ndim) if k not in axes)
    order = (*rest, *axes)
    count = lang.count(x, axes) if axes else 1
    flat = lang.reshape(lang.permute(x, order), (*node.shape, count))
    one = lang.full((*node.shape, 1), 1, x.dtype)
    if count == 0:
        return (lang.zeros_like(x),)
    before = lang.concatenate([one, lang.narrow(lang.cumulative("cumprod", flat, -1), -1, 0, count - 1)], -1)
    after = lang.concatenate(
        [
            lang.narrow(lang.cumulative("cumprod", flat, -1, reverse=True), -1, 1, count - 1),
            one,
        ],
        -1,
    )
    dx = lang.reshape(dy, (*node.shape, 1)) * before * after
    back = tuple(order.index(k) for k in range(x.ndim))
    return (lang.permute(lang.reshape(dx, tuple(x.shape[k] for k in order)), back),)


def _extreme_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """The cotangent divided evenly among the elements that tie."""
    (x,), axes = node.inputs, node["axes"]
    chosen = lang.cast(lang.equal(x, _kept(node, node)), x.dtype)
    return (chosen * _kept(node, dy / lang.sum(chosen, axes)),)


def _samples() -> Iterable[Sample]:
    cases: list[tuple[Shape, tuple[int, ...]]] = [
        ((), ()),
        ((7,), (0,)),
        ((3, 5), (0,)),
        ((3, 5), (1,)),
        ((3, 5), (0, 1)),
        ((2, 3, 4, 3), (1, 3)),
        ((2, 1, 3), (0, 1)),
        ((0, 3), (1,)),
        ((3, 5), ()),
    ]
    return [Sample((uniform(-2, 3, *shape),), {"axes": axes}) for shape, axes in cases]


def _samples_of_none() -> Iterable[Sample]:
    return [
        *_samples(),
        Sample((uniform(0, 1, 0, 3),), {"axes": (0,)}),
        Sample((uniform(0, 1, 2, 0),), {"axes": (0, 1)}),
    ]


def _samples_with_zeros() -> Iterable[Sample]:
    one_zero, zeros = uniform(-2, 3, 3, 4), uniform(-2, 3, 3, 4)
    one_zero[1, 2] = zeros[0, 0] = zeros[0, 3] = zeros[2, 1] = 0
    return [
        *_samples_of_none(),
        *(Sample((x,), {"axes": axes}) for x in (one_zero, zeros) for axes in ((0,), (1,), (0, 1))),
    ]


def _bool_samples() -> Iterable[Sample]:
    return [Sample((integers(0, 3, *s.inputs[0].shape) // 2,), s.attributes) for s in _samples_of_none()]


def _in_torch(name: str) -> Callable[..., Any]:
    def call(torch: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
        if name == "prod":  # PyTorch's takes one axis at a time
            for axis in reversed(axes):
                x = torch.prod(x, axis)
            return x
        if not axes:
            return {"any": x.bool(), "all": x.bool()}.get(name, x)
        return getattr(torch, {"max": "amax", "min": "amin"}.get(name, name))(x, dim=axes)

    return call


def _reduction(
    name: str,
    evaluate: Callable[..., np.ndarray],
    gradient: Callable[[Node, Node], Sequence[Node | None]] | None,
    samples: Callable[[], Iterable[Sample]],
    dtype: Callable[..., DType],
    shape: Callable[..., Shape] = _reduced_shape,
) -> None:
    register(
        Primitive(
            name=name,
            kind="reduction",
            arity=1,
            attributes=("axes",),
            shape=shape,
            dtype=dtype,
            evaluate=evaluate,
            gradient=gradient,
            torch=_in_torch(name),
            samples=samples,
            exact=name in ("max", "min", "any", "all"),
            wirtinger=name == "sum",
        )
    )


# Sums and products stay in their dtype: widening integers first is the caller's decision.
_NUMERIC = same_dtype("int float complex")
_reduction(
    "sum",
    lambda x, *, axes: x.sum(axes, x.dtype),
    _sum_gradient,
    _samples_of_none,
    _NUMERIC,
)
_reduction(
    "prod",
    lambda x, *, axes: x.prod(axes, x.dtype),
    _prod_gradient,
    _samples_with_zeros,
    _NUMERIC,
)
_reduction(
    "max",
    lambda x, *, axes: x.max(axes),
    _extreme_gradient,
    _samples,
    ordered,
    _chosen_shape,
)
_reduction(
    "min",
    lambda x, *, axes: x.min(axes),
    _extreme_gradient,
    _samples,
    ordered,
    _chosen_shape,
)
_reduction("any", lambda x, *, axes: x.any(axes), zero_gradient, _bool_samples, to_bool)
_reduction("all", lambda x, *, axes: x.all(axes), zero_gradient, _bool_samples, to_bool)


def _position_shape(x: Shape, *, axis: int) -> Shape:
    axis = normalize_axis(axis, len(x))
    if x and x[axis] == 0:
        raise EmptyAxisError(
            f"argmax and argmin need at least one element along the axis. Received: shape {x}, axis {axis}"
        )
    return x[:axis] + x[axis + 1 :]


def _position(name: str, evaluate: Callable[..., np.ndarray]) -> None:
    """The first position of the extreme along an axis; a NaN is more extreme than any number."""
    register(
        Primitive(
            name=name,
            kind="reduction",
            arity=1,
            exact=True,
            attributes=("axis",),
            shape=_position_shape,
            dtype=to_index,
            evaluate=lambda x, *, axis: evaluate(x, axis if x.ndim else None),
            gradient=zero_gradient,
            torch=lambda torch, x, *, axis: getattr(torch, name)(x, axis),
            samples=lambda: (
                [
                    Sample((uniform(-2, 3, *shape),), {"axis": axis})
                    for shape, axis in [
                        ((), 0),
                        ((7,), 0),
                        ((3, 5), 0),
                        ((3, 5), 1),
                        ((2, 3, 4), 1),
                        ((0, 3), 1),
                    ]
                ]
                + [Sample((integers(0, 3, 4, 6).astype(np.float64),), {"axis": 1})]
            ),
        )
    )


_position("argmax", np.argmax)
_position("argmin", np.argmin)
