"""The mathematics of generated code: `exp`, `sin`, `pow` and their like on a register of any number of lanes.

    y = math.exp(f, x)

Every function takes the function being built and values of type float or double, scalar or vector, and returns a value
of the same type. All lanes take the same instructions, cases are chosen by `select`; the one branch is for sines of
huge numbers. Zeros keep their signs, infinities and NaN give what C's Annex F says, subnormal numbers are numbers
like any other: the processor's flushing modes are neither set nor wanted.

Errors against exactly rounded results are measured by `tests/test_codegen_math.py`: at most 2 ulp in float, at most
4 ulp in double. Other element types raise `TypeError`; half and bfloat are computed in float by whoever stores them.
"""

from __future__ import annotations

from collections.abc import Callable

from ..operands import Reg
from .error import erf
from .exponential import exp, expm1, log, log1p
from .hyperbolic import acosh, asinh, atanh, cosh, sinh, tanh
from .inverse import acos, asin, atan, atan2
from .power import pow, rsqrt, sqrt
from .trigonometric import cos, sin, tan

UNARY: dict[str, Callable[..., Reg]] = {
    function.__name__: function
    for function in (
        *(exp, expm1, log, log1p, sqrt, rsqrt, sin, cos, tan, asin, acos, atan),
        *(sinh, cosh, tanh, asinh, acosh, atanh, erf),
    )
}
BINARY: dict[str, Callable[..., Reg]] = {"atan2": atan2, "pow": pow}
