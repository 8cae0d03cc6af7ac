"""The Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .odds import Odds
from .utils import broadcast_all, log_sigmoid, one_of

__all__ = ["Bernoulli"]


class Bernoulli(Odds, ExponentialFamily):
    """1 with probability `probs`, or sigmoid(`logits`), else 0."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = one_of("Bernoulli", probs=probs, logits=logits)
        (value,) = broadcast_all(probs if logits is None else logits)
        vars(self)[given] = value
        super().__init__(value.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return F["where"](self.probs == 0.5, math.nan, (self.probs >= 0.5).to(self.probs.dtype))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        chance = self.probs.detach()
        return (F["rand"](self._extended_shape(sample_shape), dtype=chance.dtype) < chance).to(chance.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return value * log_sigmoid(self.logits) + (1 - value) * log_sigmoid(-self.logits)

    def entropy(self) -> Tensor:
        return -(self.probs * log_sigmoid(self.logits) + (1 - self.probs) * log_sigmoid(-self.logits))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = F["arange"](2, dtype=self.probs.dtype).reshape(2, *[1] * len(self.batch_shape))
        return values.expand(2, *self.batch_shape) if expand else values
