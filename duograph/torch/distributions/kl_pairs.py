"""Divergences between distributions of two kinds.

log q is a sum of a few functions of x, whose expectations under p are known: the divergence is their sum and -H(p).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .continuous_bernoulli import ContinuousBernoulli
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Gamma
from .gumbel import Gumbel
from .kl import register_kl
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .pareto import Pareto
from .poisson import Poisson
from .uniform import Uniform
from .utils import EULER, HALF_LOG_TAU, log_beta


def _register(kinds: Iterable[type], kind_q: type, function: Callable[[Any, Any], Tensor]) -> None:
    for kind_p in kinds:
        register_kl(kind_p, kind_q)(function)


def _infinite(p: Distribution, q: Distribution) -> Tensor:
    """p has values that q has not."""
    shape = F["broadcast_shapes"](p.batch_shape, q.batch_shape)
    return F["full"](tuple(shape), math.inf, dtype=p.entropy().dtype)


_WIDER: dict[type, list[type]] = {
    Beta: [Pareto], ContinuousBernoulli: [Pareto], Exponential: [Beta, ContinuousBernoulli, Pareto, Uniform],
    Gamma: [Beta, ContinuousBernoulli, Pareto, Uniform], Pareto: [Beta, ContinuousBernoulli, Uniform],
    **{kind: [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform] for kind in (Gumbel, Laplace, Normal)},
}  # fmt: skip
"""Kinds, and those whose values are fewer."""
for _kind, _narrower in _WIDER.items():
    for _other in _narrower:
        register_kl(_kind, _other)(_infinite)


@register_kl(Poisson, Bernoulli)
@register_kl(Poisson, Binomial)
def _poisson_bounded(p: Poisson, q: Any) -> Tensor:
    return F["full"](tuple(F["broadcast_shapes"](p.batch_shape, q.batch_shape)), math.inf, dtype=p.rate.dtype)


def _normal(p: Any, q: Normal) -> Tensor:
    away = (p.variance + (p.mean - q.loc).square()) / (2 * q.scale.square())
    return away + q.scale.log() + HALF_LOG_TAU - p.entropy()


_register([Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Pareto, Uniform], Normal, _normal)


def _exponential(p: Any, q: Exponential) -> Tensor:
    found = q.rate * p.mean - q.rate.log() - p.entropy()
    return F["where"](p.low < 0, math.inf, found) if isinstance(p, Uniform) else found


_register([Beta, ContinuousBernoulli, Gamma, Pareto, Uniform], Exponential, _exponential)


def _mean_log(p: Any) -> Tensor:
    """The expectation of log x."""
    if isinstance(p, Beta):
        return p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    if isinstance(p, Exponential):
        return -p.rate.log() - EULER
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return (F["xlogy"](p.high, p.high) - F["xlogy"](p.low, p.low)) / (p.high - p.low) - 1  # Uniform


def _gamma(p: Any, q: Gamma) -> Tensor:
    a, rate = q.concentration, q.rate
    found = a.lgamma() - a * rate.log() - (a - 1) * _mean_log(p) + rate * p.mean - p.entropy()
    return F["where"](p.low < 0, math.inf, found) if isinstance(p, Uniform) else found


_register([Beta, Exponential, Pareto, Uniform], Gamma, _gamma)


def _mean_exp(p: Any, q: Gumbel) -> Tensor:
    """The expectation of exp((loc - x) / scale)."""
    slope = q.scale.reciprocal()
    if isinstance(p, Exponential):
        return (q.loc * slope).exp() * p.rate / (p.rate + slope)
    if isinstance(p, Gamma):
        return (q.loc * slope).exp() * (1 + slope / p.rate) ** -p.concentration
    if isinstance(p, Normal):
        return ((q.loc - p.loc) * slope + 0.5 * (p.scale * slope).square()).exp()
    if isinstance(p, Gumbel):
        return ((q.loc - p.loc) * slope + (1 + p.scale * slope).lgamma()).exp()
    low, high = (((q.loc - end) * slope).exp() for end in (p.low, p.high))  # Uniform
    return q.scale * (low - high) / (p.high - p.low)


def _gumbel(p: Any, q: Gumbel) -> Tensor:
    return q.scale.log() + (p.mean - q.loc) / q.scale + _mean_exp(p, q) - p.entropy()


_register([Exponential, Gamma, Gumbel, Normal, Uniform], Gumbel, _gumbel)


def _uniform(p: Any, q: Uniform) -> Tensor:
    """Of a distribution on [0, 1]."""
    return F["where"]((q.low > 0) | (q.high < 1), math.inf, (q.high - q.low).log() - p.entropy())


_register([Beta, ContinuousBernoulli], Uniform, _uniform)


def _continuous_bernoulli(p: Any, q: ContinuousBernoulli) -> Tensor:
    found = -p.mean * q.logits - (-q.probs).log1p() - q._log_norm() - p.entropy()
    return F["where"]((p.low < 0) | (p.high > 1), math.inf, found) if isinstance(p, Uniform) else found


_register([Beta, ContinuousBernoulli, Uniform], ContinuousBernoulli, _continuous_bernoulli)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Uniform, q: Beta) -> Tensor:
    a, b, width = q.concentration1, q.concentration0, p.high - p.low
    mirrored = (F["xlogy"](1 - p.low, 1 - p.low) - F["xlogy"](1 - p.high, 1 - p.high)) / width - 1
    found = log_beta(a, b) - (a - 1) * _mean_log(p) - (b - 1) * mirrored - width.log()
    return F["where"]((p.low < 0) | (p.high > 1), math.inf, found)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Uniform, q: Pareto) -> Tensor:
    a = q.alpha
    found = (a + 1) * _mean_log(p) - a.log() - a * q.scale.log() - (p.high - p.low).log()
    return F["where"](p.low < q.scale, math.inf, found)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    away = (p.loc - q.loc) / p.scale
    near = (-0.5 * away.square()).exp() * math.sqrt(2 / math.pi) + away * (away * math.sqrt(0.5)).erf()
    return (2 * q.scale).log() + p.scale * near / q.scale - p.entropy()


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return q.rate - p.probs * q.rate.log() - p.entropy()


def _columns(p: Any) -> Tensor:
    """A root of the covariance: a matrix A of A Aᵀ."""
    if isinstance(p, MultivariateNormal):
        return p.scale_tril
    return F["cat"]([p.cov_factor, p.cov_diag.sqrt().diag_embed()], -1)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, MultivariateNormal)
def _normal_vectors(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ArgumentError(f"kl_divergence: expected one event shape. Received: {p.event_shape}, {q.event_shape}")
    distance = q._distances((q.loc - p.loc).unsqueeze(-1)).squeeze(-1)
    trace = q._distances(_columns(p)).sum(-1)
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + distance - p.event_shape[0])
