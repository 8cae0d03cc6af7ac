"""What the epilogue of a contraction can read and write.

A contraction finishes its result piece by piece, each some rows by some columns: of a product, its own; of a
convolution, pixels by channels. What lies at a fixed distance for each row and side by side along the columns can be
reached from there.
"""

from __future__ import annotations

from ..graph.node import Node
from .affine import Affine, inner_product
from .arrays import ordered_strides, row_major
from .group import Group
from .layout import channels_last

NUMBER, COLUMN, TILE = "number", "column", "tile"

Reach = str | int
"""How an operand lies: `NUMBER`, one element for all; `COLUMN`, one for each column; `TILE`, as the result does; or how
many elements its rows are apart."""


def result_order(root: Node) -> tuple[int, ...]:
    """In which order the axes of a contraction's result lie in memory."""
    if root.op.name in ("convolution", "convolution_input_gradient"):
        return channels_last(root.ndim)
    return tuple(range(root.ndim))


def reach(group: Group, place: Affine) -> Reach | None:
    """How the epilogue of `group.root` reaches an operand whose elements lie at `place`; None if it cannot."""
    root = group.root
    assert root is not None
    if not place.terms:
        return NUMBER
    index, order = group.maps[root], result_order(root)
    if place.terms == inner_product(index, ordered_strides(root.shape, order)).terms:
        return TILE
    if root.op.name == "convolution_weight_gradient":
        return None
    columns = index[order[-1]]
    if place.terms == columns.terms:
        return COLUMN
    if root.op.name == "matmul" and root.ndim != 2:
        return None
    lead = order[:-1]
    rows = inner_product(tuple(index[axis] for axis in lead), row_major(tuple(root.shape[axis] for axis in lead)))
    if not rows.terms or not columns.terms:
        return None
    axis, step = min(rows.terms, key=lambda term: term[1])
    stride, rest = divmod(place.coefficient(axis), step)
    return stride if not rest and stride > 0 and place.terms == rows.times(stride).plus(columns).terms else None
