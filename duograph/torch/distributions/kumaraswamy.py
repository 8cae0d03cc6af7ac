"""Kumaraswamy's distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .uniform import Uniform
from .utils import EULER, broadcast_all

__all__ = ["Kumaraswamy"]


class Kumaraswamy(TransformedDistribution):
    """Numbers of [0, 1] with the distribution function 1 - (1 - x^concentration1)^concentration0."""

    arg_constraints: ClassVar = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        base = Uniform(F["full_like"](self.concentration0, 0), F["full_like"](self.concentration0, 1), False)
        steps = [
            PowerTransform(self.concentration0.reciprocal()), AffineTransform(1.0, -1.0),
            PowerTransform(self.concentration1.reciprocal()),
        ]  # fmt: skip
        super().__init__(base, steps, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Kumaraswamy:
        a, b = (c.expand(tuple(batch_shape)) for c in (self.concentration1, self.concentration0))
        return type(self)(a, b, validate_args=False)

    def _moment(self, order: int) -> Tensor:
        a, b = self.concentration1, self.concentration0
        first = 1 + order / a
        return (b.log() + first.lgamma() + b.lgamma() - (first + b).lgamma()).exp()

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        has_peak = (a >= 1) & (b >= 1) & ((a > 1) | (b > 1))
        inside = F["where"](has_peak, (a - 1) / (a * b - 1), 1.0)
        return F["where"](has_peak, inside ** (1 / a), math.nan)

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self.mean.square()

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        harmonic = (b + 1).digamma() + EULER
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()
