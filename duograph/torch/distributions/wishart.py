"""The Wishart distribution, of covariance matrices."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...tensor.core import Tensor
from .. import linalg
from . import constraints
from .distribution import ExponentialFamily
from .gamma import log_gamma_sample
from .utils import broadcast_all, one_of

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """Sums of `df` outer squares of normal vectors of a covariance: that, its inverse or its Cholesky factor is given.

    Raises ArgumentError (a ValueError) for a `df` that is not above the number of axes less one.
    """

    has_rsample = True
    arg_constraints: ClassVar = {
        "covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(0),
    }  # fmt: skip
    support = constraints.positive_definite

    def __init__(
        self, df: Any, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None, validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        matrices = {
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril
        }  # fmt: skip
        given = one_of("Wishart", **matrices)
        matrix = matrices[given]
        assert matrix is not None
        if matrix.ndim < 2:
            raise ArgumentError(f"Wishart: expected {given} (..., n, n). Received: shape {tuple(matrix.shape)}")
        (df,) = broadcast_all(df)
        batch = F["broadcast_shapes"](df.shape, matrix.shape[:-2])
        if not (df > matrix.shape[-1] - 1).all():
            raise ArgumentError(f"Wishart: df: expected above {matrix.shape[-1] - 1}. Received: {df}")
        self.df = df.expand(batch)
        vars(self)[given] = matrix.expand(*batch, -1, -1)
        super().__init__(batch, matrix.shape[-2:], validate_args)

    @cached_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance: lower triangular."""
        if "covariance_matrix" in vars(self):
            return linalg.cholesky(self.covariance_matrix)
        return linalg.cholesky(linalg.inv(self.precision_matrix))

    @cached_property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the vectors."""
        return self.scale_tril @ self.scale_tril.mT

    @cached_property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        return F["cholesky_inverse"](self.scale_tril)

    @property
    def _axes(self) -> int:
        return self.event_shape[-1]

    def _per_matrix(self, x: Tensor) -> Tensor:
        return x.unsqueeze(-1).unsqueeze(-1)

    @property
    def mean(self) -> Tensor:
        return self._per_matrix(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self._axes - 1
        factor = F["where"](factor > 0, factor, math.nan)
        return self._per_matrix(factor) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        own = self.covariance_matrix.diagonal(0, -2, -1)
        products = own.unsqueeze(-1) * own.unsqueeze(-2)
        return self._per_matrix(self.df) * (self.covariance_matrix.square() + products)

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Tensor:
        """By Bartlett's decomposition: normal numbers below a diagonal of roots of chi-squared ones."""
        shape, dtype = self._extended_shape(sample_shape), self.scale_tril.dtype
        halves = (self.df.unsqueeze(-1) - F["arange"](self._axes, dtype=dtype)) / 2
        roots = (0.5 * (log_gamma_sample(halves.expand(shape[:-1])) + math.log(2))).exp()
        lower = self.scale_tril @ (F["randn"](shape, dtype=dtype).tril(-1) + roots.diag_embed())
        return lower @ lower.mT

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n, df = self._axes, self.df
        factor = linalg.cholesky(value)
        shape = F["broadcast_shapes"](factor.shape, self.scale_tril.shape)
        ours, theirs = (t.expand(shape) for t in (self.scale_tril, factor))
        trace = linalg.solve_triangular(ours, theirs, upper=False).square().sum((-2, -1))
        log_det = factor.diagonal(0, -2, -1).log().sum(-1)
        norm = df * (n * math.log(2) / 2 + self._half_log_det()) + F["mvlgamma"](df / 2, n)
        return (df - n - 1) * log_det - 0.5 * trace - norm

    def entropy(self) -> Tensor:
        n, df = self._axes, self.df
        digammas = (df.unsqueeze(-1) / 2 - 0.5 * F["arange"](n, dtype=df.dtype)).digamma().sum(-1)
        rest = F["mvlgamma"](df / 2, n) - (df - n - 1) / 2 * digammas + df * n / 2
        return (n + 1) * (n * math.log(2) / 2 + self._half_log_det()) + rest
