"""The normal distribution of vectors whose covariance is a diagonal and a few columns."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from .. import linalg
from . import constraints
from .distribution import Distribution
from .utils import HALF_LOG_TAU

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """Normal vectors of mean `loc` and covariance W Wᵀ + D, with W `cov_factor` (..., n, k) and D diagonal `cov_diag`.

    Densities are computed with k × k matrices only: (W Wᵀ + D)⁻¹ = D⁻¹ - D⁻¹ W C⁻¹ Wᵀ D⁻¹ with C = 1 + Wᵀ D⁻¹ W.
    Raises ArgumentError (a ValueError) for shapes that do not fit.
    """

    has_rsample = True
    arg_constraints: ClassVar = {
        "loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }  # fmt: skip
    support = constraints.real_vector

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        n = loc.shape[-1:]
        if loc.ndim < 1 or cov_factor.ndim < 2 or cov_factor.shape[-2:-1] != n or cov_diag.shape[-1:] != n:
            raise ArgumentError(
                "LowRankMultivariateNormal: expected loc (..., n), cov_factor (..., n, k) and cov_diag (..., n). "
                f"Received: shapes {tuple(loc.shape)}, {tuple(cov_factor.shape)}, {tuple(cov_diag.shape)}"
            )
        batch = F["broadcast_shapes"](loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self.loc, self.cov_diag = loc.expand(*batch, -1), cov_diag.expand(*batch, -1)
        self.cov_factor = cov_factor.expand(*batch, -1, -1)
        super().__init__(batch, n, validate_args)
        scaled = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        small = scaled @ self.cov_factor
        self._capacitance_tril = linalg.cholesky(small + F["eye"](small.shape[-1], dtype=small.dtype))

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return self.cov_factor.square().sum(-1) + self.cov_diag

    @cached_property
    def covariance_matrix(self) -> Tensor:
        """The covariances of the elements."""
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    @cached_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance: lower triangular."""
        return linalg.cholesky(self.covariance_matrix)

    @cached_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        scaled = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        part = linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        return self.cov_diag.reciprocal().diag_embed() - part.mT @ part

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape, dtype = self._extended_shape(sample_shape), self.loc.dtype
        few = F["randn"]((*shape[:-1], self.cov_factor.shape[-1]), dtype=dtype)
        along = (self.cov_factor @ few.unsqueeze(-1)).squeeze(-1)
        return self.loc + along + self.cov_diag.sqrt() * F["randn"](shape, dtype=dtype)

    def _distances(self, columns: Tensor) -> Tensor:
        """xᵀ times the inverse of the covariance times x, of each column x of (..., n, m)."""
        scaled = columns / self.cov_diag.unsqueeze(-1)
        along = self.cov_factor.mT @ scaled
        batch = F["broadcast_shapes"](along.shape[:-2], self._capacitance_tril.shape[:-2])
        factor, along = (t.expand(*batch, *t.shape[-2:]) for t in (self._capacitance_tril, along))
        part = linalg.solve_triangular(factor, along, upper=False)
        return (columns * scaled).sum(-2) - part.square().sum(-2)

    def _half_log_det(self) -> Tensor:
        return self._capacitance_tril.diagonal(0, -2, -1).log().sum(-1) + 0.5 * self.cov_diag.log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        distance = self._distances((value - self.loc).unsqueeze(-1)).squeeze(-1)
        return -0.5 * distance - self._half_log_det() - self.event_shape[0] * HALF_LOG_TAU

    def entropy(self) -> Tensor:
        return self._half_log_det() + self.event_shape[0] * (0.5 + HALF_LOG_TAU)
