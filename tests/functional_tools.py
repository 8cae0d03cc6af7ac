"""How the tests of composites evaluate and differentiate them: on nodes, by the reference interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from duograph.gradient import gradient
from duograph.graph.composite import Composite
from duograph.graph.dtype import dtype
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime.interpreter import Interpretation

Arrays = Sequence[np.ndarray | None]


def _inputs(arrays: Arrays) -> list[Node | None]:
    """An input node for each array."""
    nodes, position = [], 0
    for array in arrays:
        if array is None:
            nodes.append(None)
            continue
        nodes.append(make(PRIMITIVES["input"], position=position, shape=array.shape, dtype=dtype(array.dtype)))
        position += 1
    return nodes


def outputs(op: Composite, arrays: Arrays, **attributes: Any) -> list[np.ndarray]:
    """All results of a composite."""
    nodes = _inputs(arrays)
    built = op.build(nodes, tuple(attributes.items()))
    graph = Graph(tuple(n for n in nodes if n is not None), built)
    return Interpretation(graph)([a for a in arrays if a is not None])


def value(op: Composite, *arrays: np.ndarray | None, **attributes: Any) -> np.ndarray:
    """The first result of a composite."""
    return outputs(op, arrays, **attributes)[0]


def gradients(op: Composite, arrays: Arrays, cotangents: Arrays, **attributes: Any) -> list[np.ndarray | None]:
    """The cotangent of each input (zeros where it has none; None for absent or integer inputs)."""
    nodes = _inputs(arrays)
    built = op.build(nodes, tuple(attributes.items()))
    given = [n for n in nodes if n is not None]
    floating = [n for n in given if n.dtype.is_floating_point]
    seeds, values = [], []
    for node, cotangent in zip(built, cotangents, strict=False):
        if cotangent is None or not node.dtype.is_floating_point:
            seeds.append(None)
            continue
        position = len(given) + len(values)
        seeds.append(make(PRIMITIVES["input"], position=position, shape=node.shape, dtype=node.dtype))
        values.append(cotangent.astype(node.dtype.numpy))
    seeds += [None] * (len(built) - len(seeds))
    found = dict(zip(floating, gradient(built, seeds, floating), strict=True))
    wanted = [d for d in found.values() if d is not None]
    graph = Graph((*given, *(s for s in seeds if s is not None)), tuple(wanted))
    results = dict(zip(wanted, Interpretation(graph)([*(a for a in arrays if a is not None), *values]), strict=True))
    answer: list[np.ndarray | None] = []
    for node, array in zip(nodes, arrays, strict=True):
        if node is None or array is None or node not in found:
            answer.append(None)
        else:
            derivative = found[node]
            answer.append(np.zeros_like(array) if derivative is None else results[derivative])
    return answer


def check_gradient(
    op: Composite, *arrays: np.ndarray | None, output: int = 0, step: float = 1e-5, **attributes: Any
) -> None:
    """Compares the gradient with central differences along random directions, in float64."""
    rng = np.random.default_rng(0)
    result = outputs(op, arrays, **attributes)[output]
    seed = rng.standard_normal(result.shape)
    found = gradients(op, arrays, [*[None] * output, seed], **attributes)
    for k, (array, derivative) in enumerate(zip(arrays, found, strict=True)):
        if array is None or derivative is None:
            continue
        assert array.dtype == np.float64, "finite differences need float64"
        direction = rng.standard_normal(array.shape)
        moved = [list(arrays), list(arrays)]
        moved[0][k], moved[1][k] = array + step * direction, array - step * direction
        above, below = (outputs(op, m, **attributes)[output] for m in moved)
        expected = float(np.sum(seed * (above - below))) / (2 * step)
        actual = float(np.sum(derivative * direction))
        assert abs(actual - expected) <= 2e-7 * max(1.0, abs(expected), float(np.abs(seed).sum())), (
            f"{op.name}, input {k}: {actual} by the graph, {expected} by differences"
        )
