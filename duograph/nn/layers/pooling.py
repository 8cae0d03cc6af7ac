"""Pooling: one class for each kind, with the number of axes as an attribute."""

from __future__ import annotations

from typing import Any

from ...functional import pooling as pools
from ...graph.errors import ArgumentError
from ...tensor.core import Tensor, apply
from .. import functional as F
from ..functional.common import hashable, per_axis
from ..module import Module


class _MaxPool(Module):
    axes: int

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return apply(pools.max_pool, (input,), (
            ("kernel_size", per_axis(type(self).__name__, "kernel_size", self.kernel_size, self.axes)),
            ("stride", hashable(self.stride)), ("padding", hashable(self.padding)),
            ("dilation", hashable(self.dilation)), ("ceil_mode", self.ceil_mode),
            ("return_indices", self.return_indices),
        ))  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of [N, C, L]."""

    axes = 1


class MaxPool2d(_MaxPool):
    """The largest element of each window of [N, C, H, W]."""

    axes = 2


class MaxPool3d(_MaxPool):
    """The largest element of each window of [N, C, D, H, W]."""

    axes = 3


class _MaxUnpool(Module):
    axes: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self.axes)
        self.stride = self.kernel_size if stride is None else per_axis(name, "stride", stride, self.axes)
        self.padding = per_axis(name, "padding", padding, self.axes)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self.axes - 1]
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Puts elements back where MaxPool1d found them, among zeros."""

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """Puts elements back where MaxPool2d found them, among zeros."""

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """Puts elements back where MaxPool3d found them, among zeros."""

    axes = 3


class _FractionalMaxPool(Module):
    axes: int

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(f"{name}: expected either output_size or output_ratio. Received: both or neither")
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self.axes)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else per_axis(name, "output_size", output_size, self.axes)
        self.output_ratio = None
        if output_ratio is not None:
            self.output_ratio = per_axis(name, "output_ratio", output_ratio, self.axes)
            if not all(0 < ratio < 1 for ratio in self.output_ratio):
                raise ArgumentError(f"{name}: output_ratio: expected numbers between 0 and 1. Received: {output_ratio}")

    def forward(self, input: Tensor) -> Any:
        pool = F.fractional_max_pool2d if self.axes == 2 else F.fractional_max_pool3d
        return pool(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest elements of windows of [N, C, H, W] at random places (Graham 2014)."""

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest elements of windows of [N, C, D, H, W] at random places (Graham 2014)."""

    axes = 3


class _AvgPool(Module):
    axes: int

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return apply(pools.avg_pool, (input,), (
            ("kernel_size", per_axis(type(self).__name__, "kernel_size", self.kernel_size, self.axes)),
            ("stride", hashable(self.stride)), ("padding", hashable(self.padding)), ("ceil_mode", self.ceil_mode),
            ("count_include_pad", self.count_include_pad), ("divisor_override", self.divisor_override),
        ))  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of each window of [N, C, L]."""

    axes = 1

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        kernel = per_axis("AvgPool1d", "kernel_size", kernel_size, 1)
        step = None if stride is None else per_axis("AvgPool1d", "stride", stride, 1)
        super().__init__(kernel, step, per_axis("AvgPool1d", "padding", padding, 1), ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of each window of [N, C, H, W]."""

    axes = 2


class AvgPool3d(_AvgPool):
    """The mean of each window of [N, C, D, H, W]."""

    axes = 3


class _LPPool(Module):
    axes: int

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pool = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[self.axes - 1]
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of each window of [N, C, L]."""

    axes = 1


class LPPool2d(_LPPool):
    """The p-norm of each window of [N, C, H, W]."""

    axes = 2


class LPPool3d(_LPPool):
    """The p-norm of each window of [N, C, D, H, W]."""

    axes = 3


class _AdaptivePool(Module):
    axes: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(_AdaptivePool):
    def forward(self, input: Tensor) -> Tensor:
        sizes = per_axis(type(self).__name__, "output_size", self.output_size, self.axes)
        return apply(pools.adaptive_avg_pool, (input,), (("output_size", sizes),))


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means over windows that cover [N, C, L], as many as wanted."""

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means over windows that cover [N, C, H, W], as many as wanted."""

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means over windows that cover [N, C, D, H, W], as many as wanted."""

    axes = 3


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        sizes = per_axis(type(self).__name__, "output_size", self.output_size, self.axes)
        attributes = (("output_size", sizes), ("return_indices", self.return_indices))
        return apply(pools.adaptive_max_pool, (input,), attributes)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Largest elements of windows that cover [N, C, L], as many as wanted."""

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Largest elements of windows that cover [N, C, H, W], as many as wanted."""

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Largest elements of windows that cover [N, C, D, H, W], as many as wanted."""

    axes = 3
