"""Other shapes, orders and arrangements of the same elements."""

from __future__ import annotations

from typing import Any

from ..graph.errors import AxisError, ShapeError
from ..ops import FUNCTIONS as F
from ..tensor.core import Tensor

Axis = int | tuple[int, ...] | None


def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; flattened first if it is None."""
    return F["cat"]([F["ravel"](a) for a in arrays], 0) if axis is None else F["cat"](list(arrays), axis)


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """Tensors beside each other along a new axis."""
    return F["stack"](list(arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of all places of an axis."""
    return F["unbind"](x, axis)


def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """A view with an axis of size 1 inserted."""
    return F["unsqueeze"](x, axis)


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """A view without the named axes. Raises AxisError for one that is not there, ShapeError for one longer than 1."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise AxisError(f"squeeze: expected an axis from {-x.ndim} to {x.ndim - 1}. Received: {a}")
        if x.shape[a] != 1:
            raise ShapeError(f"squeeze: expected size 1 for axis {a}. Received: shape {tuple(x.shape)}")
    return F["squeeze"](x, axes) if axes else x


def permute_dims(x: Tensor, /, axes: Any) -> Tensor:
    """A view with the axes in another order."""
    return F["permute"](x, tuple(axes))


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """A view with some axes moved."""
    return F["movedim"](x, source, destination)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes exchanged."""
    return x.mT


def flip(x: Tensor, /, *, axis: Axis = None) -> Tensor:
    """Axes reversed (all if None)."""
    return F["flip"](x, tuple(range(x.ndim)) if axis is None else axis)


def roll(x: Tensor, /, shift: Any, *, axis: Axis = None) -> Tensor:
    """Elements moved around along axes."""
    if isinstance(shift, int) and isinstance(axis, tuple):
        shift = (shift,) * len(axis)
    return F["roll"](x, shift, axis)


def reshape(x: Tensor, /, shape: Any, *, copy: bool | None = None) -> Tensor:
    """Another shape of the same elements: a view where the memory allows; always a copy with `copy`.

    Raises ShapeError where `copy=False` cannot be had.
    """
    if copy is False:
        return x.view(tuple(shape))
    made = F["reshape"](x, tuple(shape))
    return F["clone"](made) if copy else made


def broadcast_to(x: Tensor, /, shape: Any) -> Tensor:
    """A view in which axes of size 1 repeat."""
    return F["broadcast_to"](x, tuple(shape))


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """All in their common shape."""
    return list(F["broadcast_tensors"](*arrays))


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Every element (or slice along an axis) so many times. Counts in a tensor are observed."""
    return F["repeat_interleave"](x, repeats, axis)


def tile(x: Tensor, repetitions: Any, /) -> Tensor:
    """Copies side by side."""
    return F["tile"](x, tuple(repetitions))
