"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .gamma import log_gamma_sample

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Probabilities of the classes of the last axis: gamma numbers of shapes `concentration`, over their sum."""

    has_rsample = True
    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ArgumentError("Dirichlet: concentration: expected at least one dimension. Received: none")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        more = (self.concentration - 1).clamp(min=0)
        peak = more / more.sum(-1, keepdim=True)
        all_below = (self.concentration < 1).all(-1, keepdim=True)
        corner = self.concentration.argmax(-1, keepdim=True) == F["arange"](self.concentration.shape[-1])
        return F["where"](all_below, corner.to(peak.dtype), peak)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total.square() * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return log_gamma_sample(self.concentration.expand(self._extended_shape(sample_shape))).softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a = self.concentration
        return F["xlogy"](a - 1, value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        a, total = self.concentration, self.concentration.sum(-1)
        normalizer = a.lgamma().sum(-1) - total.lgamma()
        return normalizer - (a.shape[-1] - total) * total.digamma() - ((a - 1) * a.digamma()).sum(-1)
