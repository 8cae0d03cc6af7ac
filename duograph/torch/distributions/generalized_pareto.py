"""The generalised Pareto distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """What exceeds a threshold `loc`: a tail of power -1 / `concentration`, an exponential one at 0, an end below."""

    has_rsample = True
    arg_constraints: ClassVar = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real
    }  # fmt: skip

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        end = F["where"](self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, end)

    def _is_exponential(self) -> Tensor:
        return self.concentration.abs() <= 1e-8

    def _shape(self) -> Tensor:
        """The concentration, or 1 where the tail is exponential."""
        return F["where"](self._is_exponential(), 1.0, self.concentration)

    @property
    def mean(self) -> Tensor:
        return F["where"](self.concentration < 1, self.loc + self.scale / (1 - self.concentration), math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        k = self.concentration
        return F["where"](k < 0.5, self.scale.square() / ((1 - k).square() * (1 - 2 * k)), math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(F["rand"](self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of more than `value`."""
        away, k = (value - self.loc) / self.scale, self._shape()
        return F["where"](self._is_exponential(), -away, -(k * away).log1p() / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of `cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        away, k = (value - self.loc) / self.scale, self._shape()
        power = 1 + 1 / k
        falling = F["where"](power == 0, 0.0, power * (k * away).log1p())
        return -self.scale.log() - F["where"](self._is_exponential(), away, falling)

    def cdf(self, value: Tensor) -> Tensor:
        return -self.log_survival_function(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        log_rest, k = (-value).log1p(), self._shape()
        away = F["where"](self._is_exponential(), -log_rest, (-k * log_rest).expm1() / k)
        return self.loc + self.scale * away

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1
