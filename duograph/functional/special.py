"""Special functions: error functions, the normal distribution, Bessel's, Airy's and Hurwitz' functions.

Where a function is no formula of others, it is a polynomial on each of two ranges of its argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..graph import language as g
from ..graph.composite import composite
from ..graph.node import Node
from ..graph.primitives import special as tables
from . import polynomials as c
from .checks import check_floating, widened


def _unit(u: Node, coefficients: Sequence[float]) -> Node:
    """A polynomial in 2 u - 1 for u in [0, 1]."""
    return _horner(u * 2.0 - 1.0, coefficients)


def _horner(x: Node, coefficients: Sequence[float]) -> Node:
    """A polynomial, the coefficient of the highest power being the first."""
    result = g.full(x.shape, coefficients[0], x.dtype)
    for coefficient in coefficients[1:]:
        result = result * x + coefficient
    return result


@composite
@widened
def erfcx(x: Node) -> Node:
    """exp(x²) erfc(x), which neither underflows nor cancels for large x."""
    check_floating(x=x)
    size = g.absolute(x)
    t = 2.0 / (size + 2.0)
    far = t * g.exp(_unit(t, c.ERFCX))
    return g.select(x < 0, g.exp(x * x) * 2.0 - far, far)


@composite
@widened
def ndtr(x: Node) -> Node:
    """The distribution function of the normal distribution."""
    check_floating(x=x)
    t = x * math.sqrt(0.5)
    tail = g.exp(-(t * t)) * erfcx(g.absolute(t)) * 0.5
    return g.select(g.absolute(x) < 1, g.erf(t) * 0.5 + 0.5, g.select(x < 0, tail, 1.0 - tail))


@composite
@widened
def log_ndtr(x: Node) -> Node:
    """The logarithm of `ndtr`, accurate far to the left."""
    check_floating(x=x)
    t = x * math.sqrt(0.5)
    low = x < -1
    left = g.select(low, t, -1.0)
    right = g.select(low, 0.0, t)
    above = g.select(right < 0.5, 1.0 - g.erf(right), g.exp(-(right * right)) * erfcx(g.maximum(right, 0.0)))
    return g.select(low, g.log(erfcx(-left) * 0.5) - left * left, g.log1p(above * -0.5))


@composite
@widened
def ndtri(p: Node) -> Node:
    """The inverse of `ndtr`, after Wichura (1988)."""
    check_floating(p=p)
    q = p - 0.5
    inside = g.absolute(q) <= 0.425
    centre = q * _ratio(0.180625 - g.select(inside, q, 0.0) * g.select(inside, q, 0.0), tables._QUANTILE_CENTRE)
    edge = g.select(inside, 0.05, g.select(q < 0, p, 1.0 - p))
    r = g.sqrt(-g.log(edge))
    near = r <= 5
    out = g.select(near, _ratio(g.select(near, r, 2.0) - 1.6, tables._QUANTILE_MIDDLE),
                   _ratio(g.select(near, 5.0, g.minimum(r, 40.0)) - 5.0, tables._QUANTILE_TAIL))  # fmt: skip
    out = g.select(g.equal(edge, 0), math.inf, out)
    return g.select(inside, centre, g.select(q < 0, -out, out))


def _ratio(x: Node, polynomials: tuple[Sequence[float], Sequence[float]]) -> Node:
    return _horner(x, polynomials[0]) / _horner(x, polynomials[1])


@composite
@widened
def entr(x: Node) -> Node:
    """-x log x; 0 at 0 and -infinity below."""
    check_floating(x=x)
    positive = x > 0
    inside = g.select(positive, x, 1.0)
    return g.select(positive, -inside * g.log(inside), g.select(g.equal(x, 0), 0.0, g.select(x < 0, -math.inf, x)))


@composite
@widened
def xlog1py(x: Node, y: Node) -> Node:
    """x log(1 + y), 0 where x is 0."""
    zero = g.equal(x, 0) & g.equal(y, y)
    return g.select(zero, 0.0, x * g.log1p(g.select(zero, 0.0, y)))


@composite
@widened
def bessel_i(x: Node, *, order: int, scaled: bool) -> Node:
    """The modified Bessel function of the first kind of order 0 or 1, times exp(-|x|) if `scaled`."""
    check_floating(x=x)
    size = g.absolute(x)
    is_near = size <= 8
    near = _unit(g.select(is_near, size, 8.0) / 8.0, c.I1_NEAR if order else c.I0_NEAR)
    large = g.select(is_near, 8.0, size)
    far = _unit(8.0 / large, c.I1_FAR if order else c.I0_FAR) / g.sqrt(large)
    if order:
        near, far = near * x, g.select(x < 0, -far, far)
    result = g.select(is_near, near, far)
    return result if scaled else result * g.exp(size)


@composite
@widened
def bessel_k(x: Node, *, order: int, scaled: bool) -> Node:
    """The modified Bessel function of the second kind of order 0 or 1, times exp(x) if `scaled`."""
    check_floating(x=x)
    is_near = x <= 2
    small = g.select(is_near, x, 2.0)
    y = _unit(small * small / 4.0, c.K1_NEAR if order else c.K0_NEAR)
    log = g.log(small * 0.5) * bessel_i(small, order=order, scaled=False)
    near = (y / small + log if order else y - log) * (g.exp(small) if scaled else 1.0)
    large = g.select(is_near, 2.0, x)
    far = _unit(2.0 / large, c.K1_FAR if order else c.K0_FAR) / g.sqrt(large)
    far = far if scaled else far * g.exp(-large)
    result = g.select(is_near, near, far)
    return g.select(g.equal(x, 0), math.inf, g.select(x < 0, math.nan, result))


_NEAR = {"j0": c.J0_NEAR, "j1": c.J1_NEAR, "y0": c.Y0_NEAR, "y1": c.Y1_NEAR}


@composite
@widened
def bessel(x: Node, *, kind: str) -> Node:
    """The Bessel function of the first or second kind of order 0 or 1: "j0", "j1", "y0" or "y1"."""
    check_floating(x=x)
    size = g.absolute(x) if kind[0] == "j" else x
    is_near = size <= 8
    small = g.select(is_near, size, 8.0)
    near = _unit(small * small / 64.0, _NEAR[kind])
    near = near * small if kind[1] == "1" else near
    if kind[0] == "y":
        first = bessel(small, kind="j" + kind[1])
        rest = g.log(small) * first - (1.0 / small if kind == "y1" else 0.0)
        near = near + rest * (2 / math.pi)
    large = g.select(is_near, 8.0, size)
    ratio = 8.0 / large
    even, odd = (c.P1, c.Q1) if kind[1] == "1" else (c.P0, c.Q0)
    p, q = _unit(ratio * ratio, even), _unit(ratio * ratio, odd) * ratio
    angle = large - (0.75 if kind[1] == "1" else 0.25) * math.pi
    wave = p * g.cos(angle) - q * g.sin(angle) if kind[0] == "j" else p * g.sin(angle) + q * g.cos(angle)
    result = g.select(is_near, near, wave * g.sqrt(2 / math.pi / large))
    if kind[0] == "y":
        return g.select(g.equal(x, 0), -math.inf, g.select(x < 0, math.nan, result))
    return g.select(x < 0, -result, result) if kind == "j1" else result


@composite
@widened
def airy_ai(x: Node) -> Node:
    """Airy's function Ai."""
    check_floating(x=x)
    size = g.absolute(x)
    is_near = size <= 2
    near = _horner(g.select(is_near, x, 0.0) * 0.5, c.AIRY_NEAR)
    large = g.select(is_near, 2.0, size)
    zeta = large * g.sqrt(large) * (2 / 3)
    ratio = (2 / 3) * math.sqrt(8) / zeta
    root = g.sqrt(g.sqrt(large)) * math.sqrt(math.pi)
    falling = _unit(ratio, c.AIRY_FAR) * g.exp(-zeta) / root * 0.5
    angle = zeta - math.pi / 4
    wave = _unit(ratio * ratio, c.AIRY_COS) * g.cos(angle) + _unit(ratio * ratio, c.AIRY_SIN) * ratio * g.sin(angle)
    return g.select(is_near, near, g.select(x > 0, falling, wave / root))


