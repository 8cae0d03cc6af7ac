"""Rules of long sums. The gradient of what is used many times is a sum of many terms, as many as a network has time
steps: it is looked at as a whole, in time linear in the number of its terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...graph.node import Node
from .products import MATMUL
from .rewriter import RESHAPE, Rewriter, number
from .view import ADD, View

_MERGED = frozenset({"pad", "matmul", "sum"})


def merge_terms(rewriter: Rewriter, view: View, node: Node) -> Node | None:
    """The terms of a sum that can be computed together are.

    - Arrays padded with zeros that do not overlap become a concatenation. Exact but for the sign of zero.
    - Products of matrices, each with no other use, become one product of longer matrices.
    - Sums over the same axes, each with no other use, become one sum of a concatenation.

    The other terms are added as they were.
    """
    if node in view.inner:
        return None
    terms, inner = _terms(view, node)
    kinds = [t.op.name for t in terms]
    found: list[tuple[list[Node], Node]] = []
    if kinds.count("pad") > 1:
        found += _join_pads(rewriter, view, [t for t in terms if t.op.name == "pad"])
    if kinds.count("matmul") > 1:
        found += _join_products(rewriter, view, [t for t in terms if t.op is MATMUL and t.ndim == 2 and view.once(t)])
    if kinds.count("sum") > 1:
        found += _join_sums(rewriter, view, [t for t in terms if t.op.name == "sum" and view.once(t)])
    if not found:
        return None
    gone = {t for merged, _ in found for t in merged}
    result = _rebuilt(rewriter, view, inner, gone)
    for _, joined in found:
        result = joined if result is None else rewriter.make("add", result, joined)
    return result


def _terms(view: View, root: Node) -> tuple[list[Node], list[Node]]:
    """What a sum adds up, in order, and the additions that do it, each before those it uses."""
    terms: list[Node] = []
    inner: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node is root or (node in view.inner and node.shape == root.shape):
            inner.append(node)
            stack += reversed(node.inputs)
        else:
            terms.append(node)
    return terms, inner


def _rebuilt(rewriter: Rewriter, view: View, inner: list[Node], gone: set[Node]) -> Node | None:
    """The sum without the terms that are gone, in the order it had; None if nothing is left."""
    partial: dict[Node, Node | None] = {}
    for node in reversed(inner):
        x, y = (partial[i] if i in partial else None if i in gone else view.new[i] for i in node.inputs)
        partial[node] = y if x is None else x if y is None else rewriter.make("add", x, y)
    return partial[inner[0]]


# pads


class _Piece(NamedTuple):
    start: int
    stop: int
    pad: Node


def _join_pads(rewriter: Rewriter, view: View, pads: list[Node]) -> list[tuple[list[Node], Node]]:
    """Pads along one axis as concatenations: those that do not overlap, if they cover at least half."""
    along: dict[int, list[_Piece]] = {}
    for pad, times in Counter(pads).items():
        axis = _padded_axis(pad)
        if axis is not None and times == 1:
            start = pad["low"][axis]
            along.setdefault(axis, []).append(_Piece(start, start + pad.inputs[0].shape[axis], pad))
    found = []
    for axis, pieces in along.items():
        pieces.sort(key=lambda p: p.start)
        chosen: list[_Piece] = []
        for piece in pieces:
            if not chosen or piece.start >= chosen[-1].stop:
                chosen.append(piece)
        length = pads[0].shape[axis]
        covered = sum(p.stop - p.start for p in chosen)
        if len(chosen) > 1 and 2 * covered >= length:
            joined = rewriter.concatenate(list(_with_gaps(rewriter, view, chosen, axis, length)), axis)
            found.append(([p.pad for p in chosen], joined))
    return found


def _padded_axis(pad: Node) -> int | None:
    """The one axis along which something has zeros around it."""
    (_, low), (_, high), (_, interior) = pad.attributes
    if number(pad.inputs[1]) != 0 or any(interior) or min(*low, *high) < 0:
        return None
    axes = [k for k, ends in enumerate(zip(low, high, strict=True)) if any(ends)]
    return axes[0] if len(axes) == 1 else None


def _with_gaps(rewriter: Rewriter, view: View, pieces: Sequence[_Piece], axis: int, length: int) -> Iterator[Node]:
    end = 0
    for piece in (*pieces, None):
        start = length if piece is None else piece.start
        if start > end:
            like = pieces[0].pad
            yield rewriter.full((*like.shape[:axis], start - end, *like.shape[axis + 1 :]), 0, like.dtype)
        if piece is not None:
            yield view.new[piece.pad.inputs[0]]
            end = piece.stop


# products


def _join_products(rewriter: Rewriter, view: View, products: list[Node]) -> list[tuple[list[Node], Node]]:
    """Products of the same shape as one product, unless more is moved to concatenate the matrices than it saves: to
    add two products takes a pass over both."""
    if len(products) < 2:
        return []
    (m, n) = products[0].shape
    left, right = (_side(view, [p.inputs[k] for p in products], 1 - k) for k in (0, 1))
    moved = left.cost(m) + right.cost(n)
    if moved > 2 * (len(products) - 1) * m * n:
        return []
    order = right.order or left.order or range(len(products))
    a, b = (side.joined(rewriter, view, order) for side in (left, right))
    return [(products, rewriter.make("matmul", a, b))]


class _Side(NamedTuple):
    """The left or right matrices of some products, to be laid end to end along `axis`, the contracted one."""

    matrices: list[Node]
    axis: int
    transposed: bool  # all of them are transposes: `matrices` are their inputs, and `axis` is counted in these
    order: list[int] | None  # in which they are concatenated elsewhere already

    def cost(self, other: int) -> int:
        """The number of elements that a concatenation moves."""
        source = self.matrices[0]
        together = source.op.name == "slice" and all(
            x.op is source.op and x.inputs == source.inputs for x in self.matrices
        )
        return 0 if self.order or together else other * sum(x.shape[self.axis] for x in self.matrices)

    def joined(self, rewriter: Rewriter, view: View, order: Sequence[int]) -> Node:
        whole = rewriter.concatenate([view.new[self.matrices[k]] for k in order], self.axis)
        return rewriter.transpose(whole) if self.transposed else whole


def _side(view: View, matrices: list[Node], axis: int) -> _Side:
    transposed = all(map(_is_transpose, matrices))
    if transposed:
        matrices, axis = [x.inputs[0] for x in matrices], 1 - axis
    return _Side(matrices, axis, transposed, _known_order(view, matrices, axis))


def _is_transpose(x: Node) -> bool:
    """Whether a matrix is the transpose of its input; for that of one row or column, a reshape is one."""
    if x.op is RESHAPE:
        return 1 in x.shape and x.inputs[0].shape == x.shape[::-1]
    return x.op.name == "permute"


def _known_order(view: View, pieces: list[Node], axis: int) -> list[int] | None:
    """The order in which a concatenation of the graph has these very pieces."""
    known = view.concatenations.get((axis, frozenset(pieces)))
    if known is None or len(known.inputs) != len(pieces):
        return None
    place = {piece: k for k, piece in enumerate(pieces)}
    return [place[piece] for piece in known.inputs] if len(place) == len(pieces) else None


# sums


def _join_sums(rewriter: Rewriter, view: View, sums: list[Node]) -> list[tuple[list[Node], Node]]:
    """Sums over the same axes, the first among them, as one: of at least three terms, or of what is concatenated."""
    alike: dict[tuple, list[Node]] = {}
    for node in sums:
        axes, (x,) = node["axes"], node.inputs
        if axes[0] == 0 and node.ndim:
            alike.setdefault((axes, x.shape[1:]), []).append(node)
    found = []
    for (axes, _), group in alike.items():
        pieces = [node.inputs[0] for node in group]
        order = _known_order(view, pieces, 0)
        if len(group) > 2 or (order is not None and len(group) > 1):
            whole = rewriter.concatenate([view.new[pieces[k]] for k in order or range(len(pieces))], 0)
            found.append((group, rewriter.make("sum", whole, axes=axes)))
    return found


WHOLE_RULES = {ADD.name: (merge_terms,)}
