"""Orthogonal decompositions (QR, eigenvalues of symmetric matrices, singular values) and what is made of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..tensor.core import Tensor, apply
from .complex import conj
from .creation import eye
from .define import function, into
from .elementwise import where
from .joining import cat
from .manipulation import expand, narrow
from .results import result
from .solving import check_square, inverse, mh, symmetric, tolerance


@result("linalg_qr", "qr")
class QR(NamedTuple):
    """What `qr` gives."""

    Q: Tensor
    R: Tensor


@result("linalg_svd")
class SVD(NamedTuple):
    """What `torch.linalg.svd` gives: A = U diag(S) Vh."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@result("svd")
class USV(NamedTuple):
    """What `torch.svd` gives: A = U diag(S) Vᴴ."""

    U: Tensor
    S: Tensor
    V: Tensor


@result("linalg_eigh")
class Eigen(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@result("linalg_eig")
class GeneralEigen(NamedTuple):
    """What `eig` gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@result("linalg_lstsq")
class LeastSquares(NamedTuple):
    """What `lstsq` gives."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@result("geqrf")
class Reflections(NamedTuple):
    """What `geqrf` gives: R above Householder's vectors, and their scales."""

    a: Tensor
    tau: Tensor


def _check_matrix(name: str, a: Tensor) -> None:
    if a.ndim < 2:
        raise ShapeError(f"{name}: expected matrices [..., m, n]. Received: shape {tuple(a.shape)}")


def linalg_qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> QR:
    """Orthogonal Q and upper triangular R with A = Q R; with mode "r" an empty Q."""
    _check_matrix("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode: expected 'reduced', 'complete' or 'r'. Received: {mode!r}")
    rows, columns = A.shape[-2:]
    complete = (("complete", mode == "complete" and rows > columns),)
    square = narrow(A, -1, 0, min(rows, columns))
    r = apply(P["qr_r"], (square,), complete)
    if mode == "r" and columns <= rows:
        return QR(A.new_empty((0,)), r)
    q = apply(P["qr_q"], (square,), complete)
    if columns > rows:
        r = cat([r, mh(q) @ narrow(A, -1, rows, columns - rows)], -1)
    return QR(A.new_empty((0,)) if mode == "r" else q, r)


@function()
def qr(input: Tensor, some: bool = True) -> QR:
    """Orthogonal Q (complete unless `some`) and upper triangular R with A = Q R."""
    return linalg_qr(input, "reduced" if some else "complete")


@function()
def geqrf(input: Tensor) -> Reflections:
    """The QR decomposition as Householder's vectors and scales."""
    return Reflections(apply(P["householder_packed"], (input,)), apply(P["householder_scales"], (input,)))


def _reflected(vectors: Tensor, tau: Tensor, x: Tensor, backwards: bool = True) -> Tensor:
    """The product of reflections times `x`, or of their transpose if not `backwards`."""
    size, places = vectors.shape[-2], range(tau.shape[-1])
    tau = tau if backwards else conj(tau)
    for k in reversed(places) if backwards else places:
        below = narrow(narrow(vectors, -1, k, 1), -2, k + 1, size - k - 1)
        head = below.new_zeros((*below.shape[:-2], k, 1)), below.new_ones((*below.shape[:-2], 1, 1))
        v = cat([*head, below], -2)
        x = x - narrow(tau, -1, k, 1).unsqueeze(-1) * (v @ (mh(v) @ x))
    return x


def _instead(a: Tensor, constant: Tensor) -> Tensor:
    """A constant in the shape of `a`; that it does not depend on `a` is known to gradients alone."""
    return where(a.new_zeros((), dtype=dtypes.bool_), a, constant)


@function("orgqr")
def householder_product(A: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first columns of the product of reflections whose vectors are below the diagonal of A."""
    _check_matrix("householder_product", A)
    start = expand(eye(A.shape[-2], A.shape[-1], dtype=A.dtype), *A.shape[:-2], -1, -1)
    return into(out, _reflected(A, tau, start) if tau.shape[-1] else _instead(A, start))


@function()
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """The product of reflections (or its transpose) times `other`, or `other` times it."""
    if input.ndim < 2:
        raise ShapeError(f"ormqr: input: expected at least 2 dimensions. Received: shape {tuple(input.shape)}")
    if left:
        return _reflected(input, tau, other, backwards=not transpose)
    return mh(_reflected(input, tau, mh(other), backwards=transpose))


def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Eigen:
    """Eigenvalues in order and eigenvectors of symmetric matrices, of which one triangle is read."""
    whole = symmetric("eigh", A, _is_upper(UPLO))
    return Eigen(apply(P["eigh_values"], (whole,)), apply(P["eigh_vectors"], (whole,)))


def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Eigenvalues in order of symmetric matrices, of which one triangle is read."""
    return into(out, apply(P["eigh_values"], (symmetric("eigvalsh", A, _is_upper(UPLO)),)))


def _is_upper(triangle: str) -> bool:
    if triangle not in ("L", "U", "l", "u"):
        raise ArgumentError(f"eigh: UPLO: expected 'L' or 'U'. Received: {triangle!r}")
    return triangle in ("U", "u")


def eig(A: Tensor, *, out: Any = None) -> GeneralEigen:
    """Complex eigenvalues and eigenvectors of length 1 of square matrices; `eigh` for symmetric ones."""
    check_square("eig", A)
    return GeneralEigen(apply(P["eig_values"], (A,)), apply(P["eig_vectors"], (A,)))


def eigvals(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complex eigenvalues of square matrices, in no order."""
    check_square("eigvals", A)
    return into(out, apply(P["eig_values"], (A,)))


def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Singular values, the largest first."""
    _check_matrix("svdvals", A)
    return into(out, apply(P["svd_values"], (A,)))


def linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> SVD:
    """A = U diag(S) Vh with orthogonal U and Vh, square if `full_matrices`."""
    u, s, v = svd(A, some=not full_matrices)
    return SVD(u, s, mh(v))


@function()
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> USV:
    """A = U diag(S) Vᴴ with orthogonal U and V, square unless `some`; zeros for them unless `compute_uv`."""
    s = svdvals(input)
    rows, columns = input.shape[-2:]
    if not compute_uv:
        batch = tuple(input.shape[:-2])
        return USV(input.new_zeros((*batch, rows, rows)), s, input.new_zeros((*batch, columns, columns)))
    full = (("full", not some),)
    return USV(apply(P["svd_left"], (input,), full), s, apply(P["svd_right"], (input,), full))


def _cutoff(a: Tensor, largest: Tensor, atol: Any, rtol: Any) -> Tensor:
    """Below what a singular value is taken for zero: the larger of `atol` and `rtol` times the largest value."""
    if rtol is None:
        rtol = tolerance(a)
        if isinstance(atol, Tensor):
            rtol = (atol <= 0).to(a.dtype.to_real()) * rtol
        elif atol is not None and atol > 0:
            rtol = 0.0
    relative = largest * rtol
    if atol is None:
        return relative
    least = atol.to(a.dtype.to_real()) if isinstance(atol, Tensor) else relative.new_full((), atol)
    return relative.maximum(least)


def _largest(values: Tensor) -> Tensor:
    return values.amax(-1) if values.shape[-1] else values.sum(-1)


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
         out: Tensor | None = None) -> Tensor:  # fmt: skip
    """Moore and Penrose's pseudoinverse; singular values up to `atol` or `rtol` times the largest count as zero."""
    _check_matrix("pinv", A)
    a = A
    if hermitian:
        whole = symmetric("pinv", A, False)
        a = (whole + mh(whole)) / 2  # so is the gradient
    if not A.shape[-1] or not A.shape[-2]:
        return into(out, mh(a) * 0)
    limit = _cutoff(A, _largest(svdvals(a.detach())), atol, rcond if rtol is None else rtol)
    batch = tuple(A.shape[:-2])
    return into(out, apply(P["pseudoinverse"], (a, expand(limit.detach(), batch) if limit.shape != batch else limit)))


@function()
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Moore and Penrose's pseudoinverse."""
    return pinv(input, rcond)


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None,
                out: Tensor | None = None) -> Tensor:  # fmt: skip
    """How many singular values (absolute eigenvalues if `hermitian`) are above a tolerance, see `pinv`."""
    _check_matrix("matrix_rank", A)
    if tol is not None:
        atol, rtol = tol, 0.0
    values = (eigvalsh(A).abs() if hermitian else svdvals(A)).detach()
    limit = _cutoff(A, _largest(values), atol, rtol)
    return into(out, (values > limit.unsqueeze(-1)).sum(-1))


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X with the least |A X - B|, and of those the least. The rank is observed where residuals depend on it."""
    _check_matrix("lstsq", A)
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1]))
    right = B.unsqueeze(-1) if vector else B
    solution = pinv(A, rcond) @ right
    rank = matrix_rank(A, rtol=rcond)
    residuals, nothing = A.new_empty((0,), dtype=A.dtype.to_real()), rank.new_empty((0,))
    rows, columns = A.shape[-2:]
    if driver != "gelsy" and driver is not None and rows > columns and bool((rank == columns).all()):
        residuals = (A @ solution - right).abs().square().sum(-2)
    values = svdvals(A) if driver in ("gelsd", "gelss") else A.new_empty((0,), dtype=A.dtype.to_real())
    solution = solution.squeeze(-1) if vector else solution
    return LeastSquares(solution, residuals, nothing if driver == "gels" else rank, values)


@function("linalg_matrix_power", also={"input": "A"})
def matrix_power(A: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """A multiplied with itself; of the inverse for negative n."""
    check_square("matrix_power", A)
    base = inverse(A) if n < 0 else A
    result: Tensor | None = None
    count = abs(n)
    while count:
        if count & 1:
            result = base if result is None else result @ base
        count >>= 1
        base = base @ base if count else base
    if result is None:
        result = _instead(A, eye(A.shape[-1], dtype=A.dtype))
    return into(out, result)


@function(also={"input": "A"})
def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of square matrices."""
    check_square("matrix_exp", A)
    return apply(P["matrix_exponential"], (A,))


@function(is_method=False)
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> USV:
    """The first q singular values and vectors of A less M. They are exact: nothing is drawn at random."""
    u, s, v = svd(A if M is None else A - M)
    size = min(6 if q is None else q, s.shape[-1])
    return USV(narrow(u, -1, 0, size), narrow(s, -1, 0, size), narrow(v, -1, 0, size))


@function(is_method=False)
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> USV:
    """The first q principal components of rows. They are exact: nothing is drawn at random."""
    size = min(6, *A.shape[-2:]) if q is None else q
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, size)


