"""Functions of matrices `[..., m, n]` that NumPy lacks, of float32 or float64, complex or not."""

from __future__ import annotations

from math import prod

import numpy as np


def cofactors(a: np.ndarray) -> np.ndarray:
    """det(A) A⁻ᵀ, also where A has no inverse: from A = U S Vᴴ, cof(A) = det(U) det(Vᴴ) conj(U) cof(S) Vᵀ."""
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1)
    turn = np.linalg.det(u) * np.linalg.det(vh)
    return (u.conj() * (others * turn[..., None])[..., None, :]) @ vh.conj()


def lu_in_order(a: np.ndarray) -> np.ndarray:
    """L, less its diagonal of ones, and U in one matrix: elimination without pivots."""
    result = np.array(a)
    for k in range(result.shape[-1] - 1):
        pivot = result[..., k, k, None]
        # as LAPACK: a column of zeros below a zero pivot is left as it is
        factor = result[..., k + 1 :, k] / np.where(pivot == 0, 1, pivot)
        result[..., k + 1 :, k] = factor
        result[..., k + 1 :, k + 1 :] -= factor[..., None] * result[..., k, None, k + 1 :]
    return result


def lu_pivots(a: np.ndarray) -> np.ndarray:
    """With which row, counted from 1, each row changes places in elimination with partial pivoting."""
    shape = a.shape
    rows = np.array(a).reshape(prod(shape[:-2]), *shape[-2:])
    count = min(shape[-2:])
    pivots, batch = np.zeros((len(rows), count), np.int32), np.arange(len(rows))
    for k in range(count):
        column = rows[:, k:, k]
        # LAPACK's measure of a complex number is the sum of its parts
        chosen = k + (np.abs(column.real) + np.abs(column.imag)).argmax(1)
        pivots[:, k] = chosen + 1
        upper = rows[batch, chosen]
        rows[batch, chosen] = rows[:, k]
        rows[:, k] = upper
        pivot = upper[:, k, None]
        factor = rows[:, k + 1 :, k] / np.where(pivot == 0, 1, pivot)
        rows[:, k + 1 :, k + 1 :] -= factor[..., None] * upper[:, None, k + 1 :]
    return pivots.reshape(*shape[:-2], count)


def pivot_order(pivots: np.ndarray, *, size: int) -> np.ndarray:
    """Which row stands where after the exchanges of `pivots`."""
    flat = pivots.reshape(prod(pivots.shape[:-1]), pivots.shape[-1]).astype(np.int64) - 1
    order = np.tile(np.arange(size), (len(flat), 1))
    batch = np.arange(len(flat))
    for k in range(flat.shape[1]):
        other = order[batch, flat[:, k]]
        order[batch, flat[:, k]] = order[:, k]
        order[:, k] = other
    return order.reshape(*pivots.shape[:-1], size)


def pseudoinverse(a: np.ndarray, cutoff: np.ndarray) -> np.ndarray:
    """Moore and Penrose's, singular values not above the cutoff being taken for zero."""
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    limit = cutoff[..., None]
    if (np.abs(s - limit) <= 1e-5 * np.abs(limit)).any():  # without vectors, LAPACK's values differ in the last digits
        s = np.linalg.svd(a, compute_uv=False)
    kept = s > limit
    inverse = np.where(kept, 1 / np.where(kept, s, 1), 0)
    return (vh.swapaxes(-1, -2).conj() * inverse[..., None, :]) @ u.swapaxes(-1, -2).conj()


_PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip


def exponential(a: np.ndarray) -> np.ndarray:
    """exp(A) by scaling, Padé's approximant of degree 13, and squaring.

    N. J. Higham, "The scaling and squaring method for the matrix exponential revisited", SIAM Rev. 51 (2009).
    """
    if not a.size:
        return a
    x = a.astype(np.result_type(a, np.float64))
    norm = np.abs(x).sum(-2).max(-1)
    halvings = np.ceil(np.log2(np.maximum(norm, 1e-300) / 5.371920351148152)).clip(0, 1100).astype(np.int64)
    x = x * np.exp2(-halvings)[..., None, None]
    powers = [np.broadcast_to(np.eye(a.shape[-1]), x.shape), x @ x]
    powers += [powers[1] @ powers[1], powers[1] @ powers[1] @ powers[1]]
    b = _PADE
    high = powers[3] @ (b[13] * powers[3] + b[11] * powers[2] + b[9] * powers[1])
    odd = x @ (high + sum(b[2 * k + 1] * powers[k] for k in range(4)))
    even = powers[3] @ (b[12] * powers[3] + b[10] * powers[2] + b[8] * powers[1])
    even = even + sum(b[2 * k] * powers[k] for k in range(4))
    result = np.linalg.solve(even - odd, even + odd)
    for k in range(int(halvings.max())):
        result = np.where((halvings > k)[..., None, None], result @ result, result)
    return result.astype(a.dtype)
