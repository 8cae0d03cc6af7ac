"""Convolution and pooling over images whose channels come last, as one operation each.

Keras's backend permutes the axes of the inputs and the kernel before PyTorch's function, and those of the result after
it: six operations to record, of which the compiler undoes five.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from duograph.functional.convolution import conv as convolve
from duograph.functional.pooling import avg_pool, max_pool
from duograph.graph import language as g
from duograph.graph.composite import composite
from duograph.graph.node import Node
from duograph.graph.trace import local
from duograph.tensor import Tensor
from duograph.tensor.core import apply

from .keras_amendments import amends

Sizes = tuple[int, ...]


def _first(x: Node) -> Node:
    """Channels before the spatial axes."""
    return g.permute(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def _last(x: Node) -> Node:
    return g.permute(x, (0, *range(2, x.ndim), 1))


@composite
def conv_channels_last(
    x: Node, w: Node, *, stride: Sizes, padding: tuple[tuple[int, int], ...], dilation: Sizes
) -> Node:
    """`x [N, *size, C]` correlated with `w [*kernel, C / groups, O]`, as by `functional.conv`."""
    n = w.ndim - 2
    kernel = g.permute(w, (n + 1, n, *range(n)))
    groups = x.shape[-1] // w.shape[n]
    return _last(convolve(_first(x), kernel, stride=stride, padding=padding, dilation=dilation, groups=groups))


@composite
def max_pool_channels_last(x: Node, *, kernel_size: Sizes, stride: Sizes) -> Node:
    """The largest element in each window of `x [N, *size, C]`."""
    return _last(max_pool(_first(x), kernel_size=kernel_size, stride=stride))


@composite
def avg_pool_channels_last(x: Node, *, kernel_size: Sizes, stride: Sizes) -> Node:
    """The mean of each window of `x [N, *size, C]`."""
    return _last(avg_pool(_first(x), kernel_size=kernel_size, stride=stride))


@amends("keras.src.backend.torch.nn")
def _spatial(module: ModuleType) -> None:
    convolution, pools = module.conv, {name: getattr(module, name) for name in ("max_pool", "average_pool")}
    operations = {"max_pool": max_pool_channels_last, "average_pool": avg_pool_channels_last}
    converted, default_format = module.convert_to_tensor, module.backend.image_data_format
    margins = module._compute_padding_length

    def is_short(x: Any, data_format: Any) -> bool:
        last = (default_format() if data_format is None else data_format) == "channels_last"
        return last and type(x) is Tensor and x._value.dtype.is_floating_point and local.autocast is None

    def conv(
        inputs: Any, kernel: Any, strides: Any = 1, padding: Any = "valid", data_format: Any = None,
        dilation_rate: Any = 1,
    ) -> Any:  # fmt: skip
        if is_short(inputs, data_format):
            kernel = converted(kernel)
            size, window = inputs._value.shape[1:-1], kernel._value.shape
            steps, gaps = _sizes(strides, len(size)), _sizes(dilation_rate, len(size))
            fits = (
                len(window) == len(size) + 2
                and window[-2] > 0
                and inputs._value.shape[-1] % window[-2] == 0
                and kernel._value.dtype is inputs._value.dtype
            )
            if fits and steps and gaps and padding in ("valid", "same"):
                pairs = [(0, 0)] * len(size)
                if padding == "same":
                    pairs = [margins(*given) for given in zip(size, window, steps, gaps, strict=False)]
                attributes = ("stride", steps), ("padding", tuple(pairs)), ("dilation", gaps)
                return apply(conv_channels_last, (inputs, kernel), attributes)
        return convolution(inputs, kernel, strides, padding, data_format, dilation_rate)

    def pool(name: str) -> Any:
        slowly, operation = pools[name], operations[name]

        @functools.wraps(slowly)
        def pooled(
            inputs: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", data_format: Any = None
        ) -> Any:
            if padding == "valid" and is_short(inputs, data_format):
                n = inputs.ndim - 2
                window, steps = _sizes(pool_size, n), _sizes(pool_size if strides is None else strides, n)
                if window and steps:
                    return apply(operation, (inputs,), (("kernel_size", window), ("stride", steps)))
            return slowly(inputs, pool_size, strides, padding, data_format)

        return pooled

    vars(module).update(conv=functools.wraps(convolution)(conv), **{name: pool(name) for name in pools})


def _sizes(value: Any, n: int) -> Sizes:
    """A positive size for each of n axes, n from 1 to 3; nothing where these are no such sizes."""
    found = (value,) * n if type(value) is int else tuple(value) if type(value) in (tuple, list) else ()
    return found if len(found) == n < 4 and all(type(k) is int and k > 0 for k in found) else ()
