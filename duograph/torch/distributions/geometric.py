"""The geometric distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .odds import Odds
from .utils import broadcast_all, one_of, units

__all__ = ["Geometric"]


class Geometric(Odds, Distribution):
    """How many trials fail before the first success, of probability `probs`, or sigmoid(`logits`)."""

    arg_constraints: ClassVar = {"probs": constraints.interval(1e-38, 1.0), "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = one_of("Geometric", probs=probs, logits=logits)
        (value,) = broadcast_all(probs if logits is None else logits)
        vars(self)[given] = value
        super().__init__(value.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return self.probs * 0

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        chance = self.probs.detach()
        return (units(self._extended_shape(sample_shape), chance).log() / (-chance).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        fails = F["where"]((self.probs == 1) & (value == 0), 0.0, self.probs)
        return value * (-fails).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        p = self.probs
        return -(F["xlogy"](p, p) + F["xlogy"](1 - p, 1 - p)) / p
