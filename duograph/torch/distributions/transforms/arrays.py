"""Transforms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from ....ops import FUNCTIONS as F
from ....tensor.core import Tensor
from ... import linalg
from .. import constraints
from ..utils import log_sigmoid, tril_matrix_to_vec, vec_to_tril_matrix
from .base import Transform
from .elementwise import softplus

__all__ = [
    "CorrCholeskyTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "SoftmaxTransform",
    "StickBreakingTransform",
]


class SoftmaxTransform(Transform):
    """exp, over the sum of the last axis: not one to one."""

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = False

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """From n numbers to n + 1 of sum 1: each takes its share of what those before it left."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _offset(self, n: int, like: Tensor) -> Tensor:
        return F["arange"](n, 0, -1, dtype=like.dtype).log()

    def _call(self, x: Tensor) -> Tensor:
        x = x - self._offset(x.shape[-1], x)
        left = log_sigmoid(-x).cumsum(-1).exp()
        ones = F["ones"]((*x.shape[:-1], 1), dtype=x.dtype)
        return F["cat"]([x.sigmoid(), ones], -1) * F["cat"]([ones, left], -1)

    def _inverse(self, y: Tensor) -> Tensor:
        kept = y[..., :-1]
        left = 1 - kept.cumsum(-1)
        return kept.log() - left.log() + self._offset(kept.shape[-1], y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - self._offset(x.shape[-1], x)
        return (log_sigmoid(x) - x + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Any) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)


class LowerCholeskyTransform(Transform):
    """From matrices to lower triangular ones whose diagonal is positive, by exp of it."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(0, -2, -1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(0, -2, -1).log().diag_embed()


class PositiveDefiniteTransform(LowerCholeskyTransform):
    """From matrices to positive definite ones, by a Cholesky factor."""

    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        factor = super()._call(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return super()._inverse(linalg.cholesky(y))


class CorrCholeskyTransform(Transform):
    """From n (n - 1) / 2 numbers to the lower Cholesky factor of a correlation matrix of n axes.

    tanh of the numbers, row by row, are canonical partial correlations (Lewandowski, Kurowicka and Joe 2009).
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky

    def _call(self, x: Tensor) -> Tensor:
        partial = vec_to_tril_matrix(x.tanh(), -1)
        left = (1 - partial.square()).sqrt().cumprod(-1)
        n = partial.shape[-1]
        return (partial + F["eye"](n, dtype=x.dtype)) * _moved(left)

    def _inverse(self, y: Tensor) -> Tensor:
        left = _moved(1 - y.square().cumsum(-1))
        return (tril_matrix_to_vec(y, -1) / tril_matrix_to_vec(left, -1).sqrt()).atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        left = tril_matrix_to_vec(1 - y.square().cumsum(-1), -2)
        return 0.5 * left.log().sum(-1) - 2 * (x + softplus(-2 * x) - math.log(2.0)).sum(-1)

    def forward_shape(self, shape: Any) -> tuple[int, ...]:
        n = round(0.5 + math.sqrt(0.25 + 2 * shape[-1]))
        if n * (n - 1) // 2 != shape[-1]:
            raise ValueError(f"CorrCholeskyTransform: expected n (n - 1) / 2 numbers. Received: {shape[-1]}")
        return (*shape[:-1], n, n)

    def inverse_shape(self, shape: Any) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)


def _moved(x: Tensor) -> Tensor:
    """The last axis moved on by one, with 1 in front."""
    return F["cat"]([F["ones_like"](x[..., :1]), x[..., :-1]], -1)
