"""The normal distribution of vectors."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from .. import linalg
from . import constraints
from .distribution import Distribution
from .utils import HALF_LOG_TAU, one_of

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of mean `loc`, with one of: the covariance, its inverse, its Cholesky factor.

    Raises LinearAlgebraError for a matrix that is not positive definite, where the check of arguments does not.
    """

    has_rsample = True
    arg_constraints: ClassVar = {"loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
                       "precision_matrix": constraints.positive_definite,
                       "scale_tril": constraints.lower_cholesky}  # fmt: skip
    support = constraints.real_vector

    def __init__(
        self, loc: Tensor, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None, validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        matrices = {
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril
        }  # fmt: skip
        given = one_of("MultivariateNormal", **matrices)
        matrix = matrices[given]
        assert matrix is not None
        if loc.ndim < 1 or matrix.ndim < 2:
            raise ArgumentError(
                f"MultivariateNormal: expected loc (..., n) and {given} (..., n, n). "
                f"Received: shapes {tuple(loc.shape)}, {tuple(matrix.shape)}"
            )
        batch = F["broadcast_shapes"](matrix.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand(*batch, -1)
        vars(self)[given] = matrix.expand(*batch, -1, -1)
        super().__init__(batch, loc.shape[-1:], validate_args)
        self.scale_tril  # noqa: B018 - factored once, where errors point to the user's line

    @cached_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance: lower triangular."""
        if "covariance_matrix" in vars(self):
            return linalg.cholesky(self.covariance_matrix)
        # P = L L' of the reversed axes, reversed back, is the inverse of the wanted factor's transpose.
        factor = linalg.cholesky(self.precision_matrix.flip((-2, -1))).flip((-2, -1)).mT
        return linalg.solve_triangular(factor, F["eye"](factor.shape[-1], dtype=factor.dtype), upper=False)

    @cached_property
    def covariance_matrix(self) -> Tensor:
        """The covariances of the elements."""
        return self.scale_tril @ self.scale_tril.mT

    @cached_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return F["cholesky_inverse"](self.scale_tril)

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return self.scale_tril.square().sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        unit = F["randn"](self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ unit.unsqueeze(-1)).squeeze(-1)

    def _distances(self, columns: Tensor) -> Tensor:
        """xᵀ times the inverse of the covariance times x, of each column x of (..., n, m)."""
        batch = F["broadcast_shapes"](columns.shape[:-2], self.scale_tril.shape[:-2])
        factor, columns = (t.expand(*batch, *t.shape[-2:]) for t in (self.scale_tril, columns))
        return linalg.solve_triangular(factor, columns, upper=False).square().sum(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        distance = self._distances((value - self.loc).unsqueeze(-1)).squeeze(-1)
        return -0.5 * distance - self._half_log_det() - self.event_shape[0] * HALF_LOG_TAU

    def entropy(self) -> Tensor:
        return self._half_log_det() + self.event_shape[0] * (0.5 + HALF_LOG_TAU)

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)
