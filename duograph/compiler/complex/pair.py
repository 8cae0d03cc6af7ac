"""Pairs of real nodes that stand for a complex one, their arithmetic, and functions of them.

Formulas are chosen so that no intermediate overflows or cancels where the result does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...graph import language as lang
from ...graph.node import Node


@dataclass(frozen=True, eq=False)
class Pair:
    """re + i im, of one shape. `packed`, if known, is the node `[*shape, 2]` that has both."""

    re: Node
    im: Node
    packed: Node | None = None

    def __add__(self, other: Pair) -> Pair:
        return Pair(self.re + other.re, self.im + other.im)

    def __sub__(self, other: Pair) -> Pair:
        return Pair(self.re - other.re, self.im - other.im)

    def __neg__(self) -> Pair:
        return Pair(-self.re, -self.im)

    def __mul__(self, other: Pair) -> Pair:
        return Pair(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)

    def __truediv__(self, other: Pair) -> Pair:
        """R. L. Smith, "Algorithm 116: Complex division", Comm. ACM 5 (1962): by the larger part of the divisor."""
        a, b, c, d = self.re, self.im, other.re, other.im
        wide = lang.absolute(d) <= lang.absolute(c)
        zero = lang.equal(c, 0) & lang.equal(d, 0)
        ratio = lang.select(zero, 0, lang.select(wide, d, c) / lang.select(wide, c, d))
        divisor = lang.select(zero, lang.absolute(c), lang.select(wide, c + d * ratio, c * ratio + d))
        re = lang.select(wide, a + b * ratio, a * ratio + b)
        im = lang.select(wide, b - a * ratio, b * ratio - a)
        return Pair(re / divisor, im / divisor)

    def conjugate(self) -> Pair:
        return Pair(self.re, -self.im)

    def turned(self) -> Pair:
        """i times it."""
        return Pair(-self.im, self.re)

    def turned_back(self) -> Pair:
        """-i times it."""
        return Pair(self.im, -self.re)

    def plus(self, number: float) -> Pair:
        return Pair(self.re + number, self.im)


def select(condition: Node, x: Pair, y: Pair) -> Pair:
    return Pair(lang.select(condition, x.re, y.re), lang.select(condition, x.im, y.im))


def _copysign(x: Node, sign: Node) -> Node:
    return lang.apply("copysign", x, sign)


def _larger_first(z: Pair) -> tuple[Node, Node]:
    """The absolute values of the parts, the larger one first."""
    a, b = lang.absolute(z.re), lang.absolute(z.im)
    return lang.maximum(a, b), lang.minimum(a, b)


def absolute(z: Pair) -> Node:
    large, small = _larger_first(z)
    plain = lang.equal(large, 0) | lang.equal(large, math.inf)
    ratio = lang.select(plain, 0, small / large)
    return large * lang.sqrt(ratio * ratio + 1)


def sign(z: Pair) -> Pair:
    """z / |z|, 0 at 0. The larger part is made 1 first."""
    large, _ = _larger_first(z)
    zero = lang.equal(large, 0)
    re, im = (lang.select(zero, 0, part / large) for part in (z.re, z.im))
    size = lang.select(zero, 1, lang.sqrt(re * re + im * im))
    return Pair(re / size, im / size)


def exp(z: Pair) -> Pair:
    size = lang.exp(z.re)
    return Pair(size * lang.cos(z.im), lang.select(lang.equal(z.im, 0), z.im, size * lang.sin(z.im)))


def expm1(z: Pair) -> Pair:
    half = lang.sin(z.im * 0.5)
    re = lang.expm1(z.re) * lang.cos(z.im) - half * half * 2
    return Pair(re, lang.select(lang.equal(z.im, 0), z.im, lang.exp(z.re) * lang.sin(z.im)))


def _log_absolute(z: Pair) -> Node:
    """log |z|, which near |z| = 1 is seen in |z|² - 1 = (large - 1)(large + 1) + small²."""
    large, small = _larger_first(z)
    near = lang.log1p((large - 1) * (large + 1) + small * small) * 0.5
    return lang.select((large > 0.5) & (large < 2), near, lang.log(absolute(z)))


def log(z: Pair) -> Pair:
    return Pair(_log_absolute(z), lang.atan2(z.im, z.re))


def log1p(z: Pair) -> Pair:
    """|1 + z|² - 1 = re (re + 2) + im²."""
    near = lang.log1p(z.re * (z.re + 2) + z.im * z.im) * 0.5
    small = lang.maximum(lang.absolute(z.re), lang.absolute(z.im)) < 0.5
    return Pair(lang.select(small, near, _log_absolute(z.plus(1))), lang.atan2(z.im, z.re + 1))


def sqrt(z: Pair) -> Pair:
    """The half plane of positive real parts, from |re| and |z|, whose sum does not cancel."""
    root = lang.sqrt(lang.absolute(z.re) * 0.5 + absolute(z) * 0.5)
    other = lang.select(lang.equal(root, 0), lang.absolute(z.im), lang.absolute(z.im) / (root * 2))
    right = z.re >= 0
    return Pair(lang.select(right, root, other), _copysign(lang.select(right, other, root), z.im))


def sinh(z: Pair) -> Pair:
    return Pair(lang.sinh(z.re) * lang.cos(z.im), lang.cosh(z.re) * lang.sin(z.im))


def cosh(z: Pair) -> Pair:
    return Pair(lang.cosh(z.re) * lang.cos(z.im), lang.sinh(z.re) * lang.sin(z.im))


def tanh(z: Pair) -> Pair:
    """W. Kahan, "Branch cuts for complex elementary functions, or much ado about nothing's sign bit", 1987."""
    size = lang.absolute(z.re)
    far = size > 15 if z.re.dtype.itemsize == 4 else size > 22
    t, s = lang.tan(z.im), lang.sinh(lang.select(far, 0, z.re))
    beta, rho = t * t + 1, lang.sqrt(s * s + 1)
    divisor = beta * s * s + 1
    infinite = lang.equal(lang.absolute(t), math.inf)
    near = Pair(lang.select(infinite, rho / s, beta * rho * s / divisor), lang.select(infinite, 1 / t, t / divisor))
    tail = lang.sin(z.im) * lang.cos(z.im) * lang.exp(size * -2.0) * 4
    return select(far, Pair(_copysign(lang.full(z.re.shape, 1, z.re.dtype), z.re), tail), near)


def sin(z: Pair) -> Pair:
    return Pair(lang.sin(z.re) * lang.cosh(z.im), lang.cos(z.re) * lang.sinh(z.im))


def cos(z: Pair) -> Pair:
    return Pair(lang.cos(z.re) * lang.cosh(z.im), -(lang.sin(z.re) * lang.sinh(z.im)))


def tan(z: Pair) -> Pair:
    return tanh(z.turned()).turned_back()


def _roots(z: Pair) -> tuple[Pair, Pair]:
    """The square roots of 1 - z and 1 + z."""
    return sqrt((-z).plus(1)), sqrt(z.plus(1))


def asin(z: Pair) -> Pair:
    """Kahan's formulas, here and in the other inverse functions."""
    below, above = _roots(z)
    return Pair(lang.atan2(z.re, (below * above).re), lang.asinh((below.conjugate() * above).im))


