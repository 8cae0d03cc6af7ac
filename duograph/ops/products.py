"""Matrix products and norms under PyTorch's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functional import linear
from ..graph.dialect import spoken
from ..graph.dtype import bool_
from ..graph.errors import ShapeError
from ..graph.trace import local
from ..tensor.core import Tensor, apply, binary, method, operand, promoted, result_type
from .complex import conj
from .define import function, into
from .elementwise import masked_fill


@method
def __matmul__(self: Tensor, other: Any) -> Any:
    if local.autocast is not None and isinstance(other, Tensor):  # which operators do not know
        return matmul(self, other)
    is_matrix = isinstance(other, Tensor | np.ndarray) or (isinstance(other, list | tuple) and spoken() is not None)
    return binary(linear.matmul, self, other) if is_matrix else NotImplemented


@method
def __rmatmul__(self: Tensor, other: Any) -> Any:
    is_matrix = isinstance(other, Tensor | np.ndarray) or (isinstance(other, list | tuple) and spoken() is not None)
    return binary(linear.matmul, other, self) if is_matrix else NotImplemented


@function()
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product; vectors and batches as in NumPy."""
    return into(out, promoted(linear.matmul, input, other))


def _of_rank(name: str, *ranks: int) -> Any:
    def check(*tensors: Tensor) -> None:
        for place, (t, rank) in enumerate(zip(tensors, ranks, strict=True)):
            if t.ndim != rank:
                raise ShapeError(
                    f"{name}: expected {rank} dimensions for argument {place}. Received: shape {tuple(t.shape)}"
                )

    return check


_mm, _bmm, _mv, _dot, _ger = (
    _of_rank(n, *r) for n, r in {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1), "outer": (1, 1)}.items()
)


@function()
def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices."""
    _mm(input, mat2)
    return matmul(input, mat2, out=out)


@function()
def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Products of matrices, one for each place of the first axis."""
    _bmm(input, mat2)
    if input.shape[0] != mat2.shape[0]:
        raise ShapeError(f"bmm: expected equal batches. Received: {tuple(input.shape)}, {tuple(mat2.shape)}")
    return matmul(input, mat2, out=out)


@function()
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector."""
    _mv(input, vec)
    return matmul(input, vec)


@function()
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors, of which the first is conjugated."""
    return dot(conj(input), other)


@function(also={"tensor": "other"})
def dot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors."""
    _dot(input, other)
    return matmul(input, other)


@function()
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last axes of both; a number multiplies."""
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            f"inner: expected last axes of one size. Received: {tuple(input.shape)} and {tuple(other.shape)}"
        )
    dtype = result_type(input, other)
    axes = (("axes", ((input.ndim - 1,), (other.ndim - 1,))),)
    return apply(linear.tensordot, (operand(input, dtype), operand(other, dtype)), axes)


@function("ger")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The outer product of two vectors."""
    _ger(input, vec2)
    return promoted(linear.outer, input, vec2)


@function(in_place=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * mat1 @ mat2`."""
    return _start(input, beta) + _scaled(mm(mat1, mat2), alpha)


@function(in_place=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * sum(batch1 @ batch2)`."""
    return _start(input, beta) + _scaled(bmm(batch1, batch2).sum(0), alpha)


@function(in_place=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * batch1 @ batch2`."""
    return _start(input, beta) + _scaled(bmm(batch1, batch2), alpha)


@function(in_place=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * mat @ vec`."""
    return _start(input, beta) + _scaled(mv(mat, vec), alpha)


@function(in_place=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """`beta * input + alpha * outer(vec1, vec2)`."""
    return _start(input, beta) + _scaled(outer(vec1, vec2), alpha)


def _start(input: Tensor, beta: Any) -> Tensor:
    """`beta * input`; with beta 0 its content counts for nothing, not even where it is NaN."""
    if local.autocast is not None:
        input = local.autocast.lowered(input)
    return masked_fill(input, input.new_ones((), dtype=bool_), 0) if beta == 0 else _scaled(input, beta)


def _scaled(x: Tensor, factor: Any) -> Tensor:
    """A whole number tensor stays one: the factor is cut to its dtype, as in PyTorch."""
    return x if factor == 1 else x * (factor if x.dtype.differentiable else x.new_tensor(factor))
