"""Convolution and its transpose over one, two or three spatial axes, which the weight's dimensions decide."""

from __future__ import annotations

from ..graph import language as g
from ..graph.composite import composite
from ..graph.node import Node
from .checks import check_argument, check_inexact, check_same_dtype, check_shape, describe, per_axis

Sizes = int | tuple[int, ...]
Padding = str | int | tuple[int, ...] | tuple[tuple[int, int], ...]


@composite
def conv(
    x: Node,
    w: Node,
    bias: Node | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Node:
    """`x [N, C, *size]`, or `[C, *size]`, correlated with `w [O, C / groups, *kernel]`, plus `bias [O]`.

    `padding` is a number of zeros for both sides of all axes, one for each axis, a (low, high) pair for each axis,
    "valid" (none) or "same" (as many as keep the sizes; the odd one at the end; needs stride 1).
    """
    n = _spatial(w)
    steps, gaps = per_axis("stride", stride, n, 1), per_axis("dilation", dilation, n, 1)
    pairs = _padding(padding, w.shape[2:], steps, gaps)
    _check_operands(x, w, bias, groups, channels=w.shape[1] * groups, outputs=w.shape[0])
    check_shape(w.shape[0] % groups == 0, "w", f"a multiple of groups = {groups} output channels", w)
    for axis, (size, kernel, gap, pair) in enumerate(zip(x.shape[-n:], w.shape[2:], gaps, pairs, strict=True)):
        extent = gap * (kernel - 1) + 1
        check_shape(
            size + sum(pair) >= extent,
            "x",
            f"at least {extent} elements, padding included, along spatial axis {axis} for the weight {describe(w)}",
            x,
        )
    batched = x if x.ndim == n + 2 else g.expand_dims(x, 0)
    y = g.convolution(batched, w, stride=steps, padding=pairs, dilation=gaps, groups=groups)
    return _finish(y, bias, x)


@composite
def conv_transpose(
    x: Node,
    w: Node,
    bias: Node | None = None,
    *,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Node:
    """The adjoint of a convolution: `x [N, C, *size]`, or `[C, *size]`, with `w [C, O / groups, *kernel]`.

    Spatial sizes become `(size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`.
    """
    n = _spatial(w)
    steps, gaps = per_axis("stride", stride, n, 1), per_axis("dilation", dilation, n, 1)
    cut, extra = per_axis("padding", padding, n), per_axis("output_padding", output_padding, n)
    check_argument(
        all(e < max(s, d) for e, s, d in zip(extra, steps, gaps, strict=True)),
        "output_padding",
        f"less than the stride {steps} or the dilation {gaps}",
        output_padding,
    )
    _check_operands(x, w, bias, groups, channels=w.shape[0], outputs=w.shape[1] * groups)
    check_shape(w.shape[0] % groups == 0, "w", f"a multiple of groups = {groups} input channels", w)
    # output padding shows what the cut at the end would have hidden; beyond that nothing arrives, and zeros follow
    pairs = tuple((c, max(c - e, 0)) for c, e in zip(cut, extra, strict=True))
    zeros = [max(e - c, 0) for c, e in zip(cut, extra, strict=True)]
    whole = [
        (s - 1) * step + d * (k - 1) + 1 for s, step, d, k in zip(x.shape[-n:], steps, gaps, w.shape[2:], strict=True)
    ]
    size = tuple(t - low - high for t, (low, high) in zip(whole, pairs, strict=True))
    check_shape(all(s > 0 for s in size), "x", f"sizes that a padding of {cut} leaves something of", x)
    batched = x if x.ndim == n + 2 else g.expand_dims(x, 0)
    y = g.convolution_input_gradient(batched, w, size=size, stride=steps, padding=pairs, dilation=gaps, groups=groups)
    return _finish(g.pad(y, (0,) * y.ndim, (0, 0, *zeros)), bias, x)


def _spatial(w: Node) -> int:
    check_shape(3 <= w.ndim <= 5, "w", "[channels, channels, *kernel] with 1 to 3 kernel axes", w)
    return w.ndim - 2


def _check_operands(x: Node, w: Node, bias: Node | None, groups: int, channels: int, outputs: int) -> None:
    n = w.ndim - 2
    check_inexact(x=x)
    check_same_dtype(x=x, w=w, bias=bias)
    check_argument(groups >= 1, "groups", "a number of at least 1", groups)
    check_shape(x.ndim in (n + 1, n + 2), "x", f"{n + 2} dimensions (or {n + 1}, unbatched)", x)
    check_shape(
        x.shape[-n - 1] == channels,
        "x",
        f"{channels} channels for a weight of shape {list(w.shape)} with groups = {groups}",
        x,
    )
    if bias is not None:
        check_shape(bias.shape == (outputs,), "bias", f"shape {[outputs]}, one for each output channel", bias)


def _padding(
    padding: Padding, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """`padding` as a (low, high) pair for each axis."""
    n = len(kernel)
    if padding == "valid":
        return ((0, 0),) * n
    if padding == "same":
        check_argument(stride == (1,) * n, "padding", "a number where the stride is not 1", padding)
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((t // 2, t - t // 2) for t in totals)
    check_argument(not isinstance(padding, str), "padding", "'valid', 'same' or numbers", padding)
    if isinstance(padding, tuple) and any(isinstance(p, tuple) for p in padding):
        pairs = tuple(per_axis("padding", pair, 2) for pair in padding)
        check_argument(len(pairs) == n, "padding", f"{n} pairs", padding)
        return tuple((low, high) for low, high in pairs)
    return tuple((p, p) for p in per_axis("padding", padding, n))  # type: ignore[arg-type]


def _finish(y: Node, bias: Node | None, x: Node) -> Node:
    """The bias added to each channel, and the batch axis removed that `x` did not have."""
    if bias is not None:
        y = y + g.reshape(bias, (bias.size,) + (1,) * (y.ndim - 2))
    return y if x.ndim == y.ndim else g.reshape(y, y.shape[1:])
