"""The Weibull distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .utils import EULER, broadcast_all, units

__all__ = ["Weibull"]


class Weibull(Distribution):
    """Lifetimes of `scale` at a rate of failure that goes as the power `concentration` - 1 of time."""

    has_rsample = True
    arg_constraints: ClassVar = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.scale * (1 + 1 / self.concentration).lgamma().exp()

    @property
    def mode(self) -> Tensor:
        return self.scale * ((self.concentration - 1) / self.concentration) ** (1 / self.concentration)

    @property
    def variance(self) -> Tensor:
        second, first = (1 + 2 / self.concentration).lgamma(), (1 + 1 / self.concentration).lgamma()
        return self.scale.square() * (second.exp() - (2 * first).exp())

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(units(self._extended_shape(sample_shape), self.scale))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k, log_ratio = self.concentration, (value / self.scale).log()
        return k.log() - self.scale.log() + (k - 1) * log_ratio - (k * log_ratio).exp()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -(-((value / self.scale) ** self.concentration)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return self.scale * (-(-value).log1p()) ** (1 / self.concentration)

    def entropy(self) -> Tensor:
        return EULER * (1 - 1 / self.concentration) + (self.scale / self.concentration).log() + 1
