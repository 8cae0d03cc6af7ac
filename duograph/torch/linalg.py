"""`torch.linalg`: norms, products, decompositions and solvers."""

from __future__ import annotations

from ..functional.linear import cross as cross_op
from ..graph.errors import LinearAlgebraError as LinAlgError
from ..graph.errors import ShapeError
from ..ops import FUNCTIONS
from ..ops.define import into
from ..ops.factors import (
    cond,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    householder_product,
    lstsq,
    matrix_exp,
    matrix_power,
    matrix_rank,
    multi_dot,
    pinv,
    svdvals,
    tensorinv,
    tensorsolve,
    vander,
)
from ..ops.factors import linalg_qr as qr
from ..ops.factors import linalg_svd as svd
from ..ops.norms import matrix_norm, norm, vector_norm
from ..ops.solving import (
    Inverse,
    cholesky_ex,
    det,
    lu,
    lu_factor,
    lu_factor_ex,
    no_failure,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
)
from ..ops.solving import inverse as inv
from ..ops.solving import lu_solve_factors as lu_solve
from ..tensor.core import Tensor, apply, operand, result_type
from .missing import missing

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
    "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul",
    "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

matmul = FUNCTIONS["matmul"]


def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The cross product of vectors of 3 along an axis; the other axes broadcast."""
    if input.ndim != other.ndim:
        raise ShapeError(f"linalg.cross: expected as many axes of both. Received: {input.ndim} and {other.ndim}")
    dtype = result_type(input, other)
    return into(out, apply(cross_op, (operand(input, dtype), operand(other, dtype)), (("axis", dim),)))


def cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """Lower triangular L with A = L Lᵀ, or upper U with A = Uᵀ U."""
    return FUNCTIONS["cholesky"](A, upper, out=out)


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Inverse:
    """As `inv`, with an `info` that is always 0: a singular matrix raises."""
    return Inverse(inv(A), no_failure(A))


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Inner products along an axis, of conjugates of `x` with `y`."""
    return into(out, FUNCTIONS["sum"](FUNCTIONS["mul"](FUNCTIONS["conj"](x), y), dim))


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of matrices."""
    return FUNCTIONS["diagonal"](A, offset, dim1, dim2)


__getattr__ = missing(__name__, __all__)
