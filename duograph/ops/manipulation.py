"""Shapes and views under PyTorch's names: what gives the same elements in another shape, order or part."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..functional.bits import reinterpret
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, AxisError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.primitives.rules import broadcast_shapes, normalize_axis
from ..tensor import views
from ..tensor.core import Size, Tensor, apply, method
from ..tensor.indexing import view_shape
from .define import axes_of, function, sizes_of
from .layout import is_viewable


def resolve_shape(input: Tensor, sizes: Sequence[int], name: str) -> tuple[int, ...]:
    """`sizes` with -1 replaced. Raises ShapeError where the number of elements does not fit."""
    shape = tuple(sizes)
    total = math.prod(input._value.shape)
    if shape.count(-1) > 1:
        raise ShapeError(f"{name}: only one size can be -1. Received: {shape}")
    if -1 in shape:
        rest = math.prod(s for s in shape if s != -1)
        if rest == 0 or total % rest:
            raise ShapeError(
                f"{name}: expected sizes that divide the {total} elements of shape {tuple(input.shape)}. "
                f"Received: {shape}"
            )
        shape = tuple(total // rest if s == -1 else s for s in shape)
    if math.prod(shape) != total or builtins.any(s < 0 for s in shape):
        raise ShapeError(
            f"{name}: expected a shape of {total} elements, as {tuple(input.shape)} has. Received: {shape}"
        )
    return shape


@method
def view(self: Tensor, *shape: Any, dtype: DType | None = None) -> Tensor:
    """The same memory in another shape (one size may be -1), or its bits as another dtype, which is a copy.

    Raises ShapeError where the memory is not laid out so: use `.reshape()`, which copies then.
    """
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], DType)):
        return apply(reinterpret, (self,), (("dtype", dtype or shape[0]),))
    sizes = resolve_shape(self, sizes_of(*shape), "view")
    if not is_viewable(self, sizes):
        raise ShapeError(
            f"view: shape {sizes} would span memory that is not one run (a transposed or sliced tensor). "
            "Use .reshape(...), or .contiguous().view(...)"
        )
    return view_shape(self, sizes) if sizes != self._value.shape else views.view(self)


method(lambda self, other: view(self, tuple(other.shape)), "view_as")


@function()
def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """Another shape of the same elements: a view where the memory allows, else a copy."""
    wanted = resolve_shape(input, sizes_of(*sizes) if shape is None else sizes_of(shape), "reshape")
    if wanted == input._value.shape:
        return input
    if not is_viewable(input, wanted):
        return apply(P["reshape"], (input,), (("shape", wanted),))
    return view_shape(input, wanted)


method(lambda self, other: reshape(self, tuple(other.shape)), "reshape_as")


def permute_axes(input: Tensor, order: tuple[int, ...]) -> Tensor:
    return views.view(input, ("permute", (("axes", order),)))


@function()
def permute(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """A view with the axes in another order."""
    order = tuple(normalize_axis(d, input.ndim) for d in (sizes_of(*axes) if dims is None else sizes_of(dims)))
    if sorted(order) != list(range(input.ndim)):
        raise AxisError(f"permute: expected each of {input.ndim} axes once. Received: {order}")
    return permute_axes(input, order)


@function("swapaxes", "swapdims")
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two axes exchanged."""
    order = list(range(input.ndim))
    if not order:
        return input
    a, b = normalize_axis(dim0, input.ndim), normalize_axis(dim1, input.ndim)
    order[a], order[b] = order[b], order[a]
    return permute_axes(input, tuple(order))


@function()
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and numbers stay."""
    if input.ndim > 2:
        raise ShapeError(f"t: expected at most 2 dimensions. Received: shape {tuple(input.shape)}")
    return transpose(input, 0, 1) if input.ndim == 2 else input


method(property(lambda self: permute_axes(self, tuple(reversed(range(self.ndim))))), "T")


def matrix_transpose(input: Tensor) -> Tensor:
    """The last two axes exchanged. Raises ShapeError below 2 dimensions."""
    if input.ndim < 2:
        raise ShapeError(f"mT: expected at least 2 dimensions. Received: shape {tuple(input.shape)}")
    return transpose(input, -1, -2)


method(property(matrix_transpose), "mT")


@function("moveaxis")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with some axes moved to other places."""
    sources = [normalize_axis(s, input.ndim) for s in sizes_of(source)]
    places = [normalize_axis(d, input.ndim) for d in sizes_of(destination)]
    if len(sources) != len(places) or len({*sources}) != len(sources) or len({*places}) != len(places):
        raise AxisError(
            f"movedim: expected as many distinct sources as destinations. Received: {source}, {destination}"
        )
    order = [k for k in range(input.ndim) if k not in sources]
    for place, origin in sorted(zip(places, sources, strict=True)):
        order.insert(place, origin)
    return permute_axes(input, tuple(order))


@function()
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A view with an axis of size 1 inserted at `dim`."""
    place = normalize_axis(dim, input.ndim + 1)
    shape = input._value.shape
    return view_shape(input, (*shape[:place], 1, *shape[place:]))


@function()
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """A view without the axes of size 1 (all, or those named)."""
    chosen = axes_of(dim, input.ndim) if dim is None or not isinstance(dim, tuple | list) or dim else ()
    shape = tuple(s for k, s in enumerate(input._value.shape) if not (k in chosen and s == 1))
    return view_shape(input, shape) if shape != input._value.shape else views.view(input)


def _reshaped_in_place(name: str, body: Any) -> None:
    def write(self: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        made = body(self, *arguments, **keywords)
        self._value = made._value
        self._path = made._path
        self._base = made._base if made._base is not self else None
        if made._base is self:
            self._path = ()
        return self

    method(write, name)


_reshaped_in_place("unsqueeze_", unsqueeze)
_reshaped_in_place("squeeze_", squeeze)
_reshaped_in_place("t_", t)
_reshaped_in_place("transpose_", transpose)


@function()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes start_dim to end_dim joined into one."""
    if not input.ndim:
        return view_shape(input, (1,))
    first, last = normalize_axis(start_dim, input.ndim), normalize_axis(end_dim, input.ndim)
    if first > last:
        raise AxisError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input._value.shape
    return reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@function()
