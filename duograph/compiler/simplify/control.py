"""Branches that need not be chosen when the plan runs: the predicate is known, or both are as quick as the choice."""

from __future__ import annotations

from ...graph.node import Graph, Node, topological
from .rewriter import Rewriter, Table, may_raise, number

SMALLEST = 4096
"""Elements up to which both branches are computed and one result is taken."""
FEWEST = 64
"""Operations up to which they are."""
_KINDS = frozenset({"source", "elementwise", "movement", "reduction"})


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
    nodes = topological((*node["then"].outputs, *node["otherwise"].outputs))
    if len(nodes) > FEWEST or any(n.size > SMALLEST or n.op.kind not in _KINDS or may_raise(n) for n in nodes):
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
