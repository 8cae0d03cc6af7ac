"""Convolution, pooling and the re-arrangement of windows under PyTorch's names and arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...functional import convolution as convolutions
from ...functional import pooling as pools
from ...graph.errors import ShapeError
from ...tensor.core import Tensor, apply
from .common import hashable, per_axis


def _check_weight(name: str, weight: Tensor, n: int) -> None:
    if weight.ndim != n + 2:
        raise ShapeError(f"{name}: weight: expected {n + 2} dimensions. Received: shape {tuple(weight.shape)}")


def _conv(n: int) -> Callable[..., Tensor]:
    def function(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:  # fmt: skip
        _check_weight(name, weight, n)
        return apply(convolutions.conv, (input, weight, bias), (
            ("stride", hashable(stride)), ("padding", hashable(padding)), ("dilation", hashable(dilation)),
            ("groups", groups),
        ))  # fmt: skip

    name = function.__name__ = f"conv{n}d"
    function.__doc__ = f"Convolution (correlation) over {n} axes: input [N, C, ...], weight [O, C / groups, ...]."
    return function


def _conv_transpose(n: int) -> Callable[..., Tensor]:
    def function(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
    ) -> Tensor:  # fmt: skip
        _check_weight(name, weight, n)
        return apply(convolutions.conv_transpose, (input, weight, bias), (
            ("stride", hashable(stride)), ("padding", hashable(padding)), ("output_padding", hashable(output_padding)),
            ("groups", groups), ("dilation", hashable(dilation)),
        ))  # fmt: skip

    name = function.__name__ = f"conv_transpose{n}d"
    function.__doc__ = f"The adjoint of a convolution over {n} axes: input [N, C, ...], weight [C, O / groups, ...]."
    return function


conv1d, conv2d, conv3d = (_conv(n) for n in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (_conv_transpose(n) for n in (1, 2, 3))


def _max_pool(n: int, both: bool) -> Callable[..., Any]:
    def function(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        return apply(pools.max_pool, (input,), (
            ("kernel_size", per_axis(name, "kernel_size", kernel_size, n)), ("stride", hashable(stride)),
            ("padding", hashable(padding)), ("dilation", hashable(dilation)), ("ceil_mode", bool(ceil_mode)),
            ("return_indices", both or bool(return_indices)),
        ))  # fmt: skip

    name = function.__name__ = f"max_pool{n}d" + "_with_indices" * both
    function.__doc__ = f"The largest element of each window over {n} axes; with `return_indices` also where it was."
    return function


max_pool1d, max_pool2d, max_pool3d = (_max_pool(n, False) for n in (1, 2, 3))
max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (_max_pool(n, True) for n in (1, 2, 3))


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window over the last axis."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window over 2 axes, or its sum by `divisor_override`."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window over 3 axes, or its sum by `divisor_override`."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _avg_pool(
    n: int, input: Tensor, kernel: Any, stride: Any, padding: Any, ceil: bool, count_pad: bool, divisor: int | None
) -> Tensor:
    return apply(pools.avg_pool, (input,), (
        ("kernel_size", per_axis(f"avg_pool{n}d", "kernel_size", kernel, n)), ("stride", hashable(stride)),
        ("padding", hashable(padding)), ("ceil_mode", bool(ceil)), ("count_include_pad", bool(count_pad)),
        ("divisor_override", divisor),
    ))  # fmt: skip


def _lp_pool(n: int) -> Callable[..., Tensor]:
    def function(
        input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Tensor:
        return apply(pools.lp_pool, (input,), (
            ("norm_type", float(norm_type)), ("kernel_size", per_axis(name, "kernel_size", kernel_size, n)),
            ("stride", hashable(stride)), ("ceil_mode", bool(ceil_mode)),
        ))  # fmt: skip

    name = function.__name__ = f"lp_pool{n}d"
    function.__doc__ = f"The p-norm of each window over {n} axes."
    return function


lp_pool1d, lp_pool2d, lp_pool3d = (_lp_pool(n) for n in (1, 2, 3))


def _adaptive_avg_pool(n: int) -> Callable[..., Tensor]:
    def function(input: Tensor, output_size: Any) -> Tensor:
        sizes = per_axis(name, "output_size", output_size, n)
        return apply(pools.adaptive_avg_pool, (input,), (("output_size", sizes),))

    name = function.__name__ = f"adaptive_avg_pool{n}d"
    function.__doc__ = f"Means over a grid of `output_size` windows that cover {n} axes; None keeps an axis."
    return function


def _adaptive_max_pool(n: int, both: bool) -> Callable[..., Any]:
    def function(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        sizes = per_axis(name, "output_size", output_size, n)
        attributes = (("output_size", sizes), ("return_indices", both or bool(return_indices)))
        return apply(pools.adaptive_max_pool, (input,), attributes)

    name = function.__name__ = f"adaptive_max_pool{n}d" + "_with_indices" * both
    function.__doc__ = f"Largest elements over a grid of `output_size` windows that cover {n} axes."
    return function


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (_adaptive_avg_pool(n) for n in (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = (_adaptive_max_pool(n, False) for n in (1, 2, 3))
adaptive_max_pool1d_with_indices, adaptive_max_pool2d_with_indices, adaptive_max_pool3d_with_indices = (
    _adaptive_max_pool(n, True) for n in (1, 2, 3)
)


def _max_unpool(n: int) -> Callable[..., Tensor]:
    def function(
        input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Tensor:
        kernel = per_axis(name, "kernel_size", kernel_size, n)
        steps = kernel if stride is None else per_axis(name, "stride", stride, n)
        pads = per_axis(name, "padding", padding, n)
        if output_size is None:
            places = zip(input.shape[-n:], steps, pads, kernel, strict=True)
            sizes = tuple((size - 1) * step - 2 * pad + k for size, step, pad, k in places)
        else:
            sizes = tuple(output_size)[-n:]
        return apply(pools.max_unpool, (input, indices), (("output_size", sizes),))

    name = function.__name__ = f"max_unpool{n}d"
    function.__doc__ = f"Zeros with the elements of `input` where max pooling over {n} axes found them."
    return function


max_unpool1d, max_unpool2d, max_unpool3d = (_max_unpool(n) for n in (1, 2, 3))


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of [N, C, H, W] as columns [N, C * window, places]."""
    return apply(pools.unfold, (input,), (
        ("kernel_size", per_axis("unfold", "kernel_size", kernel_size, 2)), ("dilation", hashable(dilation)),
        ("padding", hashable(padding)), ("stride", hashable(stride)),
    ))  # fmt: skip


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Columns [N, C * window, places] added up where their windows were."""
    return apply(pools.fold, (input,), (
        ("output_size", per_axis("fold", "output_size", output_size, 2)),
        ("kernel_size", per_axis("fold", "kernel_size", kernel_size, 2)), ("dilation", hashable(dilation)),
        ("padding", hashable(padding)), ("stride", hashable(stride)),
    ))  # fmt: skip
