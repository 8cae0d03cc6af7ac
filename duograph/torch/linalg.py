"""`torch.linalg`: norms, products, and the QR decomposition. Other decompositions and solvers are not built yet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..graph.errors import ArgumentError, GradientError
from ..ops import FUNCTIONS
from ..ops.define import into
from ..tensor.convert import from_buffer
from ..tensor.core import Tensor
from .missing import missing

__all__ = ["cross", "diagonal", "matmul", "matrix_norm", "norm", "qr", "vecdot", "vector_norm"]

matmul, cross = FUNCTIONS["matmul"], FUNCTIONS["cross"]


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
                out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The norm of vectors along axes (all if None)."""
    return into(out, FUNCTIONS["norm"](x, ord, dim, keepdim, dtype=dtype))


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None,
                out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The norm of matrices: "fro", 1, -1, infinity or -infinity.

    Raises ArgumentError for those that need singular values.
    """
    rows, columns = (d % A.ndim for d in dim)
    if ord == "fro":
        return into(out, FUNCTIONS["norm"](A, 2, (rows, columns), keepdim, dtype=dtype))
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise ArgumentError(f"matrix_norm: ord: expected 'fro', 1, -1 or an infinity. Received: {ord!r}")
    summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = FUNCTIONS["sum"](FUNCTIONS["abs"](A), summed, True, dtype=dtype)
    result = FUNCTIONS["amax" if ord > 0 else "amin"](sums, kept, True)
    return into(out, result if keepdim else FUNCTIONS["squeeze"](result, (rows, columns)))


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
         out: Tensor | None = None) -> Tensor:  # fmt: skip
    """A vector norm (`dim` None or one axis) or a matrix norm (two axes)."""
    if isinstance(dim, tuple | list) and len(dim) == 2 and ord is not None:
        return matrix_norm(A, ord, tuple(dim), keepdim, dtype=dtype, out=out)
    if dim is None and ord is not None and A.ndim == 2:
        return matrix_norm(A, ord, (-2, -1), keepdim, dtype=dtype, out=out)
    return vector_norm(A, 2 if ord in (None, "fro") else ord, dim, keepdim, dtype=dtype, out=out)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Inner products along an axis."""
    return into(out, FUNCTIONS["sum"](FUNCTIONS["mul"](x, y), dim))


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of matrices."""
    return FUNCTIONS["diagonal"](A, offset, dim1, dim2)


class QR(NamedTuple):
    """What `qr` gives."""

    Q: Tensor
    R: Tensor


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Orthogonal Q and upper triangular R with A = Q R. The content is observed.

    Raises GradientError for a tensor that requires grad: this decomposition has no gradient here yet.
    """
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode: expected 'reduced', 'complete' or 'r'. Received: {mode!r}")
    if A.requires_grad:
        raise GradientError("qr has no gradient here yet: take A.detach(), or compute it under no_grad()")
    array = A._array()
    if mode == "r":
        return QR(from_buffer(np.zeros(0, array.dtype)), from_buffer(np.linalg.qr(array).R))
    q, r = np.linalg.qr(array, "complete" if mode == "complete" else "reduced")
    return QR(from_buffer(q), from_buffer(r))


__getattr__ = missing(__name__, __all__)
