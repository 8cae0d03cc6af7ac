"""How alike two images are, and how restless one is."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from .. import dtypes
from ..tensors import Tensor, convert_to_tensor
from .colour import convert_image_dtype

__all__ = ["psnr", "ssim", "ssim_multiscale", "total_variation"]


def _pair(img1: Any, img2: Any, max_val: Any) -> tuple[Tensor, Tensor, float]:
    """Both as float32 in [0, 1] where their dtype is whole, with the largest value in the same scale."""
    first, second = convert_to_tensor(img1), convert_to_tensor(img2)
    top = float(max_val)
    if not first.dtype.is_floating_point:
        top /= torch.iinfo(first.dtype).max
    return convert_image_dtype(first, dtypes.float32), convert_image_dtype(second, dtypes.float32), top


def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio in dB, over the last three axes."""
    a, b, top = _pair(a, b, max_val)
    error = torch.mean(torch.square(a - b), dim=(-3, -2, -1))
    return 10 * torch.log10(torch.tensor(top**2, dtype=dtypes.float32) / error)


def _similarity(
    x: Tensor, y: Tensor, top: float, filter_size: int, filter_sigma: float, k1: float, k2: float, full: bool = False
) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure part of each channel (Wang et al., 2004), as a map if `full`."""
    lead = x.shape[:-3]
    x, y = (z.reshape(-1, *z.shape[-3:]).movedim(-1, 1) for z in (x, y))
    channels = x.shape[1]
    step = torch.arange(filter_size, dtype=dtypes.float32) - (filter_size - 1) / 2
    bell = torch.softmax(-(step**2) / (2 * filter_sigma**2), dim=0)
    window = (bell.unsqueeze(1) * bell).expand(channels, 1, filter_size, filter_size)

    def blur(z: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(z, window, groups=channels)

    c1, c2 = (k1 * top) ** 2, (k2 * top) ** 2
    mean_x, mean_y = blur(x), blur(y)
    product, squares = 2 * mean_x * mean_y, mean_x**2 + mean_y**2
    luminance = (product + c1) / (squares + c1)
    contrast = (2 * blur(x * y) - product + c2) / (blur(x * x + y * y) - squares + c2)
    maps = (luminance * contrast, contrast)
    if full:
        first, second = (m.reshape(*lead, *m.shape[1:]).movedim(-3, -1) for m in maps)
    else:
        first, second = (torch.mean(m, dim=(-2, -1)).reshape(*lead, channels) for m in maps)
    return first, second


def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Tensor:
    """The structural similarity of images, at most 1; the mean over pixels and channels, or a map over pixels."""
    x, y, top = _pair(img1, img2, max_val)
    similarity, _ = _similarity(x, y, top, filter_size, filter_sigma, k1, k2, return_index_map)
    return torch.mean(similarity, dim=-1)


def ssim_multiscale(
    img1: Any,
    img2: Any,
    max_val: Any,
    power_factors: Any = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """The structural similarity over scales, each half as large as the one before (Wang et al., 2003)."""
    x, y, top = _pair(img1, img2, max_val)
    lead, parts = x.shape[:-3], []
    for scale in range(len(power_factors)):
        if scale:
            x, y = (_halved(z.reshape(-1, *z.shape[-3:])).reshape(*lead, *_half(z.shape)) for z in (x, y))
        similarity, contrast = _similarity(x, y, top, filter_size, filter_sigma, k1, k2)
        parts.append(torch.relu(contrast if scale < len(power_factors) - 1 else similarity))
    powers = torch.tensor(list(power_factors), dtype=dtypes.float32)
    return torch.mean(torch.prod(torch.pow(torch.stack(parts, dim=-1), powers), dim=-1), dim=-1)


def _half(shape: Any) -> tuple[int, ...]:
    return (-(-shape[-3] // 2), -(-shape[-2] // 2), shape[-1])


def _halved(z: Tensor) -> Tensor:
    """Means of 2 by 2 pixels, an odd edge mirrored first."""
    from ..array import pad

    z = pad(z, [[0, 0], [0, z.shape[1] % 2], [0, z.shape[2] % 2], [0, 0]], "SYMMETRIC")
    return torch.nn.functional.avg_pool2d(z.movedim(-1, 1), 2).movedim(1, -1)


def total_variation(images: Any, name: str | None = None) -> Tensor:
    """The sum of the absolute differences of neighbouring pixels, of each image."""
    x = convert_to_tensor(images)
    down, across = x[..., 1:, :, :] - x[..., :-1, :, :], x[..., 1:, :] - x[..., :-1, :]
    return torch.sum(torch.abs(down), dim=(-3, -2, -1)) + torch.sum(torch.abs(across), dim=(-3, -2, -1))
