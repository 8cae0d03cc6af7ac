"""Padding, resizing and sampling under PyTorch's names and arguments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from ...functional import resize, sampling
from ...graph.errors import ArgumentError, NotSupported
from ...tensor.core import Tensor, apply
from .common import per_axis


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Elements added (or cut off) at both sides of the last axes, the last axis first in `pad`."""
    sizes = [int(p) for p in pad]
    if len(sizes) % 2 or len(sizes) // 2 > input.ndim:
        raise ArgumentError(
            f"pad: expected two numbers for each of at most {input.ndim} axes. Received: {tuple(sizes)}"
        )
    if mode != "constant" and value is not None and value != 0:
        raise ArgumentError(f"pad: value: expected None with mode {mode!r}. Received: {value}")
    pairs = tuple(zip(sizes[::2], sizes[1::2], strict=True))[::-1]
    attributes = (("pads", pairs), ("mode", mode), ("value", 0.0 if value is None else value))
    return apply(resize.pad, (input,), attributes)


_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """`input` [N, C, ...] in another `size`, or in its own times `scale_factor`."""
    n = input.ndim - 2
    if mode not in ("nearest", "nearest-exact", "area", "bicubic", *_LINEAR):
        raise ArgumentError(
            "interpolate: mode: expected nearest, nearest-exact, area, linear, bilinear, bicubic or trilinear. "
            f"Received: {mode!r}"
        )
    needed = _LINEAR.get(mode, 2 if mode == "bicubic" else n)
    if n not in (1, 2, 3) or n != needed:
        expected = f"{needed + 2} dimensions for {mode}" if needed != n else "3, 4 or 5 dimensions"
        raise ArgumentError(f"interpolate: input: expected {expected}. Received: shape {tuple(input.shape)}")
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"interpolate: expected either size or scale_factor. Received: {size}, {scale_factor}")
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ArgumentError(f"interpolate: align_corners: expected None with mode {mode}. Received: {align_corners}")
    if antialias:
        raise NotSupported("interpolate: antialias=True is not supported: blur first, e.g. with avg_pool2d")
    factors = None
    if size is None:
        factors = tuple(float(f) for f in per_axis("interpolate", "scale_factor", scale_factor, n))
        sizes = tuple(math.floor(s * f) for s, f in zip(input.shape[2:], factors, strict=True))
        if recompute_scale_factor:
            factors = None
    else:
        sizes = tuple(int(s) for s in per_axis("interpolate", "size", size, n))
    kind = "linear" if mode in _LINEAR else "cubic" if mode == "bicubic" else mode
    return apply(resize.interpolate, (input,), (
        ("size", sizes), ("mode", kind), ("align_corners", bool(align_corners)), ("scale_factor", factors),
    ))  # fmt: skip


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """The old name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """The old name of `interpolate(mode="nearest")`."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """The old name of `interpolate(mode="bilinear", align_corners=True)`."""
    return interpolate(input, size, scale_factor, "bilinear", True)


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """`input` read at the coordinates of `grid`, which run from -1 to 1."""
    modes = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}
    if mode not in modes:
        raise ArgumentError(f"grid_sample: mode: expected bilinear, nearest or bicubic. Received: {mode!r}")
    if align_corners is None:
        warnings.warn("grid_sample: align_corners is False where it is not given", UserWarning, stacklevel=2)
    return apply(sampling.grid_sample, (input, grid), (
        ("mode", modes[mode]), ("padding_mode", padding_mode), ("align_corners", bool(align_corners)),
    ))  # fmt: skip


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid of affine maps `theta`, for `grid_sample` and a result of `size`."""
    if align_corners is None:
        warnings.warn("affine_grid: align_corners is False where it is not given", UserWarning, stacklevel=2)
    return apply(sampling.affine_grid, (theta,), (("size", tuple(size)), ("align_corners", bool(align_corners))))


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """[..., C r², H, W] as [..., C, H r, W r]."""
    return apply(resize.pixel_shuffle, (input,), (("factor", upscale_factor),))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of `pixel_shuffle`."""
    return apply(resize.pixel_unshuffle, (input,), (("factor", downscale_factor),))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels dealt in turn to `groups`."""
    return apply(resize.channel_shuffle, (input,), (("groups", groups),))


native_channel_shuffle = channel_shuffle
