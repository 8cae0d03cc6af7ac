"""Concatenations, and paddings between elements: pieces that are written to their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import language as lang
from ..graph.node import Node
from .arrays import Array
from .group import Step

if TYPE_CHECKING:
    from .schedule import Schedule


def place(schedule: Schedule, node: Node) -> None:
    """Put the pieces of a node to where they lie in it."""
    order = schedule.wanted.get(node)
    if order is None:
        arrays = [schedule.view(p) for p in node.inputs if schedule.base(p) in schedule.arrays]
        first = next((a for a in arrays if a is not None), None)
        order = tuple(range(node.ndim)) if first is None or first.contiguous else first.order
    target = schedule.allocate(node, order)
    schedule.arrays[node] = target
    if node.op.name == "concatenate":
        axis, start = node["axis"], 0
        for piece in node.inputs:
            offset = target.offset + start * target.strides[axis]
            schedule.copy(piece, Array(target.block, node.dtype, piece.shape, target.strides, offset))
            start += piece.shape[axis]
    else:
        _spread(schedule, node, target)
    schedule.home[node] = Step(schedule.end)


def _spread(schedule: Schedule, node: Node, target: Array) -> None:
    """A padding with elements between: fill, then write what is there. Negative edges cut elements off."""
    x, value = node.inputs
    steps = [i + 1 for i in node["interior"]]
    first, stop = [], []
    for n, size, low, step in zip(x.shape, node.shape, node["low"], steps, strict=True):
        begin = max(0, -(low // step))
        first.append(begin)
        stop.append(max(begin, min(n, (size - 1 - low) // step + 1)))
    schedule.copy(lang.broadcast_to(value, node.shape), target)
    part = lang.slice(x, first, stop)
    schedule.adopt(part)
    offset = target.offset + sum(
        (low + begin * step) * stride
        for low, begin, step, stride in zip(node["low"], first, steps, target.strides, strict=True)
    )
    strides = tuple(stride * step for stride, step in zip(target.strides, steps, strict=True))
    schedule.copy(part, Array(target.block, node.dtype, part.shape, strides, offset), behind=True)
