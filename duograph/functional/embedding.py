"""Look-up tables."""

from __future__ import annotations

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.node import Node
from .checks import check_integral, check_shape, from_front


@composite
def embedding(indices: Node, weight: Node, *, padding_idx: int | None = None) -> Node:
    """Rows of `weight` [rows, features] at integer `indices` of any shape; row `padding_idx` gets no gradient.

    Reading raises IndexOutOfRange for an index below 0 or beyond the rows.
    """
    check_integral(input=indices)
    check_shape(weight.ndim == 2, "weight", "2 dimensions: [rows, features]", weight)
    indices = from_front(indices, weight.shape[0])
    if padding_idx is None:
        return g.take(weight, indices, 0)
    row = padding_idx % weight.shape[0]
    rows = g.reshape(g.iota(weight.shape[0], int64), (-1, 1))
    return g.take(g.select(g.equal(rows, row), g.stop_gradient(weight), weight), indices, 0)


@composite
def one_hot(indices: Node, *, classes: int) -> Node:
    """1 at each index of a new last axis of `classes` places, else 0, as int64."""
    check_integral(input=indices)
    return g.cast(g.equal(g.expand_dims(indices, indices.ndim), g.iota(classes, indices.dtype)), int64)
