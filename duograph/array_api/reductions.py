"""Statistics, and what is true of some or all elements."""

from __future__ import annotations

import builtins
import math
from typing import Any

from ..graph import dtype as dtypes
from ..graph.errors import AxisError
from ..ops import FUNCTIONS as F
from ..ops import reduction
from ..tensor.core import Tensor, cast, to_float
from .manipulation import Axis


def _reduced(op: Any, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """No axes at all (an empty tuple) reduce nothing; to PyTorch they would mean every axis."""
    return F["clone"](x) if axis == () else reduction.reduce(op, x, axis, keepdims)


def _widened(x: Tensor, dtype: Any) -> Tensor:
    """Integers and bools add up in 64 bits, unsigned ones without a sign."""
    if dtype is not None:
        return cast(x, dtypes.dtype(dtype))
    if x.dtype.is_floating_point:
        return x
    return cast(x, dtypes.uint64 if x.dtype.category == "int" and not x.dtype.signed else dtypes.int64)


def sum(x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Sums; integers add up in 64 bits."""
    return _reduced(reduction.total, _widened(x, dtype), axis, keepdims)


def prod(x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Products; integers multiply in 64 bits."""
    return _reduced(reduction.product, _widened(x, dtype), axis, keepdims)


def mean(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Means."""
    return _reduced(reduction.average, cast(x, to_float(x.dtype)), axis, keepdims)


def max(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest elements."""
    return _reduced(reduction.largest, x, axis, keepdims)


def min(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest elements."""
    return _reduced(reduction.smallest, x, axis, keepdims)


def any(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """True where some element is nonzero."""
    return cast(x, dtypes.bool_) if axis == () else reduction.reduce(reduction.exists, x, axis, keepdims)


def all(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """True where every element is nonzero."""
    return cast(x, dtypes.bool_) if axis == () else reduction.reduce(reduction.holds, x, axis, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero."""
    return sum(x != 0, axis=axis, keepdims=keepdims)


def var(x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Variances: squared distances from the mean, summed, over the count less `correction`."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    count = math.prod(x.shape[a] for a in axes)
    away = x - mean(x, axis=axis, keepdims=True)
    return sum(away * away, axis=axis, keepdims=keepdims) / float(builtins.max(count - correction, 0))


def std(x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Standard deviations."""
    return F["sqrt"](var(x, axis=axis, correction=correction, keepdims=keepdims))


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running sums along an axis, with a leading 0 if `include_initial`."""
    return _cumulative("cumsum", 0, _widened(x, dtype), axis, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running products along an axis, with a leading 1 if `include_initial`."""
    return _cumulative("cumprod", 1, _widened(x, dtype), axis, include_initial)


def _cumulative(name: str, start: int, x: Tensor, axis: int | None, include_initial: bool) -> Tensor:
    if axis is None:
        if x.ndim > 1:
            raise AxisError(f"{name}: expected an axis for {x.ndim} dimensions. Received: None")
        axis = 0
    result = F[name](x, axis, dtype=x.dtype)
    if include_initial:
        shape = list(result.shape)
        shape[axis] = 1
        result = F["cat"]([F["full"](shape, start, dtype=x.dtype), result], axis)
    return result


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along an axis, n times."""
    return F["diff"](x, n, axis, prepend, append)
