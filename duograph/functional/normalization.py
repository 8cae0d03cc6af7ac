"""Normalisations: to mean 0 and variance 1, or to norm 1, over some of the axes.

Variances are means of squared deviations (two passes), which neither cancel nor go negative. 16-bit floats compute in
float32; weights, biases and running statistics may be wider than the input.
"""

from __future__ import annotations

from ..graph import language as g
from ..graph.composite import composite
from ..graph.node import Node, Shape
from ..graph.primitives.rules import normalize_axis
from .checks import check_argument, check_floating, check_inexact, check_shape, widen
from .distance import vector_norm


@composite
def batch_norm_train(
    x: Node,
    weight: Node | None = None,
    bias: Node | None = None,
    running_mean: Node | None = None,
    running_var: Node | None = None,
    batches: Node | None = None,
    *,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
    axis: int = 1,
) -> Node | tuple[Node, Node, Node]:
    """Each channel, an index along `axis`, normalised by the batch's statistics (Ioffe and Szegedy 2015).

    Returns y; with running statistics `[C]` also the new ones, which the batch enters with weight `momentum` (None:
    the mean over all `batches`, this one included), its variance by the unbiased estimate. No gradient goes there. An
    empty batch changes nothing.
    """
    axis = _check_channels(x, axis, weight, bias, running_mean, running_var)
    others = tuple(k for k in range(x.ndim) if k != axis)
    number = g.count(x, others)
    check_shape(number != 1, "input", "more than 1 value for each channel when training", x)
    mean, var, away = _moments(widen(x), others)
    y = _scaled(away * g.rsqrt(var + eps), weight, bias, _along(x, axis), x)
    if running_mean is None or running_var is None:
        return y
    if number == 0:
        return y, running_mean, running_var
    new_mean = _blended(running_mean, mean, momentum, batches)
    new_var = _blended(running_var, var * (number / (number - 1)), momentum, batches)
    return y, new_mean, new_var


@composite
def batch_norm_eval(
    x: Node,
    running_mean: Node,
    running_var: Node,
    weight: Node | None = None,
    bias: Node | None = None,
    *,
    eps: float = 1e-5,
    axis: int = 1,
) -> Node:
    """Each channel, an index along `axis`, normalised by running statistics `[C]`."""
    axis = _check_channels(x, axis, weight, bias, running_mean, running_var)
    wide, along = widen(x), _along(x, axis)
    # the channel's own numbers first: one multiplication and one addition remain for each element
    scale = g.rsqrt(g.cast(running_var, wide.dtype) + eps)
    if weight is not None:
        scale = scale * g.cast(weight, wide.dtype)
    shift = -g.cast(running_mean, wide.dtype) * scale
    if bias is not None:
        shift = shift + g.cast(bias, wide.dtype)
    return g.cast(wide * g.reshape(scale, along) + g.reshape(shift, along), x.dtype)


