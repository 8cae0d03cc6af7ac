"""What the functions of this package share."""

from __future__ import annotations

import warnings
from typing import Any

from ...graph.errors import ArgumentError
from ...tensor.core import Tensor, apply, cast, get_default_dtype, operand, result_type
from ...tensor.views import assign


def in_place(
    op: Any, input: Tensor, others: tuple[Any, ...] = (), attributes: tuple[tuple[str, Any], ...] = ()
) -> Tensor:
    """Record `op` and write its result into `input`."""
    return assign(input, apply(op, (input, *others), attributes)._value)


def promoted(op: Any, tensors: tuple[Any, ...], attributes: tuple[tuple[str, Any], ...] = ()) -> Any:
    """Record `op` on tensors brought to their common dtype; None stays None."""
    given = [t for t in tensors if t is not None]
    first = given[0]._value.dtype if isinstance(given[0], Tensor) else None
    if all(isinstance(t, Tensor) and t._value.dtype is first for t in given):
        return apply(op, tensors, attributes)
    dtype = result_type(*given)
    return apply(op, tuple(None if t is None else operand(t, dtype) for t in tensors), attributes)


def floats(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors of whole numbers in the default floating point dtype, others as they are."""
    return tuple(t if t.dtype.differentiable else cast(t, get_default_dtype()) for t in tensors)


def hashable(value: Any) -> Any:
    """An argument that may be a list as a tuple."""
    return value if isinstance(value, int | tuple | str) or value is None else tuple(value)


def per_axis(name: str, argument: str, value: Any, n: int) -> tuple[Any, ...]:
    """One number for each of `n` axes, from one for all or a sequence. Raises ArgumentError."""
    sizes = (value,) * n if isinstance(value, int | float) or value is None else tuple(value)
    if len(sizes) == 1:
        sizes *= n
    if len(sizes) != n:
        raise ArgumentError(f"{name}: {argument}: expected a number or {n} of them. Received: {value!r}")
    return sizes


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The `reduction` that PyTorch's arguments from before 1.0 mean, if one of them is given."""
    if size_average is None and reduce is None:
        return reduction
    found = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce are old: write reduction={found!r}", UserWarning, stacklevel=4)
    return found
