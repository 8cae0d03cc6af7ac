"""How a tensor lies in memory: strides and offset, found from the path of view operations that made it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.errors import ArgumentError, NotSupported, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.primitives.rules import normalize_axis
from ..runtime.buffer import Buffer
from ..tensor.core import Tensor, apply, method
from ..tensor.views import base_of, move, view, view_of_base


def layout(tensor: Tensor) -> tuple[tuple[int, ...], int]:
    """How many elements apart neighbours along each axis are in the memory of the base, and where the first one is."""
    shape = (tensor if tensor._base is None else tensor._base)._value.shape
    hops, offset = contiguous_strides(shape), 0
    for name, attributes in tensor._path:
        given = dict(attributes)
        if name == "permute":
            hops, shape = (tuple(x[k] for k in given["axes"]) for x in (hops, shape))
        elif name == "slice":
            cuts = list(zip(given["start"], given["stop"], given["step"], strict=True))
            offset += sum(hop * start for hop, (start, _, _) in zip(hops, cuts, strict=True))
            hops = tuple(hop * step for hop, (_, _, step) in zip(hops, cuts, strict=True))
            shape = tuple(len(range(*cut)) for cut in cuts)
        elif name == "row":
            offset += hops[0] * given["index"]
            hops, shape = hops[1:], shape[1:]
        elif name == "broadcast_to":
            added = len(given["shape"]) - len(shape)
            repeated = zip(hops, shape, given["shape"][added:], strict=True)
            hops = (0,) * added + tuple(0 if own == 1 and wide != 1 else hop for hop, own, wide in repeated)
            shape = given["shape"]
        elif name in ("real", "imag", "as_real"):  # elements of half the size
            hops, offset = tuple(2 * hop for hop in hops), 2 * offset + (name == "imag")
            if name == "as_real":
                hops, shape = (*hops, 1), (*shape, 2)
        elif name == "as_strided":
            hops, shape, offset = given["stride"], given["size"], offset + given["offset"]
        elif name == "as_complex":
            hops, shape, offset = tuple(hop // 2 for hop in hops[:-1]), shape[:-1], offset // 2
        else:
            found = view_strides(shape, hops, given["shape"])
            assert found is not None, "a view is only made where the memory allows it"
            hops, shape = found, given["shape"]
    return hops, offset


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    result, hop = [], 1
    for size in reversed(shape):
        result.append(hop)
        hop *= max(size, 1)
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


def overlap(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors may have an element of one memory in common: whether their ranges of it do."""
    if base_of(a) is not base_of(b) or not a.numel() or not b.numel():
        return False
    (start_a, end_a), (start_b, end_b) = map(_range, (a, b))
    return start_a <= end_b and start_b <= end_a


def _range(tensor: Tensor) -> tuple[int, int]:
    """The first and the last element of a tensor in the memory of its base."""
    hops, offset = layout(tensor)
    reach = [hop * (size - 1) for hop, size in zip(hops, tensor._value.shape, strict=True)]
    return offset + sum(r for r in reach if r < 0), offset + sum(r for r in reach if r > 0)


def is_viewable(tensor: Tensor, shape: Sequence[int]) -> bool:
    """Whether the memory of `tensor` reads as `shape` without a copy."""
    return not tensor._path or view_strides(tensor._value.shape, layout(tensor)[0], shape) is not None


def has_pairs(tensor: Tensor) -> bool:
    """Whether the memory of `[*shape, 2]` reads as complex numbers without a copy."""
    hops, offset = layout(tensor)
    return hops[-1] == 1 and not any(hop % 2 for hop in hops[:-1]) and offset % 2 == 0


@method
def stride(self: Tensor, dim: int | None = None) -> Any:
    """The strides, in elements, or that of one axis."""
    found = layout(self)[0]
    return found if dim is None else found[normalize_axis(dim, self.ndim)]


@method
def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in row-major order without gaps."""
    shape = self._value.shape
    pairs = zip(layout(self)[0], contiguous_strides(shape), shape, strict=True)
    return all(hop == expected for hop, expected, size in pairs if size != 1)


@method
def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself, or a copy with elements in row-major order."""
    return self if is_contiguous(self) else apply(P["copy"], (self,))


def strided(name: str, tensor: Tensor, size: Sequence[int], stride: Sequence[int], offset: int | None) -> Tensor:
    """A view of the elements at `offset`, by default the tensor's own, plus multiples of the strides in its memory.

    Raises ShapeError for another number of strides than sizes, ArgumentError for places outside the memory.
    """
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if len(size) != len(stride):
        raise ShapeError(f"{name}: expected a stride for each size. Received: {size} and {stride}")
    if min((*size, *stride, offset or 0), default=0) < 0:
        raise ArgumentError(f"{name}: expected numbers of 0 or more. Received: {size}, {stride} and {offset}")
    own = storage_offset(tensor)
    start = own if offset is None else int(offset)
    end = start + sum((n - 1) * hop for n, hop in zip(size, stride, strict=True)) + 1 if 0 not in size else start
    whole = is_contiguous(tensor) and own <= start and end <= own + tensor.numel()
    if not whole and _changes_dtype(tensor):
        raise NotSupported(f"{name}: the memory is that of numbers of another dtype: take .contiguous() first")
    if end > base_of(tensor).numel() and not whole:
        raise ArgumentError(
            f"{name}: sizes {size}, strides {stride} and offset {start} need {end} elements of memory. "
            f"Received: memory of {base_of(tensor).numel()}"
        )
    step = ("as_strided", (("size", size), ("stride", stride), ("offset", start - own * whole)))
    return view(tensor, step) if whole else view_of_base(tensor, step)


def _changes_dtype(tensor: Tensor) -> bool:
    return base_of(tensor).dtype is not tensor.dtype


@method
def data_ptr(self: Tensor) -> int:
    """The address of the first element, as the content lies now: a write in place may put it elsewhere.

    `numpy()` gives the memory itself, and keeps it alive.
    """
    base = base_of(self)
    array = base._array()
    if not array.flags.c_contiguous and not base._value.buffer.foreign:  # elsewhere it lies as `stride()` says
        array = np.ascontiguousarray(array)
        move(base, Buffer(array))
    return array.__array_interface__["data"][0] + layout(self)[1] * self.element_size()


@method
def storage_offset(self: Tensor) -> int:
    """Where the first element lies in the memory of the base, in elements."""
    return layout(self)[1]
