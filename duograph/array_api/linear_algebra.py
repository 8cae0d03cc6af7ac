"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from ..functional import linear
from ..ops import FUNCTIONS as F
from ..tensor.core import Tensor, promoted
from .elementwise import alike


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product; vectors and batches as in NumPy."""
    return F["matmul"](x1, x2)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Sums of products over the last `axes` axes of `x1` and the first of `x2`, or over pairs of axes."""
    return F["tensordot"](*alike(x1, x2), axes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Inner products along an axis, counted from the back; the others broadcast."""
    return promoted(linear.vecdot, *alike(x1, x2), attributes=(("axis", axis),))
