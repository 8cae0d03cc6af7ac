"""Shapes and views under PyTorch's names."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.errors import ArgumentError, AxisError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.node import Node
from ..graph.primitives.rules import broadcast_shapes, normalize_axes, normalize_axis
from ..tensor import views
from ..tensor.convert import from_buffer
from ..tensor.core import Size, Tensor, apply, method, operand, result_type
from ..tensor.indexing import view_shape
from .define import axes_of, function, into, sizes_of


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
                f"{name}: expected sizes that divide the {total} elements of shape {tuple(input.shape)}. Received: {shape}"
            )
        shape = tuple(total // rest if s == -1 else s for s in shape)
    if math.prod(shape) != total or builtins.any(s < 0 for s in shape):
        raise ShapeError(
            f"{name}: expected a shape of {total} elements, as {tuple(input.shape)} has. Received: {shape}"
        )
    return shape


def strides(input: Tensor) -> tuple[int, ...]:
    """How many elements apart neighbours along each axis are in the memory of the base."""
    shape = input._value.shape
    if not input._path:
        return contiguous_strides(shape)
    base = input._base
    assert base is not None
    now, hops = tuple(base._value.shape), contiguous_strides(base._value.shape)
    for name, attributes in input._path:
        given = dict(attributes)
        if name == "permute":
            hops = tuple(hops[k] for k in given["axes"])
            now = tuple(now[k] for k in given["axes"])
        elif name == "slice":
            hops = tuple(h * s for h, s in zip(hops, given["step"], strict=True))
            now = tuple(len(range(a, b, s)) for a, b, s in zip(given["start"], given["stop"], given["step"], strict=True))
        elif name == "broadcast_to":
            added = len(given["shape"]) - len(now)
            hops = (0,) * added + tuple(
                0 if n == 1 and w != 1 else h for h, n, w in zip(hops, now, given["shape"][added:], strict=True)
            )
            now = given["shape"]
        else:
            found = view_strides(now, hops, given["shape"])
            assert found is not None
            now, hops = given["shape"], found
    return hops


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    result, hop = [], 1
    for size in reversed(shape):
        result.append(hop)
        hop *= builtins.max(size, 1)
    return tuple(reversed(result))


def view_strides(shape: Sequence[int], hops: Sequence[int], new: Sequence[int]) -> tuple[int, ...] | None:
    """The strides under which memory of `shape` and `hops` reads as `new` without a copy; None if there are none.

    Axes whose memory is one run are joined into blocks, and the new axes must split those blocks.
    """
    if math.prod(shape) == 0:
        return contiguous_strides(new)
    blocks: list[list[int]] = []  # [size, stride of the last element], first axis first
    for size, hop in zip(shape, hops, strict=True):
        if size == 1:
            continue
        if blocks and blocks[-1][1] == hop * size:
            blocks[-1] = [blocks[-1][0] * size, hop]
        else:
            blocks.append([size, hop])
    result: list[int] = []
    left, hop = blocks.pop() if blocks else (1, 1)
    for size in reversed(new):
        if size != 1 and left == 1 and blocks:
            left, hop = blocks.pop()
        if left % size:
            return None
        result.append(hop)
        hop *= size
        left //= size
    return tuple(reversed(result)) if left == 1 and not blocks else None


def stride(self: Tensor, dim: int | None = None) -> Any:
    """The strides, in elements, or that of one axis."""
    found = strides(self)
    return found if dim is None else found[normalize_axis(dim, self.ndim)]


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in row-major order without gaps."""
    return builtins.all(
        h == c for h, c, s in zip(strides(self), contiguous_strides(self.shape), self.shape, strict=True) if s != 1
    )


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself, or a copy with elements in row-major order."""
    return self if is_contiguous(self) else apply(P["copy"], (self,))


def storage_offset(self: Tensor) -> int:
    """Where the first element lies in the memory of the base, in elements."""
    offset = 0
    if self._base is not None:
        hops = contiguous_strides(self._base._value.shape)
        now = tuple(self._base._value.shape)
        for name, attributes in self._path:
            given = dict(attributes)
            if name == "slice":
                offset += builtins.sum(h * a for h, a in zip(hops, given["start"], strict=True))
            holder = Tensor.__new__(Tensor)
            holder._value = self._value
            if name == "permute":
                hops, now = tuple(hops[k] for k in given["axes"]), tuple(now[k] for k in given["axes"])
            elif name == "slice":
                hops = tuple(h * s for h, s in zip(hops, given["step"], strict=True))
                now = tuple(len(range(a, b, s)) for a, b, s in zip(given["start"], given["stop"], given["step"], strict=True))
            elif name == "reshape":
                hops, now = view_strides(now, hops, given["shape"]) or hops, given["shape"]
            else:
                added = len(given["shape"]) - len(now)
                hops, now = (0,) * added + hops, given["shape"]
    return offset


for _method in (stride, is_contiguous, contiguous, storage_offset):
    setattr(Tensor, _method.__name__, _method)


def view(self: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape (one size may be -1), or its bits as another dtype.

    Raises ShapeError where the memory is not laid out so: use `.reshape()`, which copies then.
    """
    from ..graph.dtype import DType

    if len(shape) == 1 and isinstance(shape[0], DType):
        return apply(P["bitcast"], (self,), (("dtype", shape[0]),))
    sizes = resolve_shape(self, sizes_of(*shape), "view")
    if self._path and view_strides(self._value.shape, strides(self), sizes) is None:
        raise ShapeError(
            f"view: shape {sizes} would span memory that is not one run (a transposed or sliced tensor). "
            "Use .reshape(...), or .contiguous().view(...)"
        )
    return view_shape(self, sizes) if sizes != self._value.shape else views.view(self)


