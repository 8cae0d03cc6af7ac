"""Cropping, padding, mirroring, turning, and patches."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from ..errors import InvalidArgumentError
from ..nn import _margins
from ..tensors import Tensor, convert_to_tensor

__all__ = [
    "central_crop", "crop_to_bounding_box", "extract_patches", "flip_left_right", "flip_up_down", "image_gradients",
    "pad_to_bounding_box", "resize_with_crop_or_pad", "rot90", "sobel_edges", "transpose",
]  # fmt: skip


def _image(image: Any, function: str) -> Tensor:
    x = convert_to_tensor(image)
    if x.ndim not in (3, 4):
        raise ValueError(f"tf.image.{function} expected an image of 3 or 4 axes. Received: shape {tuple(x.shape)}")
    return x


def flip_left_right(image: Any) -> Tensor:
    """The columns in reverse order."""
    return torch.flip(_image(image, "flip_left_right"), (-2,))


def flip_up_down(image: Any) -> Tensor:
    """The rows in reverse order."""
    return torch.flip(_image(image, "flip_up_down"), (-3,))


def transpose(image: Any, name: str | None = None) -> Tensor:
    """Rows and columns exchanged."""
    return _image(image, "transpose").transpose(-3, -2)


def rot90(image: Any, k: Any = 1, name: str | None = None) -> Tensor:
    """Turned k times by 90 degrees, anticlockwise."""
    return torch.rot90(_image(image, "rot90"), int(k), (-3, -2))


def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The box of the given size whose upper left corner is at the offsets. Raises
    InvalidArgumentError where it sticks out."""
    x = _image(image, "crop_to_bounding_box")
    top, left, height, width = (int(n) for n in (offset_height, offset_width, target_height, target_width))
    if min(top, left) < 0 or min(height, width) < 1 or top + height > x.shape[-3] or left + width > x.shape[-2]:
        raise InvalidArgumentError(
            f"crop_to_bounding_box expected a box inside the image of shape {tuple(x.shape)}. "
            f"Received: offsets {top}, {left} and size {height}, {width}"
        )
    return x[..., top : top + height, left : left + width, :]


def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The image in a larger one of zeros, its upper left corner at the offsets. Raises
    InvalidArgumentError where it sticks out."""
    x = _image(image, "pad_to_bounding_box")
    top, left, height, width = (int(n) for n in (offset_height, offset_width, target_height, target_width))
    bottom, right = height - top - int(x.shape[-3]), width - left - int(x.shape[-2])
    if min(top, left, bottom, right) < 0:
        raise InvalidArgumentError(
            f"pad_to_bounding_box expected room for the image of shape {tuple(x.shape)}. "
            f"Received: offsets {top}, {left} and size {height}, {width}"
        )
    return torch.nn.functional.pad(x, (0, 0, left, right, top, bottom))


def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Tensor:
    """The centre of the image, or the image in the centre of zeros, whichever the size of each axis needs."""
    x = _image(image, "resize_with_crop_or_pad")
    height, width = int(target_height), int(target_width)
    old_height, old_width = (int(n) for n in x.shape[-3:-1])
    kept = min(height, old_height), min(width, old_width)
    x = crop_to_bounding_box(x, max((old_height - height) // 2, 0), max((old_width - width) // 2, 0), *kept)
    return pad_to_bounding_box(x, max((height - old_height) // 2, 0), max((width - old_width) // 2, 0), height, width)


def central_crop(image: Any, central_fraction: float) -> Tensor:
    """The middle of the image: `central_fraction` of its height and width. Raises ValueError outside (0, 1]."""
    x = _image(image, "central_crop")
    if not 0 < central_fraction <= 1:
        raise ValueError(f"central_crop expected 0 < central_fraction <= 1. Received: {central_fraction}")
    height, width = (int(n) for n in x.shape[-3:-1])
    top, left = (int((n - n * central_fraction) / 2) for n in (height, width))
    return x[..., top : height - top, left : width - left, :]


def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None) -> Tensor:
    """Patches of `sizes` [1, rows, columns, 1], each flattened into the channels: shape (batch, rows, columns,
    patch rows · patch columns · channels)."""
    x = convert_to_tensor(images)
    (height, width), step, rate = tuple(sizes)[1:3], tuple(strides)[1:3], tuple(rates)[1:3]
    if padding.upper() == "SAME":
        (top, bottom), (left, right) = _margins(x.shape[1:3], (height, width), step, rate)
        x = torch.nn.functional.pad(x, (0, 0, left, right, top, bottom))
    elif padding.upper() != "VALID":
        raise InvalidArgumentError(f'extract_patches expected padding "SAME" or "VALID". Received: {padding!r}')
    rows = (x.shape[1] - (height - 1) * rate[0] - 1) // step[0] + 1
    columns = (x.shape[2] - (width - 1) * rate[1] - 1) // step[1] + 1
    down = torch.arange(rows).unsqueeze(1) * step[0] + torch.arange(height) * rate[0]
    across = torch.arange(columns).unsqueeze(1) * step[1] + torch.arange(width) * rate[1]
    patches = x[:, down.reshape(rows, 1, height, 1), across.reshape(1, columns, 1, width)]
    return patches.reshape(x.shape[0], rows, columns, height * width * x.shape[3])


def image_gradients(image: Any) -> tuple[Tensor, Tensor]:
    """The differences to the next row and to the next column, 0 in the last one. Raises ValueError without a batch."""
    x = convert_to_tensor(image)
    if x.ndim != 4:
        raise ValueError(f"image_gradients expected (batch, height, width, channels). Received: {tuple(x.shape)}")
    down = torch.nn.functional.pad(x[:, 1:] - x[:, :-1], (0, 0, 0, 0, 0, 1))
    across = torch.nn.functional.pad(x[:, :, 1:] - x[:, :, :-1], (0, 0, 0, 1))
    return down, across


def sobel_edges(image: Any) -> Tensor:
    """Sobel's estimate of the derivatives down and across, the edges mirrored: shape image.shape + (2,)."""
    from ..array import pad

    x = pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
    smooth_across = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
    smooth_down = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
    return torch.stack(
        [smooth_across[:, 2:] - smooth_across[:, :-2], smooth_down[:, :, 2:] - smooth_down[:, :, :-2]], dim=-1
    )