@composite
@widened
def spherical_bessel_j0(x: Node) -> Node:
    """sin(x) / x, 1 at 0."""
    check_floating(x=x)
    small = g.absolute(x) < 0.5
    y = g.select(small, x * x, 0.0)
    series = _horner(y, [(-1) ** k / math.factorial(2 * k + 1) for k in range(8, -1, -1)])
    away = g.select(small, 1.0, x)
    return g.select(small, series, g.select(g.equal(g.absolute(x), math.inf), 0.0, g.sin(away) / away))


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


@composite
@widened
def zeta(x: Node, q: Node) -> Node:
    """Hurwitz' function, the sum of (k + q)^-x over k >= 0, for x > 1, by Euler's and Maclaurin's formula.

    NaN for x < 1, for q below 0 with an x that is not whole, and for q below -20; infinite at its poles.
    """
    check_floating(x=x, q=q)
    terms = 30
    total = g.power(q, -x)
    for k in range(1, terms):
        total = total + g.power(q + float(k), -x)
    a = q + float(terms)
    tail = g.power(a, -x)
    total = total + tail * 0.5 + a * tail / (x - 1.0)
    factor, power = x, tail / a
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        total = total + factor * power * (bernoulli / math.factorial(2 * k))
        factor = factor * (x + (2.0 * k - 1)) * (x + 2.0 * k)
        power = power / (a * a)
    whole = g.equal(q, g.floor(q)) & (q <= 0)
    refused = (x < 1) | ((q < 0) & g.not_equal(x, g.floor(x))) | (q < -20)
    total = g.select(whole | g.equal(x, 1), math.inf, total)
    return g.select(refused & ~(whole & (x > 1)) | g.not_equal(x, x) | g.not_equal(q, q), math.nan, total)
