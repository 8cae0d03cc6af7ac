"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .odds import Odds
from .utils import broadcast_all, clamp_probs, log_sigmoid, one_of, units

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Odds, ExponentialFamily):
    """Numbers of [0, 1] whose density goes with probs^x (1 - probs)^(1 - x) (Loaiza-Ganem and Cunningham 2019).

    Between `lims`, where the closed forms lose their digits, they are series about probs = 0.5.
    """

    has_rsample = True
    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        given = one_of("ContinuousBernoulli", probs=probs, logits=logits)
        (value,) = broadcast_all(probs if logits is None else logits)
        self._lims = lims
        super().__init__(value.shape, validate_args=validate_args)
        if logits is None:
            if self._validate_args:
                self._refuse_outside("probs", constraints.unit_interval, value)
            value = clamp_probs(value)
        vars(self)[given] = value

    def _is_middle(self) -> Tensor:
        return (self.probs > self._lims[0]) & (self.probs <= self._lims[1])

    def _outside(self) -> Tensor:
        """`probs`, or what stands for them where the series hold."""
        return F["where"](self._is_middle(), self._lims[0], self.probs)

    def _log_norm(self) -> Tensor:
        p, away = self._outside(), self.probs - 0.5
        closed = (2 * (1 - 2 * p).atanh() / (1 - 2 * p)).log()
        series = math.log(2.0) + (4 / 3 + 104 / 45 * away.square()) * away.square()
        return F["where"](self._is_middle(), series, closed)

    @property
    def mean(self) -> Tensor:
        p, away = self._outside(), self.probs - 0.5
        closed = p / (2 * p - 1) + 0.5 / (1 - 2 * p).atanh()
        return F["where"](self._is_middle(), 0.5 + (1 / 3 + 16 / 45 * away.square()) * away, closed)

    @property
    def variance(self) -> Tensor:
        p, away = self._outside(), (self.probs - 0.5).square()
        closed = p * (p - 1) / (1 - 2 * p).square() + ((-p).log1p() - p.log()).square().reciprocal()
        return F["where"](self._is_middle(), 1 / 12 - (1 / 15 - 128 / 945 * away) * away, closed)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(units(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return value * log_sigmoid(self.logits) + (1 - value) * log_sigmoid(-self.logits) + self._log_norm()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        p = self._outside()
        closed = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        inside = F["where"](self._is_middle(), value, closed)
        return F["where"](value <= 0, 0.0, F["where"](value >= 1, 1.0, inside))

    def icdf(self, value: Tensor) -> Tensor:
        p = self._outside()
        closed = ((value * (2 * p - 1) - p).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return F["where"](self._is_middle(), value, closed)

    def entropy(self) -> Tensor:
        log_none, log_all = (-self.probs).log1p(), self.probs.log()
        return self.mean * (log_none - log_all) - self._log_norm() - log_none
