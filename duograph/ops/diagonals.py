"""Triangles and diagonals of matrices, under PyTorch's names."""

from __future__ import annotations

from ..functional import linear
from ..graph.errors import AxisError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.primitives.rules import normalize_axis
from ..tensor.core import Tensor, apply
from .define import function, into
from .manipulation import permute, reshape


@function(in_place=True)
def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The lower triangle; zero above `diagonal`."""
    return into(out, apply(linear.tril, (input,), (("offset", diagonal),)))


@function(in_place=True)
def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The upper triangle; zero below `diagonal`."""
    return into(out, apply(linear.triu, (input,), (("offset", diagonal),)))


@function()
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonals of planes dim1, dim2, as the last axis."""
    a, b = normalize_axis(dim1, input.ndim), normalize_axis(dim2, input.ndim)
    if a == b:
        raise AxisError(f"diagonal: expected two different axes. Received: {dim1} and {dim2}")
    rest = [k for k in range(input.ndim) if k not in (a, b)]
    x = permute(input, (*rest, a, b))
    n, m = x._value.shape[-2:]
    first, count = (offset, min(n, m - offset)) if offset >= 0 else (-offset * m, min(n + offset, m))
    flat = reshape(x, (*x._value.shape[:-2], n * m))
    if count <= 0:
        return flat[..., :0]
    return flat[..., first : first + (count - 1) * (m + 1) + 1 : m + 1]


_diagonal = diagonal  # where that name is an argument's


@function()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last axis of `input` on a diagonal."""
    return apply(linear.diag_embed, (input,), (("offset", offset), ("axis1", dim1), ("axis2", dim2)))


@function()
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A vector on a diagonal of a matrix, or the diagonal of a matrix."""
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim == 2:
        return apply(P["copy"], (_diagonal(input, diagonal),))
    raise ShapeError(f"diag: expected 1 or 2 dimensions. Received: shape {tuple(input.shape)}")


@function()
def trace(input: Tensor) -> Tensor:
    """The sum of the main diagonal of a matrix."""
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix. Received: shape {tuple(input.shape)}")
    return _diagonal(input).sum()
