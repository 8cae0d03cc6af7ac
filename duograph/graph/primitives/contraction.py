"""Matrix products and convolutions: what the multiplier does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import language as lang
from ..errors import ArgumentError, ShapeError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import same_dtype
from .samples import uniform
from .spatial import (
    Padding,
    Sizes,
    cropped,
    offsets,
    padded,
    padded_shape,
    slid_sizes,
    windows,
)


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or a[-1] != b[-2]:
        raise ShapeError(
            f"matmul: expected shapes [..., m, k] and [..., k, n] with equal batch axes. Received: {a}, {b}"
        )
    return (*a[:-1], b[-1])


def _matmul_gradient(node: Node, dy: Node) -> Sequence[Node]:
    a, b = node.inputs
    return lang.matmul(dy, lang.transpose(b)), lang.matmul(lang.transpose(a), dy)


register(
    Primitive(
        name="matmul",
        kind="contraction",
        arity=2,
        shape=_matmul_shape,
        dtype=same_dtype("int float complex"),
        evaluate=lambda a, b: a @ b,
        gradient=_matmul_gradient,
        torch=lambda torch, a, b: a @ b,
        samples=lambda: [
            Sample((uniform(-2, 3, *a), uniform(-1, 2, *b)))
            for a, b in [
                ((1, 1), (1, 1)),
                ((3, 5), (5, 2)),
                ((2, 3, 5), (2, 5, 7)),
                ((2, 1, 3, 4), (2, 1, 4, 2)),
                ((3, 0), (0, 2)),
                ((0, 3), (3, 2)),
            ]
        ],
    )
)


# The three convolutions. Each is linear in both inputs, and the derivatives of each are the other two:
#     y  = convolution(x, w)                  x  [N, C, *size]
#     dx = convolution_input_gradient(y, w)   w  [O, C / groups, *kernel]
#     dw = convolution_weight_gradient(x, y)  y  [N, O, *places]
# With the windows of x laid out as columns, all three are one matrix product a group.


def _check_channels(x: Shape, w: Shape, groups: int) -> None:
    if len(x) != len(w) or len(x) < 3:
        raise ShapeError(
            f"convolution: expected x [N, C, *size] and w [O, C / groups, *kernel]. Received: shapes {x} and {w}"
        )
    if groups < 1 or x[1] % groups or w[0] % groups or x[1] // groups != w[1]:
        raise ShapeError(
            f"convolution: expected input channels C and output channels O that {groups} groups divide, and w of shape "
            f"[O, C / {groups}, *kernel]. Received: x of shape {x}, w of shape {w}"
        )


def _convolution_shape(x: Shape, w: Shape, *, stride: Sizes, padding: Padding, dilation: Sizes, groups: int) -> Shape:
    _check_channels(x, w, groups)
    return (x[0], w[0], *slid_sizes(x[2:], w[2:], stride, padding, dilation))


def _input_gradient_shape(
    dy: Shape,
    w: Shape,
    *,
    size: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Shape:
    if len(dy) < 3 or len(dy) != len(w):
        raise ShapeError(f"transposed convolution: expected dy [N, O, *places] and w. Received: shapes {dy} and {w}")
    x = (dy[0], w[1] * groups, *size)
    expected = _convolution_shape(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if dy != expected:
        raise ShapeError(
            f"transposed convolution to sizes {size}: expected an input of shape {expected}. Received: {dy}"
        )
    return x


def _weight_gradient_shape(
    x: Shape,
    dy: Shape,
    *,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> Shape:
    if len(x) < 3 or len(x) != len(dy):
        raise ShapeError(f"convolution_weight_gradient: expected x and dy of one rank. Received: shapes {x} and {dy}")
    if groups < 1 or x[1] % groups:
        raise ArgumentError(f"convolution_weight_gradient: {groups} groups do not divide {x[1]} channels")
    w = (dy[1], x[1] // groups, *kernel)
    expected = _convolution_shape(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if dy != expected:
        raise ShapeError(f"convolution_weight_gradient: expected dy of shape {expected}. Received: {dy}")
    return w


def _columns(
    x: np.ndarray,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> np.ndarray:
    """`[groups, C / groups * kernel, N * places]`: what each place of the window sees, as a column."""
    n, channels = len(kernel), x.shape[1] // groups
    view = windows(padded(x, padding).swapaxes(0, 1), kernel, stride, dilation)  # [C, N, *places, *kernel]
    places = view.shape[2 : 2 + n]
    view = view.transpose(0, *range(2 + n, 2 + 2 * n), *range(1, 2 + n))
    return view.reshape(groups, channels * prod(kernel), x.shape[0] * prod(places))


def _channels_first(y: np.ndarray, groups: int) -> np.ndarray:
    """`[N, O, *places]` as `[groups, O / groups, N * places]`."""
    return y.swapaxes(0, 1).reshape(groups, y.shape[1] // groups, y.shape[0] * prod(y.shape[2:]))


def _convolution(
    x: np.ndarray,
    w: np.ndarray,
    *,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> np.ndarray:
    places = slid_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    columns = _columns(x, w.shape[2:], stride, padding, dilation, groups)
    y = w.reshape(groups, w.shape[0] // groups, columns.shape[1]) @ columns
    return y.reshape(w.shape[0], x.shape[0], *places).swapaxes(0, 1)


def _input_gradient(
    dy: np.ndarray,
    w: np.ndarray,
    *,
    size: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> np.ndarray:
    batch, kernel, places, channels = (
        dy.shape[0],
        w.shape[2:],
        dy.shape[2:],
        w.shape[1] * groups,
    )
    weights = w.reshape(groups, w.shape[0] // groups, w.shape[1] * prod(kernel))
    # the cotangent of each column; then each element of the window is added where it was read
    columns = weights.swapaxes(1, 2) @ _channels_first(dy, groups)
    columns = columns.reshape(channels, prod(kernel), batch, *places)
    result = np.zeros(padded_shape((channels, batch), size, padding), dy.dtype)
    for k, where in enumerate(offsets(kernel, places, stride, dilation)):
        result[where] += columns[:, k]
    return cropped(result, padding, size).swapaxes(0, 1)


def _weight_gradient(
    x: np.ndarray,
    dy: np.ndarray,
    *,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
) -> np.ndarray:
    columns = _columns(x, kernel, stride, padding, dilation, groups)
    dw = _channels_first(dy, groups) @ columns.swapaxes(1, 2)
    return dw.reshape(dy.shape[1], x.shape[1] // groups, *kernel)


def _geometry(node: Node) -> dict[str, Any]:
    return {name: node[name] for name in ("stride", "padding", "dilation", "groups")}


def _convolution_gradient(node: Node, dy: Node) -> Sequence[Node]:
    x, w = node.inputs
    return (
        lang.convolution_input_gradient(dy, w, size=x.shape[2:], **_geometry(node)),
        lang.convolution_weight_gradient(x, dy, kernel=w.shape[2:], **_geometry(node)),
    )


def _input_gradient_gradient(node: Node, dx: Node) -> Sequence[Node]:
    y, w = node.inputs
    return (
        lang.convolution(dx, w, **_geometry(node)),
        lang.convolution_weight_gradient(dx, y, kernel=w.shape[2:], **_geometry(node)),
    )


def _weight_gradient_gradient(node: Node, dw: Node) -> Sequence[Node]:
    x, y = node.inputs
    return (
        lang.convolution_input_gradient(y, dw, size=x.shape[2:], **_geometry(node)),
        lang.convolution(x, dw, **_geometry(node)),
    )


_CASES: list[tuple[Shape, Shape, Sizes, Padding, Sizes, int]] = [
    # x, w, stride, padding, dilation, groups
    ((2, 3, 7), (4, 3, 3), (1,), ((0, 0),), (1,), 1),
    ((2, 4, 9), (6, 2, 3), (2,), ((2, 1),), (2,), 2),
    ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 3, 5, 6), (4, 3, 3, 2), (1, 1), ((1, 1), (0, 1)), (1, 1), 1),
    ((2, 3, 8, 7), (3, 1, 3, 3), (2, 3), ((1, 1), (2, 0)), (1, 2), 3),
    ((1, 4, 6, 5), (2, 2, 2, 3), (1, 2), ((0, 0), (1, 1)), (2, 1), 2),
    (
        (1, 2, 4, 3, 5),
        (3, 2, 2, 3, 2),
        (1, 1, 2),
        ((1, 0), (1, 1), (0, 0)),
        (1, 1, 1),
        1,
    ),
    ((0, 2, 4, 4), (3, 2, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
]


def _samples(of: str) -> Callable[[], Iterable[Sample]]:
    def samples() -> Iterable[Sample]:
        for x, w, stride, padding, dilation, groups in _CASES:
            geometry: dict[str, Any] = {
                "stride": stride,
                "padding": padding,
                "dilation": dilation,
                "groups": groups,
            }
            y = _convolution_shape(x, w, **geometry)
            if of == "input":
                yield Sample(
                    (uniform(-2, 3, *y), uniform(-1, 2, *w)),
                    {"size": x[2:], **geometry},
                )
            elif of == "weight":
                yield Sample(
                    (uniform(-2, 3, *x), uniform(-1, 2, *y)),
                    {"kernel": w[2:], **geometry},
                )
            else:
                yield Sample((uniform(-2, 3, *x), uniform(-1, 2, *w)), geometry)

    return samples


def _torch_convolution(torch: Any, x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    n = len(stride)
    ends = [e for pair in reversed(padding) for e in pair]
    convolution = getattr(torch.nn.functional, f"conv{n}d")
    return convolution(torch.nn.functional.pad(x, ends), w, None, stride, 0, dilation, groups)


def _torch_input_gradient(torch: Any, dy: Any, w: Any, *, size: Sizes, groups: int, **geometry: Any) -> Any:
    x = torch.zeros((dy.shape[0], w.shape[1] * groups, *size), dtype=dy.dtype, requires_grad=True)
    y = _torch_convolution(torch, x, w, groups=groups, **geometry)
    return torch.autograd.grad(y, x, dy, create_graph=True)[0]


def _torch_weight_gradient(torch: Any, x: Any, dy: Any, *, kernel: Sizes, groups: int, **geometry: Any) -> Any:
    w = torch.zeros((dy.shape[1], x.shape[1] // groups, *kernel), dtype=dy.dtype, requires_grad=True)
    y = _torch_convolution(torch, x, w, groups=groups, **geometry)
    return torch.autograd.grad(y, w, dy, create_graph=True)[0]


register(
    Primitive(
        name="convolution",
        kind="contraction",
        arity=2,
        attributes=("stride", "padding", "dilation", "groups"),
        shape=_convolution_shape,
        dtype=same_dtype("int float complex"),
        evaluate=_convolution,
        gradient=_convolution_gradient,
        torch=_torch_convolution,
        samples=_samples("output"),
    )
)
register(
    Primitive(
        name="convolution_input_gradient",
        kind="contraction",
        arity=2,
        attributes=("size", "stride", "padding", "dilation", "groups"),
        shape=_input_gradient_shape,
        dtype=same_dtype("int float complex"),
        evaluate=_input_gradient,
        gradient=_input_gradient_gradient,
        torch=_torch_input_gradient,
        samples=_samples("input"),
    )
)
register(
    Primitive(
        name="convolution_weight_gradient",
        kind="contraction",
        arity=2,
        attributes=("kernel", "stride", "padding", "dilation", "groups"),
        shape=_weight_gradient_shape,
        dtype=same_dtype("int float complex"),
        evaluate=_weight_gradient,
        gradient=_weight_gradient_gradient,
        torch=_torch_weight_gradient,
        samples=_samples("weight"),
    )
)
