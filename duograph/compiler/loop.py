"""Loops: where the results of all turns lie in memory."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..graph.node import Node, make
from .arrays import Array, Block, row_major
from .group import Operation

if TYPE_CHECKING:
    from .schedule import Schedule


def place(schedule: Schedule, node: Node) -> None:
    """All results of a loop at once. What its first turn starts from is a row of the states that it writes."""
    wanted = {twin["result"]: twin for twin in schedule.nodes if twin.op.joint and twin.call == node.call}
    made: dict[Node, Array] = {}
    first: list[Array] = []
    for k in sorted({*range(node["carries"]), *wanted}):
        twin = wanted.get(k) or make(node.op, *node.inputs, **{**dict(node.attributes), "result": k})
        carried = k < node["carries"]
        result = _two_rows(twin) if carried and _only_last(schedule, twin) else None
        row = 0 if result or not node["reverse"] else node["length"]
        made[twin] = result = result or schedule.allocate(twin, tuple(range(twin.ndim)))
        if carried:
            shape = twin.shape[1:]
            first.append(Array(result.block, result.dtype, shape, row_major(shape), row * result.strides[0]))
            schedule.copy(node.inputs[k], first[-1])
    operands = (*first, *(schedule.in_memory(x) for x in node.inputs[node["carries"] :]))
    step = Operation(schedule.end + 1, node, operands, made.pop(node), also=made)
    schedule.add(step)
    for twin in wanted.values():
        schedule.home[twin] = step
        schedule.arrays[twin] = step.result if twin is node else made[twin]


def _only_last(schedule: Schedule, states: Node) -> bool:
    """Whether of all states of a loop none but the last is wanted: nobody looks at another row."""
    last = 0 if states["reverse"] else states["length"]
    users = [node for node in schedule.nodes if states in node.inputs]
    return states not in schedule.outputs and all(
        user.op.name == "slice" and (user["start"][0], user.shape[0]) == (last, 1) for user in users
    )


def _two_rows(states: Node) -> Array:
    """Memory for the states before and after a turn, which change places. All rows are where the last one will be."""
    shape = states.shape[1:]
    block = Block(2 * prod(shape) * states.dtype.itemsize, "temporary")
    return Array(block, states.dtype, states.shape, (0, *row_major(shape)), states["length"] % 2 * prod(shape))
