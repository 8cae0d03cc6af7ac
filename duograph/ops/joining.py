"""Tensors put together, repeated and turned, under PyTorch's names: what copies."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import language as g
from ..graph.composite import composite
from ..graph.errors import ArgumentError, AxisError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axes, normalize_axis
from ..graph.trace import local
from ..tensor.convert import from_buffer
from ..tensor.core import CPU, Tensor, apply, method, operand, result_type
from .define import function, into, sizes_of
from .manipulation import ravel, reshape, transpose, unsqueeze


@composite
def joined(*xs: Node, axis: int) -> Node:
    """Tensors one after the other along an axis."""
    return g.concatenate(xs, axis)


@function("concat", "concatenate", is_method=False)
def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Tensors one after the other along an axis; other sizes must agree. Mixed dtypes are promoted."""
    dim = dim if axis is None else axis
    if isinstance(tensors, Tensor):
        raise TypeError("cat: expected a sequence of tensors. Received: a Tensor; x.unbind() gives its slices")
    parts = list(tensors)
    if not parts:
        raise ArgumentError("cat: expected a non-empty list of tensors")
    if not builtins.all(isinstance(p, Tensor) for p in parts):
        raise TypeError(f"cat: expected tensors. Received: {[type(p).__name__ for p in parts]}")
    shaped = [p for p in parts if p._value.shape != (0,)] or parts[:1]
    dtype = result_type(*(p.dtype for p in parts))  # of dtypes: 0-d tensors count in full
    place = normalize_axis(dim, shaped[0].ndim)
    for number, p in enumerate(shaped):
        if not p.ndim:
            raise ShapeError("cat: 0-d tensors cannot be concatenated: use stack")
        expected = shaped[0]._value.shape
        if p.ndim != len(expected) or builtins.any(
            a != b for k, (a, b) in enumerate(zip(p._value.shape, expected, strict=True)) if k != place
        ):
            raise ShapeError(
                f"cat: expected sizes to match except along axis {place}: tensor 0 has shape {tuple(expected)}. "
                f"Received: tensor {number} of shape {tuple(p.shape)}"
            )
    if out is None and not dtype.differentiable and _is_growing(shaped):
        return from_buffer(np.concatenate([p._array() for p in shaped], place, dtype=dtype.numpy))
    return into(out, apply(joined, tuple(operand(p, dtype) for p in shaped), (("axis", place),)), *parts)


LONGEST = 1 << 16
"""Bytes of a sequence that is put together at once."""

SHORTEST = 64
"""Operations pending from which that would break up a step of training."""


def _is_growing(parts: Sequence[Tensor]) -> bool:
    """Whether whole numbers are put to those that are in memory, as when a model writes a text: one more at a time.

    They are put together at once. Recorded, each length would make all that follows another computation to plan.
    """
    trace = local.trace
    if local.capture is not None or not trace.readable or local.eager:
        return False
    if builtins.any(p._value.origin is not None or p._device is not CPU for p in parts):
        return False
    if sum(p.nbytes for p in parts) > LONGEST:
        return False
    pending = [p._value.buffer is None for p in parts]
    is_step = local.gradients and trace.step.length > SHORTEST
    return not pending[0] and not (is_step and builtins.any(pending))


@composite
def stacked(*xs: Node, axis: int) -> Node:
    """Tensors beside each other along a new axis."""
    return g.concatenate([g.expand_dims(x, axis) for x in xs], axis)


@function(is_method=False)
def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors of one shape beside each other along a new axis."""
    parts = list(tensors)
    if not parts:
        raise ArgumentError("stack: expected a non-empty list of tensors")
    for number, p in enumerate(parts):
        if p._value.shape != parts[0]._value.shape:
            raise ShapeError(
                f"stack: expected tensors of one shape: tensor 0 has {tuple(parts[0].shape)}. "
                f"Received: tensor {number} of shape {tuple(p.shape)}"
            )
    dtype = result_type(*(p.dtype for p in parts))
    place = normalize_axis(dim, parts[0].ndim + 1)
    return into(out, apply(stacked, tuple(operand(p, dtype) for p in parts), (("axis", place),)))


def _atleast(x: Tensor, ndim: int, order: int) -> Tensor:
    while x.ndim < ndim:
        x = unsqueeze(x, 0 if order == 0 or x.ndim < 2 else -1)
    return x


@function("row_stack", is_method=False)
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Rows (or matrices) one below the other."""
    return cat([_atleast(p, 2, 0) for p in tensors], 0)


@function(is_method=False)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side."""
    parts = [_atleast(p, 1, 0) for p in tensors]
    if not parts:
        raise ArgumentError("hstack: expected a non-empty list of tensors")
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


@function(is_method=False)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors stacked along the third axis."""
    return cat([_atleast(p, 3, 1) for p in tensors], 2)


