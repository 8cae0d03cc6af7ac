"""Discrete Fourier transforms under the names of `torch.fft`, and short-time transforms.

`FOURIER` holds the former by name. Norms: "backward" (the default) divides by the number of elements in the inverse
transform, "forward" in the other, "ortho" by its root in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..functional import fourier
from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError, AxisError, DTypeError
from ..graph.primitives.rules import normalize_axis
from ..tensor import core
from ..tensor.convert import from_buffer, to_device
from ..tensor.core import Tensor, apply, cast, get_default_dtype, to_float
from .complex import view_as_real
from .define import function, into
from .joining import roll

FOURIER: dict[str, Callable[..., Tensor]] = {}

Axes = int | Sequence[int] | None


def _scale(name: str, norm: str | None, inverse: bool, count: int) -> float:
    match norm or "backward":
        case "backward":
            return 1 / count if inverse else 1.0
        case "forward":
            return 1.0 if inverse else 1 / count
        case "ortho":
            return 1 / math.sqrt(count)
    raise ArgumentError(f"{name}: norm: expected 'backward', 'forward' or 'ortho'. Received: {norm!r}")


def _axes(name: str, input: Tensor, s: Any, dim: Axes) -> tuple[list[int], list[int | None]]:
    """Which axes, from the front, and what size each is given."""
    sizes = (
        None if s is None else [None if n is None or n == -1 else int(n) for n in ([s] if isinstance(s, int) else s)]
    )
    if dim is None:
        count = input.ndim if sizes is None else len(sizes)
        if count > input.ndim:
            raise AxisError(f"{name}: expected at most {input.ndim} sizes. Received: {s}")
        dims: Sequence[int] = range(input.ndim - count, input.ndim)
    else:
        dims = [dim] if isinstance(dim, int) else dim
    found = [normalize_axis(d, input.ndim) for d in dims]
    if len(set(found)) != len(found):
        raise AxisError(f"{name}: dim: an axis appears twice. Received: {dim}")
    sizes = sizes or [None] * len(found)
    if len(sizes) != len(found):
        raise ArgumentError(f"{name}: expected as many sizes as axes. Received: {s} and {dim}")
    return found, sizes


def _transform(
    name: str, kind: str, inverse: bool, input: Tensor, s: Any, dim: Axes, norm: str | None, out: Tensor | None
) -> Tensor:
    """`kind` says which side is real: "complex" (none), "from_real" or "to_real"."""
    x = cast(input, to_float(input.dtype))
    if x.dtype.is_half:
        raise DTypeError(f"{name}: expected float32, float64 or a complex dtype. Received: {input.dtype.name}")
    if kind == "from_real" and x.dtype.is_complex:
        raise DTypeError(f"{name}: expected real numbers. Received: {x.dtype.name}")
    axes, wanted = _axes(name, x, s, dim)
    if not x.ndim or (kind != "complex" and not axes):
        raise AxisError(f"{name}: expected at least one axis. Received: shape {tuple(x.shape)}, dim {dim}")
    sizes = [x.shape[a] if n is None else n for a, n in zip(axes, wanted, strict=True)]
    if kind == "to_real" and wanted[-1] is None:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if any(n < 1 for n in sizes):
        raise ArgumentError(f"{name}: expected sizes of at least 1. Received: {sizes}")
    attributes: dict[str, Any] = {"axes": tuple(a - x.ndim for a in axes), "sizes": tuple(sizes)}
    if kind == "complex":
        op, attributes["inverse"] = fourier.fft, inverse
    else:
        op = fourier.rfft if kind == "from_real" else fourier.irfft
        attributes["conjugate"] = inverse == (kind == "from_real")
    attributes["scale"] = _scale(name, norm, inverse, math.prod(sizes))
    return into(out, apply(op, (x,), tuple(attributes.items())))


def _define(stem: str, kind: str, inverse: bool, what: str) -> None:
    """The transform of one axis, of two and of many."""

    def one(
        input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        return _transform(stem, kind, inverse, input, n, dim, norm, out)

    def two(
        input: Tensor, s: Any = None, dim: Axes = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        return _transform(f"{stem}2", kind, inverse, input, s, dim, norm, out)

    def many(
        input: Tensor, s: Any = None, dim: Axes = None, norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor:
        return _transform(f"{stem}n", kind, inverse, input, s, dim, norm, out)

    for body, ending, along in (
        (one, "", "one axis"),
        (two, "2", "two axes"),
        (many, "n", "several axes, all if None"),
    ):
        body.__name__ = body.__qualname__ = stem + ending
        body.__doc__ = f"{what}, along {along}."
        FOURIER[stem + ending] = body


_define("fft", "complex", False, "The discrete Fourier transform")
_define("ifft", "complex", True, "The inverse discrete Fourier transform")
_define("rfft", "from_real", False, "The first half of the Fourier transform of real numbers")
_define("irfft", "to_real", True, "The real numbers whose Fourier transform has this first half")
_define(
    "hfft", "to_real", False, "The real Fourier transform of what is symmetric up to conjugation, by its first half"
)
_define("ihfft", "from_real", True, "The first half of the inverse Fourier transform of real numbers")


def _named(body: Callable[..., Tensor]) -> Callable[..., Tensor]:
    FOURIER[body.__name__] = body
    return body


def _shifted(input: Tensor, dim: Axes, onwards: bool) -> Tensor:
    dims = list(range(input.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    shifts = [(input.shape[d] + (not onwards)) // 2 for d in dims]
    return roll(input, shifts, dims) if dims else input


@_named
def fftshift(input: Tensor, dim: Axes = None) -> Tensor:
    """The zero frequency brought into the middle of each axis."""
    return _shifted(input, dim, True)


@_named
def ifftshift(input: Tensor, dim: Axes = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shifted(input, dim, False)


def _frequencies(
    numbers: np.ndarray, n: int, d: float, dtype: Any, device: Any, requires_grad: bool, out: Tensor | None
) -> Tensor:
    found = get_default_dtype() if dtype is None else dtypes.dtype(dtype)
    made = from_buffer((numbers / (n * d)).astype(found.numpy))
    made = made if device is None else to_device(made, device)
    made = into(out, made)
    return made.requires_grad_() if requires_grad else made


@_named
def fftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the coefficients of `fft` of `n` samples at a distance `d`: `[n]`."""
    numbers = np.fft.ifftshift(np.arange(n) - n // 2)
    return _frequencies(numbers, n, d, dtype, device, requires_grad, out)


@_named
def rfftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the coefficients of `rfft` of `n` samples at a distance `d`: `[n // 2 + 1]`."""
    return _frequencies(np.arange(n // 2 + 1), n, d, dtype, device, requires_grad, out)


@function()
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The Fourier transforms of the pieces of `input [..., L]` that a window sees as it moves on by `hop_length`.

    Returns `[..., n_fft // 2 + 1, pieces]` complex numbers (`n_fft` in place of that if not `onesided`, as complex
    input needs it); without `return_complex` real and imaginary parts along a last axis.
    Raises ArgumentError for sizes that do not fit, and where `return_complex` is not given for real input.
    """
    hop, win = _window_sizes("stft", n_fft, hop_length, win_length, window)
    complex_input = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if return_complex is None:
        if not complex_input:
            raise ArgumentError("stft: return_complex: expected True or False for real input. Received: None")
        return_complex = True
    onesided = not complex_input if onesided is None else onesided
    if onesided and complex_input:
        raise ArgumentError("stft: onesided: expected False for complex input or window. Received: True")
    if input.ndim not in (1, 2):
        raise ArgumentError(f"stft: expected a tensor of 1 or 2 dimensions. Received: shape {tuple(input.shape)}")
    length = input.shape[-1]
    if center and pad_mode == "reflect" and n_fft // 2 >= length:
        raise ArgumentError(f"stft: n_fft: expected less than twice the length {length}. Received: {n_fft}")
    if not 0 < n_fft <= length + 2 * (n_fft // 2) * center:
        raise ArgumentError(f"stft: n_fft: expected 1 to the length {length}. Received: {n_fft}")
    attributes = (
        ("size", n_fft), ("hop", hop), ("win", win), ("mode", pad_mode if center else None),
        ("scale", n_fft**-0.5 if normalized else 1.0), ("onesided", onesided),
    )  # fmt: skip
    dtype = core.result_type(input) if window is None else core.result_type(input, window)
    made = apply(fourier.stft, (cast(input, dtype), None if window is None else cast(window, dtype)), attributes)
    return made if return_complex else view_as_real(made)


@function()
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The inverse of `stft`: `[..., frequencies, pieces]` to `[..., L]`, the least squares estimate of the signal.

    D. Griffin, J. Lim, "Signal estimation from modified short-time Fourier transform", 1984.
    Raises ArgumentError for sizes that do not fit, or where windows leave out a part of the signal.
    """
    hop, win = _window_sizes("istft", n_fft, hop_length, win_length, window)
    if not input.dtype.is_complex:
        raise DTypeError(
            f"istft: expected complex numbers, as of stft(return_complex=True). Received: {input.dtype.name}"
        )
    if input.ndim not in (2, 3) or 0 in input.shape:
        raise ArgumentError(f"istft: expected [..., frequencies, pieces]. Received: shape {tuple(input.shape)}")
    frequencies, pieces = input.shape[-2:]
    onesided = frequencies != n_fft if onesided is None else onesided
    if frequencies != (n_fft // 2 + 1 if onesided else n_fft):
        raise ArgumentError(f"istft: n_fft {n_fft} has not as many frequencies. Received: {frequencies}")
    if onesided and return_complex:
        raise ArgumentError("istft: return_complex: expected False for a one-sided input. Received: True")
    start = n_fft // 2 if center else 0
    total = n_fft + hop * (pieces - 1)
    stop = start + length if length is not None else total - start
    seen = np.ones(win) if window is None else np.abs(window.detach()._array().astype(np.complex128))
    envelope = np.zeros(total)
    for k in range(pieces):
        first = k * hop + (n_fft - win) // 2
        envelope[first : first + win] += seen**2
    if (envelope[start : min(stop, total)] < 1e-11).any():
        raise ArgumentError("istft: the windows leave out a part of the signal: take a smaller hop or a wider window")
    attributes = (
        ("size", n_fft), ("hop", hop), ("win", win), ("start", start), ("stop", stop),
        ("scale", n_fft**0.5 if normalized else 1.0), ("onesided", onesided), ("real", not return_complex),
    )  # fmt: skip
    real = window is not None and not window.dtype.is_complex
    parts = input.dtype.to_real() if real else input.dtype
    return apply(fourier.istft, (input, None if window is None else cast(window, parts)), attributes)


def _window_sizes(name: str, n_fft: int, hop: int | None, win: int | None, window: Tensor | None) -> tuple[int, int]:
    hop = n_fft // 4 if hop is None else hop
    win = n_fft if win is None else win
    if hop <= 0 or not 0 < win <= n_fft:
        raise ArgumentError(
            f"{name}: expected a hop_length of at least 1 and a win_length of 1 to n_fft = {n_fft}. "
            f"Received: {hop} and {win}"
        )
    if window is not None and tuple(window.shape) != (win,):
        raise ArgumentError(f"{name}: window: expected shape ({win},). Received: {tuple(window.shape)}")
    return hop, win
