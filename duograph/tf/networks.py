"""`tf.nn`: transposed and separable convolutions, further pools, sequence losses, and other less common names."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch
from duograph.torch.nn import functional as F

from . import dtypes
from .errors import InvalidArgumentError, report
from .math import in_top_k, l2_normalize, operands, top_k, zero_fraction
from .nn import _channels_first, _convolve, _margins, _pool, _spatial, depthwise_conv2d
from .partition import space_to_batch
from .tensors import Tensor, _sizes, convert_to_tensor

__all__ = [
    "atrous_conv2d", "avg_pool1d", "avg_pool3d", "compute_average_loss", "conv1d_transpose", "conv2d_transpose",
    "conv3d_transpose", "conv_transpose", "convolution", "crelu", "ctc_greedy_decoder", "ctc_loss", "in_top_k",
    "l2_normalize", "local_response_normalization", "log_poisson_loss", "lrn", "max_pool1d", "max_pool3d",
    "normalize_moments", "pool", "scale_regularization_loss", "separable_conv2d", "space_to_batch", "top_k",
    "weighted_cross_entropy_with_logits", "weighted_moments", "zero_fraction",
]  # fmt: skip


def convolution(
    input: Any, filters: Any, strides: Any = None, padding: str = "VALID", data_format: str | None = None,
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Convolution over one, two or three spatial axes."""
    return _convolve(convert_to_tensor(input).ndim - 2, input, filters, strides, padding, data_format, dilations, None)


def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """Convolution with filters whose elements are `rate` apart."""
    return _convolve(2, value, filters, 1, padding, "NHWC", rate, None)


def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any, padding: Any, data_format: str = "NHWC",
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Convolution of each channel on its own, then of all channels at each place."""
    x = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return _convolve(2, x, pointwise_filter, 1, "VALID", data_format, None, None)


def _transposed(
    n: int,
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any,
    data_format: str | None,
    dilations: Any,
) -> Tensor:
    """The gradient of a convolution with respect to its input: filters (..., out, in)."""
    x, w = operands(f"nn.conv{n}d_transpose", input, filters)
    x, last = _channels_first(x, data_format)
    strides, dilations = _spatial(strides, n, data_format), _spatial(dilations, n, data_format)
    sizes = _sizes(output_shape)
    wanted = (sizes[1:-1] if last else sizes[2:]) if len(sizes) == n + 2 else sizes
    full = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1](
        x, w.permute(n + 1, n, *range(n)), stride=strides, dilation=dilations
    )
    if isinstance(padding, str):
        same = padding.upper() == "SAME"
        margins = _margins(wanted, w.shape[:n], strides, dilations) if same else [(0, 0)] * n
    else:
        margins = [tuple(p) for p in padding][1:-1] if last else [tuple(p) for p in padding][2:]
    beyond = [
        (-before, before + size - have) for (before, _), size, have in zip(margins, wanted, full.shape[2:], strict=True)
    ]
    y = F.pad(full, [m for pair in reversed(beyond) for m in pair])
    return y.movedim(1, -1) if last else y


def conv1d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str = "NWC",
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Transposed convolution of (batch, width, channels) with filters (width, out, in)."""
    return _transposed(1, input, filters, output_shape, strides, padding, data_format, dilations)


def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str = "NHWC",
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Transposed convolution of (batch, height, width, channels) with filters (height, width, out, in)."""
    return _transposed(2, input, filters, output_shape, strides, padding, data_format, dilations)


def conv3d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str = "NDHWC",
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Transposed convolution of (batch, depth, height, width, channels); filters (depth, height, width, out, in)."""
    return _transposed(3, input, filters, output_shape, strides, padding, data_format, dilations)


def conv_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: Any = "SAME", data_format: str | None = None,
    dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Transposed convolution over one, two or three spatial axes."""
    n = convert_to_tensor(input).ndim - 2
    return _transposed(n, input, filters, output_shape, strides, padding, data_format, dilations)


def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC", name: Any = None
) -> Tensor:
    """The largest value of each window of (batch, width, channels)."""
    return _pool(1, "max", input, ksize, strides, padding, data_format)


def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC", name: Any = None
) -> Tensor:
    """The largest value of each window of (batch, depth, height, width, channels)."""
    return _pool(3, "max", input, ksize, strides, padding, data_format)


def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NWC", name: Any = None
) -> Tensor:
    """The mean of each window of (batch, width, channels)."""
    return _pool(1, "average", input, ksize, strides, padding, data_format)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str = "NDHWC", name: Any = None
) -> Tensor:
    """The mean of each window of (batch, depth, height, width, channels)."""
    return _pool(3, "average", input, ksize, strides, padding, data_format)


def pool(
    input: Any, window_shape: Any, pooling_type: str, strides: Any = None, padding: str = "VALID",
    data_format: str | None = None, dilations: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The largest value ("MAX") or mean ("AVG") of each window, over one, two or three spatial axes.

    Raises InvalidArgumentError for dilations.
    """
    if dilations is not None and any(d != 1 for d in _sizes(dilations)):
        raise InvalidArgumentError("tf.nn.pool with dilations is not built: pick elements with tf.strided_slice first")
    kind = {"MAX": "max", "AVG": "average"}.get(pooling_type)
    if kind is None:
        raise ValueError(f'tf.nn.pool expected "MAX" or "AVG". Received: {pooling_type!r}')
    return _pool(convert_to_tensor(input).ndim - 2, kind, input, window_shape, strides or 1, padding, data_format)


def crelu(features: Any, axis: int = -1, name: str | None = None) -> Tensor:
    """The positive parts of x and of -x, joined along `axis`."""
    x = convert_to_tensor(features)
    return torch.relu(torch.cat([x, -x], dim=axis))


