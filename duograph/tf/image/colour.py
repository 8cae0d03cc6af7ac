"""Colour spaces, adjustments, and the value range of dtypes."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from .. import dtypes
from ..special import saturate_cast
from ..tensors import Tensor, convert_to_tensor

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "convert_image_dtype",
    "grayscale_to_rgb", "hsv_to_rgb", "per_image_standardization", "rgb_to_grayscale", "rgb_to_hsv", "rgb_to_yiq",
    "rgb_to_yuv", "yiq_to_rgb", "yuv_to_rgb",
]  # fmt: skip

_LUMA = (0.2989, 0.587, 0.114)
_YIQ = (
    (0.299, 0.587, 0.114),
    (0.59590059, -0.27455667, -0.32134392),
    (0.2115, -0.52273617, 0.31119955),
)
_FROM_YIQ = (
    (1.0, 0.95598634, 0.6208248),
    (1.0, -0.27201283, -0.64720424),
    (1.0, -1.10674021, 1.70423049),
)
_YUV = (
    (0.299, 0.587, 0.114),
    (-0.14714119, -0.28886916, 0.43601035),
    (0.61497538, -0.51496512, -0.10001026),
)
_FROM_YUV = (
    (1.0, 0.0, 1.13988303),
    (1.0, -0.394642334, -0.58062185),
    (1.0, 2.03206185, 0.0),
)


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: str | None = None) -> Tensor:
    """`image` in another dtype, scaled: floats have the range [0, 1], integers that from 0 to their largest number."""
    x, dtype = convert_to_tensor(image), dtypes.as_dtype(dtype)
    if x.dtype is dtype:
        return x
    cast = saturate_cast if saturate else (lambda value, to: value.to(to))
    if x.dtype.is_floating_point:
        if dtype.is_floating_point:
            return x.to(dtype)
        return cast(x * (torch.iinfo(dtype).max + 0.5), dtype)
    top = torch.iinfo(x.dtype).max
    if dtype.is_floating_point:
        return x.to(dtype) * (1 / top)
    new = torch.iinfo(dtype).max
    if top > new:
        return cast(torch.div(x, (top + 1) // (new + 1), rounding_mode="trunc"), dtype)
    return cast(x, dtype) * ((new + 1) // (top + 1))


def _in_floats(function: Any, image: Any) -> Tensor:
    """`function` of the image as float32 in [0, 1], back in its own dtype."""
    x = convert_to_tensor(image)
    floats = x if x.dtype in (dtypes.float16, dtypes.float32) else convert_image_dtype(x, dtypes.float32)
    return convert_image_dtype(function(floats), x.dtype, saturate=True)


def _mixed(images: Any, matrix: Any) -> Tensor:
    x = convert_to_tensor(images)
    return torch.matmul(x, torch.tensor(matrix, dtype=x.dtype).transpose(0, 1))


def rgb_to_yiq(images: Any) -> Tensor:
    """Luma and two chroma channels of NTSC from RGB in [0, 1]."""
    return _mixed(images, _YIQ)


def yiq_to_rgb(images: Any) -> Tensor:
    """The inverse of `rgb_to_yiq`."""
    return _mixed(images, _FROM_YIQ)


def rgb_to_yuv(images: Any) -> Tensor:
    """Luma and two chroma channels of PAL from RGB in [0, 1]."""
    return _mixed(images, _YUV)


def yuv_to_rgb(images: Any) -> Tensor:
    """The inverse of `rgb_to_yuv`."""
    return _mixed(images, _FROM_YUV)


def rgb_to_grayscale(images: Any, name: str | None = None) -> Tensor:
    """The luma, as one channel, in the dtype of the images."""
    return _in_floats(lambda x: torch.sum(x * torch.tensor(_LUMA, dtype=x.dtype), dim=-1, keepdim=True), images)


def grayscale_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """The one channel three times."""
    x = convert_to_tensor(images)
    return x.expand(*x.shape[:-1], 3).clone()


def rgb_to_hsv(images: Any, name: str | None = None) -> Tensor:
    """Hue, saturation and value in [0, 1] from RGB in [0, 1]."""
    r, g, b = torch.unbind(convert_to_tensor(images), -1)
    value = torch.maximum(torch.maximum(r, g), b)
    spread = value - torch.minimum(torch.minimum(r, g), b)
    zero = torch.zeros_like(value)
    saturation = torch.where(value > 0, spread / torch.where(value > 0, value, torch.ones_like(value)), zero)
    unit = 1 / (6 * torch.where(spread > 0, spread, torch.ones_like(spread)))
    hue = torch.where(
        r == value, unit * (g - b), torch.where(g == value, unit * (b - r) + 2 / 6, unit * (r - g) + 4 / 6)
    )
    hue = torch.where(spread > 0, hue, zero)
    return torch.stack([torch.where(hue < 0, hue + 1, hue), saturation, value], dim=-1)


def hsv_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """The inverse of `rgb_to_hsv`."""
    hue, saturation, value = torch.unbind(convert_to_tensor(images), -1)
    six = hue * 6
    pure = [torch.abs(six - 3) - 1, 2 - torch.abs(six - 2), 2 - torch.abs(six - 4)]
    return torch.stack([(1 - saturation + saturation * torch.clamp(c, 0, 1)) * value for c in pure], dim=-1)


def adjust_brightness(image: Any, delta: Any) -> Tensor:
    """`delta`, a part of the value range, added to each element; the result is in the dtype of the image."""
    x = convert_to_tensor(image)
    floats = x if x.dtype in (dtypes.float16, dtypes.float32) else convert_image_dtype(x, dtypes.float32)
    return convert_image_dtype(floats + delta, x.dtype, saturate=True)


def adjust_contrast(images: Any, contrast_factor: Any) -> Tensor:
    """The distance of each element from the mean of its channel, times a factor."""

    def adjust(x: Tensor) -> Tensor:
        mean = torch.mean(x, dim=(-3, -2), keepdim=True)
        return (x - mean) * contrast_factor + mean

    return _in_floats(adjust, images)


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Tensor:
    """gain · x^gamma, of x in [0, 1]. Raises ValueError for a negative gamma."""
    if gamma < 0:
        raise ValueError(f"adjust_gamma expected gamma >= 0. Received: {gamma}")
    return _in_floats(lambda x: torch.pow(x, gamma) * gain, image)


def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Tensor:
    """RGB images with `delta` in [-1, 1], a part of the colour circle, added to the hue."""

    def adjust(x: Tensor) -> Tensor:
        hue, saturation, value = torch.unbind(rgb_to_hsv(x), -1)
        return hsv_to_rgb(torch.stack([torch.remainder(hue + delta, 1.0), saturation, value], dim=-1))

    return _in_floats(adjust, image)


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Tensor:
    """RGB images with the saturation multiplied by a factor."""

    def adjust(x: Tensor) -> Tensor:
        hue, saturation, value = torch.unbind(rgb_to_hsv(x), -1)
        return hsv_to_rgb(torch.stack([hue, torch.clamp(saturation * saturation_factor, 0, 1), value], dim=-1))

    return _in_floats(adjust, image)


def per_image_standardization(image: Any) -> Tensor:
    """(x - mean) / max(standard deviation, 1 / sqrt(n)) of each image, n being its number of elements; float32."""
    x = convert_to_tensor(image)
    x = x if x.dtype in (dtypes.float16, dtypes.float32) else x.to(dtypes.float32)
    elements = x.shape[-1] * x.shape[-2] * x.shape[-3]
    mean = torch.mean(x, dim=(-3, -2, -1), keepdim=True)
    deviation = torch.std(x, dim=(-3, -2, -1), keepdim=True, correction=0)
    return (x - mean) / torch.clamp(deviation, min=elements**-0.5)
