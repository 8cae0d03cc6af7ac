"""Image files, with Pillow and simplejpeg: the extra `image` of the package."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.extras import needed

from .. import dtypes
from ..errors import InvalidArgumentError
from ..hosted import hosted
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

LARGE = 16_000
"""Bytes of a file."""

_BEGINNINGS = {b"\x89PNG": ("PNG",), b"\xff\xd8\xff": ("JPEG",)}
"""What files of the usual formats begin with: no others are tried for them."""


def _decoder(pixels: Callable[..., np.ndarray]) -> Any:
    """The function of tensors that a function of the bytes of one file stands for. It gives an array, and may be given
    arrays of any memory; see `hosted`."""

    def many(files: np.ndarray, *args: Any, **keywords: Any) -> list[Any] | None:
        return [[pixels(content, *args, **keywords) for content in files]] if files.ndim == 1 else None

    @functools.wraps(pixels)
    def decode(contents: Any, *args: Any, **keywords: Any) -> Tensor:
        return torch.tensor(pixels(as_bytes(contents)[()], *args, **keywords))

    return hosted(decode, many=many, slow=_are_large)


def _are_large(files: np.ndarray) -> bool:
    """Whether files take longer to decode than threads take to hand Python to one another."""
    return sum(map(len, files.flat)) > LARGE * files.size


def _opened(content: bytes) -> Any:
    """The bytes of a file as an image of Pillow's. Raises InvalidArgumentError for what is no image."""
    pillow = needed("PIL.Image", "image", "reading and writing image files")
    try:
        return pillow.open(io.BytesIO(content), formats=_BEGINNINGS.get(content[:4]) or _BEGINNINGS.get(content[:3]))
    except pillow.UnidentifiedImageError as error:
        raise InvalidArgumentError("expected the bytes of an image file. Received: something else") from error


def _check_channels(channels: int) -> None:
    if channels not in (0, *_MODES):
        raise InvalidArgumentError(f"decoding an image expected 0, 1, 2, 3 or 4 channels. Received: {channels}")


def _pixels(picture: Any, channels: int, dtype: Any = dtypes.uint8) -> np.ndarray:
    """One frame as an array (height, width, channels); 0 channels: as many as the file has."""
    _check_channels(channels)
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
            mode = _MODES[channels or _CHANNELS[picture.mode]]
            array = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except OSError as error:
        raise InvalidArgumentError(f"the image file is damaged: {error}") from error
    array = array if array.ndim == 3 else array[..., None]
    return array.astype(np.uint16) * 257 if dtype is dtypes.uint16 else array


@_decoder
def decode_jpeg(
    contents: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> np.ndarray:
    """A JPEG file (or PNG, BMP, ...) as uint8 of shape (height, width, channels); 0 channels: those of the file.

    `ratio` (1, 2, 4 or 8) makes it that much smaller. `dct_method` is "INTEGER_FAST", "INTEGER_ACCURATE" or "", which
    leaves the choice: as in TensorFlow it is the fast transform, to the bit, where simplejpeg is installed, which the
    extra `image` brings. Pillow alone has the accurate one, and no other upscaling than the fancy one.
    Raises InvalidArgumentError for bytes that are no image.
    """
    if ratio not in (1, 2, 4, 8):
        raise InvalidArgumentError(f"decode_jpeg expected ratio 1, 2, 4 or 8. Received: {ratio}")
    if dct_method not in ("", "INTEGER_FAST", "INTEGER_ACCURATE"):
        raise InvalidArgumentError(
            f'decode_jpeg expected dct_method "", "INTEGER_FAST" or "INTEGER_ACCURATE". Received: {dct_method!r}'
        )
    _check_channels(channels)
    if contents[:3] == b"\xff\xd8\xff" and channels in (0, 1, 3):
        decoder = _jpeg_decoder(required=dct_method == "INTEGER_FAST" or not fancy_upscaling)
        if decoder is not None:
            fast = {"fastdct": dct_method != "INTEGER_ACCURATE", "fastupsample": not fancy_upscaling}
            decoded = _jpeg(decoder, contents, channels, ratio, strict=not try_recover_truncated, **fast)
            if decoded is not None:
                return decoded
    picture = _opened(contents)
    return _pixels(picture.reduce(ratio) if ratio > 1 else picture, channels)


@functools.cache
def _jpeg_decoder(required: bool) -> Any:
    try:
        return needed("simplejpeg", "image", "decoding JPEG files by the fast transform or without fancy upscaling")
    except ImportError:
        if required:
            raise
        return None


def _jpeg(decoder: Any, content: bytes, channels: int, ratio: int, **options: Any) -> np.ndarray | None:
    """A JPEG file decoded by simplejpeg; None where it is for printing inks, or damaged in its head."""
    try:
        height, width, colours, _ = decoder.decode_jpeg_header(content)
    except ValueError:
        return None
    if colours not in ("YCbCr", "RGB", "Gray"):
        return None
    wanted = channels or (1 if colours == "Gray" else 3)
    sizes = {"min_height": -(-height // ratio), "min_width": -(-width // ratio)} if ratio > 1 else {}
    try:
        return decoder.decode_jpeg(content, "GRAY" if wanted == 1 else "RGB", **sizes, **options)
    except ValueError as error:
        raise InvalidArgumentError(f"the image file is damaged: {error}") from error


@hosted
def decode_and_crop_jpeg(contents: Any, crop_window: Any, channels: int = 0, **options: Any) -> Tensor:
    """The box (y, x, height, width) of a JPEG file."""
    from .geometry import crop_to_bounding_box

    return crop_to_bounding_box(decode_jpeg(contents, channels, **options), *convert_to_tensor(crop_window).tolist())


@_decoder
def decode_png(contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None) -> np.ndarray:
    """A PNG file as uint8 or uint16 of shape (height, width, channels); 0 channels: those of the file."""
    return _pixels(_opened(contents), channels, dtypes.as_dtype(dtype))


@_decoder
def decode_bmp(contents: Any, channels: int = 0, name: str | None = None) -> np.ndarray:
    """A BMP file as uint8 of shape (height, width, channels)."""
    return _pixels(_opened(contents), channels)


@_decoder
def decode_webp(contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None) -> np.ndarray:
    """A WebP file as uint8 of shape (frames, height, width, channels)."""
    return _frames(_opened(contents), channels)


@_decoder
def decode_gif(contents: Any, name: str | None = None) -> np.ndarray:
    """All frames of a GIF file: uint8 of shape (frames, height, width, 3)."""
    return _frames(_opened(contents), 3)


def _frames(picture: Any, channels: int) -> np.ndarray:
    frames = []
    for frame in range(getattr(picture, "n_frames", 1)):
        picture.seek(frame)
        frames.append(_pixels(picture, channels))
    return np.stack(frames)


@hosted
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
    content = as_bytes(contents)[()]
    if content[:3] == b"\xff\xd8\xff":
        image = decode_jpeg(contents, channels or 0)
    elif content[:3] == b"GIF":
        frames = decode_gif(contents)
        image = frames if expand_animations else frames[0]
    else:
        image = decode_png(contents, channels or 0, dtype)
    return convert_image_dtype(image, dtype)


@hosted
def is_jpeg(contents: Any, name: str | None = None) -> Tensor:
    """Whether the bytes begin as a JPEG file does."""
    return torch.tensor(as_bytes(contents)[()][:3] == b"\xff\xd8\xff")


@hosted
def extract_jpeg_shape(contents: Any, output_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """Height, width and channels of a JPEG file, read from its head."""
    picture = _opened(as_bytes(contents)[()])
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
