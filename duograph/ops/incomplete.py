"""The incomplete gamma functions.

Below x = 1 they are power series, above it an integral by the double exponential rule, taken on the side of x where
the function is the small one. So both are accurate relative to themselves, for every shape, and what autograd makes of
the formulas are derivatives of any order in both arguments.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph.dtype import float64
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor, cast, operand, result_type, to_float
from .define import function, into
from .elementwise import where

_T = np.arange(-4.2, 3.6, 0.06)
NODES = np.exp(_T - np.exp(-_T))
WEIGHTS = 0.06 * NODES * (1 + np.exp(-_T))
"""The double exponential rule for integrals from 0 to infinity (Takahasi and Mori 1974)."""

_ORDERS = np.arange(1.0, 21.0)
_FACTORS = np.cumprod(-1 / _ORDERS)
"""(-1)^k / k! of the series, whose last term is below 3e-18."""

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)


def scale_of(a: Tensor, x: Tensor) -> Tensor:
    """How far from x the integrand of the gamma distribution reaches, in log x."""
    scale = 1 / (a - x).abs().maximum(a.maximum(x).sqrt().minimum(a))
    return where((x > a) & (a < 1), scale.minimum((1 / x).log1p()), scale)  # where x exp(s) begins to count


def _log_density(a: Tensor, x: Tensor) -> Tensor:
    """log(x^a exp(-x) / gamma(a)), without the cancellation of its terms where a is large."""
    large = a > 10
    big = where(large, a, 10.0)
    inverse = 1 / (big * big)
    series: Any = 0.0
    for coefficient in reversed(_STIRLING):
        series = series * inverse + coefficient
    away = (x - big) / big
    far = big * (away.log1p() - away) + 0.5 * (big / (2 * math.pi)).log() - series / big
    small = where(large, 1.0, a)
    return where(large, far, small * x.log() - x - small.lgamma())


def _log_gamma_next(a: Tensor) -> Tensor:
    """log gamma(1 + a), by its series where 1 + a would lose digits."""
    low = where(a < 1e-4, a, 0.0)
    series = low * (low * (math.pi**2 / 12 - low * (1.2020569031595942 / 3)) - np.euler_gamma)
    return where(a < 1e-4, series, (a + 1).lgamma())


def _series(a: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """P and Q for x < 1.1, by the sum of (-x)^k / (k! (a + k)) over k >= 0 (DLMF 8.7.1)."""
    log_power = a * x.log() - _log_gamma_next(a)
    terms = from_buffer(_FACTORS) * x.unsqueeze(-1) ** from_buffer(_ORDERS)
    rest = a * (terms / (a.unsqueeze(-1) + from_buffer(_ORDERS))).sum(-1)
    p = log_power.exp() * (1 + rest)
    q = -log_power.expm1() - log_power.exp() * rest
    is_small = log_power < math.log(0.5)  # P is the smaller one
    return where(is_small, p, 1 - q), where(is_small, 1 - p, q)


def _integral(a: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """P and Q for x >= 1.1: exp(a s - x (exp(s) - 1)) integrated over s < 0 or s > 0, times the density."""
    right = x > a
    reach = where(right, scale_of(a, x), -scale_of(a, x)).detach()
    s = reach.unsqueeze(-1) * from_buffer(NODES)
    height = (a.unsqueeze(-1) * s - x.unsqueeze(-1) * s.expm1()).exp()
    part = _log_density(a, x).exp() * reach.abs() * (height * from_buffer(WEIGHTS)).sum(-1)
    return where(right, 1 - part, part), where(right, part, 1 - part)


def _both(input: Any, other: Any) -> tuple[Tensor, Tensor]:
    kind = to_float(result_type(input, other))
    a, x = (cast(t if isinstance(t, Tensor) else operand(t, kind), float64) for t in (input, other))
    a, x = (t.expand(np.broadcast_shapes(a.shape, x.shape)) for t in (a, x))
    usual = (a > 0) & (x > 0) & (a < math.inf) & (x < math.inf)
    near = usual & (x < 1.1)
    far = usual & ~near
    p_near, q_near = _series(where(near, a, 1.0), where(near, x, 1.0))
    p_far, q_far = _integral(where(far, a, 2.0), where(far, x, 2.0))
    undefined = ~((a >= 0) & (x >= 0)) | ((a == 0) & (x == 0)) | ((a == math.inf) & (x == math.inf))
    edge = where(undefined, math.nan, where((x == 0) | (a == math.inf), 0.0, 1.0)).to(float64)
    p = where(near, p_near, where(far, p_far, edge))
    q = where(near, q_near, where(far, q_far, 1 - edge))
    return cast(p, kind), cast(q, kind)


@function(in_place=True)
def igamma(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The regularised lower incomplete gamma function of shape `input` at `other` (DLMF 8.2.4).

    The distribution function of the gamma distribution. Computed in float64; shapes broadcast, and gradients flow to
    both. NaN where either is negative.
    """
    return into(out, _both(input, other)[0])


@function(in_place=True)
def igammac(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The regularised upper incomplete gamma function, 1 - `igamma`, accurate where that is close to 1."""
    return into(out, _both(input, other)[1])
