"""The checker accepts graphs and names what is wrong with others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from duograph.gradient import gradient
from duograph.graph import language as lang
from duograph.graph.check import check
from duograph.graph.dtype import float32, float64, int32
from duograph.graph.errors import GraphError
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.graph.text import read, write
from duograph.runtime.interpreter import Interpretation
from tests.graph_tools import arrays_for, graphs


def forged(op: Any, inputs: tuple[Node, ...], attributes: Any, shape: Any, dtype: Any) -> Node:
    """A node that no rule has seen."""
    node = Node()
    node.op, node.inputs, node.attributes, node.shape, node.dtype = op, inputs, attributes, shape, dtype
    return node


X = make(PRIMITIVES["input"], position=0, shape=(3,), dtype=float32)


def test_a_graph_passes() -> None:
    check(Graph((X,), (lang.sum(X * X), X)))
    check(Graph((), ()))


@pytest.mark.parametrize(
    ("node", "complaint"),
    [
        (forged(PRIMITIVES["exp"], (X,), (), (4,), float32), r"exp\(input float32\[3\]\): expected float32\[3\]"),
        (forged(PRIMITIVES["exp"], (X,), (), (3,), float64), r"Received: float64\[3\]"),
        (forged(PRIMITIVES["exp"], (X, X), (), (3,), float32), "expected 1 inputs. Received: 2"),
        (forged(PRIMITIVES["sum"], (X,), (), (), float32), r"expected the attributes \('axes',\)"),
        (forged(PRIMITIVES["sum"], (X,), (("axes", (1,)),), (), float32), "expected sorted axes"),
        (forged(PRIMITIVES["sum"], (X,), (("axes", [0]),), (), float32), "hashable"),
        (forged(PRIMITIVES["bitwise_not"], (X,), (), (3,), float32), "kind bool or int. Received: float32"),
        (forged(replace(PRIMITIVES["exp"], name="expo"), (X,), (), (3,), float32), "not in the table"),
        (forged(replace(PRIMITIVES["exp"]), (X,), (), (3,), float32), "not in the table"),
    ],
)
def test_a_broken_node_is_named(node: Node, complaint: str) -> None:
    with pytest.raises(GraphError, match=complaint) as caught:
        check(Graph((X,), (node,), {node: "train.py:7: y = f(x)"}))
    assert "at train.py:7: y = f(x)" in str(caught.value)


def test_a_cycle_is_named() -> None:
    node = forged(PRIMITIVES["add"], (), (), (3,), float32)
    again = forged(PRIMITIVES["exp"], (node,), (), (3,), float32)
    node.inputs = (X, again)
    with pytest.raises(GraphError, match="depends on itself"):
        check(Graph((X,), (again,)))


def test_inputs_stand_in_their_places() -> None:
    y = make(PRIMITIVES["input"], position=1, shape=(3,), dtype=int32)
    check(Graph((X, y), (X,)))
    with pytest.raises(GraphError, match="argument 0: expected an input of position 0"):
        check(Graph((y, X), (X,)))
    with pytest.raises(GraphError, match="argument 0: .* Received: exp"):
        check(Graph((lang.exp(X),), (X,)))
    with pytest.raises(GraphError, match="not among the graph's inputs"):
        check(Graph((X,), (y,)))


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_random_graphs(graph: Graph) -> None:
    """Random graphs and their gradients pass, survive being written and read, and agree with finite differences."""
    (y,) = graph.outputs
    place = len(graph.inputs)
    seed = make(PRIMITIVES["input"], position=place, shape=y.shape, dtype=float64)
    found = gradient([y], [seed], graph.inputs)
    cotangents = tuple(lang.zeros_like(i) if f is None else f for f, i in zip(found, graph.inputs, strict=True))
    backward = Graph((*graph.inputs, seed), cotangents)
    for each in (graph, backward):
        check(each)
        text = write(each)
        again = read(text)
        assert (again.inputs, again.outputs) == (each.inputs, each.outputs)
        assert write(again) == text

    arrays, generator, step, plan = arrays_for(graph), np.random.default_rng(1), 1e-6, Interpretation(graph)
    weights = generator.uniform(0.5, 1.5, y.shape)
    directions = [generator.standard_normal(a.shape) for a in arrays]
    ahead, here, behind = (
        float(np.vdot(weights, plan([a + k * step * d for a, d in zip(arrays, directions, strict=True)])[0]))
        for k in (1, 0, -1)
    )
    received = sum(
        float(np.vdot(g, d)) for g, d in zip(Interpretation(backward)([*arrays, weights]), directions, strict=True)
    )
    right, left = (ahead - here) / step, (here - behind) / step
    if abs(right - left) > 1e-3 * (1 + abs(right)):  # a kink, such as two equal maxima: no derivative here
        return
    assert received == pytest.approx((right + left) / 2, rel=1e-5, abs=1e-5)
