"""The distribution of von Mises, of angles."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...ops import FUNCTIONS as F
from ...ops.special import SPECIAL
from ...tensor.core import Tensor
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, units

__all__ = ["VonMises"]

_ROUNDS = 32
"""Candidates for each angle. At least 65 of 100 are taken: one in 10^14 angles is the last without having been."""


class VonMises(Distribution):
    """Angles about `loc`, in radians, of density exp(concentration cos(x - loc))."""

    arg_constraints: ClassVar = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return 1 - SPECIAL["i1e"](self.concentration) / SPECIAL["i0e"](self.concentration)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """By rejection from a wrapped Cauchy distribution (Best and Fisher 1979), in float64; values in [-π, π)."""
        shape = self._extended_shape(sample_shape)
        loc, k = (t.detach().double() for t in (self.loc, self.concentration))
        tau = 1 + (1 + 4 * k.square()).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * k)
        r = F["where"](k < 1e-5, 1 / k + k, (1 + rho.square()) / (2 * rho))  # its series, where rho cancels
        first, second, side = (units((_ROUNDS, *shape), k) for _ in range(3))
        z = (math.pi * first).cos()
        cosine = (1 + r * z) / (r + z)
        bar = k * (r - cosine)
        taken = (bar * (2 - bar) > second) | ((bar / second).log() + 1 >= bar)
        angles = (side - 0.5).sign() * cosine.clamp(-1, 1).acos()
        angle = angles[-1]
        for turn in reversed(range(_ROUNDS - 1)):
            angle = F["where"](taken[turn], angles[turn], angle)
        return ((angle + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k = self.concentration
        return k * ((value - self.loc).cos() - 1) - SPECIAL["i0e"](k).log() - math.log(2 * math.pi)
