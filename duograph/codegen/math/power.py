"""Powers and square roots."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..operands import Reg
from .exponential import exp_scaled, split
from .formats import DOUBLE, absolute, format_of, muladd, polynomial, two_product, two_sum, widened

if TYPE_CHECKING:
    from ..emitter import Function

# (2 * atanh(s) / s - 2 - 2/3 * s**2) / s**4 in s**2 on [0, 0.02945], by Remez' exchange in 80 digits; error relative to
# 2 * atanh(s): 2**-73.
_LOG_TAIL = (
    0.3999999999999998,
    0.2857142857144515,
    0.22222222217526932,
    0.18181818871487831,
    0.1538455679073891,
    0.13336320514441252,
    0.11674755532283752,
    0.11989538708365599,
)
_TWO_THIRDS = (2 / 3, float.fromhex("0x1.5555555555555p-55"))  # rounded, and the rest


def sqrt(f: Function, x: Reg) -> Reg:
    """The square root, correctly rounded."""
    format_of(x)
    return f.intrinsic("sqrt", x)


def rsqrt(f: Function, x: Reg) -> Reg:
    """1 / sqrt(x), each of the two rounded correctly: within 1.5 ulp."""
    return f.fdiv(1.0, sqrt(f, x))


@widened
def pow(f: Function, x: Reg, y: Reg) -> Reg:
    """x ** y with the special cases of C: pow(x, 0) and pow(1, y) are 1 even for NaN; negative x takes integers y.

    exp(y log|x|), the logarithm and the product as unevaluated sums of two doubles: the product is up to 745, and its
    absolute error is the result's relative one.
    """
    a = absolute(f, x)
    upper, lower = _log_pair(f, a)
    product, lost = two_product(f, y, upper)
    lost = muladd(f, y, lower, lost)
    finite = absolute(f, product) < 1000.0  # beyond, the result is 0 or infinite and the rest may be NaN
    result = exp_scaled(f, product, tail=f.select(finite, lost, 0.0))
    whole = f.eq(f.intrinsic("floor", y), y)
    half = y * 0.5
    odd = f.binary("and", whole, f.ne(f.intrinsic("floor", half), half))
    negative = f.eq(f.intrinsic("copysign", f.const(x.type, 1.0), x), -1.0)
    result = f.select(f.binary("and", odd, negative), -result, result)
    imaginary = f.binary("and", f.binary("and", x < 0.0, x > -math.inf), f.invert(whole))
    result = f.select(imaginary, math.nan, result)
    endless = f.eq(absolute(f, y), math.inf)
    one = f.binary("or", f.eq(x, 1.0), f.binary("and", f.eq(x, -1.0), endless))
    return f.select(f.binary("or", one, f.eq(y, 0.0)), 1.0, result)


def _log_pair(f: Function, x: Reg) -> tuple[Reg, Reg]:
    """log(x) to about 66 bits, as a double and a small rest; of 0 and inf, an infinity.

    log(m) = 2 atanh(s) = 2 s + 2/3 s**3 + s**5 P(s**2), s = (m - 1) / (m + 1): the first two terms in pairs.
    """
    k, m = split(f, x)
    numerator = m - 1.0  # exact
    denominator, denominator_rest = two_sum(f, m, 1.0)
    s = f.fdiv(numerator, denominator)
    remainder = f.fma(-s, denominator, numerator) - s * denominator_rest
    s_rest = f.fdiv(remainder, denominator)
    z, z_rest = two_product(f, s, s)
    z_rest = muladd(f, s * 2.0, s_rest, z_rest)
    cubic, cubic_rest = two_product(f, z, _TWO_THIRDS[0])
    cubic_rest = cubic_rest + muladd(f, z, _TWO_THIRDS[1], z_rest * _TWO_THIRDS[0])
    cubic_rest = muladd(f, z * z, polynomial(f, z, _LOG_TAIL), cubic_rest)
    factor, factor_rest = two_sum(f, cubic, cubic_rest)  # of s, beside 2
    term, term_rest = two_product(f, s, factor)
    term_rest = term_rest + muladd(f, s, factor_rest, s_rest * muladd(f, factor, 1.0, 2.0))
    total, total_rest = two_sum(f, s * 2.0, term)
    high, high_rest = two_sum(f, k * DOUBLE.ln2[0], total)
    rest = muladd(f, k, DOUBLE.ln2[1], high_rest + (total_rest + term_rest))
    upper, lower = two_sum(f, high, rest)
    ordinary = f.binary("and", x > 0.0, x < math.inf)
    edge = f.select(f.eq(x, 0.0), -math.inf, x)
    return f.select(ordinary, upper, edge), f.select(ordinary, lower, 0.0)
