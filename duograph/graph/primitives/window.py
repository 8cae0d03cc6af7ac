"""Reductions over windows that slide over the last axes: pooling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, int64
from ..errors import DTypeError, IndexOutOfRange, ShapeError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import gives, same_dtype, zero_gradient
from .samples import integers, uniform
from .spatial import (
    Padding,
    Sizes,
    check_no_window_of_padding,
    cropped,
    offsets,
    padded,
    padded_shape,
    slid_sizes,
)

_GEOMETRY = ("window", "stride", "padding", "dilation")


def _window_shape(x: Shape, *, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Shape:
    n = len(window)
    if len(x) < n:
        raise ShapeError(f"a window over {n} axes needs a tensor of at least {n} dimensions. Received: shape {x}")
    lead = len(x) - n
    return (*x[:lead], *slid_sizes(x[lead:], window, stride, padding, dilation))


def _extreme_shape(x: Shape, **geometry: Any) -> Shape:
    shape = _window_shape(x, **geometry)
    check_no_window_of_padding(x[len(x) - len(geometry["window"]) :], **geometry)
    return shape


def _spread_shape(dy: Shape, *, size: Sizes, **geometry: Any) -> Shape:
    lead = len(dy) - len(size)
    x = (*dy[: max(lead, 0)], *size)
    expected = _window_shape(x, **geometry)
    if dy != expected:
        raise ShapeError(f"windows over sizes {size}: expected a gradient of shape {expected}. Received: {dy}")
    return x


def _returned_shape(dy: Shape, positions: Shape, *, size: Sizes, **geometry: Any) -> Shape:
    x = _spread_shape(dy, size=size, **geometry)
    check_no_window_of_padding(size, **geometry)
    if positions != dy:
        raise ShapeError(
            f"expected a position for each element of shape {dy}. Received: positions of shape {positions}"
        )
    return x


def _returned_dtype(dy: DType, positions: DType, **_: Any) -> DType:
    if positions is not int64:
        raise DTypeError(f"expected positions of int64. Received: {positions.name}")
    return same_dtype("int float")(dy)


def _places(x: np.ndarray, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Sizes:
    return slid_sizes(x.shape[x.ndim - len(window) :], window, stride, padding, dilation)


def _window_max(x: np.ndarray, *, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> np.ndarray:
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    wide, result = padded(x, padding, lowest), None
    for where in offsets(window, _places(x, window, stride, padding, dilation), stride, dilation):
        seen = wide[where]
        result = seen.copy() if result is None else np.maximum(result, seen, out=result)
    assert result is not None
    return result


def _window_argmax(x: np.ndarray, *, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> np.ndarray:
    size = x.shape[x.ndim - len(window) :]
    places = _places(x, window, stride, padding, dilation)
    flat = padded(np.arange(prod(size)).reshape(size), padding, -1)  # where each element stands; -1 is padding
    wide = padded(x, padding)
    best = np.zeros((*x.shape[: x.ndim - len(window)], *places), x.dtype)
    result = np.full(best.shape, -1, np.int64)
    for where in offsets(window, places, stride, dilation):
        seen, position = wide[where], flat[where]
        better = (position >= 0) & ((result < 0) | (seen > best) | (np.isnan(seen) & ~np.isnan(best)))
        best = np.where(better, seen, best)
        result = np.where(better, position, result)
    return result


def _window_sum(x: np.ndarray, *, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> np.ndarray:
    wide, result = padded(x, padding), None
    for where in offsets(window, _places(x, window, stride, padding, dilation), stride, dilation):
        seen = wide[where]
        result = seen.copy() if result is None else np.add(result, seen, out=result)
    assert result is not None
    return result


def _spread(
    dy: np.ndarray,
    *,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> np.ndarray:
    lead = dy.ndim - len(size)
    result = np.zeros(padded_shape(dy.shape[:lead], size, padding), dy.dtype)
    for where in offsets(window, dy.shape[lead:], stride, dilation):
        result[where] += dy
    return cropped(result, padding, size)


def _return(
    dy: np.ndarray,
    positions: np.ndarray,
    *,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> np.ndarray:
    lead = dy.ndim - len(size)
    flat = padded(np.arange(prod(size)).reshape(size), padding, -1)
    result = np.zeros(padded_shape(dy.shape[:lead], size, padding), dy.dtype)
    found = np.zeros(dy.shape, np.bool_)
    for where in offsets(window, dy.shape[lead:], stride, dilation):
        chosen = (positions == flat[where]) & (positions >= 0)
        result[where] += np.where(chosen, dy, 0)
        found |= chosen
    if not found.all():
        lost = int(positions[~found].flat[0])
        raise IndexOutOfRange(f"expected positions that the windows of their places see. Received: {lost} among them")
    return cropped(result, padding, size)


def _geometry(node: Node) -> dict[str, Any]:
    return {name: node[name] for name in _GEOMETRY}


def _window_max_gradient(node: Node, dy: Node) -> Sequence[Node]:
    (x,), geometry = node.inputs, _geometry(node)
    positions = lang.apply("window_argmax", x, **geometry)
    size = x.shape[x.ndim - len(node["window"]) :]
    return (lang.apply("window_max_gradient", dy, positions, size=size, **geometry),)


def _return_gradient(node: Node, dx: Node) -> Sequence[Node | None]:
    """Each element of dy went to one place: its gradient is taken from there."""
    dy, positions = node.inputs
    lead = dy.shape[: dy.ndim - len(node["size"])]
    places = dy.shape[len(lead) :]
    taken = lang.take_along(
        lang.reshape(dx, (*lead, prod(node["size"]))), lang.reshape(positions, (*lead, prod(places))), len(lead)
    )
    return lang.reshape(taken, dy.shape), None


def _window_sum_gradient(node: Node, dy: Node) -> Sequence[Node]:
    size = node.inputs[0].shape[node.ndim - len(node["window"]) :]
    return (lang.apply("window_sum_gradient", dy, size=size, **_geometry(node)),)


_CASES: list[tuple[Shape, Sizes, Sizes, Padding, Sizes]] = [
    # x, window, stride, padding, dilation
    ((7,), (3,), (2,), ((0, 0),), (1,)),
    ((2, 3, 9), (2,), (2,), ((1, 0),), (3,)),
    ((2, 3, 5, 6), (2, 3), (1, 2), ((0, 1), (1, 1)), (1, 1)),
    ((1, 2, 7, 7), (3, 2), (3, 1), ((1, 1), (0, 0)), (1, 2)),
    ((2, 4, 3, 5), (2, 2, 2), (2, 1, 2), ((0, 0), (1, 0), (0, 1)), (1, 1, 1)),
    ((0, 2, 4, 4), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
]


def _cases() -> Iterable[tuple[Shape, dict[str, Any]]]:
    for x, *geometry in _CASES:
        yield x, dict(zip(_GEOMETRY, geometry, strict=True))


def _samples() -> Iterable[Sample]:
    return [Sample((uniform(-2, 3, *x),), geometry) for x, geometry in _cases()]


def _spread_samples() -> Iterable[Sample]:
    for x, geometry in _cases():
        size = x[len(x) - len(geometry["window"]) :]
        yield Sample((uniform(-2, 3, *_window_shape(x, **geometry)),), {"size": size, **geometry})


def _return_samples() -> Iterable[Sample]:
    for sample, (x, geometry) in zip(_argmax_samples(), [*_cases(), *_cases()], strict=True):
        positions = _window_argmax(sample.inputs[0], **geometry)
        size = x[len(x) - len(geometry["window"]) :]
        yield Sample((uniform(-2, 3, *positions.shape), positions), {"size": size, **geometry})


def _argmax_samples() -> Iterable[Sample]:
    ties = [Sample((integers(-2, 1, *x).astype(np.float64),), geometry) for x, geometry in _cases()]
    return [*_samples(), *ties]


def _torch_pool(torch: Any, x: Any, geometry: dict[str, Any], indices: bool) -> Any:
    """PyTorch's max pooling, with its one padding on both sides made general by padding with the lowest value."""
    n, lead = len(geometry["window"]), x.shape[: x.ndim - len(geometry["window"])]
    size = x.shape[x.ndim - n :]
    flat = x.reshape(prod(lead), 1, *size) if prod(lead) else x.new_zeros((0, 1, *size))
    ends = [e for pair in reversed(geometry["padding"]) for e in pair]
    wide = torch.nn.functional.pad(flat, ends, value=-torch.inf)
    pool = getattr(torch.nn.functional, f"max_pool{n}d")
    y, at = pool(
        wide,
        geometry["window"],
        geometry["stride"],
        0,
        geometry["dilation"],
        return_indices=True,
    )
    if not indices:
        return y.reshape(*lead, *y.shape[2:])
    places = np.unravel_index(at.numpy(), wide.shape[2:])
    inner = [p - low for p, (low, _) in zip(places, geometry["padding"], strict=True)]
    return torch.tensor(
        np.ravel_multi_index(inner, size).reshape(*lead, *y.shape[2:]),
        dtype=torch.int64,
    )


