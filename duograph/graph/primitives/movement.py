"""Operations that move elements and compute nothing."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import bool_
from ..errors import ArgumentError, AxisError, ShapeError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import normalize_axis, same_dtype
from .samples import uniform


def _broadcast_shape(x: Shape, *, shape: Shape) -> Shape:
    aligned = shape[len(shape) - len(x) :]
    if len(x) > len(shape) or any(a not in (1, b) for a, b in zip(x, aligned, strict=True)):
        raise ShapeError(f"a tensor of shape {x} does not broadcast to {shape}: each size must be equal, or 1")
    return shape


register(
    Primitive(
        name="broadcast_to",
        kind="movement",
        arity=1,
        attributes=("shape",),
        shape=_broadcast_shape,
        dtype=same_dtype(),
        evaluate=lambda x, *, shape: np.broadcast_to(x, shape),
        gradient=lambda node, dy: (lang.sum_to(dy, node.inputs[0].shape),),
        torch=lambda torch, x, *, shape: x.expand(shape),
        samples=lambda: [
            Sample((uniform(-2, 3, *a),), {"shape": b})
            for a, b in [
                ((), ()),
                ((), (3,)),
                ((1,), (4,)),
                ((3, 1), (2, 3, 5)),
                ((1, 1), (0, 3)),
                ((2, 3), (2, 3)),
            ]
        ],
        moves_bits=True,
    )
)


def _reshape_shape(x: Shape, *, shape: Shape) -> Shape:
    if prod(x) != prod(shape) or any(s < 0 for s in shape):
        raise ShapeError(f"shape {x} has {prod(x)} elements and cannot be reshaped. Received: shape {shape}")
    return shape


register(
    Primitive(
        name="reshape",
        kind="movement",
        arity=1,
        attributes=("shape",),
        shape=_reshape_shape,
        dtype=same_dtype(),
        evaluate=lambda x, *, shape: x.reshape(shape),
        gradient=lambda node, dy: (lang.reshape(dy, node.inputs[0].shape),),
        torch=lambda torch, x, *, shape: x.reshape(shape),
        samples=lambda: [
            Sample((uniform(-2, 3, *a),), {"shape": b})
            for a, b in [
                ((), (1, 1)),
                ((6,), (2, 3)),
                ((3, 5, 2), (5, 6)),
                ((1,), ()),
                ((0, 3), (7, 0)),
            ]
        ],
        moves_bits=True,
    )
)


def _permute_shape(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    if sorted(axes) != list(range(len(x))):
        raise AxisError(f"permute: expected every axis of shape {x} once. Received: {axes}")
    return tuple(x[a] for a in axes)


register(
    Primitive(
        name="permute",
        kind="movement",
        arity=1,
        attributes=("axes",),
        shape=_permute_shape,
        dtype=same_dtype(),
        evaluate=lambda x, *, axes: x.transpose(axes),
        gradient=lambda node, dy: (lang.permute(dy, tuple(np.argsort(node["axes"]).tolist())),),
        torch=lambda torch, x, *, axes: x.permute(axes),
        samples=lambda: [
            Sample((uniform(-2, 3, *shape),), {"axes": axes})
            for shape, axes in [
                ((), ()),
                ((3, 5), (1, 0)),
                ((2, 3, 4), (2, 0, 1)),
                ((0, 3), (1, 0)),
            ]
        ],
        moves_bits=True,
    )
)


def _slice_shape(x: Shape, *, start: Sequence[int], stop: Sequence[int], step: Sequence[int]) -> Shape:
    if not len(start) == len(stop) == len(step) == len(x):
        raise ArgumentError(f"slice: expected {len(x)} starts, stops and steps. Received: {start}, {stop}, {step}")
    result = []
    for n, a, b, s in zip(x, start, stop, step, strict=True):
        if s == 0:
            raise ArgumentError("slice: expected steps other than 0. Received: 0")
        length, last = extent(a, b, s)
        if length and not (0 <= a < n and 0 <= last < n):
            raise ArgumentError(f"slice: {a}:{b}:{s} leaves an axis of size {n}")
        result.append(length)
    return tuple(result)


def extent(start: int, stop: int, step: int) -> tuple[int, int]:
    """How many places `range(start, stop, step)` has, and the last of them."""
    length = max(0, (stop - start + step - (1 if step > 0 else -1)) // step)
    return length, start + (length - 1) * step


def _evaluate_slice(x: np.ndarray, *, start: Sequence[int], stop: Sequence[int], step: Sequence[int]) -> np.ndarray:
    # NumPy reads a stop of -1 as the last element; here it is the place before the first
    return x[tuple(builtins.slice(a, b if b >= 0 else None, s) for a, b, s in zip(start, stop, step, strict=True))]


def _slice_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """Put back between zeros, turned round first where the step is negative."""
    (x,) = node.inputs
    low, high, interior, backward = [], [], [], []
    for k, (n, a, b, s) in enumerate(zip(x.shape, node["start"], node["stop"], node["step"], strict=True)):
        length, end = extent(a, b, s)
        if s < 0:
            backward.append(k)
        first, last = (min(a, end), max(a, end)) if length else (n, n - 1)
        low.append(first)
        high.append(n - 1 - last)
        interior.append(abs(s) - 1)
    return (lang.pad(lang.flip(dy, tuple(backward)), low, high, interior),)


def _in_torch_slice(torch: Any, x: Any, *, start: Any, stop: Any, step: Any) -> Any:
    for axis, (a, b, s) in enumerate(zip(start, stop, step, strict=True)):
        x = torch.index_select(x, axis, torch.tensor(list(range(a, b, s)), dtype=torch.int64))
    return x


register(
    Primitive(
        name="slice",
        kind="movement",
        arity=1,
        attributes=("start", "stop", "step"),
        shape=_slice_shape,
        dtype=same_dtype(),
        evaluate=_evaluate_slice,
        gradient=_slice_gradient,
        torch=_in_torch_slice,
        samples=lambda: [
            Sample((uniform(-2, 3, *shape),), {"start": start, "stop": stop, "step": step})
            for shape, start, stop, step in [
                ((), (), (), ()),
                ((7,), (1,), (6,), (1,)),
                ((7,), (1,), (7,), (3,)),
                ((7,), (6,), (-1,), (-1,)),
                ((8,), (6,), (0,), (-2,)),
                ((3, 5), (0, 4), (2, -1), (1, -3)),
                ((3, 5), (2, 5), (2, 5), (1, 2)),
                ((3, 5), (1, 0), (1, -1), (-1, -1)),
                ((0, 3), (0, 1), (0, 3), (1, 1)),
            ]
        ],
        moves_bits=True,
    )
)


def _pad_shape(
    x: Shape,
    value: Shape,
    *,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int],
) -> Shape:
    if not len(low) == len(high) == len(interior) == len(x):
        raise ArgumentError(f"pad: expected {len(x)} lows, highs and interiors. Received: {low}, {high}, {interior}")
    if value != ():
        raise ShapeError(f"pad: expected a 0-d value. Received: shape {value}")
    if any(i < 0 for i in interior):
        raise ArgumentError(f"pad: expected interiors of at least 0. Received: {interior}")
    result = tuple(a + n + max(n - 1, 0) * i + b for n, a, b, i in zip(x, low, high, interior, strict=True))
    if any(s < 0 for s in result):
        raise ShapeError(f"pad: cuts more off shape {x} than it has. Received: low {low}, high {high}")
    return result


def _evaluate_pad(x: np.ndarray, value: np.ndarray, **attributes: Any) -> np.ndarray:
    shape = _pad_shape(x.shape, (), **attributes)
    result = np.full(shape, value, x.dtype)
    source, target = [], []
    for n, size, a, i in zip(x.shape, shape, attributes["low"], attributes["interior"], strict=True):
        step = i + 1
        first = max(0, -(a // step))  # the first element that is not cut off, and the end of those that are not
        end = max(first, min(n, (size - 1 - a) // step + 1))
        source.append(builtins.slice(first, end))
        target.append(builtins.slice(a + first * step, a + first * step + (end - first) * step, step))
    if x.size and result.size:
        result[tuple(target)] = x[tuple(source)]
    return result


def _pad_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    x = node.inputs[0]
    low, high, interior = node["low"], node["high"], node["interior"]
    dilated = lang.pad(dy, [-a for a in low], [-b for b in high])
    dx = lang.slice(dilated, (0,) * x.ndim, dilated.shape, [i + 1 for i in interior])
    padding = lang.pad(lang.full(x.shape, False, bool_), low, high, interior, True)
    return dx, lang.sum(lang.select(padding, dy, 0)) if padding.op.name == "pad" else None


def _in_torch_pad(torch: Any, x: Any, value: Any, *, low: Any, high: Any, interior: Any) -> Any:
    shape = [max(n + max(n - 1, 0) * i, 0) for n, i in zip(x.shape, interior, strict=True)]
    places = [torch.arange(n) * (i + 1) for n, i in zip(x.shape, interior, strict=True)]
    dilated = value.expand(shape)
    dilated = dilated.index_put(torch.meshgrid(*places, indexing="ij"), x) if x.ndim else x
    ends = [e for a, b in reversed(list(zip(low, high, strict=True))) for e in (a, b)]
    mask = torch.nn.functional.pad(torch.ones(shape, dtype=x.dtype), ends)
    return torch.where(mask == 1, torch.nn.functional.pad(dilated, ends), value)


register(
    Primitive(
        name="pad",
        kind="movement",
        arity=2,
        attributes=("low", "high", "interior"),
        shape=_pad_shape,
        dtype=same_dtype(),
        evaluate=_evaluate_pad,
        gradient=_pad_gradient,
        torch=_in_torch_pad,
        samples=lambda: [
            Sample(
                (uniform(-2, 3, *shape), np.array(0.7)),
                {"low": low, "high": high, "interior": interior},
            )
            for shape, low, high, interior in [
                ((), (), (), ()),
                ((5,), (2,), (1,), (0,)),
                ((5,), (-2,), (1,), (0,)),
                ((5,), (1,), (-4,), (2,)),
                ((5,), (-3,), (-1,), (2,)),
                ((5,), (-4,), (4,), (1,)),
                ((3, 4), (0, 1), (2, 0), (1, 0)),
                ((3, 4), (-1, -2), (-1, -2), (0, 0)),
                ((2, 0), (1, 1), (0, 2), (1, 3)),
                ((4,), (-4,), (0,), (0,)),
            ]
        ],
        moves_bits=True,
    )
)


def _concatenate_shape(*shapes: Shape, axis: int) -> Shape:
    first = shapes[0]
    if not first:
        raise ShapeError("concatenate: expected tensors of at least one dimension. Received: a 0-d tensor")
    axis = normalize_axis(axis, len(first))
    for shape in shapes:
        if shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :] or len(shape) != len(first):
            received = ", ".join(map(str, shapes))
            raise ShapeError(f"concatenate: expected shapes that are equal except at axis {axis}. Received: {received}")
    return (*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])


def _concatenate_gradient(node: Node, dy: Node) -> Sequence[Node]:
    axis, start, pieces = node["axis"], 0, []
    for x in node.inputs:
        pieces.append(lang.narrow(dy, axis, start, x.shape[axis]))
        start += x.shape[axis]
    return pieces


register(
    Primitive(
        name="concatenate",
        kind="movement",
        arity=None,
        attributes=("axis",),
        shape=_concatenate_shape,
        dtype=same_dtype(),
        evaluate=lambda *xs, axis: np.concatenate(xs, axis),
        gradient=_concatenate_gradient,
        torch=lambda torch, *xs, axis: torch.cat(xs, axis),
        samples=lambda: [
            Sample(tuple(uniform(-2, 3, *shape) for shape in shapes), {"axis": axis})
            for shapes, axis in [
                (((3,), (4,)), 0),
                (((3, 2), (3, 1), (3, 4)), 1),
                (((0, 2), (3, 2)), 0),
                (((2, 3, 2),), 1),
            ]
        ],
        moves_bits=True,
    )
)
