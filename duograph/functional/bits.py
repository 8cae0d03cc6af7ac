"""The bits of numbers read as numbers of another dtype."""

from __future__ import annotations

from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import DType
from ..graph.node import Node
from .checks import check_shape

_WORDS = {1: dtypes.uint8, 2: dtypes.uint16, 4: dtypes.uint32, 8: dtypes.uint64}


@composite
def reinterpret(x: Node, *, dtype: DType) -> Node:
    """The memory of `x [..., n]` as elements of another dtype, neither bool nor complex.

    Where that is smaller, the last axis has as many times more of them, the lowest bits first; where it is larger, as
    many times fewer.
    """
    here, there = x.dtype.itemsize, dtype.itemsize
    if here == there:
        return g.bitcast(x, dtype)
    check_shape(x.ndim > 0, "x", f"an axis, which {dtype.name} makes longer or shorter", x)
    *lead, size = x.shape
    words, parts = _WORDS[max(here, there)], _WORDS[min(here, there)]
    count = max(here, there) // min(here, there)
    shifts = [8 * parts.itemsize * k for k in range(count)]
    if here > there:
        whole = g.expand_dims(g.bitcast(x, words), -1)
        pieces = [g.cast(g.apply("shift_right", whole, s) if s else whole, parts) for s in shifts]
        return g.bitcast(g.reshape(g.concatenate(pieces, -1), (*lead, size * count)), dtype)
    check_shape(size % count == 0, "x", f"a multiple of {count} elements in the last axis", x)
    pieces_of = g.reshape(g.cast(g.bitcast(x, parts), words), (*lead, size // count, count))
    total = None
    for k, s in enumerate(shifts):
        piece = g.reshape(g.narrow(pieces_of, -1, k, 1), (*lead, size // count))
        piece = g.apply("shift_left", piece, s) if s else piece
        total = piece if total is None else g.apply("bitwise_or", total, piece)
    assert total is not None
    return g.bitcast(total, dtype)
