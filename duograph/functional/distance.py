"""Norms, distances and similarities, with gradients that are 0, not NaN, where a distance is 0."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.node import Node
from ..graph.primitives.rules import broadcast_shapes, normalize_axis
from .checks import check_argument, check_floating, check_inexact, check_same_dtype, check_shape, widened


@composite
@widened
def vector_norm(x: Node, *, p: float = 2.0, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
    """The p-norm over some axes (None: all): for p = 0 the number of nonzeros, for infinity the largest magnitude."""
    check_inexact(x=x)
    if p == 0:
        return g.sum(g.cast(g.not_equal(x, 0), x.dtype.to_real()), axis, keepdims)
    if p == math.inf:
        return g.max(g.absolute(x), axis, keepdims)
    if p == -math.inf:
        return g.min(g.absolute(x), axis, keepdims)
    if p == 1:
        return g.sum(g.absolute(x), axis, keepdims)
    if p == 2:
        return _root(g.sum(g.real(x * g.conjugate(x)), axis, keepdims), 2.0)
    if p > 0:
        zero = g.equal(x, 0)  # the slope of a power below 1 has no value at 0
        powers = g.select(zero, 0, g.power(g.select(zero, 1, g.absolute(x)), p))
    else:
        powers = g.power(g.absolute(x), p)
    return _root(g.sum(powers, axis, keepdims), p)


@composite
@widened
def cosine_similarity(x1: Node, x2: Node, *, axis: int = 1, eps: float = 1e-8) -> Node:
    """The cosine of the angle between vectors along an axis, each norm being at least `eps`."""
    check_floating(x1=x1, x2=x2)
    check_same_dtype(x1=x1, x2=x2)
    shape = broadcast_shapes(x1.shape, x2.shape)
    axis = normalize_axis(axis, len(shape))
    x1, x2 = g.broadcast_to(x1, shape), g.broadcast_to(x2, shape)
    unit1, unit2 = (x / g.maximum(vector_norm(x, axis=axis, keepdims=True), eps) for x in (x1, x2))
    return g.sum(unit1 * unit2, axis)


@composite
@widened
def pairwise_distance(x1: Node, x2: Node, *, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False) -> Node:
    """The p-norm of `x1 - x2 + eps` along the last axis."""
    check_inexact(x1=x1, x2=x2)
    check_same_dtype(x1=x1, x2=x2)
    return vector_norm(x1 - x2 + eps, p=p, axis=-1, keepdims=keepdims)


@composite
@widened
def cdist(x1: Node, x2: Node, *, p: float = 2.0) -> Node:
    """The p-norm distances between rows: `[..., m, d]` and `[..., n, d]` give `[..., m, n]`."""
    check_floating(x1=x1, x2=x2)
    check_same_dtype(x1=x1, x2=x2)
    check_argument(p >= 0, "p", "a number of at least 0", p)
    for name, x in (("x1", x1), ("x2", x2)):
        check_shape(x.ndim >= 2, name, "[..., rows, features]", x)
    check_shape(x1.shape[-1] == x2.shape[-1], "x2", f"{x1.shape[-1]} features, as x1 has", x2)
    return vector_norm(g.expand_dims(x1, -2) - g.expand_dims(x2, -3), p=p, axis=-1)


@composite
@widened
def pdist(x: Node, *, p: float = 2.0) -> Node:
    """The p-norm distances between all pairs of rows of `[n, d]`: the upper triangle of `cdist(x, x)`, row by row."""
    check_shape(x.ndim == 2, "x", "[rows, features]", x)
    n = x.shape[0]
    # where row i of the triangle begins is quadratic in i, so the places are found by counting, not by a formula
    rows, columns = g.expand_dims(g.iota(n, int64), 1), g.iota(n, int64)
    outside = g.reshape(columns <= rows, (n * n,))
    places = g.narrow(g.argsort(g.cast(outside, int64)), 0, 0, n * (n - 1) // 2)
    first = g.take(x, g.floor_divide(places, max(n, 1)))
    second = g.take(x, g.remainder(places, max(n, 1)))
    return vector_norm(first - second, p=p, axis=-1)


def _root(total: Node, p: float) -> Node:
    """`total ** (1 / p)`, for p above 0 with slope 0 at 0."""
    if p < 0:
        return g.power(total, 1.0 / p)
    zero = g.equal(total, 0)
    inside = g.select(zero, 1, total)
    return g.select(zero, 0, g.sqrt(inside) if p == 2 else g.power(inside, 1.0 / p))
