"""The beta distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .gamma import log_gamma_sample
from .utils import broadcast_all, log_beta

__all__ = ["Beta"]


class Beta(ExponentialFamily):
    """The beta distribution: a / (a + b) of gamma numbers a, b of shapes `concentration1` and `concentration0`."""

    has_rsample = True
    arg_constraints: ClassVar = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        inside = (a - 1).clamp(min=0) / ((a - 1).clamp(min=0) + (b - 1).clamp(min=0))
        return F["where"]((a < 1) & (b < 1), (a >= b).to(a.dtype), inside)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.square() * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        first, second = (log_gamma_sample(c.expand(shape)) for c in (self.concentration1, self.concentration0))
        return (first - second).sigmoid()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return F["xlogy"](a - 1, value) + F["xlogy"](b - 1, 1 - value) - log_beta(a, b)

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        total = a + b
        return log_beta(a, b) - (a - 1) * a.digamma() - (b - 1) * b.digamma() + (total - 2) * total.digamma()
