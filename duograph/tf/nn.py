"""`tf.nn`: activations, convolution, pooling, losses and normalisation, channels last unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duograph.torch as torch
from duograph.torch.nn import functional as F

from . import dtypes
from .errors import InvalidArgumentError, report
from .math import check_kind, operands, reduce_mean
from .missing import missing
from .tensors import Tensor, convert_to_tensor

_ACTIVATIONS = {
    "elu": F.elu,
    "relu": F.relu,
    "relu6": F.relu6,
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "swish": F.silu,
    "tanh": torch.tanh,
}


def _activation(name: str, function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def activate(features: Any, name: str | None = None) -> Tensor:
        return function(convert_to_tensor(features))

    activate.__name__ = activate.__qualname__ = name
    activate.__doc__ = f"The activation {name}, elementwise."
    return activate


globals().update({name: _activation(name, function) for name, function in _ACTIVATIONS.items()})


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """x where positive, alpha x elsewhere."""
    return F.leaky_relu(convert_to_tensor(features), alpha)


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """x Φ(x); `approximate` with tanh in place of the error function."""
    return F.gelu(convert_to_tensor(features), approximate="tanh" if approximate else "none")


def softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Tensor:
    """exp(x) / sum exp(x) along `axis`."""
    return F.softmax(convert_to_tensor(logits), dim=-1 if axis is None else axis)


def log_softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Tensor:
    """x - log sum exp(x) along `axis`."""
    return F.log_softmax(convert_to_tensor(logits), dim=-1 if axis is None else axis)


def dropout(x: Any, rate: float, noise_shape: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """Each element zeroed with probability `rate`, the others scaled by 1 / (1 - rate)."""
    from .random import uniform

    x = convert_to_tensor(x)
    check_kind("nn.dropout", x, "float")
    if not 0 <= rate < 1:
        raise InvalidArgumentError(f"tf.nn.dropout expected 0 <= rate < 1. Received: {rate}")
    if rate == 0:
        return x
    kept = uniform(x.shape if noise_shape is None else noise_shape, seed=seed) >= rate
    return torch.where(kept, x / (1 - rate), torch.zeros_like(x))


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """`bias` added along the channel axis: the last, or the second for a data format that begins with "NC"."""
    value, bias = operands("nn.bias_add", value, bias)
    first = data_format is not None and data_format.startswith("NC")
    return value + (bias.reshape(-1, *(1,) * (value.ndim - 2)) if first else bias)


def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes`."""
    from .math import reduce_variance

    return reduce_mean(x, axes, keepdims), reduce_variance(x, axes, keepdims)


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: str | None = None
) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon), times `scale`, plus `offset` (either may be None)."""
    factor = torch.rsqrt(convert_to_tensor(variance) + variance_epsilon)
    factor = factor if scale is None else factor * convert_to_tensor(scale)
    result = (convert_to_tensor(x) - convert_to_tensor(mean)) * factor
    return result if offset is None else result + convert_to_tensor(offset)


# -- losses ------------------------------------------------------------------------------------------------------------
def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """-log softmax(logits) at the class indices `labels`; shape logits.shape[:-1]."""
    chances = log_softmax(logits)
    chosen = torch.gather(chances, -1, convert_to_tensor(labels).to(dtypes.int64).unsqueeze(-1))
    return -chosen.squeeze(-1)


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: str | None = None) -> Tensor:
    """-sum labels · log softmax(logits) along `axis`."""
    return -torch.sum(convert_to_tensor(labels) * log_softmax(logits, axis), dim=axis)


def sigmoid_cross_entropy_with_logits(labels: Any = None, logits: Any = None, name: str | None = None) -> Tensor:
    """The binary cross entropy of independent classes, elementwise: max(x, 0) - x z + log(1 + exp(-|x|))."""
    labels, logits = operands("nn.sigmoid_cross_entropy_with_logits", labels, logits)
    return torch.clamp(logits, min=0) - logits * labels + torch.log1p(torch.exp(-torch.abs(logits)))


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of squares."""
    return torch.sum(torch.square(convert_to_tensor(t))) / 2


def embedding_lookup(params: Any, ids: Any, max_norm: float | None = None, name: str | None = None) -> Tensor:
    """Rows of `params`: shape ids.shape + params.shape[1:]."""
    if max_norm is not None:
        raise InvalidArgumentError(
            "tf.nn.embedding_lookup(max_norm=...) is not built: clip the rows with tf.clip_by_norm"
        )
    return convert_to_tensor(params)[convert_to_tensor(ids).to(dtypes.int64)]


# -- windows -----------------------------------------------------------------------------------------------------------
def _channels_first(x: Tensor, data_format: str | None) -> tuple[Tensor, bool]:
    """`x` with its channels second, and whether they were last."""
    if data_format is not None and data_format.startswith("NC"):
        return x, False
    return x.movedim(-1, 1), True


def _spatial(value: Any, n: int, data_format: str | None) -> tuple[int, ...]:
    """Strides, dilations or window sizes, given as one number, one for each spatial axis, or one for each axis."""
    if value is None:
        return (1,) * n
    if isinstance(value, int):
        return (value,) * n
    value = tuple(value)
    if len(value) == 1:
        return value * n
    if len(value) == n:
        return value
    return value[2:] if data_format is not None and data_format.startswith("NC") else value[1:-1]


