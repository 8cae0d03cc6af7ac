"""Operations with kernels of their own: the operands as a kernel wants them, and where it writes."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..graph.node import Node
from . import attention, loop
from .arrays import Array, packed, reshaped_strides
from .group import Group, Operation
from .layout import channels_last

if TYPE_CHECKING:
    from .schedule import Schedule

CONTRACTIONS = frozenset(("matmul", "convolution", "convolution_input_gradient", "convolution_weight_gradient"))


def place(schedule: Schedule, node: Node) -> None:
    """Add the step that computes a node, and its operands before it."""
    name = node.op.name
    if name in ("put", "put_along"):
        _writes(schedule, node)
        return
    if name == "scan":
        loop.place(schedule, node)
        return
    if node.op.kind == "control":
        _control(schedule, node)
        return
    if name in attention.NAMES:
        attention.place(schedule, node)
        return
    operands, order = _operands(schedule, node)
    result = schedule.allocate(node, order, fixed=True)
    position = schedule.end + 1
    if name in CONTRACTIONS and node.size:
        group = Group(position, root=node)
        group.maps[node] = group.axes_for(node.shape, order)
        schedule.add(Operation(position, node, operands, result, epilogue=group))
        schedule.add(group)
        schedule.home[node] = group
        return
    step = Operation(position, node, operands, result)
    schedule.add(step)
    schedule.home[node] = step
    schedule.arrays[node] = result
    if name == "window_max":  # the positions of the maxima, where they are wanted, are found on the way
        for twin in schedule.users[node.inputs[0]]:
            if twin.op.name == "window_argmax" and twin.attributes == node.attributes and twin not in schedule.home:
                step.also[twin] = schedule.arrays[twin] = schedule.allocate(twin, order, fixed=True)
                schedule.home[twin] = step


def _control(schedule: Schedule, node: Node) -> None:
    """All results at once of what the host decides."""
    operands = tuple(_contiguous(schedule, x) for x in node.inputs)
    wanted = [twin for twin in schedule.nodes if twin.op is node.op and twin.call == node.call]
    made = {twin: schedule.allocate(twin, tuple(range(twin.ndim))) for twin in wanted}
    others = {twin: array for twin, array in made.items() if twin is not node}
    step = schedule.add(Operation(schedule.end + 1, node, operands, made[node], also=others))
    for twin, array in made.items():
        schedule.home[twin], schedule.arrays[twin] = step, array


def _writes(schedule: Schedule, node: Node) -> None:
    """Writing at positions that are data: a copy of what is there, and then in place."""
    x, indices, updates = node.inputs
    operands = (_contiguous(schedule, indices), _contiguous(schedule, updates))
    result = schedule.allocate(node, tuple(range(node.ndim)))
    schedule.copy(x, result)
    position = schedule.end + 1
    schedule.home[node] = schedule.add(Operation(position, node, operands, result))
    schedule.arrays[node] = result


def _operands(schedule: Schedule, node: Node) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    """The operands of a kernel as it wants them, and the order of its result."""
    name, ndim = node.op.name, node.ndim
    plain = tuple(range(ndim))
    if name == "matmul":
        return tuple(schedule.in_memory(x, _matrix) for x in node.inputs), plain
    if name.startswith("convolution"):
        x, other = node.inputs
        if name == "convolution_weight_gradient":
            return (_last_channels(schedule, x), _last_channels(schedule, other)), plain
        return (_last_channels(schedule, x), schedule.in_memory(other, _filters)), channels_last(ndim)
    if name.startswith("window"):
        last = ndim - len(node["window"]) == 2 and (
            node in schedule.wanted or any(_lies_last(schedule, x) for x in node.inputs)
        )
        if last:
            return tuple(_last_channels(schedule, x) for x in node.inputs), channels_last(ndim)
    return tuple(_contiguous(schedule, x) for x in node.inputs), plain


def _lies_last(schedule: Schedule, node: Node) -> bool:
    """Whether a node lies in memory channels last, and not row-major as well."""
    base = schedule.base(node)
    array = schedule.view(node) if base in schedule.arrays or base in schedule.home else None
    if array is None or array.contiguous:
        return False
    return packed(array.shape, array.strides, channels_last(node.ndim))


def _contiguous(schedule: Schedule, node: Node) -> Array:
    return schedule.in_memory(node, lambda array: array.contiguous)


def _last_channels(schedule: Schedule, node: Node) -> Array:
    order = channels_last(node.ndim)
    base = schedule.base(node)
    if base in schedule.waiting:
        schedule.place(base)
    array = schedule.view(node)
    if array is not None and packed(array.shape, array.strides, order):
        return array
    return schedule.copied(node, order)


def _matrix(array: Array) -> bool:
    """Whether a product can read its operand as it lies: at most two batch axes that do not join."""
    *batch, _, _ = array.shape
    if len(batch) <= 2:
        return True
    return reshaped_strides(tuple(batch), array.strides[:-2], (prod(batch),)) is not None


def _filters(array: Array) -> bool:
    """Whether a convolution can read its weight as it lies: evenly spaced taps."""
    taps = array.shape[2:]
    return reshaped_strides(taps, array.strides[2:], (prod(taps),)) is not None
