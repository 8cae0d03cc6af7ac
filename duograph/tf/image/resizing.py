"""Resizing: each axis is multiplied by a matrix of weights, which the method gives."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import duograph.torch as torch

from .. import dtypes
from ..errors import InvalidArgumentError
from ..tensors import Tensor, _sizes, convert_to_tensor

__all__ = ["ResizeMethod", "crop_and_resize", "resize", "resize_with_pad"]


class ResizeMethod:
    """The names of the methods of `resize`."""

    BILINEAR = "bilinear"
    NEAREST_NEIGHBOR = "nearest"
    BICUBIC = "bicubic"
    AREA = "area"
    LANCZOS3 = "lanczos3"
    LANCZOS5 = "lanczos5"
    GAUSSIAN = "gaussian"
    MITCHELLCUBIC = "mitchellcubic"


def _cubic(x: np.ndarray, b: float, c: float) -> np.ndarray:
    """The piecewise cubic filters of Mitchell and Netravali (1988); b = 0, c = 1/2 is that of Keys and Catmull-Rom."""
    near = ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + 6 - 2 * b) / 6
    far = ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + 8 * b + 24 * c) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: np.ndarray, radius: float) -> np.ndarray:
    return np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


_KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": lambda x: np.maximum(1 - x, 0.0),
    "bicubic": lambda x: _cubic(x, 0.0, 0.5),
    "mitchellcubic": lambda x: _cubic(x, 1 / 3, 1 / 3),
    "lanczos3": lambda x: _lanczos(x, 3.0),
    "lanczos5": lambda x: _lanczos(x, 5.0),
    "gaussian": lambda x: np.where(x < 1.5, np.exp(-(x**2) / (2 * 0.5**2)), 0.0),
}
"""The filter of each method at a distance >= 0."""


@functools.lru_cache(maxsize=256)
def _weights(method: str, size: int, new: int, antialias: bool) -> np.ndarray:
    """What part of each old element each new one takes: float32 of shape (new, size), rows of sum 1."""
    scale = size / new
    if method == "area":
        edges = np.arange(new + 1) * scale
        old = np.arange(size)
        overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
        weights = np.maximum(overlap, 0.0)
    else:
        kernel = _KERNELS[method]
        stretch = max(scale, 1.0) if antialias else 1.0
        centres = (np.arange(new) + 0.5) * scale
        if method == "bicubic" and not antialias:  # TensorFlow reads this filter from a table of 1024 steps
            whole = np.floor(centres - 0.5)
            centres = whole + np.rint((centres - 0.5 - whole) * 1024) / 1024 + 0.5
        weights = kernel(np.abs(np.arange(size) + 0.5 - centres[:, None]) / stretch)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def resize(
    images: Any,
    size: Any,
    method: str = ResizeMethod.BILINEAR,
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: str | None = None,
) -> Tensor:
    """Images of `size` (height, width): float32, or of the dtype of `images` for "nearest" and for an unchanged size.

    `antialias` widens the filter where the image shrinks. Raises ValueError for other than 3 or 4 axes and for an
    unknown method.
    """
    x = convert_to_tensor(images)
    if x.ndim not in (3, 4):
        raise ValueError(f"tf.image.resize expected images of 3 or 4 axes. Received: shape {tuple(x.shape)}")
    if method not in (*_KERNELS, "area", "nearest"):
        raise ValueError(f"tf.image.resize expected one of tf.image.ResizeMethod. Received: {method!r}")
    sizes = _sizes(size)
    if len(sizes) != 2:
        raise ValueError(f"tf.image.resize expected size (height, width). Received: {sizes}")
    old = tuple(x.shape[-3:-1])
    if preserve_aspect_ratio:
        ratio = min(new / n for new, n in zip(sizes, old, strict=True))
        sizes = tuple(max(round(ratio * n), 1) for n in old)
    if sizes == old:
        return x
    if method == "nearest":
        for axis, (n, new) in zip((-3, -2), zip(old, sizes, strict=True), strict=True):
            x = torch.index_select(x, axis, _nearest(n, new))
        return x
    x = x if x.dtype.is_floating_point else x.to(dtypes.float32)
    dtype = x.dtype
    rows, columns = (
        torch.tensor(_weights(method, n, new, bool(antialias)), dtype=dtypes.float32)
        for n, new in zip(old, sizes, strict=True)
    )
    resized = torch.einsum("yh,...hwc->...ywc", rows, x.to(dtypes.float32))
    resized = torch.einsum("xw,...hwc->...hxc", columns, resized)
    return resized.to(dtype if dtype is dtypes.float64 else dtypes.float32)


def _nearest(size: int, new: int) -> Tensor:
    """The old element at the centre of each new one."""
    scale = np.float32(size) / np.float32(new)
    places = np.floor((np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale).astype(np.int64)
    return torch.tensor(np.minimum(places, size - 1))


def resize_with_pad(
    image: Any, target_height: int, target_width: int, method: str = ResizeMethod.BILINEAR, antialias: bool = False
) -> Tensor:
    """Images resized without distortion, with zeros on both sides of the axis that is left over."""
    from .geometry import pad_to_bounding_box

    x = convert_to_tensor(image)
    height, width = (int(n) for n in x.shape[-3:-1])
    ratio = max(width / target_width, height / target_height)
    exact = height / ratio, width / ratio
    top, left = (max(math.floor((t - n) / 2), 0) for t, n in zip((target_height, target_width), exact, strict=True))
    resized = resize(x, [math.floor(n) for n in exact], method, antialias=antialias)
    return pad_to_bounding_box(resized, top, left, target_height, target_width)


def crop_and_resize(
    image: Any,
    boxes: Any,
    box_indices: Any,
    crop_size: Any,
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
    name: str | None = None,
) -> Tensor:
    """Boxes (y1, x1, y2, x2) in parts of the image, cut out of the images `box_indices` and resized: float32 of shape
    (boxes, height, width, channels). What lies outside the image becomes `extrapolation_value`."""
    x, boxes = convert_to_tensor(image).to(dtypes.float32), convert_to_tensor(boxes, dtypes.float32)
    which = convert_to_tensor(box_indices).to(dtypes.int64)
    if method not in ("bilinear", "nearest"):
        raise InvalidArgumentError(f'crop_and_resize expected "bilinear" or "nearest". Received: {method!r}')
    height, width = (int(n) for n in x.shape[1:3])

    def places(low: Tensor, high: Tensor, size: int, new: int) -> Tensor:
        if new == 1:
            return (0.5 * (low + high) * (size - 1)).unsqueeze(1)
        step = torch.arange(new, dtype=dtypes.float32) * (1 / (new - 1))
        return (low.unsqueeze(1) + (high - low).unsqueeze(1) * step) * (size - 1)

    new_height, new_width = _sizes(crop_size)
    ys = places(boxes[:, 0], boxes[:, 2], height, new_height)
    xs = places(boxes[:, 1], boxes[:, 3], width, new_width)
    inside = ((ys >= 0) & (ys <= height - 1)).unsqueeze(2) & ((xs >= 0) & (xs <= width - 1)).unsqueeze(1)
    which = which.reshape(-1, 1, 1)

    def at(y: Tensor, x_: Tensor) -> Tensor:
        rows = torch.clamp(y, 0, height - 1).to(dtypes.int64).unsqueeze(2)
        columns = torch.clamp(x_, 0, width - 1).to(dtypes.int64).unsqueeze(1)
        return x[which, rows, columns]

    if method == "nearest":
        cut = at(torch.floor(ys + 0.5), torch.floor(xs + 0.5))
    else:
        top, left = torch.floor(ys), torch.floor(xs)
        bottom, right = torch.ceil(ys), torch.ceil(xs)
        down, across = (ys - top).unsqueeze(2).unsqueeze(3), (xs - left).unsqueeze(1).unsqueeze(3)
        upper = at(top, left) * (1 - across) + at(top, right) * across
        lower = at(bottom, left) * (1 - across) + at(bottom, right) * across
        cut = upper * (1 - down) + lower * down
    return torch.where(inside.unsqueeze(3), cut, torch.tensor(extrapolation_value, dtype=dtypes.float32))
