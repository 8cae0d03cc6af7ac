"""`tf.math`: special functions, complex numbers, and those that guard against division by zero."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from . import dtypes
from .errors import InvalidArgumentError, report
from .math import _unary, axes, operands
from .tensors import Tensor, convert_to_tensor

_UNARY = {
    "bessel_i0": torch.special.i0, "bessel_i0e": torch.special.i0e, "bessel_i1": torch.special.i1,
    "bessel_i1e": torch.special.i1e, "erfinv": torch.erfinv, "ndtri": torch.special.ndtri, "rint": torch.round,
    "softsign": torch.nn.functional.softsign, "angle": torch.angle, "conj": torch.conj_physical, "real": torch.real,
}  # fmt: skip
globals().update({name: _unary(name, function) for name, function in _UNARY.items()})

__all__ = [
    *_UNARY, "accumulate_n", "complex", "cumulative_logsumexp", "erfcinv", "imag", "invert_permutation",
    "is_non_decreasing", "is_strictly_increasing", "lbeta", "multiply_no_nan", "nextafter", "polygamma", "polyval",
    "realdiv", "reciprocal_no_nan", "reduce_euclidean_norm", "saturate_cast", "scalar_mul", "truncatediv",
    "truncatemod", "xdivy", "xlog1py", "zero_fraction", "zeta",
]  # fmt: skip


def erfcinv(x: Any, name: str | None = None) -> Tensor:
    """The inverse of erfc."""
    return torch.special.ndtri(convert_to_tensor(x) / 2) * -(0.5**0.5)


def complex(real: Any, imag: Any, name: str | None = None) -> Tensor:
    """real + imag i: complex64 of float32, complex128 of float64."""
    return torch.complex(*operands("complex", real, imag))


def imag(input: Any, name: str | None = None) -> Tensor:
    """The imaginary parts; zeros of real numbers."""
    x = convert_to_tensor(input)
    return torch.imag(x) if x.dtype.is_complex else torch.zeros_like(x)


def realdiv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y of floating point numbers."""
    return torch.true_divide(*operands("realdiv", x, y))


def truncatediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y of integers, rounded towards zero."""
    return torch.div(*operands("truncatediv", x, y), rounding_mode="trunc")


def truncatemod(x: Any, y: Any, name: str | None = None) -> Tensor:
    """What is left of x by truncated division: it has the sign of x."""
    return torch.fmod(*operands("truncatemod", x, y))


def xlog1py(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x log(1 + y), and 0 where x is 0."""
    return torch.special.xlog1py(*operands("xlog1py", x, y))


def xdivy(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, and 0 where x is 0."""
    x, y = operands("xdivy", x, y)
    return torch.where(x == 0, torch.zeros_like(x), x / torch.where(x == 0, torch.ones_like(y), y))


def multiply_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x y, and 0 where y is 0, even if x is infinite or no number."""
    x, y = operands("multiply_no_nan", x, y)
    return torch.where(y == 0, torch.zeros_like(x), x * y)


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """1 / x, and 0 where x is 0."""
    x = convert_to_tensor(x)
    return torch.where(x == 0, torch.zeros_like(x), 1 / torch.where(x == 0, torch.ones_like(x), x))


def nextafter(x1: Any, x2: Any, name: str | None = None) -> Tensor:
    """The number after x1 in the direction of x2."""
    return torch.nextafter(*operands("nextafter", x1, x2))


def zeta(x: Any, q: Any, name: str | None = None) -> Tensor:
    """The Hurwitz zeta function."""
    return torch.special.zeta(*operands("zeta", x, q))


def polygamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The derivatives of digamma: that of order `a` at x, (-1)^(a+1) a! ζ(a + 1, x)."""
    a, x = operands("polygamma", a, x)
    order = a + 1
    sign = torch.where(torch.remainder(a, 2) == 0, -torch.ones_like(a), torch.ones_like(a))
    value = sign * torch.exp(torch.lgamma(order)) * torch.special.zeta(torch.clamp(order, min=2), x)
    return torch.where(a == 0, torch.digamma(x), value)


def lbeta(x: Any, name: str | None = None) -> Tensor:
    """log of the multivariate beta function of the vectors along the last axis."""
    x = convert_to_tensor(x)
    return torch.sum(torch.lgamma(x), -1) - torch.lgamma(torch.sum(x, -1))


def polyval(coeffs: Any, x: Any, name: str | None = None) -> Tensor:
    """The polynomial of the given coefficients, that of the highest power first, at x, by Horner's rule.

    Raises ValueError where `coeffs` is no list.
    """
    if not isinstance(coeffs, list):
        raise ValueError(f"tf.math.polyval expected a list of coefficients. Received: {type(coeffs).__name__}")
    x = convert_to_tensor(x)
    value = torch.zeros_like(x)
    for coefficient in coeffs:
        value = value * x + coefficient
    return value


def cumulative_logsumexp(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Running log-sum-exp along `axis`; `exclusive` leaves each value itself out, `reverse` runs from the end."""
    x = convert_to_tensor(x)
    forward = torch.flip(x, (axis,)) if reverse else x
    if exclusive:
        least = torch.full_like(forward.narrow(axis, 0, 1), float("-inf"))
        forward = torch.cat([least, forward.narrow(axis, 0, x.shape[axis] - 1)], dim=axis)
    sums = torch.logcumsumexp(forward, dim=axis)
    return torch.flip(sums, (axis,)) if reverse else sums


def reduce_euclidean_norm(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """The square root of the sum of squares over `axis`."""
    x = convert_to_tensor(input_tensor)
    return torch.sqrt(torch.sum(torch.square(x), dim=axes(axis), keepdim=keepdims)).to(x.dtype)


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """The sum of a list of tensors of one shape."""
    return torch.sum(torch.stack([convert_to_tensor(x) for x in inputs]), dim=0)


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Tensor:
    """A number times a tensor."""
    return torch.mul(*operands("scalar_mul", scalar, x))


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """Which part of the elements is zero: a float32 number."""
    value = convert_to_tensor(value)
    return torch.mean((value == 0).to(dtypes.float32))


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The permutation y with y[x[i]] = i. Raises InvalidArgumentError where x is no permutation of 0, 1, ..."""
    x = convert_to_tensor(x)
    if sorted(x.tolist()) != list(range(x.shape[0])):
        raise InvalidArgumentError(f"invert_permutation expected each of 0, 1, ... once. Received: {x.tolist()}")
    return torch.argsort(x).to(x.dtype)


def _neighbours(x: Any) -> tuple[Tensor, Tensor]:
    flat = convert_to_tensor(x).reshape(-1)
    return flat[:-1], flat[1:]


def is_non_decreasing(x: Any, name: str | None = None) -> Tensor:
    """Whether no element is smaller than the one before it."""
    before, after = _neighbours(x)
    return torch.all(before <= after)


def is_strictly_increasing(x: Any, name: str | None = None) -> Tensor:
    """Whether each element is larger than the one before it."""
    before, after = _neighbours(x)
    return torch.all(before < after)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`value` in another dtype, the nearest number of that dtype in place of what it cannot hold."""
    value, dtype = convert_to_tensor(value), dtypes.as_dtype(dtype)
    limits = (torch.finfo if dtype.is_floating_point else torch.iinfo)(dtype)
    own = (torch.finfo if value.dtype.is_floating_point else torch.iinfo)(value.dtype)
    low, high = max(limits.min, own.min), min(limits.max, own.max)
    return torch.clamp(value, low, high).to(dtype)


report(globals(), __all__)
