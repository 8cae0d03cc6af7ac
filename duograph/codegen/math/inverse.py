"""Inverse trigonometric functions. Those of float are computed in double."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..operands import Reg
from . import formats
from .formats import absolute, muladd, polynomial, widened, with_sign

if TYPE_CHECKING:
    from ..emitter import Function

# Minimax polynomials, by Remez' exchange in 80 digits.
# (asin(x) / x - 1) / x**2 in x**2 on [0, 1/4]; error relative to asin: 2**-58.
_ASIN = (
    0.16666666666666763,
    0.07499999999970096,
    0.04464285717528904,
    0.030381942675128164,
    0.022372215910124064,
    0.01735159542849201,
    0.013981019321590637,
    0.011397287284006475,
    0.010789349664138081,
    0.0036720912509152727,
    0.02179084357244456,
    -0.02111695512363671,
    0.03270228501106993,
)
# (atan(x) / x - 1) / x**2 in x**2 on [0, tan(pi / 8)**2]; error relative to atan: 2**-59.
_ATAN = (
    -0.333333333333332,
    0.19999999999953766,
    -0.14285714280215214,
    0.11111110784402803,
    -0.0909089778471895,
    0.07692060687023033,
    -0.06663109270652884,
    0.05847925937097026,
    -0.05039462719857052,
    0.03806838318672508,
    -0.01791117731711059,
)
_HALF_PI = (math.pi / 2, float.fromhex("0x1.1a62633145c07p-54"))  # rounded, and the rest


@widened
def asin(f: Function, x: Reg) -> Reg:
    """asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)) for x > 1/2; NaN beyond 1."""
    a = absolute(f, x)
    far = a > 0.5
    angle = _asin_of_parts(f, a, far)
    complement = _HALF_PI[0] - (angle * 2.0 - _HALF_PI[1])
    return with_sign(f, f.select(far, complement, angle), x)


@widened
def acos(f: Function, x: Reg) -> Reg:
    """pi/2 - asin(x), or 2 asin(sqrt((1 - |x|) / 2)) and its complement to pi beyond 1/2; NaN beyond 1."""
    a = absolute(f, x)
    far = a > 0.5
    angle = _asin_of_parts(f, a, far)
    twice = angle * 2.0
    complement = 2 * _HALF_PI[0] - (twice - 2 * _HALF_PI[1])
    near = _HALF_PI[0] - (with_sign(f, angle, x) - _HALF_PI[1])
    return f.select(far, f.select(x < 0.0, complement, twice), near)


def _asin_of_parts(f: Function, a: Reg, far: Reg) -> Reg:
    """asin(a), or asin(sqrt((1 - a) / 2)) where it is far from 0."""
    square = f.select(far, (1.0 - a) * 0.5, a * a)
    root = f.select(far, f.intrinsic("sqrt", square), a)
    return muladd(f, root * square, polynomial(f, square, _ASIN), root)


@widened
def atan(f: Function, x: Reg) -> Reg:
    """The angle in [-pi/2, pi/2] whose tangent is x."""
    a = absolute(f, x)
    steep = a > 1.0
    angle = _atan_of_slope(f, f.select(steep, f.fdiv(1.0, a), a))
    return with_sign(f, f.select(steep, _HALF_PI[0] - (angle - _HALF_PI[1]), angle), x)


@widened
def atan2(f: Function, y: Reg, x: Reg) -> Reg:
    """The angle in [-pi, pi] of the point (x, y); zeros and infinities as in C: atan2(0, -0) is pi."""
    ax, ay = absolute(f, x), absolute(f, y)
    steep = ay > ax
    slope = f.fdiv(f.select(steep, ax, ay), f.select(steep, ay, ax))
    slope = f.select(f.eq(ax, ay), f.select(f.eq(ax, 0.0), f.const(x.type, 0.0), 1.0), slope)
    angle = _atan_of_slope(f, slope)
    angle = f.select(steep, _HALF_PI[0] - (angle - _HALF_PI[1]), angle)
    left = f.bitcast(x, formats.integers(x)) < 0
    angle = f.select(left, 2 * _HALF_PI[0] - (angle - 2 * _HALF_PI[1]), angle)
    return with_sign(f, angle, y)


def _atan_of_slope(f: Function, x: Reg) -> Reg:
    """atan(x) for x in [0, 1]; beyond tan(pi / 8) it is pi/4 + atan((x - 1) / (x + 1))."""
    far = x > math.tan(math.pi / 8)
    x = f.select(far, f.fdiv(x - 1.0, x + 1.0), x)
    square = x * x
    angle = muladd(f, x * square, polynomial(f, square, _ATAN), x)
    return f.select(far, 0.5 * _HALF_PI[0] + (angle + 0.5 * _HALF_PI[1]), angle)
