"""What PyTorch has and no other room does: constructors by type name, and powers of numbers."""

from __future__ import annotations

from typing import Any

from ..graph.dtype import DType
from ..graph.errors import ShapeError
from ..ops.creation import filled
from ..ops.factors import vander as powers
from ..tensor.convert import tensor
from ..tensor.core import Tensor


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with a message unless the condition holds; a tensor's content is observed."""
    if not condition:
        raise AssertionError(message)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The matrix of the powers 0 to N - 1 of the numbers `x [n]`, N = n by default: the highest first, or last."""
    if x.ndim != 1:
        raise ShapeError(f"vander: expected one axis. Received: shape {tuple(x.shape)}")
    made = powers(x, N)
    return made if increasing else made.flip(-1)


class _LegacyType(type):
    """`isinstance(x, torch.FloatTensor)` asks for the dtype."""

    dtype: DType

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=cls.dtype)
        return filled(tuple(data) or (0,), 0, cls.dtype)


def legacy_type(name: str, dtype: DType) -> Any:
    """`torch.FloatTensor` and its kin: from data, or of sizes."""
    return _LegacyType(name, (), {"dtype": dtype, "__doc__": f"Makes tensors of {dtype.name}."})
