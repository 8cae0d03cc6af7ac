"""A continuous relaxation of the categorical distribution (Jang et al. 2017, Maddison et al. 2017)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...tensor.core import Tensor
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import units

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(Distribution):
    """The logarithms of relaxed one-hot vectors."""

    has_rsample = True
    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector

    def __init__(
        self, temperature: Any, probs: Tensor | None = None, logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.temperature = temperature
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self.probs.shape[-1:], validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities of the distribution that is relaxed."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        gumbels = -(-units(self._extended_shape(sample_shape), self.logits).log()).log()
        return ((self.logits + gumbels) / self.temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        classes = self.event_shape[0]
        weight = (self.logits - value * self.temperature).log_softmax(-1).sum(-1)
        temperature = value.sum(-1) * 0 + self.temperature
        return weight + math.lgamma(classes) + (classes - 1) * temperature.log()


class RelaxedOneHotCategorical(TransformedDistribution):
    """Vectors of sum 1 that move with `probs`, or `logits`, and near one-hot ones as `temperature` nears 0."""

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex

    def __init__(
        self, temperature: Any, probs: Tensor | None = None, logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(ExpRelaxedCategorical(temperature, probs, logits), ExpTransform(), validate_args)

    @property
    def temperature(self) -> Any:
        """How far values are from one-hot vectors."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """The probabilities of the distribution that is relaxed."""
        return self.base_dist.probs
