"""The multinomial distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...graph.errors import NotSupported
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each class comes up in `total_count` draws, with probabilities proportional to `probs`, or to
    exp(`logits`), along the last axis."""

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(
        self, total_count: int = 1, probs: Tensor | None = None, logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(total_count, int):
            raise NotSupported(f"Multinomial: expected one total_count. Received: {total_count}")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self.probs.shape[-1:], validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> constraints.Constraint:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        places = self._categorical.sample((self.total_count, *sample_shape))
        hits = places.unsqueeze(-1) == F["arange"](self.event_shape[0])
        return hits.to(self.probs.dtype).sum(0)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = F["broadcast_tensors"](self.logits, value)
        logits = F["where"]((value == 0) & (logits == -math.inf), 0.0, logits)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        n = self.total_count
        counts = F["arange"](n + 1, dtype=self.probs.dtype).reshape(-1, *[1] * self.probs.ndim)
        ways = math.lgamma(n + 1) - (counts + 1).lgamma() - (n - counts + 1).lgamma()
        weight = (ways + F["xlogy"](counts, self.probs) + F["xlogy"](n - counts, 1 - self.probs)).exp()
        return n * self._categorical.entropy() - math.lgamma(n + 1) + (weight * (counts + 1).lgamma()).sum(0).sum(-1)
