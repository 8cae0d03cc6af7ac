"""`torch.ao.nn.quantized`: operations as modules, of floating point numbers."""

from __future__ import annotations

from typing import Any

from .....nn import Module
from .....nn import functional as F
from .....ops import FUNCTIONS
from .....tensor.core import Tensor
from ....missing import missing

__all__ = ["FloatFunctional"]


class FloatFunctional(Module):
    """Sums, products and the like as methods, where PyTorch can observe what is to be quantised."""

    def forward(self, x: Any) -> Any:
        raise RuntimeError("FloatFunctional is not to be called itself: call its methods add, mul, cat, ...")

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """x + y."""
        return x + y

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """x + y."""
        return x + y

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """x * y."""
        return x * y

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """x * y."""
        return x * y

    def cat(self, x: list[Tensor], dim: int = 0) -> Tensor:
        """One after the other along an axis."""
        return FUNCTIONS["cat"](x, dim)

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """relu(x + y)."""
        return F.relu(x + y)

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """x @ y."""
        return x @ y


__getattr__ = missing(__name__, __all__)
