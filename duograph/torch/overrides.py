"""`torch.overrides`: classes of one's own in the places of tensors. Functions take none here; subclasses of Tensor do
as tensors do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..tensor.core import Tensor
from .missing import missing

__all__ = ["has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "is_tensor_like"]


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """False: no class takes functions over here."""
    return False


def has_torch_function_unary(arg: Any) -> bool:
    """False: no class takes functions over here."""
    return False


def has_torch_function_variadic(*args: Any) -> bool:
    """False: no class takes functions over here."""
    return False


def is_tensor_like(inp: Any) -> bool:
    """Whether this is a tensor."""
    return isinstance(inp, Tensor)


__getattr__ = missing(__name__, __all__)
