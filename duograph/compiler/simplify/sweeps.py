"""The pass: sweeps over the graph, each a rebuild from the inputs to the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ...graph.node import Graph, Node, make, topological
from . import algebra, control, elementwise, indexing, movement, products, reductions, sums
from .rewriter import Rewriter, Table, raising
from .view import View, WholeRule

_T = TypeVar("_T")


def _merged(*tables: Mapping[str, tuple[_T, ...]]) -> Mapping[str, tuple[_T, ...]]:
    merged: dict[str, tuple[_T, ...]] = {}
    for table in tables:
        for name, rules in table.items():
            merged[name] = (*merged.get(name, ()), *rules)
    return merged


RULES: Table = _merged(
    elementwise.RULES, algebra.RULES, movement.RULES, products.RULES, reductions.RULES, control.RULES
)
"""By the name of a primitive, what its nodes are rewritten to, by their inputs alone. The first that applies counts."""

WHOLE_RULES: Mapping[str, tuple[WholeRule, ...]] = _merged(
    products.WHOLE_RULES, reductions.WHOLE_RULES, sums.WHOLE_RULES, indexing.WHOLE_RULES
)
"""The same for rules that look at the whole graph."""

_SWEEPS = 12
"""More than any graph needs: a bound, lest two rules that undo each other keep a program from running."""

_TRANSPARENT = frozenset({"copy", "stop_gradient"})
"""Operations that are their input: after the gradient has been taken, they mean nothing."""


def simplify(graph: Graph) -> Graph:
    """A graph that computes the same from the same inputs, with fewer and cheaper nodes.

    Outputs keep their shapes, dtypes and values: integers and booleans exactly, floats up to the order in which sums
    and products are added up, and the sign of zero. NaN and infinities stay where they are, and so does what may raise
    an error at run time. An output may be an input, a constant, or the same node as another output.
    """
    lines = dict(graph.lines)
    outputs = _sweep(graph.outputs, lines, {})
    for _ in range(_SWEEPS):
        again = _sweep(outputs, lines, WHOLE_RULES)
        if again == outputs:
            break
        outputs = again
    result = Graph(graph.inputs, outputs)
    return Graph(graph.inputs, outputs, {n: lines[n] for n in result.nodes() if n in lines})


def _sweep(
    outputs: tuple[Node, ...], lines: dict[Node, str], whole: Mapping[str, tuple[WholeRule, ...]]
) -> tuple[Node, ...]:
    """The outputs rebuilt by the rules; once more without dropping what may raise, if an error has been lost."""
    order = topological(outputs)
    for strict in (False, True):
        rewriter = Rewriter(RULES, lines, strict)
        view = View(order, outputs)
        new = view.new
        for node in order:
            if node.op.name in _TRANSPARENT:
                new[node] = new[node.inputs[0]]
                continue
            rewriter.line = lines.get(node)
            for rule in whole.get(node.op.name, ()):
                found = rule(rewriter, view, node)
                if found is not None:
                    break
            else:
                inputs = tuple([new[i] for i in node.inputs])
                same = node if inputs == node.inputs else make(node.op, *inputs, **dict(node.attributes))
                found = rewriter.normalise(same)
            new[node] = found
        results = tuple(new[o] for o in outputs)
        if not _loses_errors(rewriter, view, results):
            break
    return results


def _loses_errors(rewriter: Rewriter, view: View, outputs: tuple[Node, ...]) -> bool:
    """Whether the outputs no longer depend on something that may raise an error, or that a rule relies on."""
    if not rewriter.dropped and not view.kept:
        return False
    present = set(topological(outputs))
    kept = {view.new[node] for node in view.kept}
    return not kept <= present or next(raising(rewriter.dropped, present), None) is not None