def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5, name: str | None = None
) -> Tensor:
    """x / (bias + alpha · the sum of squares over the channels at most `depth_radius` away)^beta."""
    x = convert_to_tensor(input)
    width = 2 * depth_radius + 1
    squares = F.pad(torch.square(x), (depth_radius, depth_radius))
    total = torch.sum(torch.stack([squares.narrow(-1, i, x.shape[-1]) for i in range(width)]), dim=0)
    return x / torch.pow(bias + alpha * total, beta)


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """The binary cross entropy with the positive part weighted: (1 - z) x + (1 + (w - 1) z) log(1 + exp(-x))."""
    labels, logits = operands("nn.weighted_cross_entropy_with_logits", labels, logits)
    weight = 1 + (pos_weight - 1) * labels
    return (1 - labels) * logits + weight * (torch.log1p(torch.exp(-torch.abs(logits))) + torch.relu(-logits))


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """exp(c) - z c, the log-likelihood of Poisson's distribution; with Stirling's term for z > 1 if asked."""
    z, c = operands("nn.log_poisson_loss", targets, log_input)
    loss = torch.exp(c) - z * c
    if not compute_full_loss:
        return loss
    stirling = torch.xlogy(z, z) - z + 0.5 * torch.log(2 * torch.pi * torch.where(z > 0, z, torch.ones_like(z)))
    return loss + torch.where((z >= 0) & (z <= 1), torch.zeros_like(z), stirling)


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance from the sums of elements and of squares."""
    counts, mean_ss, variance_ss = (convert_to_tensor(x) for x in (counts, mean_ss, variance_ss))
    shifted = mean_ss / counts
    return (shifted if shift is None else shifted + shift), variance_ss / counts - torch.square(shifted)


def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance over `axes`, elements weighted."""
    x, weights = operands("nn.weighted_moments", x, frequency_weights)
    weights = torch.broadcast_to(weights, x.shape)
    places = _sizes(axes)
    total = torch.sum(weights, dim=places, keepdim=True)
    mean = torch.sum(weights * x, dim=places, keepdim=True) / total
    variance = torch.sum(weights * torch.square(x - mean), dim=places, keepdim=True) / total
    return (mean, variance) if keepdims else (torch.squeeze(mean, places), torch.squeeze(variance, places))


def compute_average_loss(
    per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None, name: Any = None
) -> Tensor:
    """The (weighted) sum of losses over the size of the batch."""
    loss = convert_to_tensor(per_example_loss)
    size = loss.shape[0] if global_batch_size is None else global_batch_size
    loss = loss if sample_weight is None else loss * convert_to_tensor(sample_weight, loss.dtype)
    return torch.sum(loss) / size


def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of the losses: there is one replica."""
    return torch.sum(convert_to_tensor(regularization_loss))


# -- connectionist temporal classification -----------------------------------------------------------------------------
def ctc_loss(
    labels: Any, logits: Any, label_length: Any, logit_length: Any, logits_time_major: bool = True, unique: Any = None,
    blank_index: int | None = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """-log of the probability of label sequences (batch, labels), or sparse ones, under logits (time, batch, classes):
    shape (batch,). The blank is class 0 (of sparse labels the last) unless `blank_index` says otherwise."""
    from .sparse import SparseTensor, to_dense

    logits = convert_to_tensor(logits)
    logits = logits if logits_time_major else logits.transpose(0, 1)
    if isinstance(labels, SparseTensor):
        rows = labels.indices[:, 0].to(dtypes.int64)
        label_length = torch.bincount(rows, minlength=logits.shape[1])
        labels, blank_index = to_dense(labels), -1 if blank_index is None else blank_index
    blank = 0 if blank_index is None else blank_index % logits.shape[-1]
    return F.ctc_loss(
        F.log_softmax(logits, dim=-1),
        convert_to_tensor(labels).to(dtypes.int64),
        convert_to_tensor(logit_length).to(dtypes.int64),
        convert_to_tensor(label_length).to(dtypes.int64),
        blank=blank,
        reduction="none",
    )


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[Any], Tensor]:
    """The best class of each step of (time, batch, classes), repetitions merged and blanks (the last class) left out:
    a list of one sparse int64 tensor, and the negative sums of the best logits (batch, 1)."""
    from .sparse import SparseTensor

    logits = convert_to_tensor(inputs)
    lengths = convert_to_tensor(sequence_length).to(dtypes.int64)
    blank = (-1 if blank_index is None else blank_index) % logits.shape[-1]
    inside = torch.arange(logits.shape[0]).unsqueeze(1) < lengths
    best = torch.where(inside, torch.amax(logits, dim=-1), torch.zeros((), dtype=logits.dtype))
    classes = torch.argmax(logits, dim=-1).numpy()
    places, values, longest = [], [], 0
    for row, length in enumerate(lengths.tolist()):
        path = classes[:length, row].tolist()
        kept = [c for i, c in enumerate(path) if c != blank and not (merge_repeated and i and path[i - 1] == c)]
        places += [(row, place) for place in range(len(kept))]
        values += kept
        longest = max(longest, len(kept))
    indices = torch.tensor(places, dtype=dtypes.int64).reshape(-1, 2)
    decoded = SparseTensor(indices, torch.tensor(values, dtype=dtypes.int64), [logits.shape[1], longest])
    return [decoded], -torch.sum(best, dim=0).unsqueeze(1)


lrn = local_response_normalization
report(globals(), [name for name in __all__ if globals()[name].__module__ == __name__])
