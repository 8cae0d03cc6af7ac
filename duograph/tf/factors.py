"""`tf.linalg`: decompositions, solvers, and functions of matrices."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from .errors import report
from .math import operands
from .tensors import Tensor, convert_to_tensor

__all__ = [
    "adjoint", "band_part", "cholesky", "cholesky_solve", "det", "eig", "eigh", "eigvals", "eigvalsh", "expm", "inv",
    "logdet", "lstsq", "matrix_rank", "normalize", "pinv", "qr", "slogdet", "solve", "sqrtm", "svd", "tensor_diag",
    "tensor_diag_part", "triangular_solve",
]  # fmt: skip


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The last two axes exchanged, complex numbers conjugated."""
    x = convert_to_tensor(matrix).transpose(-1, -2)
    return torch.conj_physical(x) if x.dtype.is_complex else x


def band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """The matrices with zeros outside a band of that many diagonals below and above the main one (negative: all)."""
    x, lower, upper = convert_to_tensor(input), int(num_lower), int(num_upper)
    x = x if upper < 0 else torch.tril(x, upper)
    return x if lower < 0 else torch.triu(x, -lower)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The lower triangular L with L Lᵀ = input. Raises InvalidArgumentError for what is not positive definite."""
    return torch.linalg.cholesky(convert_to_tensor(input))


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """The X with A X = rhs, A being chol cholᵀ."""
    chol, rhs = operands("linalg.cholesky_solve", chol, rhs)
    return torch.cholesky_solve(rhs, chol)


def det(input: Any, name: str | None = None) -> Tensor:
    """The determinants."""
    return torch.linalg.det(convert_to_tensor(input))


def slogdet(input: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The sign of the determinants, and log of their absolute values."""
    sign, value = torch.linalg.slogdet(convert_to_tensor(input))
    return sign, value


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """log of the determinants of positive definite matrices."""
    return 2 * torch.sum(torch.log(torch.diagonal(cholesky(matrix), dim1=-2, dim2=-1)), dim=-1)


def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverse matrices, or their adjoints. Raises InvalidArgumentError for a singular one."""
    x = torch.linalg.inv(convert_to_tensor(input))
    return x.transpose(-1, -2) if adjoint else x


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The Moore-Penrose inverses; singular values up to `rcond` times the largest count as 0."""
    x = convert_to_tensor(a)
    tolerance = 10 * max(x.shape[-2:]) * torch.finfo(x.dtype).eps if rcond is None else rcond
    return torch.linalg.pinv(x, rtol=tolerance)


def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The X with matrix X = rhs. Raises InvalidArgumentError for a singular matrix."""
    a, b = operands("linalg.solve", matrix, rhs)
    return torch.linalg.solve(a.transpose(-1, -2) if adjoint else a, b)


def triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """The X with matrix X = rhs, of whose matrix one triangle counts."""
    a, b = operands("linalg.triangular_solve", matrix, rhs)
    a = torch.tril(a) if lower else torch.triu(a)
    return torch.linalg.solve_triangular(a.transpose(-1, -2) if adjoint else a, b, upper=lower == adjoint)


def lstsq(matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: str | None = None) -> Tensor:
    """The X that makes |matrix X - rhs|² + l2_regularizer |X|² least."""
    a, b = operands("linalg.lstsq", matrix, rhs)
    if not l2_regularizer:
        return torch.matmul(torch.linalg.pinv(a), b)
    gram = torch.matmul(a.transpose(-1, -2), a) + l2_regularizer * torch.eye(a.shape[-1], dtype=a.dtype)
    return torch.linalg.solve(gram, torch.matmul(a.transpose(-1, -2), b))


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Q with orthonormal columns and upper triangular R."""
    q, r = torch.linalg.qr(convert_to_tensor(input), mode="complete" if full_matrices else "reduced")
    return q, r


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """Singular values s, largest first, u and v with u diag(s) vᵀ = tensor; or s alone."""
    x = convert_to_tensor(tensor)
    if not compute_uv:
        return torch.linalg.svdvals(x)
    u, s, vh = torch.linalg.svd(x, full_matrices=full_matrices)
    return s, u, vh.transpose(-1, -2)


def eigh(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues, rising, and eigenvectors (columns) of symmetric matrices."""
    values, vectors = torch.linalg.eigh(convert_to_tensor(tensor))
    return values, vectors


def eigvalsh(tensor: Any, name: str | None = None) -> Tensor:
    """Eigenvalues, rising, of symmetric matrices."""
    return torch.linalg.eigvalsh(convert_to_tensor(tensor))


def eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Complex eigenvalues and eigenvectors (columns)."""
    values, vectors = torch.linalg.eig(convert_to_tensor(tensor))
    return values, vectors


def eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """Complex eigenvalues."""
    return eig(tensor)[0]


def expm(input: Any, name: str | None = None) -> Tensor:
    """The exponential of square matrices."""
    return torch.linalg.matrix_exp(convert_to_tensor(input))


def sqrtm(input: Any, name: str | None = None) -> Tensor:
    """The square root of symmetric positive matrices, by their eigenvalues. Raises ValueError for other ones."""
    x = convert_to_tensor(input)
    if not bool(torch.all(torch.abs(x - x.transpose(-1, -2)) <= 1e-5 * torch.amax(torch.abs(x)))):
        raise ValueError("tf.linalg.sqrtm is built for symmetric matrices. Received: one that is not")
    values, vectors = torch.linalg.eigh(x)
    return torch.matmul(vectors * torch.sqrt(values).unsqueeze(-2), vectors.transpose(-1, -2))


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """How many singular values are above `tol`: int32."""
    x = convert_to_tensor(a)
    values = torch.linalg.svdvals(x)
    if tol is None:
        tol = max(x.shape[-2:]) * torch.finfo(x.dtype).eps * torch.amax(values, dim=-1, keepdim=True)
    return torch.sum(values > tol, dim=-1, dtype=torch.int32)


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`tensor` over its norm along `axis`, and the norm with that axis of size 1."""
    from .linalg import norm

    x = convert_to_tensor(tensor)
    size = norm(x, ord, axis, keepdims=True)
    return x / size, size


def tensor_diag(diagonal: Any, name: str | None = None) -> Tensor:
    """A tensor of twice as many axes, zero but for the elements whose two halves of the index are equal."""
    x = convert_to_tensor(diagonal)
    return torch.diag(x.reshape(-1)).reshape(*x.shape, *x.shape)


def tensor_diag_part(input: Any, name: str | None = None) -> Tensor:
    """The elements whose two halves of the index are equal."""
    x = convert_to_tensor(input)
    half = x.shape[: x.ndim // 2]
    return torch.diagonal(x.reshape(half.numel(), half.numel())).reshape(half)


report(globals(), __all__)
