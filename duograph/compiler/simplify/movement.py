"""Rules of the operations that move elements. All are exact: they move the same elements to the same places."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from ...graph.node import Node, Shape
from .rewriter import BROADCAST, RESHAPE, Rewriter, Span, slice_attributes

Groups = list[tuple[list[int], list[int]]]


def groups(a: Shape, b: Shape) -> Groups | None:
    """The finest runs of axes of `a` and of `b` that hold the same elements under a reshape of one to the other.

    None where an axis is empty, since then any axes match any others.
    """
    if 0 in a:
        return None
    found: Groups = []
    i = j = 0
    while i < len(a) or j < len(b):
        if i < len(a) and a[i] == 1:
            found.append(([i], []))
            i += 1
            continue
        if j < len(b) and b[j] == 1:
            found.append(([], [j]))
            j += 1
            continue
        left, right = [i], [j]
        size, other = a[i], b[j]
        i, j = i + 1, j + 1
        while size != other:
            if size < other:
                left.append(i)
                size *= a[i]
                i += 1
            else:
                right.append(j)
                other *= b[j]
                j += 1
        found.append((left, right))
    return found


def only_adds_leading(x: Node) -> bool:
    """Whether a reshape puts axes of size 1 before those of its input and does nothing else."""
    inner = x.inputs[0].shape
    lead = len(x.shape) - len(inner)
    return lead > 0 and x.shape[lead:] == inner


def aligned(x: Node, ndim: int) -> Shape:
    """The shape of `x` with axes of size 1 in front, as broadcasting sees it."""
    return (1,) * (ndim - x.ndim) + x.shape


# reshape


def reshape_to_own_shape(_: Rewriter, node: Node) -> Node | None:
    """reshape(x) = x where the shape is that of x."""
    return node.inputs[0] if node.inputs[0].shape == node.shape else None


def reshape_of_reshape(rewriter: Rewriter, node: Node) -> Node | None:
    """reshape(reshape(x)) = reshape(x)."""
    (x,) = node.inputs
    return rewriter.reshape(x.inputs[0], node.shape) if x.op is RESHAPE else None


def reshape_of_broadcast(rewriter: Rewriter, node: Node) -> Node | None:
    """reshape(broadcast_to(x)) = broadcast_to(reshape(x)), where no run of axes is partly broadcast."""
    (x,) = node.inputs
    if x.op is not BROADCAST:
        return None
    (source,) = x.inputs
    if source.ndim == 0:
        return rewriter.broadcast_to(source, node.shape)
    matched = groups(x.shape, node.shape)
    if matched is None:
        return None
    inner, sizes = aligned(source, x.ndim), list(node.shape)
    for old, new in matched:
        if all(inner[k] == 1 for k in old):
            for k in new:
                sizes[k] = 1
        elif any(inner[k] != x.shape[k] for k in old):
            return None
    return rewriter.broadcast_to(rewriter.reshape(source, tuple(sizes)), node.shape)


def reshape_of_concatenated_reshapes(rewriter: Rewriter, node: Node) -> Node | None:
    """reshape(concatenate(reshape(x), ...)) = concatenate(x, ...) along axis 0, as where time steps are stacked and
    then seen as one batch."""
    (joined,) = node.inputs
    if joined.op.name != "concatenate" or joined["axis"] != 0 or not node.shape or not node.shape[0]:
        return None
    rest = node.shape[1:]
    pieces = []
    for piece in joined.inputs:
        if piece.op is not RESHAPE or piece.inputs[0].shape[1:] != rest or piece.inputs[0].ndim != node.ndim:
            return None
        pieces.append(piece.inputs[0])
    return rewriter.concatenate(pieces, 0)


# permute


def permute_of_permute(rewriter: Rewriter, node: Node) -> Node | None:
    """permute(permute(x)) = permute(x)."""
    (x,) = node.inputs
    if x.op.name != "permute":
        return None
    inner = x["axes"]
    return rewriter.permute(x.inputs[0], [inner[a] for a in node["axes"]])


def permute_of_small_axes(rewriter: Rewriter, node: Node) -> Node | None:
    """permute(x) = reshape(x) where it moves nothing but axes of size 1; x where it moves nothing."""
    (x,) = node.inputs
    long = [a for a in node["axes"] if x.shape[a] != 1]
    return rewriter.reshape(x, node.shape) if long == sorted(long) else None


def permute_of_broadcast(rewriter: Rewriter, node: Node) -> Node | None:
    """permute(broadcast_to(x)) = broadcast_to(permute(x))."""
    (x,) = node.inputs
    if x.op is not BROADCAST:
        return None
    (source,) = x.inputs
    if source.ndim:
        source = rewriter.permute(rewriter.reshape(source, aligned(source, x.ndim)), node["axes"])
    return rewriter.broadcast_to(source, node.shape)


# broadcast_to


def broadcast_of_same_size(rewriter: Rewriter, node: Node) -> Node | None:
    """broadcast_to(x) = reshape(x) where it repeats nothing."""
    (x,) = node.inputs
    return rewriter.reshape(x, node.shape) if aligned(x, node.ndim) == node.shape else None


def broadcast_of_broadcast(rewriter: Rewriter, node: Node) -> Node | None:
    """broadcast_to(broadcast_to(x)) = broadcast_to(x)."""
    (x,) = node.inputs
    return rewriter.broadcast_to(x.inputs[0], node.shape) if x.op is BROADCAST else None


def broadcast_of_leading(rewriter: Rewriter, node: Node) -> Node | None:
    """broadcast_to(reshape(x)) = broadcast_to(x) where the reshape adds leading axes of size 1."""
    (x,) = node.inputs
    return rewriter.broadcast_to(x.inputs[0], node.shape) if x.op is RESHAPE and only_adds_leading(x) else None


# slice


def spans(node: Node) -> list[Span]:
    """The places that a slice takes of each axis."""
    return list(zip(node["start"], node["step"], node.shape, strict=True))


def canonical_slice(rewriter: Rewriter, node: Node) -> Node | None:
    """A slice is written in one way; one of everything is its input."""
    found = spans(node)
    attributes = slice_attributes(found)
    (_, starts), (_, stops), (_, steps) = node.attributes
    (x,) = node.inputs
    if steps == (1,) * x.ndim and node.shape == x.shape:
        return x
    if (attributes["start"], attributes["stop"], attributes["step"]) == (starts, stops, steps):
        return None
    return rewriter.slice(x, found)


def slice_of_slice(rewriter: Rewriter, node: Node) -> Node | None:
    """slice(slice(x)) = slice(x)."""
    (x,) = node.inputs
    if x.op.name != "slice":
        return None
    return rewriter.slice(
        x.inputs[0],
        [(b + a * t, s * t, n) for (a, s, n), (b, t, _) in zip(spans(node), spans(x), strict=True)],
    )


def slice_of_broadcast(rewriter: Rewriter, node: Node) -> Node | None:
    """slice(broadcast_to(x)) = broadcast_to(slice(x))."""
    (x,) = node.inputs
    if x.op is not BROADCAST:
        return None
    (source,) = x.inputs
    taken = spans(node)[x.ndim - source.ndim :]
    inner = [(0, 1, 1) if size == 1 else span for size, span in zip(source.shape, taken, strict=True)]
    return rewriter.broadcast_to(rewriter.slice(source, inner), node.shape)


def slice_of_permute(rewriter: Rewriter, node: Node) -> Node | None:
    """slice(permute(x)) = permute(slice(x)), where x is something that a slice may take apart."""
    (x,) = node.inputs
    if x.op.name != "permute" or x.inputs[0].op.name not in _TAKEN_APART:
        return None
    taken = dict(zip(x["axes"], spans(node), strict=True))
    return rewriter.permute(rewriter.slice(x.inputs[0], [taken[a] for a in range(x.ndim)]), x["axes"])


_TAKEN_APART = frozenset({"pad", "concatenate", "slice"})


def slice_of_concatenate(rewriter: Rewriter, node: Node) -> Node | None:
    """slice(concatenate(x, ...)) = slice(concatenate(those that it touches))."""
    (joined,) = node.inputs
    if joined.op.name != "concatenate":
        return None
    axis, pieces = joined["axis"], joined.inputs
    ends = rewriter.offsets.get(joined)
    if ends is None:
        ends = rewriter.offsets[joined] = list(accumulate(p.shape[axis] for p in pieces))
    taken = spans(node)
    start, step, count = taken[axis]
    if not count:
        return None
    places = (start, start + (count - 1) * step)
    first, last = bisect_right(ends, min(places)), bisect_right(ends, max(places))
    if (first, last) == (0, len(pieces) - 1):
        return None
    if not rewriter.can_drop(*pieces[:first], *pieces[last + 1 :]):
        return None
    taken[axis] = (start - (ends[first - 1] if first else 0), step, count)
    return rewriter.slice(rewriter.concatenate(pieces[first : last + 1], axis), taken)


def slice_of_pad(rewriter: Rewriter, node: Node) -> Node | None:
    """slice(pad(x)) = pad(slice(x)), x sliced where nothing is left of the padding, padding where nothing is left of x.

    Axes sliced with a step must lie on one side of the border.
    """
    (padded,) = node.inputs
    if padded.op.name != "pad":
        return None
    x, value = padded.inputs
    inner: list[Span] = []
    lows, highs, interiors = [], [], []
    borders = zip(spans(node), padded["low"], padded["high"], padded["interior"], x.shape, padded.shape, strict=True)
    for (start, step, count), low, high, interior, size, length in borders:
        end = low + size + max(size - 1, 0) * interior  # x lies in [low, end)
        first, last = sorted((start, start + (count - 1) * step))
        if (start, step, count) == (0, 1, length):
            inner.append((0, 1, size))
        elif count == 0 or last < low or first >= end:
            return rewriter.broadcast_to(value, node.shape) if rewriter.can_drop(x) else None
        elif interior:
            return None
        elif first >= low and last < end:
            inner.append((start - low, step, count))
            low = high = 0
        elif step == 1:
            a, b = max(first, low), min(last + 1, end)
            inner.append((a - low, 1, b - a))
            low, high = a - first, last + 1 - b
        else:
            return None
        lows.append(low)
        highs.append(high)
        interiors.append(interior)
    taken = rewriter.slice(x, inner)
    return rewriter.make("pad", taken, value, low=tuple(lows), high=tuple(highs), interior=tuple(interiors))


# pad


def pad_of_nothing(_: Rewriter, node: Node) -> Node | None:
    """pad(x) = x where it adds and cuts nothing."""
    return None if any(any(value) for _, value in node.attributes) else node.inputs[0]


def pad_that_cuts(rewriter: Rewriter, node: Node) -> Node | None:
    """pad(x) = slice(x) where it only cuts."""
    (_, low), (_, high), (_, interior) = node.attributes
    x, value = node.inputs
    if any(interior) or max(*low, *high, 0) > 0 or not rewriter.can_drop(value):
        return None
    return rewriter.slice(x, [(-a, 1, n) for a, n in zip(low, node.shape, strict=True)])


def pad_of_its_value(rewriter: Rewriter, node: Node) -> Node | None:
    """pad(broadcast_to(value), value) = broadcast_to(value)."""
    x, value = node.inputs
    same = x.op is BROADCAST and x.inputs[0] is value
    return rewriter.broadcast_to(value, node.shape) if same else None


def pad_of_pad(rewriter: Rewriter, node: Node) -> Node | None:
    """pad(pad(x)) = pad(x) with the sums, of one value and without interior or cutting."""
    x, value = node.inputs
    if x.op.name != "pad" or x.inputs[1] is not value:
        return None
    if any(node["interior"]) or any(x["interior"]) or min(*node["low"], *node["high"], *x["low"], *x["high"], 0) < 0:
        return None
    low, high = (tuple(a + b for a, b in zip(node[side], x[side], strict=True)) for side in ("low", "high"))
    return rewriter.make("pad", x.inputs[0], value, low=low, high=high, interior=node["interior"])


# concatenate


def concatenate_pieces(rewriter: Rewriter, node: Node) -> Node | None:
    """concatenate(x) = x; empty pieces vanish; pieces that are concatenated along the same axis are taken apart."""
    axis, pieces = node["axis"], node.inputs
    new: list[Node] = []
    for piece in pieces:
        if piece.op is node.op and piece["axis"] == axis:
            new.extend(piece.inputs)
        elif piece.shape[axis] or (node.shape[axis] == 0 and piece is pieces[0]) or not rewriter.can_drop(piece):
            new.append(piece)
    return None if len(new) > 1 and tuple(new) == pieces else rewriter.concatenate(new, axis)


def concatenate_neighbours(rewriter: Rewriter, node: Node) -> Node | None:
    """Neighbours become one: slices of one array that lie side by side, and repetitions of one array."""
    axis, pieces = node["axis"], node.inputs
    new = [pieces[0]]
    for piece in pieces[1:]:
        both = _together(rewriter, new[-1], piece, axis)
        if both is None:
            new.append(piece)
        else:
            new[-1] = both
    return rewriter.concatenate(new, axis) if len(new) < len(pieces) else None


def _together(rewriter: Rewriter, a: Node, b: Node, axis: int) -> Node | None:
    if a.op is not b.op or not a.inputs or a.inputs[0] is not b.inputs[0]:
        return None
    (source, *_) = a.inputs
    if a.op is BROADCAST:
        if aligned(source, a.ndim)[axis] != 1:
            return None
        shape = list(a.shape)
        shape[axis] += b.shape[axis]
        return rewriter.broadcast_to(source, tuple(shape))
    if a.op.name != "slice":
        return None
    left, right = spans(a), spans(b)
    (start, step, count), (following, other, more) = left.pop(axis), right.pop(axis)
    if left != right or (step, other) != (1, 1) or following != start + count:
        return None
    left.insert(axis, (start, 1, count + more))
    return rewriter.slice(source, left)


RULES = {
    "reshape": (
        reshape_to_own_shape,
        reshape_of_reshape,
        reshape_of_broadcast,
        reshape_of_concatenated_reshapes,
    ),
    "permute": (permute_of_permute, permute_of_small_axes, permute_of_broadcast),
    "broadcast_to": (broadcast_of_same_size, broadcast_of_broadcast, broadcast_of_leading),
    "slice": (
        canonical_slice,
        slice_of_slice,
        slice_of_broadcast,
        slice_of_permute,
        slice_of_concatenate,
        slice_of_pad,
    ),
    "pad": (pad_of_nothing, pad_that_cuts, pad_of_its_value, pad_of_pad),
    "concatenate": (concatenate_pieces, concatenate_neighbours),
}
