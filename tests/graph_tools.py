"""Random graphs, for the tests that must hold for any graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from duograph.graph import language as lang
from duograph.graph.dtype import float64, int64
from duograph.graph.node import PRIMITIVES, Graph, Node, make

SMOOTH = ("sin", "tanh", "atan", "erf", "cos", "asinh")


@st.composite
def graphs(draw: Callable, steps: int = 8) -> Graph:
    """A float64 graph of a few inputs and up to `steps` operations, whose values stay small: one output, differentiable
    almost everywhere."""
    shapes = draw(st.lists(st.sampled_from([(), (3,), (2, 3), (4, 1), (3, 3)]), min_size=1, max_size=3))
    inputs = tuple(make(PRIMITIVES["input"], position=k, shape=shape, dtype=float64) for k, shape in enumerate(shapes))
    nodes = list(inputs)
    for _ in range(draw(st.integers(1, steps))):
        nodes.append(_step(draw, nodes))
    output = nodes[-1]
    for node in draw(st.lists(st.sampled_from(nodes), max_size=2)):
        output = output + lang.sum(node) if node.shape != output.shape else output * node
    return Graph(inputs, (output,))


def _step(draw: Callable, nodes: list[Node]) -> Node:
    x = draw(st.sampled_from(nodes))
    kind = draw(st.sampled_from(["smooth", "binary", "reduce", "movement", "index", "scan", "matmul", "select"]))
    axis = draw(st.integers(0, max(x.ndim - 1, 0)))
    if kind == "binary":
        fitting = [n for n in nodes if n.shape == x.shape or not n.shape or n.shape[-1:] == (1,) == x.shape[-1:]]
        name = draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum"]))
        return lang.tanh(lang.apply(name, x, draw(st.sampled_from(fitting))))
    if kind == "reduce" and x.ndim:
        name = draw(st.sampled_from(["sum", "max", "prod"]))
        return lang.tanh(lang.apply(name, x, axes=(axis,)))
    if kind == "movement" and x.ndim:
        return _move(draw, x, axis)
    if kind == "index" and x.ndim and x.shape[axis]:
        places = lang.cast(lang.iota(3, int64) * 2, int64)
        return lang.take(x, lang.apply("remainder", places, x.shape[axis]), axis)
    if kind == "scan" and x.ndim:
        name = draw(st.sampled_from(["cumsum", "cumprod", "cummax"]))
        return lang.sin(lang.cumulative(name, x, axis, draw(st.booleans())))
    if kind == "matmul" and x.ndim == 2:
        return lang.tanh(lang.matmul(x, lang.transpose(x)))
    if kind == "select":
        return lang.select(x < 0.1, x * 0.5, lang.sin(x))
    return lang.apply(draw(st.sampled_from(SMOOTH)), x)


def _move(draw: Callable, x: Node, axis: int) -> Node:
    kind = draw(st.sampled_from(["reshape", "permute", "slice", "flip", "pad", "concatenate", "broadcast"]))
    if kind == "reshape":
        return lang.reshape(x, (-1,)) if x.size else x
    if kind == "permute":
        return lang.permute(x, tuple(reversed(range(x.ndim))))
    if kind == "slice":
        size = x.shape[axis]
        return lang.narrow(x, axis, size // 2, size - size // 2)
    if kind == "flip":
        return lang.flip(x, axis)
    if kind == "pad":
        low = [draw(st.integers(-1, 2)) if n > 2 else 1 for n in x.shape]
        return lang.pad(x, low, [1] * x.ndim, [draw(st.integers(0, 1))] * x.ndim, 0.5)
    if kind == "concatenate":
        return lang.concatenate([x, lang.sin(x)], axis)
    return lang.broadcast_to(x, (2, *x.shape))


def arrays_for(graph: Graph, seed: int = 0) -> list[np.ndarray]:
    """Values for the inputs, far from the points where the operations above are not smooth."""
    generator = np.random.default_rng(seed)
    return [np.asarray(generator.uniform(0.2, 1.1, i.shape) * generator.choice([-1, 1], i.shape)) for i in graph.inputs]