@composite
def instance_norm(
    x: Node,
    weight: Node | None = None,
    bias: Node | None = None,
    running_mean: Node | None = None,
    running_var: Node | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Node | tuple[Node, Node, Node]:
    """Each channel of each sample `[N, C, *size]` normalised for itself (Ulyanov et al. 2016).

    Returns y; with running statistics `[C]` also the new ones, as `batch_norm_train`, averaged over the samples.
    """
    check_shape(x.ndim >= 3, "input", "[N, C, *size]", x)
    _check_channels(x, 1, weight, bias, running_mean, running_var)
    inner = tuple(range(2, x.ndim))
    number = g.count(x, inner)
    check_shape(number > 1, "input", "more than 1 spatial element", x)
    mean, var, away = _moments(widen(x), inner)
    y = _scaled(away * g.rsqrt(var + eps), weight, bias, _along(x, 1), x)
    if running_mean is None or running_var is None:
        return y
    new_mean = _blended(running_mean, g.mean(mean, 0), momentum, None)
    new_var = _blended(running_var, g.mean(var, 0) * (number / (number - 1)), momentum, None)
    return y, new_mean, new_var


@composite
def layer_norm(
    x: Node,
    weight: Node | None = None,
    bias: Node | None = None,
    *,
    normalized_shape: tuple[int, ...],
    eps: float = 1e-5,
) -> Node:
    """The last axes, of sizes `normalized_shape`, normalised together (Ba et al. 2016); weight and bias have them."""
    check_floating(input=x, weight=weight, bias=bias)
    axes = _check_last_axes(x, normalized_shape, weight, bias)
    _, var, away = _moments(widen(x), axes)
    return _scaled(away * g.rsqrt(var + eps), weight, bias, normalized_shape, x)


@composite
def rms_norm(
    x: Node, weight: Node | None = None, *, normalized_shape: tuple[int, ...], eps: float | None = None
) -> Node:
    """The last axes divided by their root mean square (Zhang and Sennrich 2019).

    `eps` is the machine epsilon of the precision computed in where None.
    """
    check_inexact(input=x, weight=weight)
    axes = _check_last_axes(x, normalized_shape, weight, None)
    wide = widen(x)
    tiny = 2.0**-52 if wide.dtype.itemsize == 8 else 2.0**-23
    scale = g.rsqrt(g.mean(wide * wide, axes, keepdims=True) + (tiny if eps is None else eps))
    return _scaled(wide * scale, weight, None, normalized_shape, x)


@composite
def group_norm(
    x: Node, weight: Node | None = None, bias: Node | None = None, *, groups: int, eps: float = 1e-5
) -> Node:
    """The channels of `[N, C, *size]` normalised in `groups` of neighbours (Wu and He 2018)."""
    check_shape(x.ndim >= 2, "input", "[N, C, ...]", x)
    _check_channels(x, 1, weight, bias)
    check_argument(groups >= 1 and x.shape[1] % groups == 0, "groups", f"a divisor of {x.shape[1]} channels", groups)
    inner = x.size // max(x.shape[0] * groups, 1)
    _, var, away = _moments(g.reshape(widen(x), (x.shape[0], groups, inner)), (2,))
    return _scaled(g.reshape(away * g.rsqrt(var + eps), x.shape), weight, bias, _along(x, 1), x)


@composite
def local_response_norm(x: Node, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Node:
    """`x [N, C, ...]` over `(k + alpha * mean of squares of size neighbouring channels) ** beta`, absent ones being 0.

    Krizhevsky et al. 2012.
    """
    check_floating(input=x)
    check_shape(x.ndim >= 3, "input", "[N, C, *size]", x)
    check_argument(size >= 1, "size", "a number of at least 1", size)
    if not x.size:
        return g.apply("copy", x)
    wide = widen(x)
    flat = g.reshape(wide * wide, (*x.shape[:2], x.size // max(x.shape[0] * x.shape[1], 1)))
    total = g.window(
        "window_sum",
        flat,
        window=(size, 1),
        stride=(1, 1),
        padding=((size // 2, (size - 1) // 2), (0, 0)),
        dilation=(1, 1),
    )
    return g.cast(wide / g.power(g.reshape(total, x.shape) * (alpha / size) + k, beta), x.dtype)


@composite
def normalize(x: Node, *, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Node:
    """`x` divided along an axis by its p-norm, or by `eps` where that is larger."""
    check_inexact(input=x)
    wide = widen(x)
    size = g.maximum(vector_norm(wide, p=p, axis=axis, keepdims=True), eps)
    return g.cast(wide / g.cast(size, wide.dtype), x.dtype)


def _moments(x: Node, axes: tuple[int, ...]) -> tuple[Node, Node, Node]:
    """Mean and variance over `axes`, which stay with size 1, and the deviations from the mean."""
    mean = g.mean(x, axes, keepdims=True)
    away = x - mean
    return mean, g.mean(away * away, axes, keepdims=True), away


def _scaled(y: Node, weight: Node | None, bias: Node | None, shape: Shape, x: Node) -> Node:
    """`y * weight + bias`, these having `shape`, in the dtype of `x`."""
    if weight is not None:
        y = y * g.reshape(g.cast(weight, y.dtype), shape)
    if bias is not None:
        y = y + g.reshape(g.cast(bias, y.dtype), shape)
    return g.cast(y, x.dtype)


def _blended(running: Node, new: Node, momentum: float | None, batches: Node | None) -> Node:
    """The running statistic after this batch."""
    old, new = widen(running), g.stop_gradient(g.reshape(new, running.shape))
    new = g.cast(new, old.dtype)
    if momentum is None:
        check_argument(batches is not None, "batches", "the number of batches where momentum is None", None)
        assert batches is not None
        return g.cast(old + (new - old) / g.cast(batches, old.dtype), running.dtype)
    return g.cast(old * (1 - momentum) + new * momentum, running.dtype)


def _along(x: Node, axis: int) -> Shape:
    """The shape of one number for each index along an axis, to stand beside `x`."""
    return tuple(s if k == axis else 1 for k, s in enumerate(x.shape))


def _check_channels(x: Node, axis: int, *parameters: Node | None) -> int:
    check_floating(input=x)
    axis = normalize_axis(axis, x.ndim)
    check_shape(x.ndim >= 2, "input", "at least 2 dimensions: [N, C, ...]", x)
    for name, p in zip(("weight", "bias", "running_mean", "running_var"), parameters, strict=False):
        check_floating(**{name: p})
        if p is not None:
            check_shape(p.shape == (x.shape[axis],), name, f"shape {[x.shape[axis]]}, one for each channel", p)
    return axis


def _check_last_axes(x: Node, shape: Shape, weight: Node | None, bias: Node | None) -> tuple[int, ...]:
    n = len(shape)
    check_argument(n > 0, "normalized_shape", "at least one size", shape)
    check_shape(x.ndim >= n and x.shape[x.ndim - n :] == tuple(shape), "input", f"last axes of sizes {list(shape)}", x)
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None:
            check_shape(p.shape == tuple(shape), name, f"shape {list(shape)}", p)
    return tuple(range(x.ndim - n, x.ndim))