def _margins(sizes: Any, window: Any, strides: Any, dilations: Any) -> list[tuple[int, int]]:
    """What padding "SAME" adds before and after each spatial axis: the odd element goes after."""
    margins = []
    for size, k, s, d in zip(sizes, window, strides, dilations, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        margins.append((total // 2, total - total // 2))
    return margins


def _padded(
    x: Tensor, padding: Any, window: Any, strides: Any, dilations: Any, data_format: str | None, value: float
) -> Tensor:
    if isinstance(padding, str):
        if padding.upper() not in ("SAME", "VALID"):
            raise InvalidArgumentError(
                f'expected padding "SAME" or "VALID", or explicit margins. Received: {padding!r}'
            )
        if padding.upper() == "VALID":
            return x
        margins = _margins(x.shape[2:], window, strides, dilations)
    else:
        every = [tuple(p) for p in padding]
        margins = every[2:] if data_format is not None and data_format.startswith("NC") else every[1:-1]
    flat = [n for pair in reversed(margins) for n in pair]
    return F.pad(x, flat, value=value) if any(flat) else x


def _convolve(
    n: int,
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilations: Any,
    groups: int | None,
) -> Tensor:
    x, w = operands(f"nn.conv{n}d", input, filters)
    x, last = _channels_first(x, data_format)
    strides, dilations = _spatial(strides, n, data_format), _spatial(dilations, n, data_format)
    x = _padded(x, padding, w.shape[:n], strides, dilations, data_format, 0.0)
    kernel = w.permute(n + 1, n, *range(n))  # (out, in, ...)
    convolution = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    y = convolution(x, kernel, stride=strides, dilation=dilations, groups=groups or x.shape[1] // kernel.shape[1])
    return y.movedim(1, -1) if last else y


def conv1d(
    input: Any,
    filters: Any,
    stride: Any,
    padding: Any,
    data_format: str = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of (batch, width, channels) with filters (width, in, out)."""
    return _convolve(1, input, filters, stride, padding, data_format, dilations, None)


def conv2d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of (batch, height, width, channels) with filters (height, width, in, out)."""
    return _convolve(2, input, filters, strides, padding, data_format, dilations, None)


def conv3d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of (batch, depth, height, width, channels) with filters (depth, height, width, in, out)."""
    return _convolve(3, input, filters, strides, padding, data_format, dilations, None)


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """Convolution of each channel on its own, with filters (height, width, channels, multiplier)."""
    filter = convert_to_tensor(filter)
    height, width, channels, multiplier = filter.shape
    filters = filter.reshape(height, width, 1, channels * multiplier)
    return _convolve(2, input, filters, strides, padding, data_format, dilations, channels)


def _pool(n: int, kind: str, input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None) -> Tensor:
    input = convert_to_tensor(input)
    if input.ndim != n + 2:
        raise InvalidArgumentError(
            f"pooling over {n} axes expected (batch, {n} sizes, channels). Received: shape {tuple(input.shape)}"
        )
    x, last = _channels_first(input, data_format)
    window, strides = _spatial(ksize, n, data_format), _spatial(strides, n, data_format)
    same = isinstance(padding, str) and padding.upper() == "SAME"
    ones = (1,) * n
    if kind == "max":
        y = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1](
            _padded(x, padding, window, strides, ones, data_format, float("-inf")), window, strides
        )
    else:
        average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[n - 1]
        y = average(_padded(x, padding, window, strides, ones, data_format, 0.0), window, strides)
        if same:  # elements of the margin do not count
            y = y / average(
                _padded(torch.ones_like(x[:1, :1]), padding, window, strides, ones, data_format, 0.0), window, strides
            )
    return y.movedim(1, -1) if last else y


def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """The largest value of each window of (batch, height, width, channels)."""
    return _pool(2, "max", input, ksize, strides, padding, data_format)


def avg_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NHWC", name: str | None = None
) -> Tensor:
    """The mean of each window of (batch, height, width, channels)."""
    return _pool(2, "average", input, ksize, strides, padding, data_format)


def max_pool(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The largest value of each window, over one, two or three spatial axes."""
    return _pool(convert_to_tensor(input).ndim - 2, "max", input, ksize, strides, padding, data_format)


def avg_pool(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The mean of each window, over one, two or three spatial axes."""
    return _pool(convert_to_tensor(input).ndim - 2, "average", input, ksize, strides, padding, data_format)


def depth_to_space(input: Any, block_size: int, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Blocks of channels become blocks of pixels: (b, h, w, c·s²) to (b, h·s, w·s, c)."""
    x, last = _channels_first(convert_to_tensor(input), data_format)
    b, c, h, w = x.shape
    s = block_size
    y = x.reshape(b, s, s, c // (s * s), h, w).permute(0, 3, 4, 1, 5, 2).reshape(b, c // (s * s), h * s, w * s)
    return y.movedim(1, -1) if last else y


def space_to_depth(input: Any, block_size: int, data_format: str = "NHWC", name: str | None = None) -> Tensor:
    """Blocks of pixels become channels: (b, h, w, c) to (b, h/s, w/s, c·s²)."""
    x, last = _channels_first(convert_to_tensor(input), data_format)
    b, c, h, w = x.shape
    s = block_size
    y = x.reshape(b, c, h // s, s, w // s, s).permute(0, 3, 5, 1, 2, 4).reshape(b, c * s * s, h // s, w // s)
    return y.movedim(1, -1) if last else y


_PUBLIC = [name for name, found in globals().items() if getattr(found, "__module__", "") == __name__ and name[0] != "_"]
report(globals(), _PUBLIC)
from .candidates import nce_loss, sampled_softmax_loss  # noqa: E402, F401 after what they build on
from .networks import *  # noqa: E402

__getattr__ = missing(__name__, globals(), {"ctc_beam_search_decoder": "use tf.nn.ctc_greedy_decoder"})
