"""exp, expm1, log and log1p.

The polynomials are minimax approximations found by Remez' exchange in 80 digits and rounded to the format; beside each
stand its interval and the error it was weighted for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import types
from ..operands import Operand, Reg
from . import formats
from .formats import DOUBLE, FLOAT, format_of, integers, muladd, polynomial, power_of_two

if TYPE_CHECKING:
    from ..emitter import Function

# (e**r - 1 - r) / r**2 on |r| <= 0.347; error relative to r: 2**-31 and 2**-61.
_EXP = {
    FLOAT: (5.0e-01, 1.6666667e-01, 4.1666355e-02, 8.333273e-03, 1.3941125e-03, 1.9914327e-04),
    DOUBLE: (
        0.5,
        0.16666666666666677,
        0.0416666666666667,
        0.00833333333332151,
        0.0013888888888866553,
        0.0001984126988646454,
        2.4801587361101368e-05,
        2.7557243841355546e-06,
        2.7557242306069417e-07,
        2.5109173951786576e-08,
        2.0924580342146367e-09,
    ),
}
# (2 * atanh(s) / s - 2) / s**2 in s**2 on [0, 0.02945]; error relative to 2 * atanh(s): 2**-30 and 2**-59.
_LOG = {
    FLOAT: (6.6666776e-01, 3.9977524e-01, 2.9872277e-01),
    DOUBLE: (
        0.6666666666666735,
        0.39999999999413177,
        0.28571428742757593,
        0.22222198531943324,
        0.18183566626801576,
        0.153139879032212,
        0.14796612590122182,
    ),
}
# Beyond these, exp has passed twice the greatest number or half the least one.
_EXP_RANGE = {FLOAT: (-104.0, 90.0), DOUBLE: (-746.0, 711.0)}

# 2**r on |r| <= 0.5, for float; relative error 2**-23.7.
_EXP2 = (1.0000001e00, 6.9314694e-01, 2.402212e-01, 5.5507131e-02, 9.6755419e-03, 1.32764806e-03)
# From here on exp is a normal number.
_LEAST_NORMAL = {FLOAT: -87.0, DOUBLE: -708.0}


def exp(f: Function, x: Reg) -> Reg:
    """e ** x."""
    return exp_scaled(f, x)


def exp_scaled(f: Function, x: Reg, scale: int = 0, tail: Operand = 0.0) -> Reg:
    """e ** (x + tail) * 2 ** scale, without overflow on the way for a scale of 0 or -1; the tail is far below 1.

    Cody and Waite's reduction: x = k ln 2 + r.
    """
    low, high = _EXP_RANGE[format_of(x)]
    x = formats.at_most(f, f.select(x < low, low, x), high)
    n, k, q = _reduced(f, x, tail)
    if scale:
        n, k = n + float(scale), k + scale
    return formats.scaled(f, q + 1.0, n, k)


def exp_to_one(f: Function, x: Reg) -> Reg:
    """e ** x of an x that is not positive, for weights beside one of 1: what would be subnormal is 0."""
    _, k, q = _reduced(f, x)
    return f.select(x < _LEAST_NORMAL[format_of(x)], 0.0, (q + 1.0) * power_of_two(f, k, x.type))


def exp2(f: Function, x: Reg, factor: float = 1.0) -> Reg:
    """2 ** (x * factor) of floats between -125 and 126, to 1.5 ulp: half as long as `exp`, for what is added to a
    greater number.

    x = n + r is split by adding a number so large that n is left in the lowest bits, which shift into the exponent's.
    """
    shifter = FLOAT.shifter
    shifted = muladd(f, x, factor, shifter) if factor != 1 else x + shifter
    n = shifted - shifter
    r = muladd(f, x, factor, -n) if factor != 1 else x - n
    power = (f.bitcast(shifted, integers(x)) << FLOAT.fraction) + (FLOAT.bias << FLOAT.fraction)
    return polynomial(f, r, _EXP2) * f.bitcast(power, x.type)


def expm1(f: Function, x: Reg) -> Reg:
    """e ** x - 1, accurate near 0: 2 ** k * (e ** r - 1) + (2 ** k - 1), at half its scale to reach the last number."""
    form = format_of(x)
    low, high = -1.0 * form.fraction, _EXP_RANGE[form][1]  # e ** low is far below half an ulp of 1
    _, k, q = _reduced(f, formats.at_most(f, f.select(x < low, low, x), high))
    half = k >> 1
    rest = k - half
    scale = power_of_two(f, half, x.type)
    result = muladd(f, scale, q, scale - power_of_two(f, -rest, x.type)) * power_of_two(f, rest, x.type)
    return formats.with_sign(f, result, x)


def _reduced(f: Function, x: Reg, tail: Operand = 0.0) -> tuple[Reg, Reg, Reg]:
    """k as a number and as an integer, and e ** r - 1, where x + tail = k ln 2 + r and |r| <= ln 2 / 2."""
    form = format_of(x)
    upper, lower = form.ln2
    n, k = formats.nearest(f, x, 1 / math.log(2))
    r = muladd(f, n, -upper, x)
    r = muladd(f, n, -lower, r) if tail == 0.0 else r + muladd(f, n, -lower, tail)
    return n, k, muladd(f, r * r, polynomial(f, r, _EXP[form]), r)


def log(f: Function, x: Reg) -> Reg:
    """The natural logarithm; -inf at 0, NaN below."""
    k, m = split(f, x)
    result = _log_of_parts(f, k, m - 1.0, 0.0)
    result = f.select(x < math.inf, result, x)
    return f.select(f.eq(x, 0.0), -math.inf, f.select(x < 0.0, math.nan, result))


def log1p(f: Function, x: Reg) -> Reg:
    """log(1 + x), accurate near 0: what 1 + x lost in rounding is added to its logarithm to first order."""
    total, lost = formats.two_sum(f, x, 1.0)
    k, m = split(f, total)
    result = _log_of_parts(f, k, m - 1.0, f.fdiv(lost, total))
    result = f.select(x < math.inf, result, x)
    result = f.select(f.eq(x, -1.0), -math.inf, f.select(x < -1.0, math.nan, result))
    return formats.with_sign(f, result, x)


def split(f: Function, x: Reg) -> tuple[Reg, Reg]:
    """k, as a number, and m in [sqrt(1/2), sqrt(2)) of a positive x = 2 ** k * m; subnormal x are scaled first."""
    form, type = format_of(x), integers(x)
    tiny = x < 2.0 ** (1 - form.bias)
    scaled = f.select(tiny, x * 2.0 ** (form.fraction + 1), x)
    origin = f.bitcast(f.const(x.type, math.sqrt(0.5)), type)
    offset = f.bitcast(scaled, type) - origin
    m = f.bitcast((offset & ((1 << form.fraction) - 1)) + origin, x.type)
    k = (offset >> form.fraction) - f.select(tiny, f.const(type, form.fraction + 1), 0)
    if form is DOUBLE:  # few processors convert 64-bit integers; the exponents fit into 32 bits
        k = f.cast(k, types.like(x.type, "i32"))
    return f.cast(k, x.type), m


def _log_of_parts(f: Function, k: Reg, y: Reg, correction: Operand) -> Reg:
    """k ln 2 + log(1 + y) + correction.

    log(1 + y) = 2 atanh(s), s = y / (2 + y), arranged so that the leading y - y**2 / 2 is not rounded twice: with
    R = 2 atanh(s) / s - 2, it is y - (h - s (h + R)), h = y**2 / 2 (Muller, "Elementary Functions", 3rd ed., ch. 11).
    """
    upper, lower = format_of(y).ln2
    s = f.fdiv(y, y + 2.0)
    z = s * s
    remainder = z * polynomial(f, z, _LOG[format_of(y)])
    h = y * y * 0.5
    small = muladd(f, s, h + remainder, muladd(f, k, lower, correction))
    return muladd(f, k, upper, y - (h - small))
