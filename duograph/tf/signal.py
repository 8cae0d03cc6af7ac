"""`tf.signal`: Fourier and cosine transforms, windows, frames and mel scales."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes
from .math import check_kind
from .missing import missing
from .tensors import Tensor, _sizes, convert_to_tensor

__all__ = [
    "dct", "fft", "fft2d", "fft3d", "fftnd", "fftshift", "frame", "hamming_window", "hann_window", "idct", "ifft",
    "ifft2d", "ifft3d", "ifftnd", "ifftshift", "inverse_stft", "inverse_stft_window_fn", "irfft", "irfft2d", "irfft3d",
    "irfftnd", "kaiser_bessel_derived_window", "kaiser_window", "linear_to_mel_weight_matrix",
    "mfccs_from_log_mel_spectrograms", "overlap_and_add", "rfft", "rfft2d", "rfft3d", "rfftnd", "stft", "vorbis_window",
]  # fmt: skip

_TRANSFORMS = {"fft": torch.fft.fftn, "ifft": torch.fft.ifftn, "rfft": torch.fft.rfftn, "irfft": torch.fft.irfftn}


def _transform(kind: str, axes: int, name: str) -> Callable[..., Tensor]:
    """The transform over the last `axes` axes; those of and to real signals take their lengths."""
    function, last = _TRANSFORMS[kind], tuple(range(-axes, 0))

    def plain(input: Any, name: str | None = None) -> Tensor:
        return function(convert_to_tensor(input), dim=last)

    def real(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Tensor:
        x = convert_to_tensor(input_tensor)
        check_kind(f"signal.{kind}", x, "float" if kind == "rfft" else "complex")
        return function(x, s=None if fft_length is None else _sizes(fft_length), dim=last)

    made = real if kind in ("rfft", "irfft") else plain
    made.__name__ = made.__qualname__ = name
    made.__doc__ = (
        f"The transform {kind} over the last {axes} axes." if axes > 1 else f"The transform {kind} over the last axis."
    )
    return made


globals().update(
    {
        f"{kind}{suffix}": _transform(kind, axes, f"{kind}{suffix}")
        for kind in _TRANSFORMS
        for axes, suffix in ((1, ""), (2, "2d"), (3, "3d"))
    }
)


def _over_axes(kind: str) -> Callable[..., Tensor]:
    function = _TRANSFORMS[kind]

    def transform(
        input_tensor: Any, fft_length: Any = None, axes: Any = None, norm: str | None = None, name: str | None = None
    ) -> Tensor:
        x = convert_to_tensor(input_tensor)
        sizes = None if fft_length is None else _sizes(fft_length)
        return function(x, s=sizes, dim=None if axes is None else _sizes(axes), norm=norm)

    transform.__name__ = transform.__qualname__ = f"{kind}nd"
    transform.__doc__ = f"The transform {kind} over `axes` (all)."
    return transform


fftnd, ifftnd, rfftnd, irfftnd = map(_over_axes, _TRANSFORMS)


def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The zero frequency brought into the middle of `axes` (all)."""
    return torch.fft.fftshift(convert_to_tensor(x), dim=None if axes is None else _sizes(axes))


def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The inverse of `fftshift`."""
    return torch.fft.ifftshift(convert_to_tensor(x), dim=None if axes is None else _sizes(axes))


# -- windows -----------------------------------------------------------------------------------------------------------
def _raised_cosine(length: Any, periodic: bool, dtype: Any, a: float, b: float) -> Tensor:
    n = int(length)
    if n == 1:
        return torch.ones(1, dtype=dtypes.as_dtype(dtype))
    period = n if periodic and n % 2 == 0 else n - 1  # TensorFlow's windows of odd length are symmetric either way
    return torch.tensor(a - b * np.cos(2 * np.pi * np.arange(n) / period), dtype=dtypes.as_dtype(dtype))


def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Hann's window: periodic, or symmetric."""
    return _raised_cosine(window_length, periodic, dtype, 0.5, 0.5)


def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Hamming's window: periodic, or symmetric."""
    return _raised_cosine(window_length, periodic, dtype, 0.54, 0.46)


