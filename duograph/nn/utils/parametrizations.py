"""Parametrisations: weights of given length, of spectral norm 1, or with orthonormal columns or rows."""

from __future__ import annotations

from typing import Any

from ...autograd import no_grad
from ...functional import distance
from ...graph.errors import ArgumentError, NotSupported
from ...ops.casting import finfo
from ...ops.creation import eye, zeros_like
from ...ops.elementwise import where
from ...ops.factors import geqrf, householder_product, matrix_exp
from ...ops.joining import cat
from ...ops.random import randn
from ...ops.solving import solve
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


_ORTHOGONAL_MAPS = ("matrix_exp", "cayley", "householder")


def _signs(x: Tensor) -> Tensor:
    return x.diagonal(dim1=-2, dim2=-1).sgn()


def _with_orthonormal_columns(matrix: Tensor) -> Tensor:
    """The orthogonal factor of the QR decomposition whose triangular one has a positive diagonal."""
    reflections = geqrf(matrix)
    return householder_product(*reflections) * _signs(reflections.a).unsqueeze(-2)


class _Orthogonal(Module):
    """Orthonormal columns, or rows of wide matrices, from a matrix of the same shape.

    `base`, if there is one, is what the map's result is applied to, so that the map starts at the identity.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        rows, columns = x.shape[-2:]
        if self.orthogonal_map == "householder":
            vectors = x.tril(-1)
            made = householder_product(vectors, 2 / (1 + (vectors * vectors.conj()).sum(-2)))
            made = made * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            lower = x.tril()
            if rows != columns:
                lower = cat([lower, lower.new_zeros((*x.shape[:-2], rows, rows - columns))], -1)
            skew = lower - lower.mH
            if self.orthogonal_map == "matrix_exp":
                made = matrix_exp(skew)
            else:
                one = eye(rows, dtype=x.dtype, device=x.device)
                made = solve(one - skew / 2, one + skew / 2)
            made = made[..., :columns]
        if self.use_trivialization and self.base is not None:
            made = self.base @ made
        return made.mT if wide else made

    def right_inverse(self, value: Tensor) -> Tensor:
        if value.shape != self.shape:
            raise ArgumentError(
                f"orthogonal: expected a matrix of shape {tuple(self.shape)}. Received: {tuple(value.shape)}"
            )
        wide = value.shape[-2] < value.shape[-1]
        tall = value.mT if wide else value
        rows, columns = tall.shape[-2:]
        if self.use_trivialization:
            if rows == columns:
                known = _is_orthogonal(tall)
                self.base = tall.clone() if known else _with_orthonormal_columns(tall)
            else:
                others = randn(*tall.shape[:-2], rows, rows - columns, dtype=tall.dtype, device=tall.device)
                self.base = _with_orthonormal_columns(cat([tall, others], -1))
            start = zeros_like(tall)
            start.diagonal(dim1=-2, dim2=-1).fill_(-1)  # of which every map makes the identity
        elif self.orthogonal_map == "householder":
            start, tau = geqrf(tall)
            start = start.clone()
            diagonal = start.diagonal(dim1=-2, dim2=-1)
            diagonal.copy_(where(tau == 0, -diagonal.sgn(), diagonal.sgn()))
        else:
            raise NotSupported(
                "orthogonal: a matrix cannot be given to matrix_exp and cayley with use_trivialization=False: take "
                "householder, or use_trivialization=True"
            )
        return start.mT if wide else start


def _is_orthogonal(x: Tensor) -> bool:
    """Whether the columns are orthonormal up to rounding."""
    distance = x.mH @ x - eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return bool((distance.abs() < 10 * x.shape[-1] * finfo(x.dtype).eps).all())


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep the columns of a matrix, or the rows of a wide one, orthonormal.

    A skew-symmetric matrix A becomes exp(A) by "matrix_exp", (I + A/2) / (I - A/2) by "cayley", and "householder" is a
    product of reflections; without a name it is the first for square and complex matrices, and the last for others.
    With `use_trivialization` the map's result is applied to the matrix that was there or was assigned last (Lezcano
    Casado 2019). Raises ArgumentError (a ValueError) for what is no matrix, and for another map.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError(f"orthogonal: {type(module).__name__} has no parameter or buffer {name!r}")
    if weight.ndim < 2:
        raise ArgumentError(f"orthogonal: expected a matrix [..., m, n]. Received: shape {tuple(weight.shape)}")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1] or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _ORTHOGONAL_MAPS:
        raise ArgumentError(
            f"orthogonal: orthogonal_map: expected one of {', '.join(_ORTHOGONAL_MAPS)}. Received: {orthogonal_map!r}"
        )
    if orthogonal_map == "householder" and weight.is_complex():
        raise ArgumentError("orthogonal: householder: expected real numbers. Received: " + weight.dtype.name)
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
