"""What distributions are made with: parameters of one shape, probabilities and their logarithms."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS as F
from ...ops.casting import finfo
from ...tensor.convert import as_tensor, from_buffer
from ...tensor.core import Tensor, get_default_dtype

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]  # fmt: skip

lazy_property = cached_property


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of one shape; numbers take the dtype of the first tensor."""
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), get_default_dtype())
    return tuple(F["broadcast_tensors"](*(v if isinstance(v, Tensor) else as_tensor(v, dtype=dtype) for v in values)))


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities brought inside (0, 1), as far as the dtype can tell."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of logits: of one outcome each, or of the classes of the last axis."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Logits of probabilities: of one outcome each, or of the classes of the last axis."""
    inside = clamp_probs(probs)
    return inside.log() - (-inside).log1p() if is_binary else inside.log()


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Vectors (..., m) as the lower triangles, up to the diagonal `diag`, of matrices; row by row.

    Raises ArgumentError (a ValueError) for a length that fills no triangle.
    """
    n = round((-(1 + 2 * diag) + math.sqrt((1 + 2 * diag) ** 2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1))) / 2)
    rows, columns = np.tril_indices(n, diag)
    if len(rows) != vec.shape[-1]:
        raise ArgumentError(f"expected as many elements as a triangle has. Received: {vec.shape[-1]}")
    places = from_buffer((rows * n + columns).astype(np.int64))
    flat = F["zeros"]((*vec.shape[:-1], n * n), dtype=vec.dtype)
    return flat.index_copy(-1, places, vec).unflatten(-1, (n, n))


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangles, up to the diagonal `diag`, of matrices as vectors, row by row."""
    n = mat.shape[-1]
    rows, columns = np.tril_indices(n, diag)
    return mat.flatten(-2).index_select(-1, from_buffer((rows * n + columns).astype(np.int64)))


def one_of(name: str, **given: Any) -> str:
    """The name of the only argument that was given. Raises ArgumentError (a ValueError) for none or several."""
    present = [key for key, value in given.items() if value is not None]
    if len(present) != 1:
        raise ArgumentError(f"{name}: expected one of {', '.join(given)}. Received: {', '.join(present) or 'none'}")
    return present[0]


def log_sigmoid(x: Tensor) -> Tensor:
    return x.clamp(max=0) - (-x.abs()).exp().log1p()


def log_beta(*concentrations: Tensor) -> Tensor:
    """The logarithm of the beta function of several arguments."""
    total = sum(concentrations[1:], concentrations[0])
    return sum((c.lgamma() for c in concentrations[1:]), concentrations[0].lgamma()) - total.lgamma()


def units(shape: Any, like: Tensor) -> Tensor:
    """Uniform numbers of the open interval (0, 1)."""
    dtype = like.dtype
    return F["rand"](tuple(shape), dtype=dtype).clamp(min=finfo(dtype).tiny)


EULER = 0.57721566490153286061
"""Euler's constant."""

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def sum_rightmost(x: Tensor, count: int) -> Tensor:
    """The sum over the last `count` axes."""
    return x.sum(tuple(range(x.ndim - count, x.ndim))) if count else x
