"""Activations as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...functional import activation as composites
from ...ops.creation import empty
from ...tensor.core import Tensor, apply
from .. import functional as F
from ..module import Module
from ..parameter import Parameter


class _Plain(Module):
    """An activation whose arguments are attributes of the same names; those that differ from `shown` are printed."""

    function: Callable[..., Tensor]
    arguments: tuple[str, ...] = ()

    def forward(self, input: Tensor) -> Tensor:
        return type(self).function(input, *[getattr(self, name) for name in self.arguments])

    def extra_repr(self) -> str:
        parts = []
        for name in self.arguments:
            value = getattr(self, name)
            if name == "inplace":
                if value:
                    parts.append("inplace=True")
            else:
                parts.append(f"{name}={value!r}")
        return ", ".join(parts)


class _Inplace(_Plain):
    """An activation that may write its result into its input."""

    arguments = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class ReLU(_Inplace):
    """max(x, 0)."""

    function = staticmethod(F.relu)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, True) if self.inplace else apply(composites.relu, (input,))


class ReLU6(_Inplace):
    """min(max(x, 0), 6)."""

    function = staticmethod(F.relu6)


class SiLU(_Inplace):
    """x times sigmoid(x)."""

    function = staticmethod(F.silu)


class Mish(_Inplace):
    """x times tanh(softplus(x))."""

    function = staticmethod(F.mish)


class SELU(_Inplace):
    """The scaled exponential linear unit."""

    function = staticmethod(F.selu)


class Hardsigmoid(_Inplace):
    """min(max(x + 3, 0), 6) / 6."""

    function = staticmethod(F.hardsigmoid)


class Hardswish(_Inplace):
    """x times hardsigmoid(x)."""

    function = staticmethod(F.hardswish)


class Sigmoid(_Plain):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class Tanh(_Plain):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class Softsign(_Plain):
    """x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class LogSigmoid(_Plain):
    """log(sigmoid(x)), without overflow."""

    function = staticmethod(F.logsigmoid)


class Tanhshrink(_Plain):
    """x - tanh(x)."""

    function = staticmethod(F.tanhshrink)


class LeakyReLU(_Plain):
    """x where positive, else `negative_slope * x`."""

    function = staticmethod(F.leaky_relu)
    arguments = ("negative_slope", "inplace")

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace


class ELU(_Plain):
    """x where positive, else `alpha * (exp(x) - 1)`."""

    function = staticmethod(F.elu)
    arguments = ("alpha", "inplace")

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace


class CELU(ELU):
    """x where positive, else `alpha * (exp(x / alpha) - 1)`."""

    function = staticmethod(F.celu)


class GELU(_Plain):
    """x times the normal distribution function of x, exactly or by the formula "tanh"."""

    function = staticmethod(F.gelu)
    arguments = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class Hardtanh(_Plain):
    """x cut off at `min_val` and `max_val`."""

    function = staticmethod(F.hardtanh)
    arguments = ("min_val", "max_val", "inplace")

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.min_val = min_val if min_value is None else min_value  # the names from before PyTorch 1.0
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace


class Threshold(_Plain):
    """x where above `threshold`, else `value`."""

    function = staticmethod(F.threshold)
    arguments = ("threshold", "value", "inplace")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace


class RReLU(Module):
    """LeakyReLU with slopes drawn from [lower, upper] in training."""

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


class Softplus(_Plain):
    """log(1 + exp(beta * x)) / beta; x itself where `beta * x` is above `threshold`."""

    function = staticmethod(F.softplus)
    arguments = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold


class _Shrink(_Plain):
    arguments = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """0 where |x| is at most `lambd`, else x."""

    function = staticmethod(F.hardshrink)


class Softshrink(_Shrink):
    """x moved towards 0 by `lambd`, and 0 where |x| is at most that."""

    function = staticmethod(F.softshrink)


class _AlongAxis(_Plain):
    arguments = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along an axis."""

    function = staticmethod(F.softmax)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along an axis, without loss of precision."""

    function = staticmethod(F.log_softmax)


class Softmin(_AlongAxis):
    """softmax(-x) along an axis."""

    function = staticmethod(F.softmin)


class Softmax2d(Module):
    """The softmax over the channels of [N, C, H, W] or [C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, -3)


class GLU(_Plain):
    """The first half along an axis, gated by the sigmoid of the second."""

    function = staticmethod(F.glu)
    arguments = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim


class PReLU(Module):
    """x where positive, else a trained slope times x: one, or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to their first value."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
