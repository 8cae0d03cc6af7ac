"""The gamma distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...ops import variates
from ...ops.casting import finfo
from ...tensor.core import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .utils import broadcast_all

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """The gamma distribution of shape `concentration` and of `rate`.

    Gradients of `rsample` reach both: the shape's by implicit reparametrisation.
    """

    has_rsample = True
    arg_constraints: ClassVar = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.square()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        drawn = log_gamma_sample(self.concentration.expand(self._extended_shape(sample_shape)))
        return (drawn - self.rate.log()).exp().clamp(min=finfo(drawn.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, rate = self.concentration, self.rate
        return F["xlogy"](a, rate) + F["xlogy"](a - 1, value) - rate * value - a.lgamma()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return F["igamma"](self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()


def log_gamma_sample(concentration: Tensor) -> Tensor:
    """Logarithms of numbers of shape `concentration` and rate 1, with gradients."""
    return variates.moving_log_gamma_numbers(variates.working(concentration)).to(concentration.dtype)
