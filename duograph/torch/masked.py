"""`torch.masked`: reductions and normalisations over the elements where a mask holds. Masked tensors are not there."""

from __future__ import annotations

from typing import Any

from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError, DTypeError
from ..graph.primitives.rules import normalize_axis
from ..ops import FUNCTIONS as F
from ..ops.casting import iinfo
from ..tensor.core import Tensor, cast
from .missing import missing

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean", "median",
    "norm", "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip


def _filled(input: Tensor, mask: Tensor | None, number: Any) -> Tensor:
    """`input` with a number where the mask does not hold."""
    return input if mask is None else F["where"](mask, input, input.new_full((), number))


def _axes(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None or not ndim:
        return tuple(range(ndim))
    return tuple(sorted(normalize_axis(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim)))


def _least(dtype: Any) -> Any:
    """What is not above anything."""
    return float("-inf") if dtype.differentiable else iinfo(dtype).min


def _most(dtype: Any) -> Any:
    """What is not below anything."""
    return float("inf") if dtype.is_floating_point else iinfo(dtype).max


def _as(result: Tensor, dtype: Any) -> Tensor:
    return result if dtype is None else cast(result, dtypes.dtype(dtype))


def sum(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
        mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The sum of the elements under the mask; 0 of none."""
    return F["sum"](_filled(input, mask, 0), _axes(dim, input.ndim), keepdim, dtype=dtype)


def prod(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
         mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The product of the elements under the mask; 1 of none."""
    result = _filled(input, mask, 1)
    for axis in reversed(_axes(dim, input.ndim)):
        result = F["prod"](result, axis, keepdim, dtype=dtype)
    return result if input.ndim else F["prod"](result, dtype=dtype)


def amax(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
         mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The largest element under the mask; the least number of the dtype of none."""
    return _as(F["amax"](_filled(input, mask, _least(input.dtype)), _axes(dim, input.ndim), keepdim), dtype)


def amin(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
         mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The smallest element under the mask; the largest number of the dtype of none."""
    return _as(F["amin"](_filled(input, mask, _most(input.dtype)), _axes(dim, input.ndim), keepdim), dtype)


def argmax(input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None,
           mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The place of the largest element under the mask, in the dtype of `input` as in PyTorch."""
    return _as(F["argmax"](_filled(input, mask, _least(input.dtype)), dim, keepdim), dtype or input.dtype)


def argmin(input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None,
           mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The place of the smallest element under the mask, in the dtype of `input` as in PyTorch."""
    return _as(F["argmin"](_filled(input, mask, _most(input.dtype)), dim, keepdim), dtype or input.dtype)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running sums of the elements under the mask."""
    return F["cumsum"](_filled(input, mask, 0), dim, dtype=dtype or input.dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running products of the elements under the mask."""
    return F["cumprod"](_filled(input, mask, 1), dim, dtype=dtype or input.dtype)


def _count(input: Tensor, dim: Any, keepdim: bool, mask: Tensor | None) -> Tensor:
    there = input.new_ones((), dtype=dtypes.bool_) if mask is None else mask
    return F["sum"](F["broadcast_to"](there, tuple(input.shape)), _axes(dim, input.ndim), keepdim)


def mean(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
         mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of the elements under the mask; NaN of none."""
    wanted = input.dtype if dtype is None else dtypes.dtype(dtype)
    if not wanted.differentiable:
        raise DTypeError(f"mean: expected a floating point or complex dtype. Received: {wanted.name}")
    total = sum(input, dim, keepdim=keepdim, dtype=wanted, mask=mask)
    return total / _count(input, dim, keepdim, mask)


def _spread(input: Tensor, dim: Any, unbiased: Any, correction: Any, keepdim: bool, dtype: Any,
            mask: Tensor | None, root: bool) -> Tensor:  # fmt: skip
    if unbiased is not None and correction is not None:
        raise ArgumentError("only one of unbiased and correction may be given")
    less = correction if correction is not None else 1.0 if unbiased or unbiased is None else 0.0
    wanted = input.dtype if dtype is None else dtypes.dtype(dtype)
    wanted = wanted if wanted.differentiable else dtypes.float32
    count = _count(input, dim, True, mask)
    away = input - sum(input, dim, keepdim=True, dtype=wanted, mask=mask) / count
    total = sum(away * F["conj"](away), dim, keepdim=keepdim, dtype=wanted, mask=mask)
    count = cast(count if keepdim else count.reshape(tuple(total.shape)), wanted.to_real())
    result = cast(total / (count - less).clamp(min=0), wanted)
    return result.sqrt() if root else result


def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None, keepdim: bool = False,
        dtype: Any = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The variance of the elements under the mask."""
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask, False)


def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None, keepdim: bool = False,
        dtype: Any = None, mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The standard deviation of the elements under the mask."""
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask, True)


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None,
           mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The median of the elements under the mask along an axis; NaN of none."""
    x = input if input.dtype.is_floating_point else cast(input, dtypes.float32)
    result = F["nanmedian"](_filled(x, mask, float("nan")), dim, keepdim).values
    return result if input.dtype.is_floating_point else _as(result, dtype or input.dtype)


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
              mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The logarithm of the sum of exponentials of the elements under the mask."""
    masked = _filled(input, mask, _least(input.dtype))
    return _as(F["logsumexp"](masked, _axes(dim, input.ndim), keepdim), dtype or input.dtype)


def logaddexp(input: Tensor, other: Tensor, *, dtype: Any = None, input_mask: Tensor | None = None,
              other_mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """log(exp(x) + exp(y)), elements not under their masks being left out."""
    lowest = float("-inf")
    result = F["logaddexp"](_filled(input, input_mask, lowest), _filled(other, other_mask, lowest))
    return _as(result, dtype or input.dtype)


def norm(input: Tensor, ord: float | None = 2.0, dim: Any = None, *, keepdim: bool = False, dtype: Any = None,
         mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The norm of the vector of elements under the mask."""
    masked = _filled(input, mask, float("inf") if ord == float("-inf") else 0)
    return F["norm"](masked, ord, _axes(dim, input.ndim), keepdim, dtype=dtype)


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Softmax over the elements under the mask."""
    return F["softmax"](_filled(input, mask, _least(input.dtype)), dim, dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of softmax over the elements under the mask."""
    return F["log_softmax"](_filled(input, mask, _least(input.dtype)), dim, dtype)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Softmin over the elements under the mask."""
    return F["softmax"](-_filled(input, mask, _most(input.dtype)), dim, dtype)


def normalize(input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None,
              mask: Tensor | None = None) -> Tensor:  # fmt: skip
    """The elements under the mask over their norm along an axis; 0 elsewhere."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled(input, mask, 0) / size.clamp(min=eps)


__getattr__ = missing(__name__, __all__)
