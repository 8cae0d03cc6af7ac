"""Summaries as they stand in an event file: each function gives the bytes of one value under a tag."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ....events.wire import field
from ....extras import needed
from ....tensor.core import Tensor

_STRING, _BOOL, _NUMBER = 1, 2, 3
"""The kinds of hyper-parameters, as TensorBoard numbers them."""

_SUCCESS = 1
_FLOAT, _DOUBLE, _TEXT = 1, 2, 7
"""Dtypes of a tensor message."""


def array_of(x: Any) -> np.ndarray:
    """Numbers, sequences, arrays and tensors, with or without gradients, as an array."""
    return x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x)


def _value(tag: str, content: bytes, plugin: str = "", data: bytes = b"") -> bytes:
    described = field(9, field(1, field(1, plugin.encode()) + (field(2, data) if data else b""))) if plugin else b""
    return field(1, field(1, tag.encode()) + content + described)


def scalar(tag: str, x: Any, new_style: bool = False, double_precision: bool = False) -> bytes:
    """A number, in the new style as a tensor of 32 or 64 bits. Raises ValueError for more than one."""
    array = array_of(x)
    if array.size != 1:
        raise ValueError(f"add_scalar expected one number for {tag!r}. Received: shape {array.shape}")
    number = float(array.reshape(()).astype(np.float64))
    if not new_style:
        return _value(tag, field(2, number))
    if double_precision:
        return _value(tag, field(8, field(1, _DOUBLE) + field(6, np.float64(number).tobytes())), "scalars")
    return _value(tag, field(8, field(1, _FLOAT) + field(5, np.float32(number).tobytes())), "scalars")


def _default_edges() -> np.ndarray:
    """Edges whose distances grow by a tenth from 1e-12 to 1e20, on both sides of zero."""
    positive = 1e-12 * 1.1 ** np.arange(math.ceil(math.log(1e32) / math.log(1.1)))
    return np.concatenate([-positive[::-1], [0.0], positive])


def histogram(tag: str, x: Any, bins: Any = "tensorflow", max_bins: int | None = None) -> bytes:
    """How values are distributed, in `bins`: "tensorflow", or what `numpy.histogram` takes; joined to `max_bins`.

    Raises ValueError for no values.
    """
    values = array_of(x).astype(np.float64).ravel()
    if not values.size:
        raise ValueError(f"add_histogram expected values for {tag!r}. Received: none")
    edges = _default_edges() if isinstance(bins, str) and bins == "tensorflow" else bins
    counts, edges = np.histogram(values, edges)
    if max_bins is not None and len(counts) > max_bins:
        together = -(-len(counts) // max_bins)
        counts = np.add.reduceat(counts, np.arange(0, len(counts), together))
        edges = np.append(edges[:-1:together], edges[-1])
    return histogram_of(
        tag, values.min(), values.max(), values.size, values.sum(), (values**2).sum(), edges[1:], counts, edges[0]
    )


def histogram_of(
    tag: str, low: float, high: float, number: float, total: float, squares: float, limits: Any, counts: Any,
    start: float | None = None,
) -> bytes:  # fmt: skip
    """A histogram that was counted before: the right edge and the number of each bucket. With `start`, the left edge
    of the first, buckets on the outside that hold nothing are left out."""
    limits, counts = np.asarray(limits, np.float64).ravel(), np.asarray(counts, np.float64).ravel()
    if limits.size != counts.size:
        raise ValueError(f"expected as many limits as counts. Received: {limits.size} and {counts.size}")
    if start is not None:  # an empty bucket before the first says where that begins
        filled = np.flatnonzero(counts)
        if not filled.size:
            raise ValueError(f"add_histogram expected values within its bins for {tag!r}. Received: none")
        first, end = filled[0], filled[-1] + 1
        limits = np.concatenate([[start], limits])[first : end + 1]
        counts = np.concatenate([[0.0], counts[first:end]])
    numbers = [field(k, float(n), double=True) for k, n in enumerate((low, high, number, total, squares), 1)]
    return _value(tag, field(5, b"".join(numbers) + field(6, limits.tobytes()) + field(7, counts.tobytes())))


def _picture(x: Any, dataformats: str) -> np.ndarray:
    """Images as one, uint8 of shape (height, width, 3 or 4): a batch becomes rows of up to eight images.

    Raises ValueError where `dataformats`, such as "CHW" or "NHWC", does not name each axis once.
    """
    array = array_of(x)
    axes = dataformats.upper()
    if len(axes) != array.ndim or len(set(axes)) != len(axes) or set("HW") - set(axes) or set(axes) - set("NCHW"):
        raise ValueError(f"expected one letter of NCHW for each axis. Received: {dataformats!r} for {array.shape}")
    array = array.transpose([axes.index(letter) for letter in "NHWC" if letter in axes])
    if "C" not in axes:
        array = array[..., None]
    if "N" in axes:
        array = _grid(array)
    if array.shape[-1] == 1:
        array = np.repeat(array, 3, axis=-1)
    if array.shape[-1] not in (3, 4):
        raise ValueError(f"expected images of 1, 3 or 4 channels. Received: {array.shape[-1]}")
    if array.dtype == np.uint8:
        return array
    return np.clip(array.astype(np.float32) * 255, 0, 255).astype(np.uint8)


def _grid(images: np.ndarray) -> np.ndarray:
    """(number, height, width, channels) to (rows · height, columns · width, channels), empty places being zero."""
    number, height, width, channels = images.shape
    columns = min(number, 8)
    rows = -(-number // columns)
    full = np.zeros((rows * columns, height, width, channels), images.dtype)
    full[:number] = images
    return full.reshape(rows, columns, height, width, channels).swapaxes(1, 2).reshape(
        rows * height, columns * width, channels
    )  # fmt: skip


def image(tag: str, x: Any, dataformats: str, boxes: Any = None, labels: Any = None) -> bytes:
    """Images: floats in [0, 1] or uint8, as a PNG file, with `boxes` (left, top, right, bottom) drawn into it."""
    pillow = needed("PIL.Image", "image", "writing images for TensorBoard")
    picture = pillow.fromarray(_picture(x, dataformats))
    if boxes is not None:
        pen = needed("PIL.ImageDraw", "image", "drawing boxes").Draw(picture)
        for k, box in enumerate(array_of(boxes).tolist()):
            pen.rectangle(box, outline="red")
            if labels is not None:
                pen.text((box[0] + 2, box[1]), str(labels[k]), fill="red")
    file = io.BytesIO()
    picture.save(file, "PNG")
    width, height = picture.size
    content = field(1, height) + field(2, width) + field(3, len(picture.getbands())) + field(4, file.getvalue())
    return _value(tag, field(4, content))


def figure_pixels(figure: Any) -> np.ndarray:
    """A figure of Matplotlib's, or several of one size, drawn: uint8 of shape ([number,] height, width, 4)."""
    if isinstance(figure, list | tuple):
        return np.stack([figure_pixels(one) for one in figure])
    canvas = needed("matplotlib.backends.backend_agg", "plot", "drawing figures").FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def audio(tag: str, x: Any, sample_rate: int) -> bytes:
    """A sound, floats in [-1, 1] of shape (1, samples) or (samples), as a WAV file of 16 bits. Raises ValueError."""
    samples = array_of(x).astype(np.float64)
    if samples.ndim == 2 and samples.shape[0] == 1:
        samples = samples[0]
    if samples.ndim != 1:
        raise ValueError(f"add_audio expected (1, samples) for {tag!r}. Received: shape {samples.shape}")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    content = field(1, float(sample_rate)) + field(2, 1) + field(3, samples.size) + field(4, file.getvalue())
    return _value(tag, field(6, content + field(5, b"audio/wav")))


