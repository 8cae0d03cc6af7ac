"""A continuous relaxation of the Bernoulli distribution (Maddison et al. 2017)."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import broadcast_all, log_sigmoid, logits_to_probs, one_of, probs_to_logits, units

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(Distribution):
    """The logits of relaxed Bernoulli values."""

    has_rsample = True
    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        given = one_of("RelaxedBernoulli", probs=probs, logits=logits)
        (value,) = broadcast_all(probs if logits is None else logits)
        vars(self)[given] = value
        super().__init__(value.shape, validate_args=validate_args)

    @cached_property
    def logits(self) -> Tensor:
        """The logarithms of the odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities of 1 of the distribution that is relaxed."""
        return logits_to_probs(self.logits, is_binary=True)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        noise = probs_to_logits(units(self._extended_shape(sample_shape), self.logits), is_binary=True)
        return (noise + self.logits) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        away = self.logits - value * self.temperature
        return (value * 0 + self.temperature).log() + away + 2 * log_sigmoid(-away)


class RelaxedBernoulli(TransformedDistribution):
    """Values in (0, 1) that move with `probs`, or sigmoid(`logits`), and near 0 and 1 as `temperature` nears 0."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(), validate_args)

    @property
    def temperature(self) -> Any:
        """How far values are from 0 and 1."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """The logarithms of the odds."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """The probabilities of 1 of the distribution that is relaxed."""
        return self.base_dist.probs