def _torch_window_sum(
    torch: Any,
    x: Any,
    *,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Any:
    n, lead = len(window), x.shape[: x.ndim - len(window)]
    ends = [e for pair in reversed(padding) for e in pair]
    wide = torch.nn.functional.pad(x.reshape(prod(lead), 1, *x.shape[x.ndim - n :]), ends)
    ones = torch.ones((1, 1, *window), dtype=x.dtype)
    y = getattr(torch.nn.functional, f"conv{n}d")(wide, ones, None, stride, 0, dilation)
    return y.reshape(*lead, *y.shape[2:])


def _torch_spread(torch: Any, dy: Any, *, size: Sizes, **geometry: Any) -> Any:
    x = torch.zeros((*dy.shape[: dy.ndim - len(size)], *size), dtype=dy.dtype, requires_grad=True)
    return torch.autograd.grad(_torch_window_sum(torch, x, **geometry), x, dy, create_graph=True)[0]


def _torch_return(torch: Any, dy: Any, positions: Any, *, size: Sizes, **geometry: Any) -> Any:
    lead, places = dy.shape[: dy.ndim - len(size)], dy.shape[dy.ndim - len(size) :]
    zeros = torch.zeros((*lead, prod(size)), dtype=dy.dtype)
    flat = (*lead, prod(places))
    return zeros.scatter_add(-1, positions.reshape(flat), dy.reshape(flat)).reshape(*lead, *size)


def _window(name: str, evaluate: Callable[..., np.ndarray], **rest: Any) -> None:
    record = {
        "kind": "window",
        "arity": 1,
        "attributes": _GEOMETRY,
        "dtype": same_dtype("int float"),
        **rest,
    }
    register(Primitive(name=name, evaluate=evaluate, **record))


# Padding never is the maximum, and counts as zero in the sum.
_window(
    "window_max",
    _window_max,
    shape=_extreme_shape,
    gradient=_window_max_gradient,
    torch=lambda torch, x, **geometry: _torch_pool(torch, x, geometry, indices=False),
    samples=_samples,
    exact=True,
)
# The flat position of the maximum in the spatial axes of x: the first one where several tie, and NaN above all.
_window(
    "window_argmax",
    _window_argmax,
    shape=_extreme_shape,
    dtype=gives(int64, "int float"),
    gradient=zero_gradient,
    torch=lambda torch, x, **geometry: _torch_pool(torch, x, geometry, indices=True),
    samples=_argmax_samples,
    exact=True,
)
_window(
    "window_sum",
    _window_sum,
    shape=_window_shape,
    gradient=_window_sum_gradient,
    torch=_torch_window_sum,
    samples=_samples,
)
# The adjoint of window_sum: each element of dy is added to all the elements its window saw.
_window(
    "window_sum_gradient",
    _spread,
    attributes=("size", *_GEOMETRY),
    shape=_spread_shape,
    gradient=lambda node, dx: (lang.apply("window_sum", dx, **_geometry(node)),),
    torch=_torch_spread,
    samples=_spread_samples,
)
# The adjoint of window_max: zeros of the spatial sizes `size`, with each element of dy added at its flat position among
# them. The positions are those that window_argmax gives with the same geometry; others are refused.
_window(
    "window_max_gradient",
    _return,
    arity=2,
    attributes=("size", *_GEOMETRY),
    shape=_returned_shape,
    dtype=_returned_dtype,
    gradient=_return_gradient,
    torch=_torch_return,
    samples=_return_samples,
)