def ravel(input: Tensor) -> Tensor:
    """All elements in one axis."""
    return reshape(input, (-1,) if input.numel() else (0,))


@function()
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis split into several."""
    axis = normalize_axis(dim, input.ndim)
    shape = list(sizes)
    if -1 in shape:
        rest = math.prod(s for s in shape if s != -1)
        shape[shape.index(-1)] = input._value.shape[axis] // builtins.max(rest, 1)
    if math.prod(shape) != input._value.shape[axis]:
        raise ShapeError(f"unflatten: sizes {tuple(sizes)} do not multiply to {input._value.shape[axis]}")
    return reshape(input, (*input._value.shape[:axis], *shape, *input._value.shape[axis + 1 :]))


@function()
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """A view in which axes of size 1 repeat to `size`."""
    return expand(input, tuple(size))


@method
def expand(self: Tensor, *sizes: Any, size: Any = ()) -> Tensor:
    """A view in which axes of size 1 repeat; -1 keeps a size."""
    wanted = sizes_of(*sizes or (size,))
    shape = self._value.shape
    added = len(wanted) - len(shape)
    if added < 0:
        raise ShapeError(f"expand: expected at least {len(shape)} sizes. Received: {wanted}")
    full = []
    for k, size in enumerate(wanted):
        own = shape[k - added] if k >= added else 1
        if size == -1 and k >= added:
            size = own
        if own not in (1, size) or size < 0:
            raise ShapeError(
                f"expand: size {own} of axis {k - added} cannot become {size}; only axes of size 1 repeat. "
                f"Received: shape {tuple(shape)} to {wanted}"
            )
        full.append(size)
    return self if tuple(full) == shape else views.view(self, ("broadcast_to", (("shape", tuple(full)),)))


method(lambda self, other: expand(self, tuple(other.shape)), "expand_as")


@function(is_method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Views of all tensors in their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes(*(t._value.shape for t in tensors))
    return tuple(expand(t, shape) for t in tensors)


@function("broadcast_shapes", is_method=False)
def common_shape(*shapes: Any) -> Size:
    """The shape to which shapes broadcast."""
    return Size(broadcast_shapes(*(tuple(s) if not isinstance(s, int) else (s,) for s in shapes)))


@function()
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """A view of `length` elements from `start` along an axis."""
    if not input.ndim:
        raise ShapeError("narrow: expected a tensor with axes. Received: a 0-d tensor")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.category != "int"):
        raise ArgumentError(f"narrow: start: expected a whole number. Received: {start.dtype.name}{list(start.shape)}")
    axis = normalize_axis(dim, input.ndim)
    size = input._value.shape[axis]
    start = int(start)
    start = start + size if start < 0 else start
    if not 0 <= start <= size or start + length > size or length < 0:
        raise AxisError(f"narrow: {start} to {start + length} is outside axis {dim} of size {size}")
    return input[(builtins.slice(None),) * axis + (builtins.slice(start, start + length),)]


@function()
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """A view of one place of an axis, without the axis."""
    return input[(builtins.slice(None),) * normalize_axis(dim, input.ndim) + (index,)]


@function(also={"split_size": "split_size_or_sections"})
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces of a size, or of given sizes, along an axis."""
    axis = normalize_axis(dim, tensor.ndim)
    size = tensor._value.shape[axis]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step <= 0 and size:
            raise ArgumentError(f"split: expected a positive size. Received: {step}")
        sizes = [builtins.min(step, size - k) for k in range(0, size, step)] if size else [0]
    else:
        sizes = [int(s) for s in split_size_or_sections]
        if builtins.sum(sizes) != size:
            raise ShapeError(f"split: expected sizes that add up to {size} (axis {dim}). Received: {sizes}")
    pieces, start = [], 0
    for length in sizes:
        pieces.append(narrow(tensor, axis, start, length))
        start += length
    return tuple(pieces)


@function()
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces of given sizes."""
    return split(input, list(split_sizes), dim)


@function()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of at most `chunks` equal pieces along an axis."""
    if chunks < 1:
        raise ArgumentError(f"chunk: expected at least one piece. Received: {chunks}")
    size = input._value.shape[normalize_axis(dim, input.ndim)]
    return split(input, builtins.max(1, -(-size // chunks)), dim)


@function(also=dict.fromkeys(("indices", "sections", "tensor_indices_or_sections"), "indices_or_sections"))
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces between indices, or of a number of nearly equal pieces."""
    size = input._value.shape[normalize_axis(dim, input.ndim)]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        least, longer = divmod(size, indices_or_sections)  # so many pieces have one more
        ends = [k * least + builtins.min(k, longer) for k in range(1, indices_or_sections)]
    else:
        ends = [builtins.min(builtins.max(e + size if e < 0 else e, 0), size) for e in indices_or_sections]
    edges = [0, *ends, size]
    return tuple(narrow(input, dim, a, builtins.max(b - a, 0)) for a, b in pairwise(edges))


@function()
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of all places of an axis."""
    return tuple(select(input, dim, k) for k in range(input._value.shape[normalize_axis(dim, input.ndim)]))
