"""The reference interpreter: what every operation means, in NumPy.

It is the living definition of the primitives and the oracle of the compiler's tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph.errors import DuographError
from ..graph.evaluation import evaluate, evaluate_among
from ..graph.node import Graph, Node

__all__ = ["Interpretation", "evaluate"]


class Interpretation:
    """A plan that evaluates the graph node by node, freeing each result after its last use."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        position = {node: k for k, node in enumerate(graph.inputs)}
        self.order = [n for n in graph.nodes() if n not in position]
        last: dict[Node, Node] = {}
        for node in self.order:
            for operand in node.inputs:
                last[operand] = node
        kept = {*graph.inputs, *graph.outputs}
        self.frees: dict[Node, list[Node]] = {}
        for operand, node in last.items():
            if operand not in kept:
                self.frees.setdefault(node, []).append(operand)

    def __call__(
        self,
        arrays: Sequence[np.ndarray],
        watch: Callable[[Node, np.ndarray, Graph, list[np.ndarray]], Any] | None = None,
    ) -> list[np.ndarray]:
        """The outputs for these input arrays; `watch` is shown every result as it is made, with the
        graph and the operands."""
        results: dict[Node, np.ndarray] = dict(zip(self.graph.inputs, arrays, strict=True))
        calls: dict[Any, list[np.ndarray]] = {}
        for node in self.order:
            operands = [results[i] for i in node.inputs]
            try:
                result = evaluate_among(node, operands, calls)
            except DuographError as error:
                error.located(self.graph.lines.get(node))
                raise
            if watch is not None:
                watch(node, result, self.graph, operands)
            results[node] = result
            for dead in self.frees.get(node, ()):
                del results[dead]
        return [results[o] for o in self.graph.outputs]
