"""Linear equations: solve, inverse, determinant, and the Cholesky and LU decompositions they may start from."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph.composite import composite
from ..graph.errors import ArgumentError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.node import Node
from ..graph.primitives.rules import broadcast_shapes
from ..tensor.core import Tensor, apply
from .casting import finfo
from .complex import conj
from .creation import arange, eye
from .define import function, into
from .diagonals import tril, triu
from .elementwise import where
from .joining import cat
from .manipulation import expand, narrow
from .results import result


@result("linalg_inv_ex")
class Inverse(NamedTuple):
    """What `inv_ex` gives; `info` is 0 where there is an inverse, and there is an error where there is none."""

    inverse: Tensor
    info: Tensor


@result("linalg_cholesky_ex")
class Factor(NamedTuple):
    """What `cholesky_ex` gives."""

    L: Tensor
    info: Tensor


@result("linalg_solve_ex")
class Solved(NamedTuple):
    """What `solve_ex` gives."""

    result: Tensor
    info: Tensor


@result("linalg_slogdet", "slogdet")
class SignedLog(NamedTuple):
    """What `slogdet` gives: the determinant is sign * exp(logabsdet)."""

    sign: Tensor
    logabsdet: Tensor


@result("linalg_lu_factor")
class LU(NamedTuple):
    """What `lu_factor` gives: L without its diagonal and U in one matrix, and LAPACK's pivots, counted from 1."""

    LU: Tensor
    pivots: Tensor


@result("linalg_lu_factor_ex")
class LUWithInfo(NamedTuple):
    """What `lu_factor_ex` gives."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


@result("linalg_lu", "lu_unpack")
class PLU(NamedTuple):
    """What `lu` and `lu_unpack` give: A = P L U."""

    P: Tensor
    L: Tensor
    U: Tensor


@result("triangular_solve")
class Triangular(NamedTuple):
    """What `triangular_solve` gives."""

    solution: Tensor
    cloned_coefficient: Tensor


def mt(x: Tensor) -> Tensor:
    """The last two axes exchanged."""
    return x.transpose(-1, -2)


def mh(x: Tensor) -> Tensor:
    """The conjugate transpose."""
    return conj(mt(x))


def check_square(name: str, a: Tensor) -> None:
    """Raise ShapeError unless `a` is `[..., n, n]`."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name}: expected square matrices [..., n, n]. Received: shape {tuple(a.shape)}")


def no_failure(a: Tensor) -> Tensor:
    """LAPACK's `info` of success for each matrix."""
    return a.new_zeros(tuple(a.shape[:-2]), dtype=dtypes.int32)


@composite
def symmetric_from(a: Node, *, upper: bool) -> Node:
    """The symmetric, or Hermitian, matrix of which one triangle is given. What is in the other does not count, but both
    halves get their share of the gradient, as if the matrix had been given whole."""
    triangle = g.band(a, 0, None) if upper else g.band(a, None, 0)
    diagonal = g.band(a, 0, 0)
    whole = triangle + g.adjoint(triangle) - (g.conjugate(diagonal) if a.dtype.is_complex else diagonal)
    nothing = a - g.stop_gradient(a)
    return g.stop_gradient(whole) + g.select(g.equal(nothing, 0), nothing, 0.0)


def symmetric(name: str, a: Tensor, upper: bool) -> Tensor:
    """`symmetric_from` for a checked tensor."""
    check_square(name, a)
    return apply(symmetric_from, (a,), (("upper", upper),))


def solved(a: Tensor, b: Tensor) -> Tensor:
    """X of A X = B for `[..., n, n]` and `[..., n, k]`; the batches broadcast."""
    check_square("solve", a)
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
        raise ShapeError(f"solve: expected {a.shape[-1]} rows on the right. Received: shape {tuple(b.shape)}")
    batch = broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2]))
    return apply(P["solve"], (expand(a, *batch, -1, -1), expand(b, *batch, -1, -1)))


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """X of A X = B, or of X A = B; B holds vectors if it has an axis less than A and its other sizes."""
    check_square("solve", A)
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1])):
        if not left:
            raise ArgumentError("solve: left=False expects matrices on the right. Received: vectors")
        return into(out, solved(A, B.unsqueeze(-1)).squeeze(-1))
    return into(out, solved(A, B) if left else mt(solved(mt(A), mt(B))))


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Solved:
    """As `solve`, with an `info` that is always 0: a singular matrix raises."""
    return Solved(solve(A, B, left=left), no_failure(A))


