"""`tf.linalg`: products, norms, diagonals; decompositions and solvers are in `factors`."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from .errors import InvalidArgumentError, report
from .math import axes, l2_normalize, operands
from .missing import missing
from .tensors import Tensor, convert_to_tensor, eye

__all__ = [
    "cross",
    "diag",
    "diag_part",
    "einsum",
    "eye",
    "global_norm",
    "l2_normalize",
    "matmul",
    "matrix_transpose",
    "matvec",
    "norm",
    "set_diag",
    "tensordot",
    "trace",
]


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """Matrix products over the last two axes, the others being batch axes that broadcast."""
    a, b = operands("matmul", a, b)
    if a.ndim < 2 or b.ndim < 2:
        raise InvalidArgumentError(
            f"tf.matmul expected at least two axes. Received: shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    a = a.transpose(-1, -2) if transpose_a or adjoint_a else a
    b = b.transpose(-1, -2) if transpose_b or adjoint_b else b
    return torch.matmul(a, b)


def matvec(a: Any, b: Any, transpose_a: bool = False, name: str | None = None) -> Tensor:
    """Matrix times vector, over the last two axes and the last one."""
    return matmul(a, convert_to_tensor(b).unsqueeze(-1), transpose_a=transpose_a).squeeze(-1)


def matrix_transpose(a: Any, name: str | None = None) -> Tensor:
    """The last two axes exchanged."""
    return convert_to_tensor(a).transpose(-1, -2)


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Contraction over `axes`: a number of last and first axes, or a pair of lists."""
    a, b = operands("tensordot", a, b)
    if not isinstance(axes, int):
        axes = tuple([x] if isinstance(x, int) else list(x) for x in axes)
    return torch.tensordot(a, b, dims=axes)


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Einstein summation."""
    return torch.einsum(equation, *(convert_to_tensor(x) for x in inputs))


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product over the last axis, of size 3."""
    return torch.linalg.cross(*operands("cross", a, b), dim=-1)


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The vector norm over `axis` (all axes): "euclidean", 1, 2, infinity or any p."""
    x = convert_to_tensor(tensor)
    dim = axes(axis)
    if ord in ("euclidean", "fro", 2):
        return torch.sqrt(torch.sum(torch.square(x), dim=dim, keepdim=keepdims))
    return torch.linalg.vector_norm(x, ord=float(ord), dim=dim, keepdim=keepdims)


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The euclidean norm of all tensors taken together; None is left out."""
    squares = [torch.sum(torch.square(convert_to_tensor(t))) for t in t_list if t is not None]
    return torch.sqrt(torch.stack(squares).sum())


def diag(diagonal: Any, name: str = "diag") -> Tensor:
    """Matrices with the last axis of `diagonal` on their diagonals."""
    return torch.diag_embed(convert_to_tensor(diagonal))


def diag_part(input: Any, name: str = "diag_part") -> Tensor:
    """The diagonals of the matrices in the last two axes."""
    return torch.diagonal(convert_to_tensor(input), dim1=-2, dim2=-1)


def set_diag(input: Any, diagonal: Any, name: str = "set_diag") -> Tensor:
    """The matrices in the last two axes with other diagonals."""
    input, diagonal = operands("set_diag", input, diagonal)
    rows, columns = input.shape[-2:]
    on = torch.arange(rows).unsqueeze(1) == torch.arange(columns)
    wide = torch.nn.functional.pad(diagonal, (0, max(rows, columns) - diagonal.shape[-1]))
    return torch.where(on, wide.unsqueeze(-1)[..., :rows, :], input)


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sums of the diagonals of the matrices in the last two axes."""
    return diag_part(x).sum(-1)


report(globals(), __all__)
from .factors import *  # noqa: E402 after what it builds on

__getattr__ = missing(__name__, globals(), {"LinearOperator": "build the matrix and use tf.linalg.matmul and solve"})
