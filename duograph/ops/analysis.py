"""Numerical analysis of samples: gradients by differences, histograms; and numbers taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph.composite import composite
from ..graph.errors import ArgumentError, ShapeError
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axis
from ..tensor.convert import as_tensor, from_buffer
from ..tensor.core import Tensor, apply, cast, to_float
from .define import function
from .elementwise import where
from .joining import cat
from .manipulation import narrow
from .results import result
from .statistics import norm


@result("frexp")
class Fraction(NamedTuple):
    """What `frexp` gives: mantissa * 2^exponent."""

    mantissa: Tensor
    exponent: Tensor


@result("histogram", "histogramdd")
class Histogram(NamedTuple):
    """What `histogram` and `histogramdd` give."""

    hist: Tensor
    bin_edges: Any


@function(is_method=False)
def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Derivatives along axes by differences of second order, at the edges of order `edge_order`.

    `spacing` is a distance for all axes, one for each, or the coordinates along each.
    """
    axes = [dim] if isinstance(dim, int) else list(range(input.ndim)) if dim is None else list(dim)
    if len({normalize_axis(a, input.ndim) for a in axes}) < len(axes):
        raise ArgumentError(f"gradient: dim: expected different axes. Received: {dim}")
    spacing = 1 if spacing is None else spacing
    spacings = spacing if isinstance(spacing, list | tuple) else [spacing] * len(axes)
    if edge_order not in (1, 2) or len(spacings) != len(axes):
        raise ArgumentError(
            f"gradient: expected edge_order 1 or 2 and {len(axes)} spacings. Received: {edge_order}, {spacing}"
        )
    return tuple(
        _slope(input, normalize_axis(a, input.ndim), s, edge_order) for a, s in zip(axes, spacings, strict=True)
    )


def _slope(x: Tensor, axis: int, spacing: Any, edge_order: int) -> Tensor:
    size = x.shape[axis] if x.ndim else 0
    if size < edge_order + 1:
        raise ArgumentError(f"gradient: expected at least {edge_order + 1} places along axis {axis}. Received: {size}")
    x = cast(x, to_float(x.dtype))
    if isinstance(spacing, Tensor) and spacing.ndim:
        places = cast(spacing, x.dtype)
        steps = (narrow(places, 0, 1, size - 1) - narrow(places, 0, 0, size - 1)).reshape(
            [-1 if k == axis else 1 for k in range(x.ndim)]
        )
    else:
        steps = x.new_full([size - 1 if k == axis else 1 for k in range(x.ndim)], float(spacing))
    rises = (narrow(x, axis, 1, size - 1) - narrow(x, axis, 0, size - 1)) / steps
    before, after = narrow(steps, axis, 0, size - 2), narrow(steps, axis, 1, size - 2)
    low, high = narrow(rises, axis, 0, size - 2), narrow(rises, axis, 1, size - 2)
    middle = (low * after + high * before) / (before + after)
    first, last = narrow(rises, axis, 0, 1), narrow(rises, axis, size - 2, 1)
    if edge_order == 2:
        a, b = narrow(steps, axis, 0, 1), narrow(steps, axis, 1, 1)
        first = first + (first - narrow(rises, axis, 1, 1)) * a / (a + b)
        a, b = narrow(steps, axis, size - 2, 1), narrow(steps, axis, size - 3, 1)
        last = last + (last - narrow(rises, axis, size - 3, 1)) * a / (a + b)
    return cat([first, middle, last], axis)


@function(in_place=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Slices along an axis scaled down to a p-norm of `maxnorm` where they exceed it."""
    if input.ndim < 2:
        raise ShapeError(f"renorm: expected at least 2 dimensions. Received: shape {tuple(input.shape)}")
    axis = normalize_axis(dim, input.ndim)
    sizes = norm(input, p, [k for k in range(input.ndim) if k != axis], True)
    return input * where(sizes > maxnorm, maxnorm / (sizes + 1e-7), 1.0)


@composite
def taken_apart(x: Node) -> tuple[Node, Node]:
    """m and e with x = m 2^e and 0.5 <= |m| < 1; 0, infinity and NaN are m, with e = 0."""
    wide = g.cast(x, dtypes.float64)
    scaled = g.absolute(wide) < 2.0**-1000
    bits = g.bitcast(g.select(scaled, wide * 2.0**100, wide), dtypes.int64)
    plain = g.equal(wide, wide) & g.not_equal(wide, 0) & g.not_equal(g.absolute(wide), float("inf"))
    exponent = g.apply("bitwise_and", g.apply("shift_right", bits, 52), 0x7FF) - 1022
    exponent = g.select(plain, exponent - g.select(scaled, g.full(x.shape, 100, dtypes.int64), 0), 0)
    # dividing by a power of two in two steps, each of which is exact and in range
    half = g.apply("floor_divide", exponent, 2)
    one, two = (g.bitcast(g.apply("shift_left", 1023 - e, 52), dtypes.float64) for e in (half, exponent - half))
    return g.cast(wide * one * two, x.dtype), g.cast(exponent, dtypes.int32)


@function()
def frexp(input: Tensor) -> Fraction:
    """Mantissa and exponent: input = mantissa * 2**exponent with 0.5 <= |mantissa| < 1."""
    return Fraction(*apply(taken_apart, (input,)))


@function()
def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Histogram:
    """Counts (or sums of weights) in bins, a number of them or their edges, and the edges. The content is observed."""
    edges = bins._array() if isinstance(bins, Tensor) else int(bins)
    found = _counted(input.reshape(-1, 1), [edges], None if range is None else [tuple(range)], weight, density)
    return Histogram(found[0], found[1][0])


@function(is_method=False)
def histogramdd(
    input: Tensor, bins: Any, *, range: Sequence[float] | None = None, weight: Tensor | None = None,
    density: bool = False,
) -> Histogram:  # fmt: skip
    """Counts of points `[..., n]` in an n-dimensional grid, and its edges. The content is observed."""
    size = input.shape[-1]
    each = [bins] * size if isinstance(bins, int) else list(bins)
    if len(each) != size:
        raise ShapeError(f"histogramdd: bins: expected {size}, one for each axis. Received: {len(each)}")
    edges = [b._array() if isinstance(b, Tensor) else int(b) for b in each]
    pairs = None if range is None else [(range[2 * k], range[2 * k + 1]) for k in np.arange(size)]
    return Histogram(*_counted(input.reshape(-1, size), edges, pairs, weight, density))


def _counted(points: Tensor, edges: Any, pairs: Any, weight: Tensor | None, density: bool) -> Any:
    array = points._array()
    weights = None if weight is None else weight._array().reshape(-1)
    if pairs is None and not array.size:
        pairs = [(0.0, 1.0)] * array.shape[1]
    if pairs is None:
        pairs = [(float(c.min()), float(c.max())) for c in array.T]
    pairs = [(low - 0.5, high + 0.5) if low == high else (low, high) for low, high in pairs]
    wanted = [
        np.linspace(pair[0], pair[1], e + 1).astype(array.dtype) if isinstance(e, int) else e
        for e, pair in zip(edges, pairs, strict=True)
    ]
    counts, _ = np.histogramdd(array, wanted, weights=weights, density=density)
    return from_buffer(counts.astype(array.dtype)), [as_tensor(np.array(e)) for e in wanted]
