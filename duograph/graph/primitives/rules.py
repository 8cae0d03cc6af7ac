"""Shape and dtype rules that several primitives share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..dtype import DType, bool_, int64
from ..errors import AxisError, DTypeError, ShapeError
from ..node import Node, Shape


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting: aligned at the right, sizes equal or 1. Raises ShapeError."""
    if len(set(shapes)) == 1:
        return shapes[0]
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(s)) + s for s in shapes]
    result = []
    for axis, sizes in enumerate(zip(*padded, strict=True)):
        wide = 1
        for size in sizes:
            if size != 1 and size != wide:
                if wide != 1:
                    a, b = sorted((wide, size))
                    raise ShapeError(
                        f"shapes {' and '.join(map(str, map(tuple, shapes)))} do not broadcast: "
                        f"sizes {a} and {b} meet at axis {axis - ndim}; expected equal sizes or 1"
                    )
                wide = size
        result.append(wide)
    return tuple(result)


def same_shape(*shapes: Shape, **_: Any) -> Shape:
    return broadcast_shapes(*shapes)


ANY = "bool int float complex"
"""The categories of dtypes."""


def same_dtype(categories: str = ANY) -> Callable[..., DType]:
    """All inputs of one dtype, of one of these categories, which is the result's."""
    allowed = categories.split()

    def rule(*dtypes: DType, **_: Any) -> DType:
        if any(d is not dtypes[0] for d in dtypes):
            raise DTypeError(f"expected inputs of one dtype. Received: {', '.join(d.name for d in dtypes)}")
        if dtypes[0].category not in allowed:
            raise DTypeError(f"expected a dtype of kind {' or '.join(allowed)}. Received: {dtypes[0].name}")
        return dtypes[0]

    return rule


def gives(result: DType, categories: str = ANY) -> Callable[..., DType]:
    """All inputs of one dtype; the result is of dtype `result`."""
    check = same_dtype(categories)

    def rule(*dtypes: DType, **attributes: Any) -> DType:
        check(*dtypes, **attributes)
        return result

    return rule


ordered = same_dtype("bool int float")
"""One dtype, of numbers that have an order."""
to_bool = gives(bool_)
to_index = gives(int64, "bool int float")


def normalize_axis(axis: int, ndim: int) -> int:
    """`axis` counted from the front. Raises AxisError. A 0-d tensor is taken to have one axis, as in PyTorch."""
    extent = max(ndim, 1)
    if not -extent <= axis < extent:
        raise AxisError(
            f"axis out of range: expected {-extent} to {extent - 1} for {ndim} dimensions. Received: {axis}"
        )
    return axis % extent


def normalize_axes(axes: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Sorted axes counted from the front; None means all. Raises AxisError, also for one named twice."""
    if axes is None:
        return tuple(range(ndim))
    if isinstance(axes, int):
        axes = (axes,)
    found = tuple(sorted(normalize_axis(a, ndim) for a in axes))
    if len(set(found)) != len(found):
        raise AxisError(f"an axis appears twice. Received: {axes}")
    return found if ndim else ()


def is_integral(*dtypes: DType) -> bool:
    return all(d.category == "int" for d in dtypes)


def zero_gradient(node: Node, cotangent: Node) -> Sequence[None]:
    """The gradient of an operation that is constant almost everywhere, such as `floor`."""
    return (None,) * len(node.inputs)