def text(tag: str, words: str) -> bytes:
    """A string, which is shown as Markdown."""
    tensor = field(1, _TEXT) + field(2, field(2, field(1, 1))) + field(8, words.encode())
    return _value(f"{tag}/text_summary", field(8, tensor), "text")


def _plain(value: Any) -> Any:
    return array_of(value).reshape(()).item() if isinstance(value, Tensor | np.generic) else value


def _kind(name: str, value: Any) -> int:
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, int | float):
        return _NUMBER
    if isinstance(value, str):
        return _STRING
    raise ValueError(f"a hyper-parameter is a bool, a number or a string. Received: {name}={value!r}")


def _wrapped(value: Any) -> bytes:
    """A value of no particular type."""
    if isinstance(value, bool):
        return field(4, int(value))
    return field(2, float(value), double=True) if isinstance(value, int | float) else field(3, str(value).encode())


def hparams(parameters: Mapping[str, Any], metrics: Iterable[str], domains: Mapping[str, Any] | None) -> list[bytes]:
    """The three summaries that say with which hyper-parameters a run was made, and by which numbers it is measured.

    Raises ValueError for a hyper-parameter that is no bool, number or string.
    """
    plain = {name: _plain(value) for name, value in parameters.items() if value is not None}
    infos = b""
    for name, value in plain.items():
        allowed = b"".join(field(1, _wrapped(_plain(v))) for v in (domains or {}).get(name, ()))
        infos += field(
            4, field(1, name.encode()) + field(4, _kind(name, value)) + (field(5, allowed) if allowed else b"")
        )
    measured = b"".join(field(5, field(1, field(2, name.encode()))) for name in metrics)
    start = b"".join(field(1, field(1, name.encode()) + field(2, _wrapped(value))) for name, value in plain.items())
    return [
        _value("_hparams_/experiment", b"", "hparams", field(2, infos + measured)),
        _value("_hparams_/session_start_info", b"", "hparams", field(3, start)),
        _value("_hparams_/session_end_info", b"", "hparams", field(4, field(1, _SUCCESS))),
    ]
