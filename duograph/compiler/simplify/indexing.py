"""Rules of reading and writing at positions that are data."""

from __future__ import annotations

import numpy as np

from ...graph.node import Node, constant
from .rewriter import BROADCAST, Rewriter, number
from .view import View


def put_one_of_a_row(rewriter: Rewriter, view: View, node: Node) -> Node | None:
    """Zeros with one element a row added to, the gradient of `take_along`, are a comparison of the places with the
    index: select(iota == index, update, 0). Exact but for the sign of zero.

    The comparison does not check the index. So there must be a `take_along` that does: of the same indices, along an
    axis of the same size.
    """
    base, indices, updates = node.inputs
    axis, size = node["axis"], node.shape[node["axis"]]
    zeros = base.op is BROADCAST and number(base.inputs[0]) == 0
    if (
        rewriter.strict
        or not zeros
        or node["mode"] != "add"
        or indices.shape != (*node.shape[:axis], 1, *node.shape[axis + 1 :])
    ):
        return None
    check, dtype = view.taken.get((indices, size)), indices.dtype
    if check is None or size > np.iinfo(dtype.numpy).max:
        return None
    view.kept.append(check)
    indices, updates = view.new[indices], view.new[updates]
    if dtype.signed:
        below = rewriter.make("less", indices, constant(0, dtype))
        from_end = rewriter.make("add", indices, constant(size, dtype))
        indices = rewriter.make("select", below, from_end, indices)
    places = rewriter.make("iota", size=size, dtype=dtype)
    places = rewriter.reshape(places, (size, *(1,) * (node.ndim - axis - 1)))
    return rewriter.make("select", rewriter.make("equal", places, indices), updates, constant(0, node.dtype))


WHOLE_RULES = {"put_along": (put_one_of_a_row,)}
