"""The binomial distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...graph.errors import NotSupported
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .odds import Odds
from .utils import broadcast_all, log_sigmoid, one_of

__all__ = ["Binomial"]


class Binomial(Odds, Distribution):
    """How many of `total_count` trials succeed, each with probability `probs`, or sigmoid(`logits`)."""

    arg_constraints: ClassVar = {"total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval,
                       "logits": constraints.real}  # fmt: skip
    has_enumerate_support = True

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        given = one_of("Binomial", probs=probs, logits=logits)
        self.total_count, value = broadcast_all(total_count, probs if logits is None else logits)
        self.total_count = self.total_count.to(value.dtype)
        vars(self)[given] = value
        super().__init__(value.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return F["binomial"](self.total_count.detach().expand(shape), self.probs.detach().expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return ways + value * log_sigmoid(self.logits) + (n - value) * log_sigmoid(-self.logits)

    def entropy(self) -> Tensor:
        if (self.total_count != self.total_count.max()).any():
            raise NotSupported("Binomial: entropy of different total counts at once: take them one by one")
        logs = self.log_prob(self.enumerate_support(expand=False))
        return -(logs.exp() * logs).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        most = int(self.total_count.max())
        if (self.total_count != most).any():
            raise NotSupported("Binomial: enumerate_support of different total counts at once: take them one by one")
        values = F["arange"](most + 1, dtype=self.total_count.dtype).reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values
