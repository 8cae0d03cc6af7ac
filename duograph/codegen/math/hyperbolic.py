"""Hyperbolic functions and their inverses, by way of expm1 and log1p."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..operands import Reg
from .exponential import exp2, exp_scaled, expm1, log1p
from .formats import FLOAT, absolute, at_most, format_of, muladd, polynomial, widened, with_sign

if TYPE_CHECKING:
    from ..emitter import Function

# (tanh(x) / x - 1) / x**2 in x**2 on [0, 0.49], for float: a minimax polynomial, by Remez' exchange in 60 digits; error
# relative to tanh: 2**-26.
_TANH = (-3.333319e-01, 1.3329111e-01, -5.355886e-02, 2.0091968e-02, -5.1386594e-03)


def tanh(f: Function, x: Reg) -> Reg:
    """e / (e + 2) with e = exp(2 |x|) - 1; beyond 20 it is 1. In float 1 - 2 / (exp(2 |x|) + 1), and an odd polynomial
    below 0.7."""
    a = absolute(f, x)
    if format_of(x) is not FLOAT:
        e = expm1(f, at_most(f, a, 20.0) * 2.0)
        return with_sign(f, f.fdiv(e, e + 2.0), x)
    square = a * a
    near = muladd(f, a * square, polynomial(f, square, _TANH), a)
    far = 1.0 - f.fdiv(2.0, exp2(f, at_most(f, a, 9.5), 2 / math.log(2)) + 1.0)
    return with_sign(f, f.select(a < 0.7, near, far), x)


@widened
def sinh(f: Function, x: Reg) -> Reg:
    """(e + e / (e + 1)) / 2 with e = exp(|x|) - 1; beyond 22, exp(|x|) / 2."""
    a = absolute(f, x)
    e = expm1(f, at_most(f, a, 22.0))
    near = (e + f.fdiv(e, e + 1.0)) * 0.5
    return with_sign(f, f.select(a > 22.0, exp_scaled(f, a, -1), near), x)


@widened
def cosh(f: Function, x: Reg) -> Reg:
    """h + 1 / (4 h) with h = exp(|x|) / 2."""
    h = exp_scaled(f, absolute(f, x), -1)
    return h + f.fdiv(0.25, h)


@widened
def asinh(f: Function, x: Reg) -> Reg:
    """log1p(a + a**2 / (1 + sqrt(1 + a**2))) with a = |x|; for large ones log(2 a)."""
    a = absolute(f, x)
    square = a * a
    root = f.intrinsic("sqrt", square + 1.0)
    return with_sign(f, _log1p_or_large(f, a, a + f.fdiv(square, root + 1.0)), x)


@widened
def acosh(f: Function, x: Reg) -> Reg:
    """log1p(t + sqrt(2 t + t**2)) with t = x - 1; for large ones log(2 x); NaN below 1."""
    t = x - 1.0
    result = _log1p_or_large(f, x, t + f.intrinsic("sqrt", muladd(f, t, t, t * 2.0)))
    return f.select(x < 1.0, math.nan, result)


@widened
def atanh(f: Function, x: Reg) -> Reg:
    """log1p(2 a / (1 - a)) / 2 with a = |x|."""
    a = absolute(f, x)
    return with_sign(f, log1p(f, f.fdiv(a * 2.0, 1.0 - a)) * 0.5, x)


def _log1p_or_large(f: Function, x: Reg, argument: Reg) -> Reg:
    """log1p(argument), or log(2 x) where x is too large to be squared with profit."""
    large = x > 2.0**28
    return log1p(f, f.select(large, x - 1.0, argument)) + f.select(large, f.const(x.type, math.log(2)), 0.0)
