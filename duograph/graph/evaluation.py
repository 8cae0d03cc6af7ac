"""What a node means: its primitive's `evaluate`, with the rules of 16-bit floats."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .errors import DuographError
from .node import Graph, Node


def evaluate(node: Node, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """One node's result. 16-bit floats compute in float32 and round once, at the end."""
    op = node.op
    if not op.moves_bits and any(i.dtype.is_half for i in node.inputs):
        inputs = [x.astype(np.float32) if i.dtype.is_half else x for i, x in zip(node.inputs, inputs, strict=True)]
    with np.errstate(all="ignore"):
        result = np.asarray(op.evaluate(*inputs, **dict(node.attributes)))
        if result.dtype != node.dtype.numpy:
            result = result.astype(node.dtype.numpy)
    if result.shape != node.shape:
        raise AssertionError(f"{node!r}: evaluate gave shape {result.shape}")
    return result


def evaluate_among(node: Node, inputs: Sequence[np.ndarray], calls: dict[Any, list[np.ndarray]]) -> np.ndarray:
    """As `evaluate`, for the nodes of one graph: `calls` keeps what control flow gave for its other results."""
    if node.op.kind != "control":
        return evaluate(node, inputs)
    found = calls.get(node.call)
    if found is None:
        results: Any = node.op.evaluate(*inputs, **{**dict(node.attributes), "result": None})
        found = calls[node.call] = results
    return found[node["result"]]


@lru_cache(maxsize=256)
def _order(graph: Graph) -> list[Node]:
    inputs = set(graph.inputs)
    return [node for node in graph.nodes() if node not in inputs]


def evaluate_graph(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a graph within another: the branch of a condition, the turn of a loop."""
    values = dict(zip(graph.inputs, arrays, strict=True))
    calls: dict[Any, list[np.ndarray]] = {}
    for node in _order(graph):
        try:
            values[node] = evaluate_among(node, [values[i] for i in node.inputs], calls)
        except DuographError as error:
            error.located(graph.lines.get(node))
            raise
    return [values[output] for output in graph.outputs]
