"""A graph seen as a whole: who uses what. Some rules only pay where a result has no other use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from ...graph.node import PRIMITIVES, Node
from .rewriter import Rewriter

ADD, CONCATENATE = PRIMITIVES["add"], PRIMITIVES["concatenate"]

WholeRule = Callable[[Rewriter, "View", Node], Node | None]
"""Gives what a node of the view equals, made from the new forms of nodes before it, or None."""


class View:
    """The nodes of a graph in normal form, inputs first, and in `new` what has become of those already swept."""

    def __init__(self, order: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.order = order
        self.new: dict[Node, Node] = {}
        self.kept: list[Node] = []  # what a rule relies on to be computed
        self.uses: dict[Node, int] = dict.fromkeys(order, 0)
        uses = self.uses
        for node in order:
            for operand in node.inputs:
                uses[operand] += 1
        for output in outputs:
            uses[output] += 1

    def once(self, node: Node) -> bool:
        """Whether a node has one use."""
        return self.uses[node] == 1

    @cached_property
    def inner(self) -> set[Node]:
        """The additions that are but a part of one larger sum."""
        return {
            operand
            for node in self.order
            if node.op is ADD
            for operand in node.inputs
            if operand.op is ADD and self.uses[operand] == 1 and operand.shape == node.shape
        }

    @cached_property
    def concatenations(self) -> Mapping[tuple[int, frozenset[Node]], Node]:
        """The concatenations by axis and pieces, whatever the order of these."""
        return {(node["axis"], frozenset(node.inputs)): node for node in self.order if node.op is CONCATENATE}

    @cached_property
    def taken(self) -> Mapping[tuple[Node, int], Node]:
        """The `take_along` of some indices from an axis of some size: it checks that they are in range."""
        return {
            (node.inputs[1], node.inputs[0].shape[node["axis"]]): node
            for node in self.order
            if node.op.name == "take_along"
        }
