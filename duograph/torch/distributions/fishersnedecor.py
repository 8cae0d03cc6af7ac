"""The distribution of Fisher and Snedecor."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .gamma import log_gamma_sample
from .utils import broadcast_all, log_beta

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The ratio of two means of `df1` and of `df2` squares of normal numbers."""

    has_rsample = True
    arg_constraints: ClassVar = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return F["where"](self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def mode(self) -> Tensor:
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return F["where"](self.df1 > 2, found, math.nan)

    @property
    def variance(self) -> Tensor:
        m, n = self.df1, self.df2
        found = 2 * n.square() * (m + n - 2) / (m * (n - 2).square() * (n - 4))
        return F["where"](n > 4, found, math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        above, below = (log_gamma_sample((df / 2).expand(shape)) - (df / 2).log() for df in (self.df1, self.df2))
        return (above - below).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b, ratio = self.df1 / 2, self.df2 / 2, self.df1 / self.df2
        return a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p() - log_beta(a, b)
