"""Windows that slide over the last axes: the geometry that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..node import Shape

Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]


def slid_sizes(size: Sizes, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> Sizes:
    """How many places a dilated window takes on each axis. Raises ArgumentError and ShapeError."""
    n = len(size)
    if not len(window) == len(stride) == len(padding) == len(dilation) == n:
        raise ArgumentError(
            f"expected {n} window sizes, strides, paddings and dilations. "
            f"Received: {window}, {stride}, {padding}, {dilation}"
        )
    if any(v < 1 for v in (*window, *stride, *dilation)) or any(v < 0 for pair in padding for v in pair):
        raise ArgumentError(
            "expected windows, strides and dilations of at least 1 and paddings of at least 0. "
            f"Received: {window}, {stride}, {dilation}, {padding}"
        )
    result = []
    for s, w, step, (low, high), d in zip(size, window, stride, padding, dilation, strict=True):
        extent = (w - 1) * d + 1
        if s + low + high < extent:
            raise ShapeError(
                f"a window of extent {extent} does not fit into size {s} padded by {low} and {high}. "
                f"Received: spatial sizes {size}, window {window}, dilation {dilation}"
            )
        result.append((s + low + high - extent) // step + 1)
    return tuple(result)


def check_no_window_of_padding(size: Sizes, window: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> None:
    """An extreme needs an element. Raises ArgumentError if some window lies in the padding alone."""
    places = slid_sizes(size, window, stride, padding, dilation)
    for s, w, step, (low, _), d, count in zip(size, window, stride, padding, dilation, places, strict=True):
        last = (count - 1) * step - low
        if d == 1 and count >= 1:  # the first and the last window reach furthest
            full = low < w and last < s
        else:
            starts = (place * step - low for place in range(count))
            full = all(any(0 <= start + k * d < s for k in range(w)) for start in starts)
        if not full:
            raise ArgumentError(
                "expected paddings that leave an element in each window. "
                f"Received: spatial sizes {size}, window {window}, padding {padding}, dilation {dilation}"
            )


def padded(x: np.ndarray, padding: Padding, value: float = 0) -> np.ndarray:
    """`x` with its last axes padded."""
    if not any(v for pair in padding for v in pair):
        return x
    widths = ((0, 0),) * (x.ndim - len(padding)) + padding
    return np.pad(x, widths, constant_values=value)


def windows(x: np.ndarray, window: Sizes, stride: Sizes, dilation: Sizes) -> np.ndarray:
    """A view `[..., *places, *window]` of the padded array `x`."""
    n = len(window)
    places = slid_sizes(x.shape[-n:], window, stride, ((0, 0),) * n, dilation)
    steps = x.strides[-n:]
    strides = (
        *x.strides[:-n],
        *(a * b for a, b in zip(steps, stride, strict=True)),
        *(a * b for a, b in zip(steps, dilation, strict=True)),
    )
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:-n], *places, *window), strides, writeable=False)


def offsets(window: Sizes, places: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[tuple[Any, ...]]:
    """For each element of the window, in row-major order: the index of where it lies in the padded array, for all
    places of the window."""
    for element in product(*map(range, window)):
        slices = (
            slice(k * d, k * d + (count - 1) * step + 1, step)
            for k, d, count, step in zip(element, dilation, places, stride, strict=True)
        )
        yield (..., *slices)


def cropped(x: np.ndarray, padding: Padding, size: Sizes) -> np.ndarray:
    """The inverse of `padded`."""
    index: tuple[Any, ...] = (..., *(slice(low, low + s) for (low, _), s in zip(padding, size, strict=True)))
    return x[index]


def padded_shape(lead: Shape, size: Sizes, padding: Padding) -> Shape:
    return (
        *lead,
        *(low + s + high for s, (low, high) in zip(size, padding, strict=True)),
    )
