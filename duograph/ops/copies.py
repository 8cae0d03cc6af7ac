"""What PyTorch offers beside views: the same results in memory of their own, and reading or writing by strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.errors import ArgumentError, ShapeError
from ..graph.primitives.rules import normalize_axis
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor
from .creation import empty
from .define import function, sizes_of
from .diagonals import diagonal
from .joining import cat
from .layout import is_contiguous, strided
from .manipulation import (
    chunk,
    expand,
    movedim,
    narrow,
    permute,
    select,
    split,
    split_with_sizes,
    squeeze,
    t,
    transpose,
    unbind,
    unsqueeze,
)


def _copied(result: Any) -> Any:
    return tuple(r.clone() for r in result) if isinstance(result, tuple | list) else result.clone()


def _copying(name: str, view: Any) -> None:
    def body(input: Tensor, *arguments: Any, **keywords: Any) -> Any:
        return _copied(view(input, *arguments, **keywords))

    body.__name__ = body.__qualname__ = f"{name}_copy"
    body.__doc__ = f"`{name}` in memory of its own."
    function(is_method=False)(body)


for _view in (diagonal, narrow, permute, select, split_with_sizes, squeeze, t, transpose, unbind, unsqueeze):
    _copying(_view.__name__, _view)
_copying("alias", lambda x: x)
_copying("detach", lambda x: x.detach())
_copying("expand", lambda x, size, implicit=False: expand(x, *sizes_of(size)))
_copying("view", lambda x, size: x.view(size))
_copying("unfold", lambda x, dimension, size, step: unfold(x, dimension, size, step))
function("unsafe_split")(split)
function("unsafe_chunk")(chunk)


@function(is_method=True)
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Slices of `size` along an axis, `step` apart, as a new last axis: a copy, where PyTorch has a view."""
    axis = normalize_axis(dimension, self.ndim)
    length = self.shape[axis] if self.ndim else 1
    if not 0 <= size <= length or step <= 0:
        raise ArgumentError(f"unfold: expected a size up to {length} and a step above 0. Received: {size}, {step}")
    x = self if self.ndim else self.reshape(1)
    if not self.ndim:
        return x[:size]
    starts = np.arange(0, length - size + 1, step)
    places = from_buffer((starts[:, None] + np.arange(size)).astype(np.int64))
    taken = x.index_select(axis, places.reshape(-1))
    shape = (*x.shape[:axis], len(starts), size, *x.shape[axis + 1 :])
    return movedim(taken.reshape(shape), axis + 1, -1)


def _places(size: Sequence[int], stride: Sequence[int], offset: int, available: int) -> np.ndarray:
    if len(size) != len(stride):
        raise ShapeError(f"as_strided: expected a stride for each size. Received: {tuple(size)} and {tuple(stride)}")
    grid = np.full((), offset, np.int64)
    for n, hop in zip(size, stride, strict=True):
        grid = grid[..., None] + np.arange(n, dtype=np.int64) * hop
    if grid.size and not (grid.min() >= 0 and grid.max() < available):
        raise ArgumentError(f"as_strided: expected places among {available} elements. Received: up to {grid.max()}")
    return grid


def _own_memory(name: str, input: Tensor) -> Tensor:
    if not is_contiguous(input):
        raise ArgumentError(
            f"{name}: expected a tensor whose elements lie in order in memory; call .contiguous() first"
        )
    return input.reshape(-1)


@function()
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """A view of the elements at `storage_offset`, by default the tensor's own, plus multiples of the strides.

    Strides and the offset count elements of the memory that the tensor lies in, as `stride()` and `storage_offset()`
    do. A view in which elements overlap can be read and not written.
    """
    return strided("as_strided", input, size, stride, storage_offset)


_copying("as_strided", as_strided)


@function()
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy of a tensor whose elements lie in order, with `src` written where `as_strided_copy` reads."""
    flat = _own_memory("as_strided_scatter", input)
    places = _places(size, stride, storage_offset or 0, flat.shape[0])
    if tuple(src.shape) != tuple(size):
        raise ShapeError(f"as_strided_scatter: expected a source of shape {tuple(size)}. Received: {tuple(src.shape)}")
    return flat.scatter(0, from_buffer(places.reshape(-1)), src.reshape(-1)).reshape(tuple(input.shape))


@function()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """All elements on a diagonal of a matrix."""
    return input.reshape(-1).diag(offset)


@function()
def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over the axes along which `size` would have to be broadcast."""
    shape = sizes_of(*size)
    added = input.ndim - len(shape)
    if added < 0 or any(s not in (1, n) for s, n in zip(shape, input.shape[added:], strict=True)):
        raise ShapeError(f"sum_to_size: expected a shape that broadcasts to {tuple(input.shape)}. Received: {shape}")
    axes = [k for k in range(input.ndim) if k < added or (shape[k - added] == 1 and input.shape[k] != 1)]
    return (input.sum(axes) if axes or not input.ndim else input).reshape(shape)


@function(is_method=False)
def constant_pad_nd(input: Tensor, pad: Sequence[int], value: Any = 0) -> Tensor:
    """`value` around the last axes: sizes before and after the last one first; negative sizes cut off."""
    result = input
    for k in range(len(pad) // 2):
        axis = input.ndim - 1 - k
        for amount, before in ((pad[2 * k], True), (pad[2 * k + 1], False)):
            if amount < 0:
                result = result.narrow(axis, -amount if before else 0, result.shape[axis] + amount)
            elif amount:
                shape = tuple(amount if a == axis else s for a, s in enumerate(result.shape))
                filling = result.new_full(shape, value)
                result = cat([filling, result] if before else [result, filling], axis)
    return result.clone() if result is input else result


@function(is_method=False)
def empty_permuted(size: Sequence[int], physical_layout: Sequence[int], *, dtype: Any = None, device: Any = None,
                   requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor to be written; the order of axes in memory does not matter here."""
    if sorted(normalize_axis(axis, len(size)) for axis in physical_layout) != list(range(len(size))):
        raise ArgumentError(f"empty_permuted: expected each of {len(size)} axes once. Received: {physical_layout}")
    return empty(tuple(size), dtype=dtype, device=device, requires_grad=requires_grad)


@function(is_method=False)
def empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, device: Any = None,
                  requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor to be written; strides are those of rows in order here."""
    return empty(tuple(size), dtype=dtype, device=device, requires_grad=requires_grad)


@function()
def new_empty_strided(self: Tensor, size: Sequence[int], stride: Sequence[int], dtype: Any = None, device: Any = None,
                      requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of this dtype to be written; strides are those of rows in order here."""
    return self.new_empty(tuple(size), dtype=dtype, device=device, requires_grad=requires_grad)


@function()
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The indices along each axis of places in the flat tensor."""
    sizes = (shape,) if isinstance(shape, int) else tuple(int(s) for s in shape)
    return tuple((indices // math.prod(sizes[k + 1 :])) % size for k, size in enumerate(sizes))