def acos(z: Pair) -> Pair:
    below, above = _roots(z)
    return Pair(lang.atan2(below.re, above.re) * 2, lang.asinh((above.conjugate() * below).im))


def asinh(z: Pair) -> Pair:
    return asin(z.turned()).turned_back()


def acosh(z: Pair) -> Pair:
    below, above = sqrt(z.plus(-1)), sqrt(z.plus(1))
    return Pair(lang.asinh((below.conjugate() * above).re), lang.atan2(below.im, above.re) * 2)


def atanh(z: Pair) -> Pair:
    """In the right half plane; the function is odd."""
    a, b = lang.absolute(z.re), z.im * _copysign(lang.full(z.re.shape, 1, z.re.dtype), z.re)
    away = 1 - a
    re = lang.log1p(a * 4 / (away * away + b * b)) * 0.25
    im = lang.atan2(b * 2, away * (a + 1) - b * b) * 0.5
    return Pair(_copysign(re, z.re), im * _copysign(lang.full(z.re.shape, 1, z.re.dtype), z.re))


def atan(z: Pair) -> Pair:
    return atanh(z.turned()).turned_back()


def power(z: Pair, w: Pair) -> Pair:
    """exp(w log z); 0 to a power with a positive real part is 0, to 0 it is 1."""
    found = exp(w * log(z))
    zero = lang.equal(z.re, 0) & lang.equal(z.im, 0)
    none = lang.equal(w.re, 0) & lang.equal(w.im, 0)
    re = lang.select(none, 1, lang.select(zero & (w.re > 0), 0, found.re))
    return Pair(re, lang.select(none | (zero & (w.re > 0)), 0, found.im))


def rsqrt(z: Pair) -> Pair:
    one = lang.full(z.re.shape, 1, z.re.dtype)
    return Pair(one, lang.zeros_like(one)) / sqrt(z)
