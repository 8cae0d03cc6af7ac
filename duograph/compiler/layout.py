"""Layout: in which order the axes of values lie in memory.

Users keep their [N, C, *size]. Convolutions read and write channels last, and what is computed between two of them
follows: a nest writes in the order of what it reads. Here is only what must be known before: the order that the users
of a node want, where nothing it is made of has one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.node import Node

ORDERED = frozenset(("elementwise", "window"))


def channels_last(ndim: int) -> tuple[int, ...]:
    """The order of [N, C, *size] with the channels innermost."""
    return (0, *range(2, ndim), 1)


def preferred(nodes: Sequence[Node]) -> dict[Node, tuple[int, ...]]:
    """The orders that users want: convolutions want channels last of activations, and elementwise operations and
    windows pass on what is wanted of them. Where axes of a concatenation are permuted and then merged, as those of
    queries, keys and values are on the way back, its pieces had better be written in the new order at once."""
    wanted: dict[Node, tuple[int, ...]] = {}
    for node in reversed(nodes):
        if node.op.name.startswith("convolution"):
            order = channels_last(node.ndim)
            activations = node.inputs if node.op.name == "convolution_weight_gradient" else node.inputs[:1]
            for operand in activations:
                wanted.setdefault(operand, order)
            if node.op.name != "convolution_weight_gradient":
                wanted[node] = order
        elif node in wanted and (node.op.kind in ORDERED or node.op.name == "concatenate"):
            for operand in node.inputs:
                if operand.ndim == node.ndim and operand.shape[0] == node.shape[0]:
                    wanted.setdefault(operand, wanted[node])
        elif node.op.name == "reshape" and node.inputs[0].op.name == "permute":
            (turned,) = node.inputs
            if turned.inputs[0].op.name == "concatenate":
                wanted.setdefault(turned.inputs[0], turned["axes"])
    return wanted