def kaiser_window(
    window_length: Any, beta: float = 12.0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Kaiser's window."""
    return torch.tensor(np.kaiser(int(window_length), beta), dtype=dtypes.as_dtype(dtype))


def kaiser_bessel_derived_window(
    window_length: Any, beta: float = 12.0, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """The window of the modified cosine transform that running sums of Kaiser's give."""
    half = np.kaiser(int(window_length) // 2 + 1, beta)
    rising = np.sqrt(np.cumsum(half[:-1]) / half.sum())
    return torch.tensor(np.concatenate([rising, rising[::-1]]), dtype=dtypes.as_dtype(dtype))


def vorbis_window(window_length: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """The window of the Vorbis codec."""
    n = int(window_length)
    inner = np.sin(np.pi / n * (np.arange(n) + 0.5)) ** 2
    return torch.tensor(np.sin(np.pi / 2 * inner), dtype=dtypes.as_dtype(dtype))


# -- frames ------------------------------------------------------------------------------------------------------------
def frame(
    signal: Any,
    frame_length: Any,
    frame_step: Any,
    pad_end: bool = False,
    pad_value: Any = 0,
    axis: int = -1,
    name: str | None = None,
) -> Tensor:
    """Pieces of `frame_length` elements, `frame_step` apart: `axis` becomes (pieces, frame_length). `pad_end` keeps the
    pieces that reach over the end, filled up with `pad_value`."""
    x = convert_to_tensor(signal)
    axis, length, step = axis % x.ndim, int(frame_length), int(frame_step)
    size = x.shape[axis]
    if pad_end:
        count = max(-(-size // step), 0)
        beyond = max((count - 1) * step + length - size, 0) if count else 0
        margin = torch.full((*x.shape[:axis], beyond, *x.shape[axis + 1 :]), pad_value, dtype=x.dtype)
        x = torch.cat([x, margin], dim=axis)
    else:
        count = max((size - length) // step + 1, 0)
    places = torch.arange(count).unsqueeze(1) * step + torch.arange(length)
    pieces = torch.index_select(x, axis, places.reshape(-1))
    return pieces.reshape(*x.shape[:axis], count, length, *x.shape[axis + 1 :])


def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Tensor:
    """Pieces (..., pieces, length) laid `frame_step` apart and added up: (..., (pieces - 1) · step + length)."""
    x = convert_to_tensor(signal)
    count, length = x.shape[-2:]
    step = int(frame_step)
    total = (count - 1) * step + length
    places = (torch.arange(count).unsqueeze(1) * step + torch.arange(length)).reshape(-1)
    flat = x.reshape(-1, count * length).transpose(0, 1)
    summed = torch.zeros((total, flat.shape[1]), dtype=x.dtype).index_add(0, places, flat)
    return summed.transpose(0, 1).reshape(*x.shape[:-2], total)


def stft(
    signals: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    pad_end: bool = False,
    name: str | None = None,
) -> Tensor:
    """The Fourier transforms of windowed pieces: complex (..., pieces, fft_length // 2 + 1).

    `fft_length` is by default the power of two that holds a piece; None for `window_fn` leaves pieces as they are.
    """
    length = int(frame_length)
    pieces = frame(signals, length, frame_step, pad_end)
    size = _power_of_two(length) if fft_length is None else int(fft_length)
    if window_fn is not None:
        pieces = pieces * window_fn(length, dtype=pieces.dtype)
    return torch.fft.rfft(pieces, n=size)


def inverse_stft(
    stfts: Any,
    frame_length: Any,
    frame_step: Any,
    fft_length: Any = None,
    window_fn: Any = hann_window,
    name: str | None = None,
) -> Tensor:
    """The signal of (..., pieces, frequencies): pieces are transformed back, windowed and added up."""
    x, length = convert_to_tensor(stfts), int(frame_length)
    size = _power_of_two(length) if fft_length is None else int(fft_length)
    pieces = torch.fft.irfft(x, n=size)[..., :length]
    if pieces.shape[-1] < length:
        pieces = torch.nn.functional.pad(pieces, (0, length - pieces.shape[-1]))
    if window_fn is not None:
        pieces = pieces * window_fn(length, dtype=pieces.dtype)
    return overlap_and_add(pieces, frame_step)


def _power_of_two(length: int) -> int:
    return 1 << max(length - 1, 0).bit_length()


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Any = hann_window, name: str | None = None
) -> Callable[..., Tensor]:
    """The window with which `inverse_stft` gives back what `stft` with `forward_window_fn` took apart."""

    def window(frame_length: Any, dtype: Any) -> Tensor:
        length, step = int(frame_length), int(frame_step)
        forward = forward_window_fn(length, dtype=dtype)
        overlaps = -(-length // step)
        squares = torch.nn.functional.pad(torch.square(forward), (0, overlaps * step - length))
        total = torch.tile(torch.sum(squares.reshape(overlaps, step), 0), (overlaps,))[:length]
        return forward / total

    return window


# -- cosine transforms and mel scales ----------------------------------------------------------------------------------
def dct(
    input: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The discrete cosine transform of type 1, 2, 3 or 4 along the last axis, of the first `n` elements (or filled up
    with zeros); `norm="ortho"` makes it orthonormal. It is a product with the matrix of cosines."""
    x = convert_to_tensor(input)
    if axis != -1 or type not in (1, 2, 3, 4) or norm not in (None, "ortho") or (type == 1 and norm):
        raise ValueError(
            f"dct expected axis -1, type 1 to 4 and norm None or 'ortho'. Received: {axis}, {type}, {norm!r}"
        )
    if n is not None:
        x = torch.nn.functional.pad(x, (0, max(n - x.shape[-1], 0)))[..., :n]
    return torch.matmul(x, torch.tensor(_cosines(x.shape[-1], type, norm == "ortho"), dtype=x.dtype))


def idct(
    input: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None, name: str | None = None
) -> Tensor:
    """The transform that undoes `dct` of that type, up to a factor where it is not orthonormal."""
    return dct(input, {1: 1, 2: 3, 3: 2, 4: 4}.get(type, type), n, axis, norm)


def _cosines(n: int, kind: int, ortho: bool) -> np.ndarray:
    sample, frequency = np.arange(n)[:, None], np.arange(n)[None, :]
    if kind == 1:
        matrix = 2 * np.cos(np.pi * sample * frequency / (n - 1))
        matrix[[0, -1]] /= 2
        return matrix
    if kind == 2:
        matrix = 2 * np.cos(np.pi * (sample + 0.5) * frequency / n)
        if ortho:
            matrix *= math.sqrt(0.5 / n)
            matrix[:, 0] *= math.sqrt(0.5)
        return matrix
    if kind == 3:
        matrix = 2 * np.cos(np.pi * sample * (frequency + 0.5) / n)
        if ortho:
            matrix *= math.sqrt(0.5 / n)
            matrix[0] *= math.sqrt(0.5)
        else:
            matrix[0] /= 2
        return matrix
    matrix = 2 * np.cos(np.pi * (sample + 0.5) * (frequency + 0.5) / n)
    return matrix * math.sqrt(0.5 / n) if ortho else matrix


def linear_to_mel_weight_matrix(
    num_mel_bins: Any = 20,
    num_spectrogram_bins: Any = 129,
    sample_rate: Any = 8000,
    lower_edge_hertz: Any = 125.0,
    upper_edge_hertz: Any = 3800.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Triangles of equal width on the mel scale: (spectrogram bins, mel bins), for a product with spectrograms.

    Raises ValueError unless 0 <= lower_edge_hertz < upper_edge_hertz <= sample_rate / 2.
    """
    if not 0 <= lower_edge_hertz < upper_edge_hertz <= float(sample_rate) / 2:
        raise ValueError(
            "expected 0 <= lower_edge_hertz < upper_edge_hertz <= sample_rate / 2. "
            f"Received: {lower_edge_hertz}, {upper_edge_hertz} and {sample_rate}"
        )

    def mel(hertz: Any) -> Any:
        return 1127.0 * np.log1p(hertz / 700.0)

    bins = mel(np.linspace(0.0, float(sample_rate) / 2, int(num_spectrogram_bins))[1:])[:, None]
    edges = np.linspace(mel(lower_edge_hertz), mel(upper_edge_hertz), int(num_mel_bins) + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)))
    return torch.tensor(np.pad(weights, [[1, 0], [0, 0]]), dtype=dtypes.as_dtype(dtype))


def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: str | None = None) -> Tensor:
    """Mel-frequency cepstral coefficients: the cosine transform of type 2, scaled as HTK does."""
    x = convert_to_tensor(log_mel_spectrograms)
    return dct(x) * (2.0 * x.shape[-1]) ** -0.5


__getattr__ = missing(
    __name__, globals(), {"mdct": "use tf.signal.dct of type 4", "inverse_mdct": "use tf.signal.dct of type 4"}
)
