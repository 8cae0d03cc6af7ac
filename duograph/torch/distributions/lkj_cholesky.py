"""The distribution of Lewandowski, Kurowicka and Joe, of Cholesky factors of correlation matrices."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...ops.casting import finfo
from ...tensor.core import Tensor
from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Lower factors of correlation matrices of `dim` axes, of density det^(concentration - 1) of the matrix (LKJ 2009).

    Raises ArgumentError (a ValueError) for fewer than two axes.
    """

    arg_constraints: ClassVar = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ArgumentError(f"LKJCholesky: dim: expected at least 2. Received: {dim}")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """By the onion: each row is a point of a ball, whose radius is of a beta distribution."""
        dtype = self.concentration.dtype
        steps = F["arange"](self.dim - 1, dtype=dtype)
        before = F["cat"]([F["zeros"](1, dtype=dtype), steps])
        rest = self.concentration.detach().unsqueeze(-1) + 0.5 * (self.dim - 2) - 0.5 * before
        radius = Beta(before + 0.5, rest, validate_args=False).sample(sample_shape).unsqueeze(-1)
        normal = F["randn"](self._extended_shape(sample_shape), dtype=dtype).tril(-1)
        length = normal.square().sum(-1, keepdim=True).sqrt()
        rows = radius.sqrt() * normal / F["where"](length == 0, 1.0, length)
        left = (1 - rows.square().sum(-1)).clamp(min=finfo(dtype).tiny)
        return rows + left.sqrt().diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        eta, n = self.concentration, self.dim - 1
        row = F["arange"](2, self.dim + 1, dtype=value.dtype)
        powers = 2 * (eta - 1).unsqueeze(-1) + self.dim - row
        density = (powers * value.diagonal(0, -2, -1)[..., 1:].log()).sum(-1)
        alpha = eta + 0.5 * n
        return density - 0.5 * n * math.log(math.pi) - F["mvlgamma"](alpha - 0.5, n) + alpha.lgamma() * n
