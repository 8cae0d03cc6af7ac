"""The Cauchy distribution of magnitudes."""

from __future__ import annotations

import math

from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from .cauchy import Cauchy
from .half import Half

__all__ = ["HalfCauchy"]


class HalfCauchy(Half):
    """The magnitudes of Cauchy values of `scale` about 0."""

    whole = Cauchy

    @property
    def mean(self) -> Tensor:
        return F["full_like"](self.scale, math.inf)

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance
