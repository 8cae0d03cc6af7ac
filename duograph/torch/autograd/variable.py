"""`torch.autograd.variable`: the wrapper around tensors that PyTorch had before 0.4."""

from __future__ import annotations

import warnings
from typing import Any

from ...tensor.convert import tensor
from ...tensor.core import Tensor

__all__ = ["Variable"]


class _Variable(type):
    """Every tensor is a variable, and a call makes a tensor."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Any = None, requires_grad: bool = False, volatile: bool = False) -> Tensor:
        if volatile:
            warnings.warn("volatile has no effect: use torch.no_grad()", UserWarning, stacklevel=2)
        made = data.detach() if isinstance(data, Tensor) else tensor([] if data is None else data)
        return made.requires_grad_() if requires_grad else made


class Variable(metaclass=_Variable):
    """`Variable(data, requires_grad=False)` is a tensor over the same memory that may require gradients."""
