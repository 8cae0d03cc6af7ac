"""Parametrisations: weights of given length, or of spectral norm 1."""

from __future__ import annotations

from typing import Any

from ...autograd import no_grad
from ...functional import distance
from ...graph.errors import ArgumentError
from ...tensor.core import Tensor, apply
from .. import functional as F
from ..module import Module
from .parametrize import register_parametrization


def norm_except(weight: Any, dim: int) -> Any:
    """The norm over all axes but one, which stay with size 1; over all if `dim` is -1."""
    axes = tuple(k for k in range(weight.ndim) if dim == -1 or k != dim % weight.ndim)
    return apply(distance.vector_norm, (weight,), (("p", 2.0), ("axis", axes), ("keepdims", dim != -1)))


def scaled(v: Any, g: Any, dim: int) -> Any:
    """`v` with norm `g` over all axes but one."""
    return v * (g / norm_except(v, dim))


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return scaled(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length and the direction of a weight's rows apart (Salimans and Kingma 2016)."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def _rows(weight: Any, dim: int) -> Any:
    """The weight as a matrix with one row for each index along `dim`."""
    if dim != 0:
        weight = weight.movedim(dim, 0)
    return weight.reshape(weight.shape[0], -1)


def _iterate(matrix: Any, u: Any, v: Any, steps: int, eps: float) -> None:
    """Bring u and v, in place, closer to the singular vectors of the largest singular value."""
    with no_grad():
        for _ in range(steps):
            u.copy_(F.normalize(matrix.mv(v), dim=0, eps=eps))
            v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=eps))


class _SpectralNorm(Module):
    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise ArgumentError(
                f"spectral_norm: n_power_iterations: expected at least 1. Received: {n_power_iterations}"
            )
        self.dim = dim % weight.ndim
        self.eps = eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = _rows(weight.detach(), self.dim)
            u, v = (F.normalize(matrix.new_empty(size).normal_(), dim=0, eps=eps) for size in matrix.shape)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            _iterate(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Any) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = _rows(weight, self.dim)
        if self.training:
            _iterate(matrix.detach(), self._u, self._v, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value, found by power iteration (Miyato et al. 2018)."""
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    weight = getattr(module, name)
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
