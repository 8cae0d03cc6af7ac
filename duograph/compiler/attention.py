"""Attention and its gradients among the steps of a schedule: operands read where they stand, gradients together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph.node import Node
from ..graph.primitives.attention import GRADIENTS
from .arrays import Array
from .group import Operation

if TYPE_CHECKING:
    from .schedule import Schedule

NAMES = frozenset(("attention", *GRADIENTS))


def place(schedule: Schedule, node: Node) -> None:
    """Compute attention, or all of its gradients that are wanted, in one step. A result lies in memory as the operand
    of its shape does: heads that are a part of the last axis of one product are that again."""
    gradient = node.op.name in GRADIENTS
    count = 4 if gradient else 3
    operands = [schedule.in_memory(x, rows_are_contiguous) for x in node.inputs[:count]]
    operands += [schedule.in_memory(x, _is_mask) for x in node.inputs[count:]]

    def allocated(x: Node) -> Array:
        order = operands[GRADIENTS.index(x.op.name) if gradient else 0].order
        return schedule.allocate(x, order if order[-1] == 3 else (0, 1, 2, 3), fixed=True)

    together = [node, *(twin for twin in schedule.users[node.inputs[0]] if _is_twin(node, twin))]
    made = {x: allocated(x) for x in dict.fromkeys(together) if x not in schedule.home}
    schedule.arrays |= made
    step = Operation(schedule.end + 1, node, tuple(operands), made.pop(node), also=made)
    schedule.add(step)
    for x in (node, *made):
        schedule.home[x] = step


def _is_twin(node: Node, other: Node) -> bool:
    """Whether another node is a gradient by the same inputs."""
    family = node.op.name in GRADIENTS and other.op.name in GRADIENTS
    return family and other.inputs == node.inputs and other.attributes == node.attributes


def rows_are_contiguous(array: Array) -> bool:
    """Whether a kernel can read or write it where it lies: the axes before may have any strides."""
    return array.shape[-1] <= 1 or array.strides[-1] == 1


def _is_mask(array: Array) -> bool:
    """Whether a kernel can read a mask: one row for all queries, or contiguous rows."""
    return array.shape[2] == 1 or rows_are_contiguous(array)
