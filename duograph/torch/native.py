"""Functions of `torch` itself that stand below those of `torch.nn.functional`: reductions and modes are numbers there,
and arguments have another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..functional import recurrent
from ..graph.dtype import DType
from ..graph.errors import ArgumentError
from ..nn import functional as F
from ..nn.utils.rnn import PackedSequence, packed_like, unpacked
from ..ops import FUNCTIONS
from ..ops.define import name_after
from ..ops.norms import matrix_norm, vector_norm
from ..ops.random import default_generator
from ..tensor.core import Tensor, apply
from ..tensor.operators import update

REDUCTIONS = ("none", "mean", "sum")


def _loss(name: str, *taken: str) -> Callable[..., Tensor]:
    """A loss with arguments in this order, whose `reduction` is a number."""
    own = getattr(F, name)

    def function(*arguments: Any, **keywords: Any) -> Tensor:
        given = dict(zip(taken, arguments, strict=False)) | keywords
        kind = given.pop("reduction", 1)
        if kind not in (0, 1, 2):
            raise ArgumentError(f"{name}: reduction: expected 0 (none), 1 (mean) or 2 (sum). Received: {kind!r}")
        return own(**given, reduction=REDUCTIONS[kind])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`torch.nn.functional.{name}`, whose reduction is a number: 0 none, 1 mean, 2 sum."
    return function


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`torch.nn.functional.grid_sample`, whose modes are numbers."""
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    return F.grid_sample(input, grid, modes[interpolation_mode], paddings[padding_mode], align_corners)


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """`torch.nn.functional.affine_grid`."""
    return F.affine_grid(theta, size, align_corners)


def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool = False,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.instance_norm`, with its arguments in another order."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`torch.nn.functional.layer_norm`, the means and 1 over the deviations, which gradients do not go through."""
    axes = tuple(range(-len(normalized_shape), 0))
    return F.layer_norm(input, normalized_shape, weight, bias, eps), *_statistics(input.detach(), axes, eps)


def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """`torch.nn.functional.group_norm`, the means and 1 over the deviations: `[N, group]`."""
    mean, scale = _statistics(input.reshape(N, group, C // group * HxW), (-1,), eps)
    return F.group_norm(input, group, weight, bias, eps), mean.squeeze(-1), scale.squeeze(-1)


def native_batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, momentum: float, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`torch.nn.functional.batch_norm`, the means and 1 over the deviations of the batch: empty if not `training`.

    Gradients do not go through the last two.
    """
    made = F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return made, input.new_empty(0), input.new_empty(0)
    axes = tuple(k for k in range(input.ndim) if k != 1)
    return made, *(x.reshape(-1) for x in _statistics(input.detach(), axes, eps))


def _statistics(x: Tensor, axes: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    return x.mean(axes, keepdim=True), (x.var(axes, unbiased=False, keepdim=True) + eps).rsqrt()


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Dropout, and where it left something."""
    if train is False or p == 0:
        return input.clone(), input.new_ones(input.shape).bool()
    mask = FUNCTIONS["bernoulli"](input.new_full(input.shape, 1 - p)).bool()
    return native_dropout_backward(input, mask, 1 / (1 - p) if p < 1 else 0.0), mask


def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    """What `native_dropout` does where its mask is known: a gradient goes through in the same way."""
    return grad_output * mask * scale


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole channels: of an input `[N, C, ...]`."""
    if not train or p == 0:
        return input
    return input * F.dropout(input.new_ones((*input.shape[:2], *[1] * (input.ndim - 2))), p, True)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_dropout` in place."""
    return update(input, feature_dropout(input, p, train))


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.alpha_dropout` in place."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.feature_alpha_dropout` in place."""
    return F.feature_alpha_dropout(input, p, train, inplace=True)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale the rows at `indices` down, in place, to a norm of at most `max_norm`."""
    F.embedding(indices, input.detach(), max_norm=max_norm, norm_type=norm_type)
    return input


def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Tensor:  # fmt: skip
    """A convolution over as many axes as the weight has behind its first two, or its transpose."""
    name = f"conv{'_transpose' if transposed else ''}{weight.ndim - 2}d"
    if transposed:
        return getattr(F, name)(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return getattr(F, name)(input, weight, bias, stride, padding, dilation, groups)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution over time: `input [T, N, in]`, `weight [kernel, in, out]` and `bias [out]` to `[T', N, out]`."""
    return F.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


