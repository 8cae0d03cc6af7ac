"""A computation for many steps at once: each node that differs from step to step gets one more axis, at the front.

What has a rule here stays one operation. Anything else, such as gathering where table and indices both differ, becomes
a `scan` without a carry, which is right for every primitive there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import language as lang
from .node import PRIMITIVES, Graph, Node, make, topological


def batched(
    outputs: Sequence[Node], stacks: Mapping[Node, Node], others: Mapping[Node, Node], length: int
) -> list[Node]:
    """`outputs` for all steps: `[length, *shape]` each.

    Args:
        stacks: What stands for some nodes, for all steps: `[length, *shape]`.
        others: What stands for some nodes in every step alike. Constants stand for themselves.
        length: The number of steps.
    """
    stacked, fixed = dict(stacks), dict(others)
    for node in _needed(outputs, {*stacked, *fixed}):
        if stacked.keys().isdisjoint(node.inputs):
            inputs = [fixed[i] for i in node.inputs]
            fixed[node] = make(node.op, *inputs, **dict(node.attributes))
        else:
            rule = _BY_NAME.get(node.op.name) or _BY_KIND.get(node.op.kind) or _mapped
            operands = [stacked[i] if i in stacked else fixed[i] for i in node.inputs]
            differ = [i in stacked for i in node.inputs]
            stacked[node] = rule(node, operands, differ, length) or _mapped(node, operands, differ, length)
    return [stacked[o] if o in stacked else _repeated(fixed[o], length) for o in outputs]


def _needed(outputs: Sequence[Node], known: set[Node]) -> list[Node]:
    """What `outputs` depend on, inputs first, up to nodes that are known."""
    found: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in found and node not in known:
            found.add(node)
            stack.extend(node.inputs)
    return [node for node in topological(outputs) if node in found]


def _repeated(x: Node, length: int) -> Node:
    return lang.broadcast_to(x, (length, *x.shape))


def _aligned(x: Node, ndim: int) -> Node:
    """A stack of what has fewer than `ndim` axes, so that what follows the first axis is aligned at the right."""
    return lang.reshape(x, (x.shape[0], *(1,) * (ndim - x.ndim + 1), *x.shape[1:]))


Rule = Callable[[Node, list[Node], list[bool], int], Node | None]
"""Gives a node for all steps, made from its operands, of which some are stacks; None where it does not apply."""


def _elementwise(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    ndim = max(i.ndim for i in node.inputs)
    aligned = [_aligned(x, ndim) if stack else x for x, stack in zip(operands, stacks, strict=True)]
    return make(node.op, *aligned, **dict(node.attributes))


def _along_axes(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    """Reductions, running sums and sorts: the same axes, one further."""
    attributes = dict(node.attributes)
    if "axes" in attributes:
        attributes["axes"] = tuple(axis + 1 for axis in attributes["axes"])
    else:
        if not node.inputs[0].ndim:
            return None
        attributes["axis"] += 1
    return make(node.op, *operands, **attributes)


def _broadcast(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    return lang.broadcast_to(_aligned(operands[0], node.ndim), (length, *node.shape))


def _reshape(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    return lang.reshape(operands[0], (length, *node.shape))


def _permute(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    return lang.permute(operands[0], (0, *(axis + 1 for axis in node["axes"])))


def _slice(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    return lang.slice(operands[0], (0, *node["start"]), (length, *node["stop"]), (1, *node["step"]))


def _pad(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    if stacks[1]:
        return None
    return lang.pad(operands[0], (0, *node["low"]), (0, *node["high"]), (0, *node["interior"]), operands[1])


def _concatenate(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    pieces = [x if stack else _repeated(x, length) for x, stack in zip(operands, stacks, strict=True)]
    return lang.concatenate(pieces, node["axis"] + 1)


def _matmul(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    a, b = operands
    if stacks == [True, False] and b.ndim == 2:  # a product of many rows
        return lang.reshape(lang.matmul(lang.reshape(a, (length * a.shape[1], a.shape[2])), b), (length, *node.shape))
    return lang.matmul(*(x if stack else _repeated(x, length) for x, stack in zip(operands, stacks, strict=True)))


def _images(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    x, w = operands
    if stacks != [True, False]:
        return None
    merged = lang.reshape(x, (length * x.shape[1], *x.shape[2:]))
    return lang.reshape(make(node.op, merged, w, **dict(node.attributes)), (length, *node.shape))


def _take(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    x, indices = operands
    axis = node["axis"]
    if stacks == [True, False]:
        return lang.take(x, indices, axis + 1)
    if stacks == [True, True]:
        return None
    found = lang.take(x, indices, axis)  # the steps come where the axis was
    return lang.permute(found, (axis, *(k for k in range(found.ndim) if k != axis)))


def _take_along(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node | None:
    x, indices = (x if stack else _repeated(x, length) for x, stack in zip(operands, stacks, strict=True))
    return lang.take_along(x, indices, node["axis"] + 1)


def _mapped(node: Node, operands: list[Node], stacks: list[bool], length: int) -> Node:
    """Step by step."""
    order = sorted(range(len(operands)), key=lambda k: not stacks[k])  # stacks first
    inputs: dict[int, Node] = {}
    for position, k in enumerate(order):
        of = node.inputs[k]
        inputs[k] = make(PRIMITIVES["input"], position=position, shape=of.shape, dtype=of.dtype)
    step = make(node.op, *(inputs[k] for k in range(len(operands))), **dict(node.attributes))
    body = Graph(tuple(inputs[k] for k in order), (step,))
    return make(
        PRIMITIVES["scan"], *(operands[k] for k in order), body=body, carries=0, sequences=sum(stacks), length=length,
        reverse=False, result=0,
    )  # fmt: skip


_BY_NAME: dict[str, Rule] = {
    "broadcast_to": _broadcast,
    "reshape": _reshape,
    "permute": _permute,
    "slice": _slice,
    "pad": _pad,
    "concatenate": _concatenate,
    "matmul": _matmul,
    "convolution": _images,
    "convolution_input_gradient": _images,
    "take": _take,
    "take_along": _take_along,
}
_BY_KIND: dict[str, Rule] = {
    "elementwise": _elementwise,
    "reduction": _along_axes,
    "scan": _along_axes,
    "sort": _along_axes,
}
