"""Random numbers of the gamma, Poisson and binomial distributions, and how gamma numbers move with their shape."""

from __future__ import annotations

import numpy as np

from ..graph.dtype import DType, float32, float64, int64
from ..graph.errors import ArgumentError
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor, cast
from .define import function
from .elementwise import where
from .incomplete import NODES, WEIGHTS, scale_of
from .random import Generator, draw, integer_numbers, normal_numbers, scalar, uniform_numbers

ROUNDS = 8
"""Candidates for each number that is drawn by rejection. At least 95 of 100 are taken, so that one in 10^10 numbers is
the last candidate without having been taken."""


def log_gamma_numbers(alpha: Tensor, generator: Generator | None = None) -> Tensor:
    """Logarithms of numbers of the gamma distributions of shape `alpha` and rate 1 (Marsaglia and Tsang 2000).

    Logarithms, since for a small `alpha` most of the numbers themselves are below the smallest float. float32 or
    float64; no gradient reaches `alpha`.
    """
    alpha, dtype = alpha.detach(), alpha.dtype
    large = where(alpha < 1, alpha + 1, alpha)
    d = large - 1 / 3
    normal = draw(normal_numbers, (ROUNDS, *alpha.shape), dtype, (scalar(0.0), scalar(1.0)), generator)
    bar = (1 - _units((ROUNDS, *alpha.shape), dtype, generator)).log()
    root = 1 + normal * (9 * d).rsqrt()
    log_cube = 3 * where(root > 0, root, 1).log()
    taken = (root > 0) & (bar < 0.5 * normal**2 + d - d * root**3 + d * log_cube)
    log_v = log_cube[-1]
    for k in reversed(range(ROUNDS - 1)):
        log_v = where(taken[k], log_cube[k], log_v)
    smaller = (1 - _units(tuple(alpha.shape), dtype, generator)).log() / alpha
    return d.log() + log_v + where(alpha < 1, smaller, 0)


def _units(shape: tuple[int, ...], dtype: DType, generator: Generator | None) -> Tensor:
    return draw(uniform_numbers, shape, dtype, (scalar(0.0), scalar(1.0)), generator)


def moving_log_gamma_numbers(alpha: Tensor, generator: Generator | None = None) -> Tensor:
    """As `log_gamma_numbers`, with gradients: how a number must move with `alpha` to keep its quantile (implicit
    reparametrisation, Figurnov et al. 2018). No second derivatives."""
    drawn = log_gamma_numbers(alpha, generator)
    if not alpha.requires_grad:
        return drawn
    return drawn + log_gamma_speed(alpha.detach(), drawn) * (alpha - alpha.detach())


def log_gamma_speed(alpha: Tensor, log_value: Tensor) -> Tensor:
    """d log x / d alpha at a constant quantile of the gamma distribution.

    It is -(dF / d alpha) / (x f), whose integral of exp(alpha s - x (exp(s) - 1)) (log x + s - digamma(alpha)) over
    s < 0 or, with the other sign, s > 0 is taken on the side of x where it loses no digits to cancellation.
    """
    a, log_x = cast(alpha, float64).unsqueeze(-1), cast(log_value, float64).unsqueeze(-1)
    x = log_x.exp()
    side = where(x > a, 1.0, -1.0)
    scale = scale_of(a, x)
    s = side * scale * from_buffer(NODES)
    height = (a * s - x * s.expm1()).exp() * (log_x + s - a.digamma())
    return cast(side.squeeze(-1) * scale.squeeze(-1) * (height * from_buffer(WEIGHTS)).sum(-1), alpha.dtype)


def _numpy_generator(generator: Generator | None) -> np.random.Generator:
    key = draw(integer_numbers, (2,), int64, (scalar(0, int64), scalar(2**62, int64)), generator)
    return np.random.Generator(np.random.Philox(key=key._array().astype(np.uint64)))


@function(is_method=False)
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of the Poisson distributions of these rates. NumPy draws them, so the rates are read.

    Raises ArgumentError for a rate that is negative or NaN.
    """
    rates = input._array().astype(np.float64)
    if not (rates >= 0).all():
        raise ArgumentError("poisson: input: expected rates of at least 0. Received: a negative number or NaN")
    return from_buffer(_numpy_generator(generator).poisson(rates).astype(np.float64)).to(input.dtype)


@function(is_method=False)
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials succeed, of probability `prob`; shapes broadcast. NumPy draws them, so both are read.

    Raises ArgumentError for a negative count or a probability outside [0, 1].
    """
    counts, chances = (t._array().astype(np.float64) for t in (count, prob))
    if not (counts >= 0).all() or not ((chances >= 0) & (chances <= 1)).all():
        raise ArgumentError("binomial: expected counts of at least 0 and probabilities in [0, 1]. Received: others")
    drawn = _numpy_generator(generator).binomial(counts.astype(np.int64), chances)
    return from_buffer(np.asarray(drawn, np.float64)).to(prob.dtype)


def working(parameter: Tensor) -> Tensor:
    """The parameter in a dtype that `log_gamma_numbers` draws in."""
    return parameter if parameter.dtype is float64 else cast(parameter, float32)
