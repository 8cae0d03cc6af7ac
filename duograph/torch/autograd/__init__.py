"""`torch.autograd`: the tape's functions, and operations with the user's own gradient."""

from __future__ import annotations

from ...autograd import backward, enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled
from ...tensor.core import Tensor as Variable
from .function import Function, FunctionCtx, once_differentiable

__all__ = [
    "Function", "FunctionCtx", "Variable", "backward", "enable_grad", "grad", "is_grad_enabled", "no_grad",
    "once_differentiable", "set_grad_enabled",
]  # fmt: skip
