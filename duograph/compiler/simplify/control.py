"""Branches that need not be chosen when the plan runs: the predicate is known, or both are as quick as the choice."""

from __future__ import annotations

from ...graph.control import is_cheap
from ...graph.node import Graph, Node, topological
from .rewriter import Rewriter, Table, may_raise, number


def known_branch(rewriter: Rewriter, node: Node) -> Node | None:
    """cond(constant, ...): the branch itself."""
    truth = number(node.inputs[0])
    if truth is None:
        return None
    operands = node.inputs[1:]
    if not rewriter.can_drop(*operands):
        return None
    return _inlined(rewriter, node["then"] if truth else node["otherwise"], node["result"], operands)


def select_of_branches(rewriter: Rewriter, node: Node) -> Node | None:
    """cond of cheap branches: both, and a select. The host need not wait for the predicate then."""
    if not is_cheap(node) or may_raise(node):
        return None
    predicate, *operands = node.inputs
    then, otherwise = (
        _inlined(rewriter, node[name], node["result"], operands) for name in ("then", "otherwise")
    )  # fmt: skip
    return rewriter.make("select", predicate, then, otherwise)


def _inlined(rewriter: Rewriter, graph: Graph, result: int, operands: tuple[Node, ...] | list[Node]) -> Node:
    """An output of a graph, of these operands."""
    new = dict(zip(graph.inputs, operands, strict=True))
    output = graph.outputs[result]
    for node in topological([output]):
        if node not in new:
            if node.op.name in ("copy", "stop_gradient"):
                new[node] = new[node.inputs[0]]
            else:
                new[node] = rewriter.remake(node, *(new[i] for i in node.inputs))
    return new[output]


RULES: Table = {"cond": (known_branch, select_of_branches)}
