"""Image files, with Pillow: the extra `image` of the package."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.extras import needed

from .. import dtypes
from ..errors import InvalidArgumentError
from ..tensors import Tensor, convert_to_tensor
from ..text import StringTensor, as_bytes
from .colour import convert_image_dtype

__all__ = [
    "adjust_jpeg_quality", "decode_and_crop_jpeg", "decode_bmp", "decode_gif", "decode_image", "decode_jpeg",
    "decode_png", "decode_webp", "encode_jpeg", "encode_png", "extract_jpeg_shape", "is_jpeg", "random_jpeg_quality",
    "stateless_random_jpeg_quality",
]  # fmt: skip

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4, "P": 3, "CMYK": 3, "YCbCr": 3}

_PNG_LUMA = np.array([9797, 19234, 3737])
"""libpng's weights of red, green and blue, in parts of 2¹⁵."""


def _opened(contents: Any) -> Any:
    """The bytes of a file as an image of Pillow's. Raises InvalidArgumentError for what is no image."""
    pillow = needed("PIL.Image", "image", "reading and writing image files")
    try:
        return pillow.open(io.BytesIO(as_bytes(contents)[()]))
    except pillow.UnidentifiedImageError as error:
        raise InvalidArgumentError("expected the bytes of an image file. Received: something else") from error


def _pixels(picture: Any, channels: int, dtype: Any) -> np.ndarray:
    """One frame as an array (height, width, channels); 0 channels: as many as the file has."""
    if channels not in (0, *_MODES):
        raise InvalidArgumentError(f"decoding an image expected 0, 1, 2, 3 or 4 channels. Received: {channels}")
    deep = picture.mode.startswith("I")  # 16 bits a channel
    if deep and channels in (0, 1):
        wide = np.asarray(picture).astype(np.uint16)[..., None]
        return wide if dtype is dtypes.uint16 else (wide >> 8).astype(np.uint8)
    if deep:
        raise InvalidArgumentError("images of 16 bits are read with one channel only")
    try:
        if channels == 1 and picture.format == "JPEG":
            picture.draft("L", picture.size)  # the luma as it stands in the file
        if channels == 1 and picture.format == "PNG" and picture.mode in ("RGB", "RGBA", "P"):
            luma = np.asarray(picture.convert("RGB")) @ _PNG_LUMA
            array = (luma >> 15).astype(np.uint8)
        else:
            array = np.asarray(picture.convert(_MODES[channels or _CHANNELS[picture.mode]]))
    except OSError as error:
        raise InvalidArgumentError(f"the image file is damaged: {error}") from error
    array = array if array.ndim == 3 else array[..., None]
    return array.astype(np.uint16) * 257 if dtype is dtypes.uint16 else array


def _decoded(contents: Any, channels: int, dtype: Any = dtypes.uint8) -> Tensor:
    return torch.tensor(_pixels(_opened(contents), channels, dtypes.as_dtype(dtype)))


