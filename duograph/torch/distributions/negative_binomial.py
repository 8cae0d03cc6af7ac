"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .gamma import Gamma
from .odds import Odds
from .utils import broadcast_all, log_sigmoid, one_of

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Odds, Distribution):
    """How many trials succeed, with probability `probs` or sigmoid(`logits`), before `total_count` have failed."""

    arg_constraints: ClassVar = {"total_count": constraints.nonnegative,
                                 "probs": constraints.half_open_interval(0.0, 1.0),
                       "logits": constraints.real}  # fmt: skip
    support = constraints.nonnegative_integer

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        given = one_of("NegativeBinomial", probs=probs, logits=logits)
        self.total_count, value = broadcast_all(total_count, probs if logits is None else logits)
        self.total_count = self.total_count.to(value.dtype)
        vars(self)[given] = value
        super().__init__(value.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        rates = Gamma(self.total_count, (-self.logits).exp(), validate_args=False).sample(sample_shape)
        return F["poisson"](rates)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        ways = (n + value).lgamma() - (value + 1).lgamma() - n.lgamma()
        ways = F["where"](n + value == 0, 0.0, ways)
        return ways + n * log_sigmoid(-self.logits) + value * log_sigmoid(self.logits)