@function("inv", is_method=False, also={"input": "A"})
def inverse(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of matrices. Raises LinearAlgebraError, when computed, where there is none."""
    check_square("inv", A)
    return into(out, solved(A, eye(A.shape[-1], dtype=A.dtype)))


@function(also={"input": "A"})
def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The determinant of matrices."""
    check_square("det", A)
    return into(out, apply(P["determinant"], (A,)))


@function(also={"input": "A"})
def slogdet(A: Tensor, *, out: Any = None) -> SignedLog:
    """The sign of the determinant of matrices and the logarithm of its magnitude."""
    check_square("slogdet", A)
    return SignedLog(apply(P["determinant_sign"], (A,)), apply(P["log_determinant"], (A,)))


@function(also={"input": "A"})
def logdet(A: Tensor) -> Tensor:
    """The logarithm of the determinant: NaN where that is negative."""
    sign, size = slogdet(A)
    if A.dtype.is_complex:
        return sign.log() + size
    return where(sign < 0, float("nan"), size)


@function()
def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Lower triangular L with A = L Lᵀ (or upper U with A = Uᵀ U) of positive definite A.

    Raises LinearAlgebraError, when computed, where A is not positive definite.
    """
    factor = apply(P["cholesky"], (symmetric("cholesky", input, upper),))
    return into(out, mh(factor) if upper else factor)


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Factor:
    """As `cholesky`, with an `info` that is always 0: a matrix that is not positive definite raises."""
    return Factor(cholesky(A, upper), no_failure(A))


@function()
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X of A X = B, given the Cholesky factor of A."""
    lower = mh(L) if upper else L
    return solved(mh(lower), solved(lower, B))


@function(also={"input": "L"})
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, given its Cholesky factor."""
    lower = tril(mh(L) if upper else L)
    root = inverse(lower)
    return mh(root) @ root


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False,
                     out: Tensor | None = None) -> Tensor:  # fmt: skip
    """X of A X = B (or X A = B), reading one triangle of A, whose diagonal is all ones if `unitriangular`."""
    check_square("solve_triangular", A)
    edge = int(unitriangular)
    triangle = triu(A, edge) if upper else tril(A, -edge)
    if unitriangular:
        triangle = triangle + eye(A.shape[-1], dtype=A.dtype)
    return into(out, solved(triangle, B) if left else mt(solved(mt(triangle), mt(B))))


@function()
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Triangular:
    """X of A X = b (of Aᵀ X = b if `transpose`), reading one triangle of A; and A."""
    matrix, is_upper = (mt(A), not upper) if transpose else (A, upper)
    return Triangular(solve_triangular(matrix, b, upper=is_upper, unitriangular=unitriangular), A.clone())


def _order(pivots: Tensor, size: int) -> Tensor:
    return apply(P["pivot_order"], (pivots,), (("size", size),))


def _in_order(x: Tensor, order: Tensor) -> Tensor:
    """Rows of matrices taken in an order."""
    batch = broadcast_shapes(tuple(x.shape[:-2]), tuple(order.shape[:-1]))
    x = expand(x, *batch, -1, -1)
    return x.gather(-2, expand(order.unsqueeze(-1), *batch, -1, x.shape[-1]))


def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> LU:
    """L and U in one matrix and the pivots: A = P L U with L lower triangular of unit diagonal, U upper triangular."""
    if A.ndim < 2:
        raise ShapeError(f"lu_factor: expected matrices [..., m, n]. Received: shape {tuple(A.shape)}")
    if not pivot:
        raise ArgumentError("lu_factor: pivot=False is not supported, as with PyTorch on a CPU. Received: pivot=False")
    rows, columns = A.shape[-2:]
    size = min(rows, columns)
    pivots = apply(P["lu_pivots"], (A.detach(),))
    ordered = _in_order(A, _order(pivots, rows))
    packed = apply(P["lu_packed"], (narrow(narrow(ordered, -2, 0, size), -1, 0, size),))
    if columns > size:
        lower = tril(packed, -1) + eye(size, dtype=A.dtype)
        packed = cat([packed, solved(lower, narrow(ordered, -1, size, columns - size))], -1)
    elif rows > size:
        below = narrow(ordered, -2, size, rows - size)
        packed = cat([packed, mt(solved(mt(triu(packed)), mt(below)))], -2)
    return LU(packed, pivots)


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> LUWithInfo:
    """As `lu_factor`, with an `info` that is always 0."""
    return LUWithInfo(*lu_factor(A, pivot=pivot), no_failure(A))


@function("lu", is_method=True)
def lu_pair(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """As `lu_factor`; with `get_infos` also an `info` that is always 0."""
    found = lu_factor(A, pivot=pivot)
    return (*found, no_failure(A)) if get_infos else found


@function(is_method=False)
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> PLU:
    """P, L and U of what `lu_factor` gives; empty tensors for what is not asked for."""
    rows, columns = LU_data.shape[-2:]
    size = min(rows, columns)
    p = lower = upper = LU_data.new_empty((0,))
    if unpack_pivots:
        order = _order(LU_pivots, rows)
        p = (arange(rows).unsqueeze(-1) == order.unsqueeze(-2)).to(LU_data.dtype)
    if unpack_data:
        lower = tril(narrow(LU_data, -1, 0, size), -1) + eye(rows, size, dtype=LU_data.dtype)
        upper = triu(narrow(LU_data, -2, 0, size))
    return PLU(p, lower, upper)


def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> PLU:
    """P, L and U with A = P L U: a permutation, lower triangular of unit diagonal, upper triangular."""
    return lu_unpack(*lu_factor(A, pivot=pivot))


def lu_solve_factors(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X of A X = B (Aᴴ X = B if `adjoint`, X A = B if not `left`), given what `lu_factor` makes of A."""
    if not left:
        return mh(lu_solve_factors(LU, pivots, mh(B), adjoint=not adjoint))
    check_square("lu_solve", LU)
    size = LU.shape[-1]
    lower, upper = tril(LU, -1) + eye(size, dtype=LU.dtype), triu(LU)
    order = _order(pivots, size)
    if not adjoint:
        return solved(upper, solved(lower, _in_order(B, order)))
    return _in_order(solved(mh(lower), solved(mh(upper), B)), order.argsort(-1))


@function()
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """X of A X = b, given what `lu_factor` makes of A."""
    return lu_solve_factors(LU_data, LU_pivots, b)


def tolerance(a: Tensor) -> float:
    """What a computed number may be off by, relative to the largest, in a matrix of this size and dtype."""
    return max(a.shape[-2:]) * float(finfo(a.dtype).eps)