def decode_jpeg(
    contents: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """A JPEG file (or PNG, BMP, ...) as uint8 of shape (height, width, channels); 0 channels: those of the file.

    `ratio` (1, 2, 4 or 8) makes it that much smaller. Raises InvalidArgumentError for bytes that are no image.
    """
    picture = _opened(contents)
    if ratio not in (1, 2, 4, 8):
        raise InvalidArgumentError(f"decode_jpeg expected ratio 1, 2, 4 or 8. Received: {ratio}")
    if ratio > 1:
        picture = picture.reduce(ratio)
    return torch.tensor(_pixels(picture, channels, dtypes.uint8))


def decode_and_crop_jpeg(contents: Any, crop_window: Any, channels: int = 0, **options: Any) -> Tensor:
    """The box (y, x, height, width) of a JPEG file."""
    from .geometry import crop_to_bounding_box

    return crop_to_bounding_box(decode_jpeg(contents, channels, **options), *convert_to_tensor(crop_window).tolist())


def decode_png(contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None) -> Tensor:
    """A PNG file as uint8 or uint16 of shape (height, width, channels); 0 channels: those of the file."""
    return _decoded(contents, channels, dtype)


def decode_bmp(contents: Any, channels: int = 0, name: str | None = None) -> Tensor:
    """A BMP file as uint8 of shape (height, width, channels)."""
    return _decoded(contents, channels)


def decode_webp(contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None) -> Tensor:
    """A WebP file as uint8 of shape (frames, height, width, channels)."""
    return _frames(_opened(contents), channels)


def decode_gif(contents: Any, name: str | None = None) -> Tensor:
    """All frames of a GIF file: uint8 of shape (frames, height, width, 3)."""
    return _frames(_opened(contents), 3)


def _frames(picture: Any, channels: int) -> Tensor:
    frames = []
    for frame in range(getattr(picture, "n_frames", 1)):
        picture.seek(frame)
        frames.append(_pixels(picture, channels, dtypes.uint8))
    return torch.tensor(np.stack(frames))


def decode_image(
    contents: Any,
    channels: int | None = None,
    dtype: Any = dtypes.uint8,
    name: str | None = None,
    expand_animations: bool = True,
) -> Tensor:
    """A JPEG, PNG, BMP or GIF file of shape (height, width, channels), a GIF (frames, height, width, 3) unless
    `expand_animations` is false; floats are in [0, 1]."""
    dtype = dtypes.as_dtype(dtype)
    picture = _opened(contents)
    if picture.format == "GIF":
        frames = _frames(picture, 3)
        image = frames if expand_animations else frames[0]
    else:
        image = torch.tensor(_pixels(picture, channels or 0, dtype))
    return convert_image_dtype(image, dtype)


def is_jpeg(contents: Any, name: str | None = None) -> Tensor:
    """Whether the bytes begin as a JPEG file does."""
    return torch.tensor(as_bytes(contents)[()][:3] == b"\xff\xd8\xff")


def extract_jpeg_shape(contents: Any, output_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """Height, width and channels of a JPEG file, read from its head."""
    picture = _opened(contents)
    return torch.tensor([*picture.size[::-1], _CHANNELS[picture.mode]], dtype=dtypes.as_dtype(output_type))


def _encoded(image: Any, kind: str, **options: Any) -> StringTensor:
    pillow = needed("PIL.Image", "image", "reading and writing image files")
    x = convert_to_tensor(image)
    if x.dtype not in (dtypes.uint8, dtypes.uint16) or x.ndim != 3 or x.shape[-1] not in _MODES:
        raise InvalidArgumentError(
            "encoding an image expected uint8 of shape (height, width, 1 to 4 channels). "
            f"Received: {x.dtype.name} of shape {tuple(x.shape)}"
        )
    array = x.numpy()
    if array.dtype == np.uint16 and array.shape[-1] > 1:
        raise InvalidArgumentError("images of 16 bits are written with one channel only")
    buffer = io.BytesIO()
    pillow.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(buffer, kind, **options)
    return StringTensor(buffer.getvalue())


def encode_jpeg(
    image: Any,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
    name: str | None = None,
) -> StringTensor:
    """The bytes of a JPEG file of an image, uint8 of shape (height, width, 1 or 3)."""
    subsampling = 2 if chroma_downsampling else 0
    return _encoded(
        image, "JPEG", quality=int(quality), progressive=progressive, optimize=optimize_size, subsampling=subsampling,
        dpi=(x_density, y_density),
    )  # fmt: skip


def encode_png(image: Any, compression: int = -1, name: str | None = None) -> StringTensor:
    """The bytes of a PNG file of an image of shape (height, width, 1 to 4); uint16 with one channel."""
    return _encoded(image, "PNG", **({} if compression < 0 else {"compress_level": compression}))


def adjust_jpeg_quality(image: Any, jpeg_quality: Any, dct_method: str = "", name: str | None = None) -> Tensor:
    """The image as a JPEG file of that quality would show it. Not differentiable."""
    x = convert_to_tensor(image)
    decoded = decode_jpeg(encode_jpeg(convert_image_dtype(x, dtypes.uint8, True), quality=int(jpeg_quality)))
    return convert_image_dtype(decoded, x.dtype, saturate=True)


def random_jpeg_quality(image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: Any = None) -> Tensor:
    """`adjust_jpeg_quality` at a random quality from [min_jpeg_quality, max_jpeg_quality)."""
    from ..random import uniform

    return adjust_jpeg_quality(image, uniform((), min_jpeg_quality, max_jpeg_quality, dtypes.int32, seed).item())


def stateless_random_jpeg_quality(image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: Any) -> Tensor:
    """`random_jpeg_quality`, the same for the same `seed`, a pair of integers."""
    from ..random import keyed

    return random_jpeg_quality(image, min_jpeg_quality, max_jpeg_quality, keyed(seed))
