"""`torch.sparse`: products and sums of sparse tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...graph.dtype import DType, float32, float64, int64
from ...ops import FUNCTIONS
from ...tensor.core import Tensor
from ..missing import missing
from .coo import SparseTensor, sparse_coo_tensor

__all__ = ["DoubleTensor", "FloatTensor", "LongTensor", "SparseTensor", "addmm", "log_softmax", "mm", "softmax", "sum"]


def mm(mat1: Any, mat2: Any) -> Any:
    """The product of matrices, one of them sparse: a dense matrix."""
    return mat1 @ mat2


def addmm(mat: Tensor, mat1: SparseTensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """`beta * mat + alpha * mat1 @ mat2` for a sparse `mat1`."""
    return beta * mat + alpha * (mat1 @ mat2)


def sum(input: SparseTensor, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of all elements, or over some axes."""
    return (input if dtype is None else input.to(dtype)).sum(dim)


def _over_groups(input: SparseTensor, dim: int) -> tuple[SparseTensor, Tensor, Tensor]:
    """Values less the greatest along an axis, which of the lines along it each is of, and how much their exponentials
    come to there."""
    whole = input.coalesce()
    if whole.dense_dim():
        whole = whole.to_dense().to_sparse()
    others = [k for k in range(whole.ndim) if k != dim % whole.ndim]
    line: Any = FUNCTIONS["zeros_like"](whole._i[0])
    count = 1
    for k in others:
        line = line * whole.shape[k] + whole._i[k]
        count *= whole.shape[k]
    most = whole._v.detach().new_full((count,), float("-inf")).scatter_reduce(0, line, whole._v.detach(), "amax")
    values = whole._v - most[line]
    return whole._with(values), line, values.new_zeros(count).index_add(0, line, values.exp())


def softmax(input: SparseTensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """Softmax over the elements along an axis that have values."""
    shifted, line, total = _over_groups(input if dtype is None else input.to(dtype), dim)
    return shifted._with(shifted._v.exp() / total[line])


def log_softmax(input: SparseTensor, dim: int, *, dtype: Any = None) -> SparseTensor:
    """The logarithm of softmax over the elements along an axis that have values."""
    shifted, line, total = _over_groups(input if dtype is None else input.to(dtype), dim)
    return shifted._with(shifted._v - total.log()[line])


def _typed(name: str, dtype: DType) -> Callable[..., SparseTensor]:
    def make(indices: Any, values: Any, size: Any = None) -> SparseTensor:
        return sparse_coo_tensor(indices, values, size, dtype=dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"The old form of `torch.sparse_coo_tensor`, of {dtype.name}."
    return make


FloatTensor, DoubleTensor = _typed("FloatTensor", float32), _typed("DoubleTensor", float64)
LongTensor = _typed("LongTensor", int64)
__getattr__ = missing(__name__, __all__)
