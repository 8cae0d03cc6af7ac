"""Sampling at places that are data: grids, as of spatial transformers (Jaderberg et al. 2015)."""

from __future__ import annotations

import itertools
import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import DType
from ..graph.node import Node
from .checks import check_argument, check_choice, check_floating, check_same_dtype, check_shape, widened
from .resize import place_of, tap_weights


@composite
@widened
def grid_sample(
    x: Node, grid: Node, *, mode: str = "linear", padding_mode: str = "zeros", align_corners: bool = False
) -> Node:
    """`x [N, C, *size]` read at `grid [N, *out, n]`, whose last axis names coordinates, that of the last axis first.

    -1 and 1 are the ends of an axis: the middles of its corner elements with `align_corners`, else their outer edges.
    Modes: "linear", "nearest", "cubic" (two axes). Outside, `padding_mode` finds "zeros", the "border" or its
    "reflection". Result: `[N, C, *out]`.
    """
    check_choice("mode", mode, "linear", "nearest", "cubic")
    check_choice("padding_mode", padding_mode, "zeros", "border", "reflection")
    check_floating(x=x)
    check_same_dtype(x=x, grid=grid)
    n = x.ndim - 2
    check_shape(n in (2, 3), "x", "[N, C, H, W] or [N, C, D, H, W]", x)
    check_shape(
        grid.ndim == n + 2 and grid.shape[0] == x.shape[0] and grid.shape[-1] == n,
        "grid",
        f"[{x.shape[0]}, {', '.join(['out'] * n)}, {n}]",
        grid,
    )
    check_argument(mode != "cubic" or n == 2, "mode", "'linear' or 'nearest' for three spatial axes", mode)
    size, out = x.shape[2:], grid.shape[1:-1]
    places = math.prod(out)
    flat_x = g.reshape(x, (*x.shape[:2], math.prod(size)))
    flat_grid = g.reshape(grid, (x.shape[0], places, n))
    axes: list[list[tuple[Node, Node | None]]] = []  # for each axis (coordinate, weight) of each element that counts
    for axis in range(n):
        c = g.reshape(g.narrow(flat_grid, -1, n - 1 - axis, 1), (x.shape[0], places))
        c = (c + 1) * ((size[axis] - 1) / 2) if align_corners else ((c + 1) * size[axis] - 1) / 2
        if mode != "cubic":
            c = _brought_in(c, size[axis], padding_mode, align_corners)
        if mode == "nearest":
            axes.append([(g.round(c), None)])
            continue
        floor = g.floor(c)
        taps: list[tuple[Node, Node | None]] = [(floor + k, weight) for k, weight in tap_weights(c - floor, mode)]
        if mode == "cubic":
            taps = [(_brought_in(p, size[axis], padding_mode, align_corners), weight) for p, weight in taps]
        axes.append(taps)
    total: Node | None = None
    for corner in itertools.product(*axes):
        part = _read(flat_x, corner, size, zeros=padding_mode == "zeros")
        total = part if total is None else total + part
    assert total is not None
    return g.reshape(total, (*x.shape[:2], *out))


def _read(x: Node, corner: tuple[tuple[Node, Node | None], ...], size: tuple[int, ...], zeros: bool) -> Node:
    """Elements of `x [N, C, prod(size)]` at one coordinate for each axis `[N, places]`, times the weights."""
    flat: Node | None = None
    weight: Node | None = None
    inside: Node | None = None
    for (coordinate, share), length in zip(corner, size, strict=True):
        place = place_of(coordinate, length)
        flat = place if flat is None else flat * length + place
        if share is not None:
            weight = share if weight is None else weight * share
        if zeros:
            within = (coordinate >= 0) & (coordinate <= length - 1)
            inside = within if inside is None else inside & within
    assert flat is not None
    n, places = flat.shape
    seen = g.take_along(x, g.broadcast_to(g.reshape(flat, (n, 1, places)), (*x.shape[:2], places)), -1)
    if inside is not None:
        seen = g.select(g.reshape(inside, (n, 1, places)), seen, 0)
    return seen if weight is None else seen * g.reshape(weight, (n, 1, places))


def _brought_in(c: Node, size: int, padding_mode: str, align_corners: bool) -> Node:
    """Coordinates outside the axis moved into it, or left where what is there counts as zero."""
    if padding_mode == "zeros":
        return c
    if padding_mode == "reflection":
        low, span = (0.0, float(size - 1)) if align_corners else (-0.5, float(size))
        if span == 0:
            return c * 0
        away = g.absolute(c - low)
        turns = g.stop_gradient(g.floor(away / span))
        rest = away - turns * span
        odd = g.equal(g.remainder(turns, 2), 1)
        c = g.select(odd, span - rest, rest) + low
    return g.select(c <= 0, 0, g.select(c >= size - 1, size - 1, c))


@composite
@widened
def affine_grid(theta: Node, *, size: tuple[int, ...], align_corners: bool = False) -> Node:
    """The grid `[N, *out, n]` of affine maps `theta [N, n, n + 1]`, for a result of `size` `(N, C, *out)`."""
    check_floating(theta=theta)
    n = len(size) - 2
    check_argument(n in (2, 3), "size", "(N, C, H, W) or (N, C, D, H, W)", size)
    check_shape(theta.shape == (size[0], n, n + 1), "theta", f"shape {[size[0], n, n + 1]}", theta)
    out = size[2:]
    columns = []
    for axis in reversed(range(n)):  # the last axis is the first coordinate
        along = tuple(out[axis] if k == axis else 1 for k in range(n))
        columns.append(g.broadcast_to(g.reshape(_middles(out[axis], theta.dtype, align_corners), along), out))
    columns.append(g.full(out, 1, theta.dtype))
    base = g.reshape(g.concatenate([g.expand_dims(c, n) for c in columns], n), (1, math.prod(out), n + 1))
    return g.reshape(g.matmul(base, g.transpose(theta)), (size[0], *out, n))


def _middles(size: int, dtype: DType, align_corners: bool) -> Node:
    """The coordinates of the elements of an axis, its ends being -1 and 1."""
    if align_corners:
        return g.iota(size, dtype) * (2 / (size - 1)) - 1 if size > 1 else g.full((1,), 0, dtype)
    return (g.iota(size, dtype) * 2 + (1 - size)) / size
