"""Linear maps, and nothing at all."""

from __future__ import annotations

import math
from typing import Any

from ...functional import linear as maps
from ...ops.creation import empty
from ...tensor.core import Tensor, apply
from .. import init
from ..module import Module
from ..parameter import Parameter


class Identity(Module):
    """Gives its input. Takes any arguments, to stand in for other layers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """`x @ weight.T + bias` on the last axis: [..., in_features] to [..., out_features]."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: uniform within 1 / sqrt(in_features)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        reset_bias(self.bias, self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return apply(maps.linear, (input, self.weight, self.bias))

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def reset_bias(bias: Tensor | None, weight: Tensor) -> None:
    """Uniform within 1 / sqrt(fan in of the weight)."""
    if bias is not None:
        fan = init.fans(weight)[0]
        bound = 1 / math.sqrt(fan) if fan else 0
        init.uniform_(bias, -bound, bound)


class Bilinear(Module):
    """`x1 @ weight[o] @ x2 + bias[o]`: [..., in1_features] and [..., in2_features] to [..., out_features]."""

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: uniform within 1 / sqrt(in1_features)."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return apply(maps.bilinear, (input1, input2, self.weight, self.bias))

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
