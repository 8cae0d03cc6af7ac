"""Functions of every element.

Between tensors of different dtypes all count alike, those without axes too: that is the standard's rule. The operators
of Tensor (`x + y`) keep PyTorch's, in which tensors without axes are weak.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph.dtype import promote
from ..graph.node import PRIMITIVES
from ..ops import FUNCTIONS as F
from ..tensor.core import Tensor, apply, cast

abs, ceil, floor, trunc, round = F["abs"], F["ceil"], F["floor"], F["trunc"], F["round"]
negative, positive, reciprocal, square = F["negative"], F["positive"], F["reciprocal"], F["square"]
signbit, sqrt = F["signbit"], F["sqrt"]
exp, expm1, log, log1p, log2, log10 = F["exp"], F["expm1"], F["log"], F["log1p"], F["log2"], F["log10"]
acos, acosh, asin, asinh, atan, atanh = F["acos"], F["acosh"], F["asin"], F["asinh"], F["atan"], F["atanh"]
cos, cosh, sin, sinh, tan, tanh = F["cos"], F["cosh"], F["sin"], F["sinh"], F["tan"], F["tanh"]
isfinite, isinf, isnan = F["isfinite"], F["isinf"], F["isnan"]
bitwise_invert, logical_not = F["bitwise_not"], F["logical_not"]


def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1 by the sign of every element; NaN of NaN, where PyTorch has 0."""
    return apply(PRIMITIVES["sign"], (x,))


def alike(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two tensors in their common dtype; numbers stay."""
    if not isinstance(x1, Tensor) or not isinstance(x2, Tensor) or x1.dtype is x2.dtype:
        return x1, x2
    dtype = promote(x1.dtype, x2.dtype)
    return cast(x1, dtype), cast(x2, dtype)


def _of_two(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def body(x1: Any, x2: Any, /) -> Tensor:
        return function(*alike(x1, x2))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = function.__doc__
    return body


add, subtract, multiply, divide, floor_divide, remainder, pow = (
    _of_two(name, F[name]) for name in ("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow")
)
atan2, copysign, hypot, logaddexp, maximum, minimum, nextafter = (
    _of_two(name, F[name]) for name in ("atan2", "copysign", "hypot", "logaddexp", "maximum", "minimum", "nextafter")
)
equal = _of_two("equal", F["eq"])  # PyTorch's `equal` is one bool
not_equal, less, less_equal, greater, greater_equal = (
    _of_two(name, F[name]) for name in ("not_equal", "less", "less_equal", "greater", "greater_equal")
)
logical_and, logical_or, logical_xor = (_of_two(name, F[name]) for name in ("logical_and", "logical_or", "logical_xor"))
bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift = (
    _of_two(name, F[name])
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift")
)


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """`x1` where the condition holds, else `x2`."""
    return F["where"](condition, *alike(x1, x2))


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Every element brought into [min, max]; the dtype of `x` stays."""
    return F["clone"](x) if min is None and max is None else cast(F["clamp"](x, min, max), x.dtype)


def conj(x: Tensor, /) -> Tensor:
    """The complex conjugate: of real numbers, the tensor itself."""
    return F["conj"](x)


def real(x: Tensor, /) -> Tensor:
    """The real part: of real numbers, the tensor itself."""
    return F["real"](x)


def imag(x: Tensor, /) -> Tensor:
    """The imaginary part. Raises DTypeError for real numbers."""
    return F["imag"](x)