def _recurrence(operation: Any, states: int, **fixed: Any) -> Callable[..., Any]:
    """A recurrent network by its list of weights; a packed sequence is given as its data and batch sizes."""

    def run(input: Tensor, *arguments: Any) -> Any:
        packed = isinstance(arguments[0], Tensor) and isinstance(arguments[2], list | tuple)
        batch_sizes, arguments = (arguments[0], arguments[1:]) if packed else (None, arguments)
        hx, params, biases, layers, dropout, train, bidirectional, *batch_first = arguments
        x = input.transpose(0, 1) if batch_first and batch_first[0] else input
        ends: tuple[Tensor, ...] = ()
        sequence = None
        if batch_sizes is not None:
            sequence = PackedSequence(input, batch_sizes)
            x, lengths = unpacked(sequence)
            ends = (lengths,)
        p = dropout if train and layers > 1 else 0.0
        drawn: list[Tensor] = []
        for _ in range(layers - 1 if p else 0):
            drawn += default_generator.draw(x.shape[0] * x.shape[1] * params[1].shape[1] * (1 + bidirectional))
        each = len(params) // (layers * (1 + bidirectional))
        projected = {"projected": each % 2 == 1} if states == 2 else {}
        attributes = {
            "layers": layers, "bidirectional": bidirectional, "biases": biases, "dropout_p": p, **projected, **fixed,
            "ragged": sequence is not None,
        }  # fmt: skip
        given = (x, *([hx] if states == 1 else hx), *params, *drawn, *ends)
        output, *last = apply(operation, given, tuple(attributes.items()))
        if sequence is not None:
            output = packed_like(sequence, output).data
        return output.transpose(0, 1) if batch_first and batch_first[0] else output, *last

    return run


