"""Norms of vectors and matrices under the names of `torch.linalg`."""

from __future__ import annotations

from typing import Any

from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError
from ..graph.primitives.rules import normalize_axis
from ..tensor.core import Tensor, cast
from .define import into
from .factors import svdvals
from .statistics import norm as p_norm


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
                out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The norm of vectors along axes (all if None)."""
    return into(out, p_norm(x, ord, dim, keepdim, dtype=dtype))


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None,
                out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The norm of matrices: "fro", "nuc", 1, -1, 2, -2, infinity or -infinity."""
    if A.ndim < 2 or not isinstance(dim, tuple | list) or len(dim) != 2:
        raise ArgumentError(f"matrix_norm: expected 2 axes of a matrix. Received: dim {dim} and {A.ndim} axes")
    rows, columns = (normalize_axis(d, A.ndim) for d in dim)
    if dtype is not None:
        A = cast(A, dtypes.dtype(dtype))
    if ord == "fro":
        return into(out, p_norm(A, 2, (rows, columns), keepdim))
    if ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((rows, columns), (-2, -1)))
        if ord == "nuc":
            result = values.sum(-1)
        else:
            result = (values.amax(-1) if ord > 0 else values.amin(-1)) if values.shape[-1] else values.sum(-1)
        for axis in sorted((rows, columns)) if keepdim else ():
            result = result.unsqueeze(axis)
        return into(out, result)
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise ArgumentError(f"matrix_norm: ord: expected 'fro', 'nuc', 1, 2 or infinity. Received: {ord!r}")
    summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(summed, True)
    extreme = sums.sum if not A.shape[kept] else sums.amax if ord > 0 else sums.amin
    result = extreme(kept, True)
    return into(out, result if keepdim else result.squeeze((rows, columns)))


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
         out: Tensor | None = None) -> Tensor:  # fmt: skip
    """A vector norm (`dim` None or one axis) or a matrix norm (two axes)."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype, out=out)
    if dim is None and A.ndim > 2:
        raise ArgumentError(f"norm: dim: expected 1 or 2 axes where `ord` is given. Received: None and {A.ndim} axes")
    axes = dim if isinstance(dim, tuple | list) else tuple(range(A.ndim)) if dim is None else (dim,)
    if isinstance(ord, str) or len(axes) > 1:
        return matrix_norm(A, ord, axes, keepdim, dtype=dtype, out=out)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype, out=out)