method(view, "view")
method(lambda self, other: view(self, tuple(other.shape)), "view_as")


@function()
def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """Another shape of the same elements: a view where the memory allows, else a copy."""
    wanted = resolve_shape(input, sizes_of(*sizes) if shape is None else sizes_of(shape), "reshape")
    if wanted == input._value.shape:
        return input
    if input._path and view_strides(input._value.shape, strides(input), wanted) is None:
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
method(property(lambda self: transpose(self, -1, -2)), "mT")
method(property(lambda self: transpose(self, 0, 1)), "H")
method(property(lambda self: transpose(self, -1, -2)), "mH")


@function("moveaxis")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with some axes moved to other places."""
    sources = [normalize_axis(s, input.ndim) for s in sizes_of(source)]
    places = [normalize_axis(d, input.ndim) for d in sizes_of(destination)]
    if len(sources) != len(places) or len({*sources}) != len(sources) or len({*places}) != len(places):
        raise AxisError(f"movedim: expected as many distinct sources as destinations. Received: {source}, {destination}")
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
    def write(self: Tensor, *arguments: Any) -> Tensor:
        made = body(self, *arguments)
        self._value = made._value
        self._path = made._path
        self._base = made._base if made._base is not self else None
        if made._base is self:
            self._path = ()
        return self

    setattr(Tensor, name, write)


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


def expand(self: Tensor, *sizes: Any) -> Tensor:
    """A view in which axes of size 1 repeat; -1 keeps a size."""
    wanted = sizes_of(*sizes)
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


method(expand, "expand")
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


@function()
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


@function()
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces between indices, or of a number of nearly equal pieces."""
    size = input._value.shape[normalize_axis(dim, input.ndim)]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        ends = [size * 0 + builtins.sum(size // count + (j < size % count) for j in range(k + 1)) for k in range(count - 1)]
    else:
        ends = [builtins.min(builtins.max(e + size if e < 0 else e, 0), size) for e in indices_or_sections]
    edges = [0, *ends, size]
    return tuple(narrow(input, dim, a, builtins.max(b - a, 0)) for a, b in zip(edges, edges[1:], strict=False))


@function()
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of all places of an axis."""
    return tuple(select(input, dim, k) for k in range(input._value.shape[normalize_axis(dim, input.ndim)]))


@composite
def joined(*xs: Node, axis: int) -> Node:
    """Tensors one after the other along an axis."""
    return g.concatenate(xs, axis)


@function("concat", "concatenate", is_method=False)
def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Tensors one after the other along an axis; other sizes must agree. Mixed dtypes are promoted."""
    dim = dim if axis is None else axis
    parts = list(tensors)
    if not parts:
        raise ArgumentError("cat: expected a non-empty list of tensors")
    shaped = [p for p in parts if p._value.shape != (0,)] or parts[:1]
    dtype = result_type(*(expandable(p) for p in parts))
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
    return into(out, apply(joined, tuple(operand(p, dtype) for p in shaped), (("axis", place),)))


def expandable(tensor: Tensor) -> Any:
    """The dtype of a tensor, for promotions in which 0-d tensors count in full."""
    return tensor.dtype


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


def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """A copy written so many times along each axis (new axes in front)."""
    counts = sizes_of(*repeats)
    if len(counts) < self.ndim:
        raise ShapeError(f"repeat: expected at least {self.ndim} counts. Received: {counts}")
    return apply(tiled, (self,), (("repeats", counts),))


method(repeat, "repeat")


@function()
def tile(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """A copy written so many times along the last axes."""
    counts = sizes_of(*axes) if dims is None else sizes_of(dims)
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


@function()
def repeat_interleave(
    input: Tensor, repeats: Any, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Every element (or slice along an axis) so many times in a row; a tensor of counts is observed."""
    x = ravel(input) if dim is None else input
    axis = 0 if dim is None else normalize_axis(dim, input.ndim)
    counts = repeats._array() if isinstance(repeats, Tensor) else repeats
    places = np.repeat(np.arange(x.shape[axis], dtype=np.int64), counts)
    if output_size is not None and places.size != output_size:
        raise ArgumentError(f"repeat_interleave: repeats give {places.size} elements. Received: output_size {output_size}")
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
    return flip(input, 0)


@function()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A plane turned by k quarter turns."""
    a, b = (normalize_axis(d, input.ndim) for d in dims)
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


@composite
def triangle(x: Node, *, diagonal: int, upper: bool) -> Node:
    """A matrix with one triangle set to zero."""
    if x.ndim < 2:
        raise ShapeError(f"{'triu' if upper else 'tril'}: expected a matrix. Received: shape {x.shape}")
    rows = g.reshape(g.iota(x.shape[-2], int64), (-1, 1))
    columns = g.iota(x.shape[-1], int64)
    keep = columns - rows >= diagonal if upper else columns - rows <= diagonal
    return g.select(keep, x, 0)


@function(in_place=True)
def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The lower triangle; zero above `diagonal`."""
    return into(out, apply(triangle, (input,), (("diagonal", diagonal), ("upper", False))))


@function(in_place=True)
def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The upper triangle; zero below `diagonal`."""
    return into(out, apply(triangle, (input,), (("diagonal", diagonal), ("upper", True))))


@function()
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonals of planes dim1, dim2, as the last axis."""
    a, b = normalize_axis(dim1, input.ndim), normalize_axis(dim2, input.ndim)
    if a == b:
        raise AxisError(f"diagonal: expected two different axes. Received: {dim1} and {dim2}")
    rest = [k for k in range(input.ndim) if k not in (a, b)]
    x = permute(input, (*rest, a, b))
    n, m = x._value.shape[-2:]
    first, count = (offset, builtins.min(n, m - offset)) if offset >= 0 else (-offset * m, builtins.min(n + offset, m))
    flat = reshape(x, (*x._value.shape[:-2], n * m))
    if count <= 0:
        return flat[..., :0]
    return flat[..., first : first + (count - 1) * (m + 1) + 1 : m + 1]


@function()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last axis of `input` on a diagonal."""
    made = apply(on_diagonal, (input,), (("offset", offset),))
    ndim = made.ndim
    return movedim(made, (ndim - 2, ndim - 1), (normalize_axis(dim1, ndim), normalize_axis(dim2, ndim)))


@composite
def on_diagonal(x: Node, *, offset: int) -> Node:
    n = x.shape[-1] + abs(offset)
    rows, columns = g.reshape(g.iota(n, int64), (-1, 1)), g.iota(n, int64)
    low = builtins.max(offset, 0), builtins.max(-offset, 0)
    wide = g.pad(x, [0] * (x.ndim - 1) + [low[0]], [0] * (x.ndim - 1) + [low[1]])
    return g.select(g.equal(columns - rows, offset), g.broadcast_to(g.expand_dims(wide, -2), (*x.shape[:-1], n, n)), 0)


@function()
def diag(input: Tensor, diagonal_: int = 0, *, diagonal: int | None = None) -> Tensor:
    """A vector on a diagonal of a matrix, or the diagonal of a matrix."""
    offset = diagonal_ if diagonal is None else diagonal
    if input.ndim == 1:
        return diag_embed(input, offset)
    if input.ndim == 2:
        return apply(P["copy"], (_diagonal(input, offset),))
    raise ShapeError(f"diag: expected 1 or 2 dimensions. Received: shape {tuple(input.shape)}")


_diagonal = diagonal


@function()
def trace(input: Tensor) -> Tensor:
    """The sum of the main diagonal of a matrix."""
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix. Received: shape {tuple(input.shape)}")
    return _diagonal(input).sum()