def lstm(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs and the last h and c of an LSTM by its list of weights: what `torch.nn.LSTM` calls in PyTorch."""
    return _recurrence(recurrent.lstm, 2)(*arguments)


def gru(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Outputs and the last states of a GRU by its list of weights: what `torch.nn.GRU` calls in PyTorch."""
    return _recurrence(recurrent.gru, 1)(*arguments)


def rnn_tanh(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Outputs and the last states of an RNN by its list of weights: what `torch.nn.RNN` calls in PyTorch."""
    return _recurrence(recurrent.rnn, 1, nonlinearity="tanh")(*arguments)


def rnn_relu(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Outputs and the last states of an RNN by its list of weights, with relu."""
    return _recurrence(recurrent.rnn, 1, nonlinearity="relu")(*arguments)


def lstm_cell(
    input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The next (h, c) of an LSTM: what `torch.nn.LSTMCell` calls in PyTorch."""
    return apply(recurrent.lstm_cell, (input, *hx, w_ih, w_hh, b_ih, b_hh))


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """The next state of a GRU: what `torch.nn.GRUCell` calls in PyTorch."""
    return apply(recurrent.gru_cell, (input, hx, w_ih, w_hh, b_ih, b_hh))


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """The next state of an RNN: what `torch.nn.RNNCell` calls in PyTorch."""
    return apply(recurrent.rnn_cell, (input, hx, w_ih, w_hh, b_ih, b_hh), (("nonlinearity", "tanh"),))


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """The next state of an RNN with relu."""
    return apply(recurrent.rnn_cell, (input, hx, w_ih, w_hh, b_ih, b_hh), (("nonlinearity", "relu"),))


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norms over all axes but one, which stay with size 1; over all axes if `dim` is -1."""
    axes = tuple(k for k in range(v.ndim) if dim == -1 or k != dim)
    return vector_norm(v, pow, axes, keepdim=dim != -1)


def frobenius_norm(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The root of the sum of squares over one axis, two or all."""
    return vector_norm(input, 2, dim if dim != () else None, keepdim)


def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of the singular values of matrices along two axes."""
    return matrix_norm(input, "nuc", tuple(dim), keepdim)


def slice_copy(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """`input[start:end:step]` along an axis, in memory of its own."""
    return input.movedim(dim, 0)[start:end:step].movedim(0, dim).clone()


def split_copy(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split` in memory of its own."""
    return tuple(part.clone() for part in input.split(split_size, dim))


def view_as_real_copy(input: Tensor) -> Tensor:
    """`view_as_real` in memory of its own."""
    return FUNCTIONS["view_as_real"](input).clone()


def view_as_complex_copy(input: Tensor) -> Tensor:
    """`view_as_complex` in memory of its own."""
    return FUNCTIONS["view_as_complex"](input).clone()


def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """`split_with_sizes`."""
    return FUNCTIONS["split_with_sizes"](input, split_sizes, dim)


def get_device(input: Tensor) -> int:
    """-1, which stands for the CPU."""
    return input.get_device()


def is_inference(input: Tensor) -> bool:
    """False: tensors made under `inference_mode` are like any others."""
    return False


def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: DType) -> Tensor:
    """The gradient of softmax by its result."""
    inner = grad_output * output
    return (inner - output * inner.sum(dim, keepdim=True)).to(input_dtype)


def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False, initial: float | None = None,
) -> Tensor:  # fmt: skip
    """Sums, means, maxima, minima or products of runs along an axis: `[..., n, ...]` to `[..., segments, ...]`.

    Runs are given by their `lengths`, or by `offsets` of one more number, both with the axes before `axis` in front.
    `initial` counts as one more element of each, and is what an empty run gives.
    """
    if reduce not in ("sum", "mean", "max", "min", "prod"):
        raise ArgumentError(f"segment_reduce: reduce: expected sum, mean, max, min or prod. Received: {reduce!r}")
    if (lengths is None) == (offsets is None):
        raise ArgumentError("segment_reduce: expected either lengths or offsets. Received: both or neither")
    if lengths is None:
        assert offsets is not None
        ends, begins = offsets[..., 1:], offsets[..., :-1]
    else:
        ends = lengths.cumsum(-1)
        begins = ends - lengths
    if not unsafe and lengths is not None and bool((lengths.sum(-1) != data.shape[axis]).any()):
        raise ArgumentError(f"segment_reduce: lengths: expected them to add up to {data.shape[axis]}")
    x = data.movedim(axis, -1)
    for _ in range(data.ndim - 1 - axis):
        ends, begins = ends.unsqueeze(-2), begins.unsqueeze(-2)
    places = FUNCTIONS["arange"](data.shape[axis])
    inside = (places >= begins.unsqueeze(-1)) & (places < ends.unsqueeze(-1))
    neutral = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": float("-inf"), "min": float("inf")}[reduce]
    start = neutral if initial is None else initial
    whole = FUNCTIONS["where"](inside, x.unsqueeze(-2), neutral)
    count = inside.sum(-1)
    if reduce in ("max", "min"):
        edge = whole.new_full((*whole.shape[:-1], 1), start)
        made = FUNCTIONS["a" + reduce](FUNCTIONS["cat"]([whole, edge], -1), -1)
    elif reduce == "prod":
        made = whole.prod(-1) * start
    else:
        made = whole.sum(-1) + start
        if reduce == "mean":
            empty = float("nan") if initial is None else initial
            made = FUNCTIONS["where"](count > 0, made / count.clamp(min=1), empty)
    return made.movedim(-1, axis)


_LOSSES = {
    "binary_cross_entropy_with_logits": ("input", "target", "weight", "pos_weight", "reduction"),
    "cosine_embedding_loss": ("input1", "input2", "target", "margin", "reduction"),
    "ctc_loss": ("log_probs", "targets", "input_lengths", "target_lengths", "blank", "reduction", "zero_infinity"),
    "hinge_embedding_loss": ("input", "target", "margin", "reduction"),
    "kl_div": ("input", "target", "reduction"),
    "margin_ranking_loss": ("input1", "input2", "target", "margin", "reduction"),
    "poisson_nll_loss": ("input", "target", "log_input", "full", "eps", "reduction"),
    "triplet_margin_loss": ("anchor", "positive", "negative", "margin", "p", "eps", "swap", "reduction"),
}
NAMES: dict[str, Any] = {
    **{name: _loss(name, *taken) for name, taken in _LOSSES.items()},
    **{
        made.__name__: made
        for made in (
            _softmax_backward_data, affine_grid_generator, alpha_dropout_, conv_tbc, convolution, embedding_renorm_,
            feature_alpha_dropout_, feature_dropout, feature_dropout_, frobenius_norm, get_device, grid_sampler, gru,
            gru_cell, instance_norm, is_inference, lstm, lstm_cell, native_batch_norm, native_dropout,
            native_dropout_backward, native_group_norm, native_layer_norm, norm_except_dim, nuclear_norm, rnn_relu,
            rnn_relu_cell, rnn_tanh, rnn_tanh_cell, segment_reduce, slice_copy, split_copy, unsafe_split_with_sizes,
            view_as_complex_copy, view_as_real_copy,
        )
    },
    "_segment_reduce": segment_reduce, "grid_sampler_2d": grid_sampler, "grid_sampler_3d": grid_sampler,
}  # fmt: skip
"""What `torch` exports from here."""
name_after(__name__, NAMES)
