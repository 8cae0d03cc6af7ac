"""sin, cos and tan.

Up to 2 ** 20 the argument is reduced by multiples of pi/2 in three parts of 33 bits and a rest (Cody & Waite; Muller,
"Elementary Functions", 3rd ed., ch. 11): their products with the multiple are exact, with or without a fused
multiply-add. Beyond, where a hundred digits of pi and more are needed (Payne & Hanek, SIGNUM Newsletter 18, 1983),
lanes are handed to the C library's double functions, one by one; a register without such a lane skips that branch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import types
from ..operands import Reg
from . import formats
from .formats import DOUBLE, FLOAT, Format, format_of, integers, muladd, polynomial, two_sum, widened

if TYPE_CHECKING:
    from ..emitter import Function

# Minimax polynomials, by Remez' exchange in 80 digits, in r**2 on [0, (pi / 4)**2].
# (sin(r) / r - 1) / r**2; error relative to sin: 2**-28 and 2**-58.
_SIN = {
    FLOAT: (-1.6666655e-01, 8.332177e-03, -1.951713e-04),
    DOUBLE: (
        -0.16666666666666632,
        0.008333333333322394,
        -0.00019841269829791092,
        2.75573136858466e-06,
        -2.5050757126610272e-08,
        1.589673632243923e-10,
    ),
}
# (cos(r) - 1 + r**2 / 2) / r**4; error relative to cos: 2**-32 and 2**-63.
_COS = {
    FLOAT: (4.1666646e-02, -1.3887365e-03, 2.4438259e-05),
    DOUBLE: (
        0.0416666666666666,
        -0.0013888888888874097,
        2.4801587289464817e-05,
        -2.755731434711084e-07,
        2.0875722536664805e-09,
        -1.1359608333312732e-11,
    ),
}
_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
_LIMIT = 2.0**20  # multiples of pi/2 have 20 bits here, and 20 + 33 = 53


def sin(f: Function, x: Reg) -> Reg:
    """The sine of x radians."""

    def near() -> Reg:
        k, sine, cosine = _sine_and_cosine(f, x)
        return f.select(f.eq(x, 0.0), x, _turned(f, f.select(f.ne(k & 1, 0), cosine, sine), k))

    return _reaching_far(f, "sin", x, near)


def cos(f: Function, x: Reg) -> Reg:
    """The cosine of x radians."""

    def near() -> Reg:
        k, sine, cosine = _sine_and_cosine(f, x)
        return _turned(f, f.select(f.ne(k & 1, 0), sine, cosine), k + 1)

    return _reaching_far(f, "cos", x, near)


@widened
def tan(f: Function, x: Reg) -> Reg:
    """The tangent of x radians."""

    def near() -> Reg:
        k, sine, cosine = _sine_and_cosine(f, x)
        odd = f.ne(k & 1, 0)
        quotient = f.fdiv(f.select(odd, cosine, sine), f.select(odd, sine, cosine))
        return f.select(f.eq(x, 0.0), x, f.select(odd, -quotient, quotient))

    return _reaching_far(f, "tan", x, near)


def _sine_and_cosine(f: Function, x: Reg) -> tuple[Reg, Reg, Reg]:
    """k, sin(r) and cos(r), where x = k pi/2 + r, |r| <= pi/4 and |x| <= 2 ** 20."""
    form = format_of(x)
    wide = f.cast(x, "double")
    n, k = formats.nearest(f, wide, 2 / math.pi)
    r = muladd(f, n, -_HALF_PI[0], wide)
    if form is FLOAT:
        for part in _HALF_PI[1:3]:
            r = muladd(f, n, -part, r)
        r = f.cast(r, x.type)
        return f.cast(k, integers(x)), _sine(f, r, None, form), _cosine(f, r, None, form)
    r, lost = two_sum(f, r, n * -_HALF_PI[1])
    r, more = two_sum(f, r, n * -_HALF_PI[2])
    r, rest = two_sum(f, r, muladd(f, n, -_HALF_PI[3], lost + more))
    return k, _sine(f, r, rest, form), _cosine(f, r, rest, form)


def _sine(f: Function, r: Reg, rest: Reg | None, form: Format) -> Reg:
    """sin(r + rest)."""
    z = r * r
    if rest is None:
        return muladd(f, r * z, polynomial(f, z, _SIN[form]), r)
    return r + muladd(f, r * z, polynomial(f, z, _SIN[form]), rest * muladd(f, z, -0.5, 1.0))


def _cosine(f: Function, r: Reg, rest: Reg | None, form: Format) -> Reg:
    """cos(r + rest): 1 - r**2 / 2 rounded, then what that lost and the smaller terms."""
    z = r * r
    half = z * 0.5
    head = 1.0 - half
    lost = (1.0 - head) - half
    tail = lost if rest is None else muladd(f, r, -rest, lost)
    return head + muladd(f, z * z, polynomial(f, z, _COS[form]), tail)


def _turned(f: Function, value: Reg, k: Reg) -> Reg:
    """The value, negated where k is 2 or 3 modulo 4."""
    type = integers(value)
    sign = (k & 2) << (types.bits(type) - 2)
    return f.bitcast(f.bitcast(value, type) ^ sign, value.type)


def _reaching_far(f: Function, name: str, x: Reg, near: Callable[[], Reg]) -> Reg:
    """The near result, and in lanes beyond the limit the C library's."""
    a = formats.absolute(f, x)
    far = f.binary("and", a > _LIMIT, a < math.inf)
    lanes = types.lanes(x.type)
    some = far if lanes == 1 else f.intrinsic("vector.reduce.or", far, returns="i1", overload=(far.type,))
    result = near()
    function = f.module.declare(name, "double", ["double"])
    element = types.element(x.type)
    slot = f.stack(x.type, align=64)
    with f.if_(some, name=f"{name}.far", likely=False) as branch:
        f.store(x, slot)
        with f.loop(0, lanes, name="lane") as loop:
            place = f.gep(slot, loop.index, element)
            f.store(f.cast(f.call(function, f.cast(f.load(place, element), "double")), element), place)
        branch.yield_(f.select(far, f.load(slot, x.type), result))
    with branch.else_():
        branch.yield_(result)
    return branch.results[0]