def cond(A: Tensor, p: Any = None, *, out: Tensor | None = None) -> Tensor:
    """The condition of matrices in a norm, the ratio of singular values for 2 (the default) and -2."""
    from .norms import matrix_norm

    _check_matrix("cond", A)
    if p in (None, 2, -2):
        values = svdvals(A)
        first, last = narrow(values, -1, 0, 1), narrow(values, -1, values.shape[-1] - 1, 1)
        return into(out, (last / first if p == -2 else first / last).squeeze(-1))
    check_square("cond", A)
    if not A.shape[-1]:
        return into(out, A.new_zeros(tuple(A.shape[:-2])))
    return into(out, matrix_norm(A, p) * matrix_norm(inverse(A), p))


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Powers 0 to N - 1 of numbers along a new last axis."""
    x = x.reshape(1) if not x.ndim else x
    size = x.shape[-1] if N is None else N
    if size <= 1:
        return x.new_ones((*x.shape, size))
    dtype = x.dtype if x.dtype.differentiable else dtypes.int64
    powers = expand(x.to(dtype).unsqueeze(-1), *x.shape, size - 1)
    return cat([powers.new_ones((*x.shape, 1)), powers], -1).cumprod(-1)


def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """The inverse for `tensordot(A, x, A.ndim - ind)`."""
    head, tail = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if ind <= 0 or math.prod(head) != math.prod(tail):
        raise ShapeError(f"tensorinv: expected sizes of one product before and after axis {ind}. Received: {A.shape}")
    return into(out, inverse(A.reshape(math.prod(head), -1)).reshape(*tail, *head))


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None, *, out: Tensor | None = None) -> Tensor:
    """X of `tensordot(A, X, X.ndim) = B`."""
    from .solving import solved

    if dims is not None:
        moved = [d % A.ndim for d in dims]
        A = A.permute(*[k for k in range(A.ndim) if k not in moved], *moved)
    shape = tuple(A.shape[B.ndim :])
    return into(out, solved(A.reshape(-1, math.prod(shape)), B.reshape(-1, 1)).reshape(shape))


def multi_dot(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The product of matrices (the first and the last may be vectors), in the order of least work."""
    chain = list(tensors)
    if len(chain) < 2:
        raise ArgumentError(f"multi_dot: expected at least 2 tensors. Received: {len(chain)}")
    is_row, is_column = chain[0].ndim == 1, chain[-1].ndim == 1
    chain[0] = chain[0].unsqueeze(0) if is_row else chain[0]
    chain[-1] = chain[-1].unsqueeze(-1) if is_column else chain[-1]
    sizes = [chain[0].shape[0], *(t.shape[1] for t in chain)]
    best: dict[tuple[int, int], tuple[int, Tensor]] = {(k, k): (0, t) for k, t in enumerate(chain)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, len(chain)):
        for i in range(len(chain) - length):
            j = i + length
            work, k = min((best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                          for k in range(i, j))  # fmt: skip
            best[i, j], cut[i, j] = (work, chain[i]), k

    def product(i: int, j: int) -> Tensor:
        return chain[i] if i == j else product(i, cut[i, j]) @ product(cut[i, j] + 1, j)

    result = product(0, len(chain) - 1)
    result = result.squeeze(-1) if is_column else result
    return into(out, result.squeeze(0) if is_row else result)


@function(is_method=False)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices in the order of least work."""
    return multi_dot(matrices) if len(matrices) > 1 else matrices[0]
