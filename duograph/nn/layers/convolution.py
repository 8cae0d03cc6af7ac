"""Convolution and its transpose: one class each, with the number of axes as an attribute."""

from __future__ import annotations

import math
from typing import Any

from ...functional import convolution as convolutions
from ...graph.errors import ArgumentError, ShapeError
from ...ops.creation import empty
from ...tensor.core import Tensor, apply
from .. import functional as F
from .. import init
from ..functional.common import per_axis
from ..module import Module
from ..parameter import Parameter
from .linear import reset_bias

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    axes: int
    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        name, n = type(self).__name__, self.axes
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{name}: groups: expected a divisor of in_channels {in_channels} and out_channels {out_channels}. "
                f"Received: {groups}"
            )
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(f"{name}: padding_mode: expected one of {PADDING_MODES}. Received: {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, n)
        self.stride = per_axis(name, "stride", stride, n)
        self.dilation = per_axis(name, "dilation", dilation, n)
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise ArgumentError(f"{name}: padding: expected 'valid', 'same' or numbers. Received: {padding!r}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ArgumentError(f"{name}: padding: expected numbers where the stride is not 1. Received: 'same'")
            self.padding: Any = padding
        else:
            self.padding = per_axis(name, "padding", padding, n)
        self.output_padding = per_axis(name, "output_padding", output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: uniform within 1 / sqrt(fan in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        reset_bias(self.bias, self.weight)

    def extra_repr(self) -> str:
        n = self.axes
        parts = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        if self.padding != (0,) * n:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * n:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * n:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device,
            dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._both_sides(), self.padding_mode)
            padding = 0
        return apply(convolutions.conv, (input, weight, bias), (
            ("stride", self.stride), ("padding", padding), ("dilation", self.dilation), ("groups", self.groups),
        ))  # fmt: skip

    def _both_sides(self) -> list[int]:
        """The padding as numbers for both sides of each axis, the last axis first."""
        sides = []
        for k in reversed(range(self.axes)):
            if isinstance(self.padding, str):
                total = self.dilation[k] * (self.kernel_size[k] - 1) if self.padding == "same" else 0
                sides += [total // 2, total - total // 2]
            else:
                sides += [self.padding[k]] * 2
        return sides


class _ConvTranspose(_ConvNd):
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ArgumentError(f"{type(self).__name__}: padding_mode: expected 'zeros'. Received: {padding_mode!r}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._output_padding(input, tuple(output_size))
        return apply(convolutions.conv_transpose, (input, self.weight, self.bias), (
            ("stride", self.stride), ("padding", self.padding), ("output_padding", extra), ("groups", self.groups),
            ("dilation", self.dilation),
        ))  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: tuple[int, ...]) -> tuple[int, ...]:
        """What must be added at the ends to reach an output size. Raises ShapeError where that is out of reach."""
        n = self.axes
        wanted = output_size[-n:]
        least = tuple(
            (size - 1) * s - 2 * p + d * (k - 1) + 1
            for size, s, p, d, k in zip(
                input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        )
        if any(not low <= w <= low + s - 1 for low, w, s in zip(least, wanted, self.stride, strict=True)):
            most = tuple(low + s - 1 for low, s in zip(least, self.stride, strict=True))
            raise ShapeError(
                f"{type(self).__name__}: output_size: expected between {least} and {most}. Received: {wanted}"
            )
        return tuple(w - low for w, low in zip(wanted, least, strict=True))


class Conv1d(_Conv):
    """Convolution over [N, C, L]."""

    axes = 1


class Conv2d(_Conv):
    """Convolution over [N, C, H, W]."""

    axes = 2


class Conv3d(_Conv):
    """Convolution over [N, C, D, H, W]."""

    axes = 3


class ConvTranspose1d(_ConvTranspose):
    """The adjoint of a convolution over [N, C, L]."""

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """The adjoint of a convolution over [N, C, H, W]."""

    axes = 2


class ConvTranspose3d(_ConvTranspose):
    """The adjoint of a convolution over [N, C, D, H, W]."""

    axes = 3
