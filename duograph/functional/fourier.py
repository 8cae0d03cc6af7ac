"""Discrete Fourier transforms with sizes and factors, of several axes at once.

`axes` count from the back, `sizes` are what each is cut or padded with zeros to; `scale` multiplies the result.
"""

from __future__ import annotations

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.node import Node
from .resize import pad


def _sized(x: Node, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Node:
    for axis, size in zip(axes, sizes, strict=True):
        missing = size - x.shape[axis]
        if missing > 0:
            high = [0] * x.ndim
            high[axis] = missing
            x = g.pad(x, [0] * x.ndim, high)
        elif missing < 0:
            x = g.narrow(x, axis, 0, size)
    return x


def _scaled(x: Node, scale: float) -> Node:
    return x if scale == 1 else x * scale


@composite
def fft(x: Node, *, axes: tuple[int, ...], sizes: tuple[int, ...], inverse: bool, scale: float) -> Node:
    """The transform of complex or real `x`, or with `inverse` that with the conjugate matrix."""
    x = _sized(g.cast(x, x.dtype.to_complex()), axes, sizes)
    return _scaled(g.fft(x, axes, inverse), scale) if axes else x


@composite
def rfft(x: Node, *, axes: tuple[int, ...], sizes: tuple[int, ...], conjugate: bool, scale: float) -> Node:
    """The transform of real `x`: along the last of `axes` only the first half, whose conjugates the rest are."""
    made = g.rfft(_sized(x, axes, sizes), axes[-1])
    made = g.fft(made, axes[:-1]) if axes[:-1] else made
    return _scaled(g.conjugate(made) if conjugate else made, scale)


@composite
def irfft(x: Node, *, axes: tuple[int, ...], sizes: tuple[int, ...], conjugate: bool, scale: float) -> Node:
    """The real numbers whose transform has the first half `x` along the last of `axes`, or its conjugate; times their
    number. The last of `sizes` is that of the result."""
    x = _sized(g.cast(x, x.dtype.to_complex()), axes, (*sizes[:-1], sizes[-1] // 2 + 1))
    x = g.conjugate(x) if conjugate else x
    x = g.fft(x, axes[:-1], True) if axes[:-1] else x
    return _scaled(g.irfft(x, axes[-1], sizes[-1]), scale)


def _pieces(count: int, size: int, hop: int) -> Node:
    """The places of the elements of each piece: `[count, size]`."""
    return g.reshape(g.iota(count, int64) * hop, (count, 1)) + g.iota(size, int64)


def _centred(window: Node | None, size: int, win: int, like: Node) -> Node:
    """The window, ones without one, in the middle of `size` elements."""
    window = g.full((win,), 1, like.dtype) if window is None else window
    low = (size - win) // 2
    return g.pad(window, (low,), (size - win - low,))


@composite
def stft(
    x: Node, window: Node | None, *, size: int, hop: int, win: int, mode: str | None, scale: float, onesided: bool
) -> Node:
    """The transforms of pieces of `x [..., L]`, `[..., frequencies, pieces]`; `mode` says how the ends are padded, if
    the pieces are to be centred."""
    if mode is not None:
        ends = ((0, 0),) * (x.ndim - 1) + ((size // 2, size // 2),)
        x = pad(x, pads=ends, mode=mode)
    count = (x.shape[-1] - size) // hop + 1
    pieces = g.take(x, _pieces(count, size, hop), -1) * _centred(window, size, win, x)
    made = g.rfft(pieces, -1) if onesided else g.fft(g.cast(pieces, x.dtype.to_complex()), (-1,))
    return _scaled(g.transpose(made), scale)


@composite
def istft(
    x: Node, window: Node | None, *, size: int, hop: int, win: int, start: int, stop: int, scale: float,
    onesided: bool, real: bool,
) -> Node:  # fmt: skip
    """The signal from `start` to `stop` whose transforms of pieces are nearest to `x [..., frequencies, pieces]`."""
    x = g.transpose(x) * (scale / size)
    if real:  # of both sides the first says enough
        x = x if onesided else g.narrow(x, -1, 0, size // 2 + 1)
        pieces = g.irfft(x, -1, size)
    else:
        pieces = g.fft(x, (-1,), True)
    window = _centred(window, size, win, pieces)
    pieces, window = (g.cast(a, window.dtype if window.dtype.is_complex else pieces.dtype) for a in (pieces, window))
    count = x.shape[-2]
    total = size + hop * (count - 1)
    places = _pieces(count, size, hop)
    summed = g.put(g.full((*x.shape[:-2], total), 0, pieces.dtype), places, pieces * window, -1, "add")
    squares = g.broadcast_to(window * window, (count, size))
    envelope = g.put(g.full((total,), 0, pieces.dtype), places, squares, 0, "add")
    end = min(stop, total)
    result = g.narrow(summed, -1, start, end - start) / g.narrow(envelope, -1, start, end - start)
    high = [0] * (result.ndim - 1) + [stop - end]
    return g.pad(result, [0] * result.ndim, high)
