"""Student's distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .gamma import log_gamma_sample
from .utils import broadcast_all, log_beta

__all__ = ["StudentT"]


class StudentT(Distribution):
    """Student's distribution of `df` degrees of freedom, moved by `loc` and widened by `scale`."""

    has_rsample = True
    arg_constraints: ClassVar = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return F["where"](self.df <= 1, math.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        spread = self.scale.square() * self.df / (self.df - 2)
        return F["where"](self.df > 2, spread, F["where"](self.df > 1, math.inf, self.df * math.nan))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        squares = log_gamma_sample((self.df / 2).expand(shape)).exp() * 2
        return self.loc + self.scale * F["randn"](shape, dtype=self.df.dtype) * (squares / self.df).rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        away = (value - self.loc) / self.scale
        return -0.5 * (self.df + 1) * (away.square() / self.df).log1p() - self._log_width()

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1)
        return half * (half.digamma() - (0.5 * self.df).digamma()) + self._log_width()

    def _log_width(self) -> Tensor:
        half = 0.5 * self.df
        return self.scale.log() + 0.5 * self.df.log() + log_beta(half, half * 0 + 0.5)
