"""Rules of reductions."""

from __future__ import annotations

from ...graph.dtype import DType
from ...graph.node import Node, constant
from .movement import aligned, groups
from .rewriter import BROADCAST, RESHAPE, Rewriter
from .view import View

_NAMES = ("sum", "prod", "max", "min", "any", "all")


def reduce_nothing(rewriter: Rewriter, node: Node) -> Node | None:
    """A reduction over no axes is its input: for any and all, whether that is true. Exact."""
    (x,) = node.inputs
    if node["axes"]:
        return None
    return x if x.dtype is node.dtype else rewriter.make("cast", x, dtype=node.dtype)


def reduce_small_axes(rewriter: Rewriter, node: Node) -> Node | None:
    """A reduction over axes of size 1 is a reshape. Exact."""
    (x,), axes = node.inputs, node["axes"]
    long = tuple(a for a in axes if x.shape[a] != 1)
    return None if long == axes else rewriter.reshape(rewriter.make(node.op.name, x, axes=long), node.shape)


def reduce_reshape(rewriter: Rewriter, node: Node) -> Node | None:
    """reduce(reshape(x)) = reshape(reduce(x)), where each run of axes is reduced as a whole or not at all. Exact but
    for the order in which a sum or a product takes its terms."""
    (reshaped,), axes = node.inputs, node["axes"]
    if reshaped.op is not RESHAPE:
        return None
    (x,) = reshaped.inputs
    matched = groups(x.shape, reshaped.shape)
    if matched is None:
        return None
    inner: list[int] = []
    for old, new in matched:
        reduced = [k in axes for k in new if reshaped.shape[k] != 1]
        if any(reduced):
            if not all(reduced):
                return None
            inner += old
    return rewriter.reshape(rewriter.make(node.op.name, x, axes=tuple(inner)), node.shape)


def reduce_broadcast(rewriter: Rewriter, node: Node) -> Node | None:
    """max(broadcast_to(x)) = x over the axes that repeat x, and so min, any and all; sum(broadcast_to(x)) = x * count.

    Exact, but for sums of floats: one rounding, none where the count is a power of two.
    """
    (spread,), axes, name = node.inputs, node["axes"], node.op.name
    if spread.op is not BROADCAST or name == "prod" or 0 in spread.shape:
        return None
    (x,) = spread.inputs
    inner = aligned(x, spread.ndim)
    repeated = [a for a in axes if inner[a] == 1 and spread.shape[a] != 1]
    if not repeated:
        return None
    rest = tuple(a for a in axes if a not in repeated)
    factor = None
    if name == "sum":
        count = 1
        for a in repeated:
            count *= spread.shape[a]
        factor = _count(count, node.dtype)
        if factor is None or (rest and node.dtype.is_half):
            return None
    result = rewriter.make(name, rewriter.reshape(x, inner), axes=rest)
    if factor is not None:
        result = rewriter.make("multiply", result, factor)
    remaining = tuple(n for a, n in enumerate(inner) if a not in axes)
    return rewriter.broadcast_to(rewriter.reshape(result, remaining), node.shape)


def _count(count: int, dtype: DType) -> Node | None:
    """How many terms, as a constant: wrapped for integers as their sums are; None where a float has no such number."""
    if dtype.is_floating_point:
        return constant(count, dtype) if float(dtype.numpy.type(count)) == count else None
    bits = dtype.itemsize * 8
    count &= 2**bits - 1
    return constant(count - 2**bits if dtype.signed and count >= 2 ** (bits - 1) else count, dtype)


def sum_of_stacked(rewriter: Rewriter, node: Node) -> Node | None:
    """sum(concatenate(reshape(x), ...)) = sum(concatenate(x, ...)) along axis 0, where the sum takes in the axes that
    the reshapes added. Exact but for the order of the terms."""
    (joined,), axes = node.inputs, node["axes"]
    if joined.op.name != "concatenate" or joined["axis"] != 0 or axes != tuple(range(len(axes))) or len(axes) < 2:
        return None
    rest = joined.shape[len(axes) :]
    pieces = []
    for piece in joined.inputs:
        if piece.op is not RESHAPE or piece.inputs[0].ndim != len(rest) + 1 or piece.inputs[0].shape[1:] != rest:
            return None
        pieces.append(piece.inputs[0])
    return rewriter.make("sum", rewriter.concatenate(pieces, 0), axes=(0,))


def sum_of_negative(rewriter: Rewriter, node: Node) -> Node | None:
    """sum(-x) = -sum(x): fewer elements are negated. Exact but for the sign of zero."""
    (x,) = node.inputs
    if x.op.name != "negative":
        return None
    return rewriter.make("negative", rewriter.make("sum", x.inputs[0], axes=node["axes"]))


def reduce_twice(rewriter: Rewriter, view: View, node: Node) -> Node | None:
    """sum(sum(x)) = sum(x) over the axes of both, where the inner one has no other use; so with products, extremes, any
    and all. Exact but for the order of terms."""
    (inner,) = node.inputs
    if inner.op is not node.op or not view.once(inner):
        return None
    (x,) = inner.inputs
    left = [a for a in range(x.ndim) if a not in inner["axes"]]
    axes = sorted((*inner["axes"], *(left[a] for a in node["axes"])))
    return rewriter.make(node.op.name, view.new[x], axes=tuple(axes))


def scan_of_one(_: Rewriter, node: Node) -> Node | None:
    """A running sum, product or extreme along an axis of size 1 is its input. Exact."""
    (x,) = node.inputs
    return x if x.dtype is node.dtype and (x.ndim == 0 or x.shape[node["axis"]] == 1) else None


RULES = {
    **dict.fromkeys(_NAMES, (reduce_nothing, reduce_small_axes, reduce_reshape, reduce_broadcast)),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin"), (scan_of_one,)),
}
RULES["sum"] = (*RULES["sum"], sum_of_stacked, sum_of_negative)
WHOLE_RULES = dict.fromkeys(_NAMES, (reduce_twice,))
