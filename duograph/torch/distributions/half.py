"""Symmetric distributions folded at 0."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform
from .utils import broadcast_all

__all__ = ["Half"]


class Half(TransformedDistribution):
    """The magnitudes of values of the distribution `whole(0, scale)`, which is symmetric."""

    arg_constraints: ClassVar = {"scale": constraints.positive}
    support = constraints.nonnegative
    whole: ClassVar[Any]

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        base = self.whole(broadcast_all(scale)[0] * 0, scale, validate_args)
        super().__init__(base, AbsTransform(), validate_args)

    @property
    def scale(self) -> Tensor:
        """The width."""
        return self.base_dist.scale

    @property
    def mode(self) -> Tensor:
        return self.scale * 0

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return F["where"](value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)
