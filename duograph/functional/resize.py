"""Other sizes: padding, interpolation, and the exchange of channels for space. The last axes are the spatial ones."""

from __future__ import annotations

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import float64, int64
from ..graph.node import Node
from .checks import check_argument, check_choice, check_floating, check_shape, widened
from .pooling import adaptive_avg_pool

Tap = tuple[Node, Node]  # where to read along an axis, and with which weight

CUBIC = -0.75
"""The free parameter of the cubic convolution kernel (Keys 1981), as PyTorch has it."""


@composite
def pad(x: Node, *, pads: tuple[tuple[int, int], ...], mode: str = "constant", value: float = 0.0) -> Node:
    """The last axes with (low, high) elements more on their sides; negative numbers cut off.

    What is added is `value` ("constant"), the nearest element ("replicate"), the mirror image without the edge
    ("reflect") or the other end ("circular").
    """
    check_choice("mode", mode, "constant", "reflect", "replicate", "circular")
    n = len(pads)
    check_shape(x.ndim >= n, "x", f"at least {n} dimensions to pad", x)
    lead = x.ndim - n
    if mode == "constant":
        around = (0,) * lead
        return g.pad(x, (*around, *(low for low, _ in pads)), (*around, *(high for _, high in pads)), value=value)
    for axis, (low, high) in enumerate(pads, lead):
        if mode == "circular":  # what is cut off does not come round
            x = _extended(x, axis, min(low, 0), min(high, 0), mode)
            x = _extended(x, axis, max(low, 0), max(high, 0), mode)
        else:
            x = _extended(x, axis, low, high, mode)
    return x


def _extended(x: Node, axis: int, low: int, high: int, mode: str) -> Node:
    """One axis with elements more that are copies of others."""
    if not (low or high):
        return x
    size = x.shape[axis]
    most = {"reflect": size - 1, "circular": size, "replicate": max(low, high)}[mode]
    check_argument(size > 0 and max(low, high) <= most, "pads", f"at most {most} along axis {axis}", (low, high))
    check_argument(size + low + high > 0, "pads", "numbers that leave something", (low, high))
    place = g.iota(size + low + high, int64) - low
    if mode == "reflect":
        place = (size - 1) - g.absolute((size - 1) - g.absolute(place))
    elif mode == "circular":
        place = g.remainder(place, size)
    else:
        place = g.minimum(g.maximum(place, 0), size - 1)
    return g.take(x, place, axis)


@composite
def interpolate(
    x: Node,
    *,
    size: tuple[int, ...],
    mode: str = "nearest",
    align_corners: bool = False,
    scale_factor: tuple[float, ...] | None = None,
) -> Node:
    """`x [N, C, *spatial]` sampled anew at `size` places along each spatial axis.

    Modes: "nearest" (the element at or below), "nearest-exact" (by the middles), "linear" (bi- and trilinear by the
    number of axes), "cubic", "area" (means). Coordinates are those of PyTorch: without `align_corners` pixels are
    areas, and a given `scale_factor` counts instead of the ratio of sizes; with it the corners' middles meet.
    """
    check_choice("mode", mode, "nearest", "nearest-exact", "linear", "cubic", "area")
    n = len(size)
    check_shape(x.ndim == n + 2, "x", f"{n + 2} dimensions: [N, C, *spatial]", x)
    check_argument(all(s > 0 for s in size), "size", "numbers of at least 1", size)
    check_shape(all(s > 0 for s in x.shape[2:]), "x", "spatial axes that are not empty", x)
    if mode == "area":
        return adaptive_avg_pool(x, output_size=size)
    for k, out in enumerate(size):
        inner = x.shape[2 + k]
        if align_corners and mode in ("linear", "cubic"):
            ratio = (inner - 1) / (out - 1) if out > 1 else 0.0
        else:
            ratio = 1 / scale_factor[k] if scale_factor and scale_factor[k] else inner / out
        if ratio != 1 or inner != out:
            x = _resampled(x, 2 + k, out, ratio, mode, align_corners)
    return x