@function(is_method=False)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Vectors as the columns of a matrix."""
    return cat([p if p.ndim >= 2 else reshape(p, (-1, 1)) for p in tensors], 1)


for _n in (1, 2, 3):

    def _make_atleast(n: int) -> Any:
        def body(*tensors: Any) -> Any:
            if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
                tensors = tuple(tensors[0])
            made = tuple(_atleast(x, n, 1) for x in tensors)
            return made[0] if len(made) == 1 else made

        body.__name__ = f"atleast_{n}d"
        body.__doc__ = f"Tensors with at least {n} axes."
        return body

    function(is_method=False)(_make_atleast(_n))


@composite
def tiled(x: Node, *, repeats: tuple[int, ...]) -> Node:
    """`x` written `repeats` times along each axis."""
    shape = (1,) * (len(repeats) - x.ndim) + x.shape
    pairs = tuple(v for s in shape for v in (1, s))
    wide = tuple(v for r, s in zip(repeats, shape, strict=True) for v in (r, s))
    joined_shape = tuple(r * s for r, s in zip(repeats, shape, strict=True))
    return g.reshape(g.broadcast_to(g.reshape(x, pairs), wide), joined_shape)


@method
def repeat(self: Tensor, *counts: Any, repeats: Any = ()) -> Tensor:
    """A copy written so many times along each axis (new axes in front)."""
    counts = sizes_of(*counts or (repeats,))
    if len(counts) < self.ndim:
        raise ShapeError(f"repeat: expected at least {self.ndim} counts. Received: {counts}")
    return apply(tiled, (self,), (("repeats", counts),))


@function()
def tile(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """A copy written so many times along the last axes."""
    counts = sizes_of(*axes) if dims is None else sizes_of(dims)
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


@function()
def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Every element (or slice along an axis) so many times in a row; a tensor of counts is observed."""
    x = ravel(input) if dim is None else input
    axis = 0 if dim is None else normalize_axis(dim, input.ndim)
    counts = repeats._array() if isinstance(repeats, Tensor) else repeats
    places = np.repeat(np.arange(x.shape[axis], dtype=np.int64), counts)
    if output_size is not None and places.size != output_size:
        raise ArgumentError(
            f"repeat_interleave: repeats give {places.size} elements. Received: output_size {output_size}"
        )
    return x[(builtins.slice(None),) * axis + (from_buffer(places),)]


@function()
def flip(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """A copy with some axes reversed."""
    axes = normalize_axes(sizes_of(*axes) if dims is None else sizes_of(dims), input.ndim)
    return apply(reversed_axes, (input,), (("axes", axes),))


@composite
def reversed_axes(x: Node, *, axes: tuple[int, ...]) -> Node:
    return g.flip(x, axes) if axes else g.apply("copy", x)


@function()
def fliplr(input: Tensor) -> Tensor:
    """Axis 1 reversed."""
    return flip(input, 1)


@function()
def flipud(input: Tensor) -> Tensor:
    """Axis 0 reversed."""
    if not input.ndim:
        raise ShapeError("flipud: expected at least 1 dimension. Received: a 0-d tensor")
    return flip(input, 0)


@function()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A plane turned by k quarter turns."""
    if len(dims) != 2 or input.ndim < 2:
        raise ShapeError(f"rot90: expected a tensor of 2 or more axes, and 2 of them. Received: {input.ndim}, {dims}")
    a, b = (normalize_axis(d, input.ndim) for d in dims)
    if a == b:
        raise ArgumentError(f"rot90: expected two different axes. Received: {dims}")
    turns = k % 4
    if turns == 0:
        return apply(P["copy"], (input,))
    if turns == 2:
        return flip(input, a, b)
    return transpose(flip(input, b), a, b) if turns == 1 else flip(transpose(input, a, b), b)


@function()
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along axes; what leaves one end enters at the other."""
    if dims is None:
        return reshape(roll(ravel(input), shifts, 0), tuple(input.shape))
    if len(sizes_of(dims)) != len(sizes_of(shifts)) or not sizes_of(shifts):
        raise ArgumentError(f"roll: expected a shift for each axis. Received: {shifts} and {dims}")
    if not input.ndim:
        raise AxisError(f"roll: dims: expected none for a tensor without axes. Received: {dims}")
    moves = tuple(zip((normalize_axis(d, input.ndim) for d in sizes_of(dims)), sizes_of(shifts), strict=True))
    return apply(rolled, (input,), (("moves", moves),))


@composite
def rolled(x: Node, *, moves: tuple[tuple[int, int], ...]) -> Node:
    for axis, shift in moves:
        size = x.shape[axis] if x.ndim else 0
        shift = shift % size if size else 0
        if shift:
            x = g.concatenate([g.narrow(x, axis, size - shift, shift), g.narrow(x, axis, 0, size - shift)], axis)
    return x
