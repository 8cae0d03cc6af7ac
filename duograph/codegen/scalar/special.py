"""Special functions: the formulas of `graph/primitives/special.py`, where their sources stand, without branches.

All are computed in double. Each lane computes what every case needs, and `select` picks the case.
"""

from __future__ import annotations

import math as numbers
from collections.abc import Sequence

from ...graph.primitives import special
from .. import math
from ..emitter import Function
from ..math.formats import absolute, muladd, polynomial, widened, with_sign
from ..operands import Reg
from .call import Call, Operation
from .powers import whole_power


def _highest_first(f: Function, x: Reg, coefficients: Sequence[float]) -> Reg:
    return polynomial(f, x, coefficients[::-1])


@widened
def _erfinv(f: Function, x: Reg) -> Reg:
    half = x * 0.5
    a = absolute(f, half)
    r = math.sqrt(f, -math.log(f, 0.5 - a))
    centre, middle = f.compare("le", a, 0.425), f.compare("le", r, 5.0)
    parts = []
    for cases in zip(special._QUANTILE_CENTRE, special._QUANTILE_MIDDLE, special._QUANTILE_TAIL, strict=True):
        near, between, far = (
            _highest_first(f, argument, coefficients)
            for argument, coefficients in zip((0.180625 - half * half, r - 1.6, r - 5.0), cases, strict=True)
        )
        parts.append(f.select(centre, near, f.select(middle, between, far)))
    above, below = parts
    result = f.select(centre, half, with_sign(f, f.const(x.type, 1.0), x)) * f.fdiv(above, below) * numbers.sqrt(0.5)
    edge = f.select(f.eq(a, 0.5), with_sign(f, f.const(x.type, numbers.inf), x), numbers.nan)
    return f.select(a < 0.5, result, edge)


def _stirling(f: Function, inverse: Reg, weight: Sequence[float]) -> Reg:
    """The sum of B₂ₖ wₖ inverseᵏ⁻¹ over k = 1, 2, ..."""
    return polynomial(f, inverse, [b * w for b, w in zip(special._bernoulli(), weight, strict=False)])


@widened
def _lgamma(f: Function, x: Reg) -> Reg:
    below = x < 0.5
    reflected = f.select(below, 1.0 - x, x)
    near_one = reflected < 1.5
    z = f.select(f.compare("le", reflected, 2.5), reflected, 2.0) - f.select(near_one, f.const(x.type, 1.0), 2.0)
    near = _highest_first(f, z, special._lgamma_series()) - f.select(near_one, math.log1p(f, z), 0.0)

    shifted, product = reflected, f.const(x.type, 1.0)
    for _ in range(8):  # from 2.5 beyond 10
        small = shifted < 10.0
        product = f.select(small, product * shifted, product)
        shifted = f.select(small, shifted + 1.0, shifted)
    series = _stirling(f, f.fdiv(1.0, shifted * shifted), [1 / (2 * k * (2 * k - 1)) for k in range(1, 9)])
    far = (shifted - 0.5) * (math.log(f, shifted) - 1.0) + (0.5 * numbers.log(2 * numbers.pi) - 0.5)
    far = far + f.fdiv(series, shifted) - math.log(f, product)
    result = f.select(f.compare("le", reflected, 2.5), near, far)
    # |sin(πx)|, without loss for large x
    sine = math.sin(f, absolute(f, x - f.intrinsic("rint", x)) * numbers.pi)
    reflection = numbers.log(numbers.pi) - math.log(f, sine) - result
    reflection = f.select(f.eq(x, -numbers.inf), numbers.inf, reflection)
    return f.select(below, reflection, result)


def _cot_pi(f: Function, x: Reg) -> Reg:
    return f.fdiv(1.0, math.tan(f, (x - f.intrinsic("rint", x)) * numbers.pi))


@widened
def _digamma(f: Function, x: Reg) -> Reg:
    negative = x < 0.0
    y = f.select(negative, 1.0 - x, x)
    # Σ 1 / (y + i), until y is beyond 10, as one fraction: a single division
    above, below = f.const(x.type, 0.0), f.const(x.type, 1.0)
    for _ in range(10):
        small = y < 10.0
        above = f.select(small, muladd(f, above, y, below), above)
        below = f.select(small, below * y, below)
        y = f.select(small, y + 1.0, y)
    inverse = f.fdiv(1.0, y * y)
    series = _stirling(f, inverse, [-1 / (2 * k) for k in range(1, 9)])
    result = math.log(f, y) - f.fdiv(0.5, y) + inverse * series - f.fdiv(above, below)
    result = f.select(negative, result - _cot_pi(f, x) * numbers.pi, result)
    result = f.select(f.eq(x, 0.0), with_sign(f, f.const(x.type, numbers.inf), -x), result)  # a pole, with a side
    pole = f.binary("and", negative, f.eq(x, f.intrinsic("floor", x)))
    return f.select(pole, numbers.nan, result)


def _polygamma(call: Call) -> Reg:
    n: int = call.attributes["order"]
    factorial = float(numbers.factorial(n))

    @widened
    def emit(f: Function, x: Reg) -> Reg:
        negative = x < 0.0
        least = 15 + n
        start = f.select(negative, 1.0 - x, x)
        with f.loop(0, least, carried=[start, f.const(x.type, 0.0)], name="recurrence", names=["y", "total"]) as loop:
            y, total = loop.carried
            small = y < float(least)
            term = f.fdiv(1.0, whole_power(y, n + 1))
            loop.yield_(f.select(small, y + 1.0, y), f.select(small, total + term, total))
        y, total = loop.results
        inverse = f.fdiv(1.0, y * y)
        weights = [numbers.factorial(2 * k + n - 1) / numbers.factorial(2 * k) for k in range(1, 13)]
        tail = f.fdiv(factorial / 2, y) + factorial / n + inverse * _stirling(f, inverse, weights)
        result = f.fdiv(tail, whole_power(y, n)) + total * factorial
        cotangent = polynomial(f, _cot_pi(f, x), special._cotangent_derivative(n)) * numbers.pi ** (n + 1)
        sign = (-1.0) ** (n + 1)
        return f.select(negative, -result - cotangent, result * sign)

    return emit(call.f, call.args[0])


OPERATIONS: dict[str, Operation] = {
    "erfinv": lambda call: _erfinv(call.f, *call.args),
    "lgamma": lambda call: _lgamma(call.f, *call.args),
    "digamma": lambda call: _digamma(call.f, *call.args),
    "polygamma": _polygamma,
}