@widened
def _resampled(x: Node, axis: int, out: int, ratio: float, mode: str, align_corners: bool) -> Node:
    """One axis of `x` at `out` places, `ratio` apart."""
    inner = x.shape[axis]
    if mode.startswith("nearest"):
        exact = 0.5 if mode == "nearest-exact" else 0.0
        work = x.dtype if x.dtype.is_floating_point else float64
        place = g.cast(g.floor((g.iota(out, work) + exact) * ratio), int64)
        return g.take(x, g.minimum(place, inner - 1), axis)
    check_floating(x=x)
    target = g.iota(out, x.dtype)
    source = target * ratio if align_corners else (target + 0.5) * ratio - 0.5
    if mode == "linear":
        source = g.maximum(source, 0)
    total: Node | None = None
    for place, weight in _taps(source, inner, mode):
        part = g.take(x, place, axis) * g.reshape(weight, (out,) + (1,) * (x.ndim - axis - 1))
        total = part if total is None else total + part
    assert total is not None
    return total


def _taps(source: Node, size: int, mode: str) -> list[Tap]:
    """The elements that a sample at `source` is made of, places beyond the ends taken from there."""
    floor = g.floor(source)
    t = source - floor
    return [(place_of(floor + k, size), weight) for k, weight in tap_weights(t, mode)]


def tap_weights(t: Node, mode: str) -> list[tuple[int, Node]]:
    """Steps from the element below a sample, and the weights of the elements there, for a sample `t` above it."""
    if mode == "linear":
        return [(0, 1 - t), (1, t)]

    def near(d: Node) -> Node:  # distances up to 1
        return (d * (CUBIC + 2) - (CUBIC + 3)) * d * d + 1

    def far(d: Node) -> Node:  # distances from 1 to 2
        return ((d * CUBIC - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC

    return [(-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]


def place_of(x: Node, size: int) -> Node:
    """Coordinates as indices, clipped to the axis; also those that are not numbers."""
    return g.minimum(g.maximum(g.cast(x, int64), 0), size - 1)


@composite
def pixel_shuffle(x: Node, *, factor: int) -> Node:
    """`[..., C * factor², H, W]` as `[..., C, H * factor, W * factor]` (Shi et al. 2016)."""
    check_shape(
        x.ndim >= 3 and x.shape[-3] % factor**2 == 0, "x", f"a multiple of {factor**2} channels, third from last", x
    )
    *lead, c, h, w = x.shape
    k = len(lead)
    y = g.reshape(x, (*lead, c // factor**2, factor, factor, h, w))
    y = g.permute(y, (*range(k + 1), k + 3, k + 1, k + 4, k + 2))
    return g.reshape(y, (*lead, c // factor**2, h * factor, w * factor))


@composite
def pixel_unshuffle(x: Node, *, factor: int) -> Node:
    """The inverse of `pixel_shuffle`."""
    check_shape(
        x.ndim >= 3 and x.shape[-1] % factor == 0 and x.shape[-2] % factor == 0,
        "x",
        f"[..., C, H, W] with H and W multiples of {factor}",
        x,
    )
    *lead, c, h, w = x.shape
    k = len(lead)
    y = g.reshape(x, (*lead, c, h // factor, factor, w // factor, factor))
    y = g.permute(y, (*range(k + 1), k + 2, k + 4, k + 1, k + 3))
    return g.reshape(y, (*lead, c * factor**2, h // factor, w // factor))


@composite
def channel_shuffle(x: Node, *, groups: int) -> Node:
    """The channels of `[N, C, ...]`, dealt in turn to `groups` (Zhang et al. 2018)."""
    check_shape(x.ndim >= 3 and x.shape[1] % groups == 0, "x", f"[N, a multiple of {groups}, ...]", x)
    y = g.reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return g.reshape(g.transpose(y, 1, 2), x.shape)
