"""Indexing with NumPy's rules, for reading and for writing.

Integers, slices, `None` and `...` make views. Tensors, arrays and lists of integers gather. A mask picks elements:
reading with one depends on its content, so it is observed; writing one number through a mask is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import bool_, int64
from ..graph.errors import AxisError, DTypeError, IndexOutOfRange, ShapeError
from ..graph.node import PRIMITIVES, Node
from ..graph.primitives.rules import broadcast_shapes
from . import views
from .convert import as_tensor, from_buffer
from .core import Tensor, apply, cast, method


def _linear(x: Node, axes: tuple[int, ...], indices: tuple[Node, ...]) -> tuple[Node, Node]:
    """`x` with the indexed axes in front as one, and the index into it. An index out of range stays out of range."""
    rest = tuple(k for k in range(x.ndim) if k not in axes)
    sizes = [x.shape[k] for k in axes]
    flat = g.reshape(g.permute(x, (*axes, *rest)), (int(np.prod(sizes)), *(x.shape[k] for k in rest)))
    if len(indices) == 1:
        return flat, indices[0]
    shape = broadcast_shapes(*(i.shape for i in indices))
    linear = g.full(shape, 0, int64)
    valid: Node | None = None
    for index, size in zip(indices, sizes, strict=True):
        inside = (index >= -size) & (index < size)
        valid = inside if valid is None else valid & inside
        linear = linear * size + g.select(index < 0, index + size, index)
    assert valid is not None
    return flat, g.select(valid, linear, int(np.prod(sizes)))


@composite
def gather(x: Node, *indices: Node, axes: tuple[int, ...], place: int) -> Node:
    """`x` at broadcast integer `indices` along `axes`; the axes of the indices stand at `place` of the result."""
    flat, linear = _linear(x, axes, indices)
    taken = g.take(flat, linear, 0)
    count = linear.ndim
    rest = x.ndim - len(axes)
    order = (*range(count, count + place), *range(count), *range(count + place, count + rest))
    return g.permute(taken, order)


@composite
def scatter(
    x: Node, updates: Node, *indices: Node, axes: tuple[int, ...], place: int, accumulate: bool = False
) -> Node:
    """`x` with `updates` written (or added) where `gather` reads."""
    flat, linear = _linear(x, axes, indices)
    count = linear.ndim
    rest = tuple(k for k in range(x.ndim) if k not in axes)
    shape = (*(x.shape[k] for k in rest[:place]), *linear.shape, *(x.shape[k] for k in rest[place:]))
    updates = g.broadcast_to(updates, shape)
    front = g.permute(updates, (*range(place, place + count), *range(place), *range(place + count, len(shape))))
    written = g.put(flat, linear, front, 0, "add" if accumulate else "set")
    moved = g.reshape(written, (*(x.shape[k] for k in axes), *(x.shape[k] for k in rest)))
    return g.permute(moved, tuple(int(k) for k in np.argsort((*axes, *rest))))


@composite
def masked_fill(x: Node, mask: Node, value: Node) -> Node:
    """`x` with `value` where `mask` holds; the mask broadcasts to `x`."""
    shape = broadcast_shapes(x.shape, mask.shape)
    if shape != x.shape:
        raise ShapeError(f"masked_fill: expected a mask that broadcasts to {x.shape}. Received: {mask.shape}")
    return g.select(g.broadcast_to(mask, shape), g.broadcast_to(value, shape), x)


class Parsed:
    """An index taken apart: view steps for the basic part, then `axes` and `indices` for the rest."""

    def __init__(self, shape: tuple[int, ...], key: Any) -> None:
        self.steps: list[views.Step] = []
        self.axes: list[int] = []
        self.indices: list[Tensor] = []
        self.mask: Tensor | None = None
        items = list(key) if isinstance(key, tuple) else [key]
        items = [_item(i) for i in items]
        consumed = sum(i.ndim if _is_mask(i) else 0 if i is None or i is Ellipsis else 1 for i in items)
        if sum(i is Ellipsis for i in items) > 1:
            raise AxisError("an index can only have one ellipsis ('...')")
        if consumed > len(shape):
            raise AxisError(f"too many indices: the tensor has {len(shape)} dimensions. Received: {consumed} indices")
        fill = [slice(None)] * (len(shape) - consumed)
        if any(i is Ellipsis for i in items):
            place = next(k for k, i in enumerate(items) if i is Ellipsis)
            items[place : place + 1] = fill
        else:
            items += fill
        self._split(shape, items)

    def _split(self, shape: tuple[int, ...], items: list[Any]) -> None:
        start: list[int] = []
        stop: list[int] = []
        step: list[int] = []
        kept: list[int] = []
        axis = 0
        advanced: list[tuple[int, Tensor]] = []
        for item in items:
            if item is None:
                kept.append(1)
                continue
            if _is_mask(item):
                if item.shape != shape[axis : axis + item.ndim]:
                    raise AxisError(
                        f"mask of shape {tuple(item.shape)} does not fit the indexed axes: expected "
                        f"{tuple(shape[axis : axis + item.ndim])}"
                    )
                for k, index in enumerate(np.nonzero(item._array())) if item.ndim else ():
                    advanced.append((len(kept), from_buffer(index)))
                    self._whole(shape[axis + k], start, stop, step, kept)
                if not item.ndim:
                    advanced.append((len(kept), from_buffer(np.zeros(int(bool(item)), np.int64))))
                    kept.append(1)
                axis += item.ndim
                continue
            size = shape[axis]
            axis += 1
            if isinstance(item, slice):
                first, last, hop = item.indices(size)
                count = len(range(first, last, hop))
                if not count:
                    first = last = 0
                    hop = 1
                start.append(first)
                stop.append(last)
                step.append(hop)
                kept.append(count)
            elif isinstance(item, Tensor):
                advanced.append((len(kept), item))
                self._whole(size, start, stop, step, kept)
            else:
                if not -size <= item < size:
                    raise IndexOutOfRange(f"index {item} is out of range for axis {axis - 1} of size {size}")
                start.append(item % size)
                stop.append(item % size + 1)
                step.append(1)
        if tuple(start) != (0,) * len(shape) or tuple(stop) != shape or set(step) - {1}:
            self.steps.append(("slice", (("start", tuple(start)), ("stop", tuple(stop)), ("step", tuple(step)))))
            shape = tuple(len(range(a, b, s)) for a, b, s in zip(start, stop, step, strict=True))
        if tuple(kept) != shape:
            self.steps.append(("reshape", (("shape", tuple(kept)),)))
        self.axes = [axis for axis, _ in advanced]
        self.indices = [index for _, index in advanced]
        # NumPy: neighbouring index arrays put their result where they stand, separated ones in front
        together = all(b - a == 1 for a, b in zip(self.axes, self.axes[1:], strict=False))
        self.place = self.axes[0] if self.axes and together else 0

    @staticmethod
    def _whole(size: int, start: list[int], stop: list[int], step: list[int], kept: list[int]) -> None:
        start.append(0)
        stop.append(size)
        step.append(1)
        kept.append(size)

    def attributes(self) -> tuple[tuple[str, Any], ...]:
        return (("axes", tuple(self.axes)), ("place", self.place))


def _is_mask(item: Any) -> bool:
    return isinstance(item, Tensor) and item.dtype is bool_


def _item(item: Any) -> Any:
    """One part of an index: an int, slice, None, Ellipsis, or an integer or bool tensor."""
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        ends = [None if e is None else e.__index__() for e in (item.start, item.stop, item.step)]
        return slice(*ends)
    if isinstance(item, bool | np.bool_):
        return from_buffer(np.asarray(item, bool))
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, Tensor):
        if item.dtype is bool_:
            return item
        if item.dtype.category != "int":
            raise DTypeError(f"an index must be made of integers or bools. Received: a tensor of {item.dtype.name}")
        return item if item.dtype is int64 else cast(item, int64)
    if isinstance(item, list | tuple | range | np.ndarray):
        return _item(as_tensor(np.asarray(item) if len(item) else np.zeros(0, np.int64)))
    if hasattr(item, "__index__"):
        return item.__index__()
    raise AxisError(f"an index is made of integers, slices, None, ..., tensors, arrays or lists. Received: {item!r}")


@method
def __getitem__(self: Tensor, key: Any) -> Tensor:
    """`x[key]`: a view for basic indices, a copy for index arrays and masks."""
    if type(key) is int and (taken := views.row_at(self, key)) is not None:
        return taken
    parsed = Parsed(self._value.shape, key)
    basic = views.view(self, *parsed.steps)
    if not parsed.axes:
        return basic
    return apply(gather, (basic, *parsed.indices), parsed.attributes())


@method
def __setitem__(self: Tensor, key: Any, new: Any) -> None:
    """`x[key] = new`: written in place, cast to the dtype of `x`, broadcast to the shape of `x[key]`."""
    if not isinstance(new, Tensor) and not isinstance(new, bool | int | float):
        new = as_tensor(new)
    if not isinstance(new, Tensor):
        from ..graph import trace as tracing
        from .core import wrap

        new = wrap(tracing.constant(new, self.dtype))
    new = cast(new, self.dtype)
    if _is_mask(mask := _masking(key)) and new.numel() == 1 and mask.shape == self.shape[: mask.ndim]:
        spread = view_shape(mask, (*mask.shape, *(1,) * (self.ndim - mask.ndim)))
        views.assign(self, apply(masked_fill, (self, spread, view_shape(new, ())))._value)
        return
    parsed = Parsed(self._value.shape, key)
    basic = views.view(self, *parsed.steps)
    if not parsed.axes:
        views.assign(basic, _fit(new, basic.shape)._value)
        return
    while new.ndim and new.shape[0] == 1 and new.ndim > 1:
        new = view_shape(new, new.shape[1:])
    views.assign(basic, apply(scatter, (basic, new, *parsed.indices), parsed.attributes())._value)


def _masking(key: Any) -> Any:
    """The mask, where the whole key is one."""
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    if (isinstance(key, np.ndarray) and key.dtype == bool) or (
        isinstance(key, list) and key and isinstance(key[0], bool)
    ):
        return as_tensor(np.asarray(key))
    return key


def view_shape(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`tensor` as a view of another shape of the same size."""
    return (
        tensor if tuple(tensor.shape) == tuple(shape) else views.view(tensor, ("reshape", (("shape", tuple(shape)),)))
    )


def _fit(new: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`new` broadcast to `shape`; leading axes of size 1 are dropped, as NumPy does."""
    while new.ndim > len(shape) and new.shape[0] == 1:
        new = view_shape(new, new.shape[1:])
    if tuple(new.shape) == tuple(shape):
        return apply(PRIMITIVES["copy"], (new,))
    return apply(PRIMITIVES["broadcast_to"], (new,), (("shape", tuple(shape)),))
