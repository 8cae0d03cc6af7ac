"""`torch.fx.subgraph_rewriter`: one pattern of steps exchanged for another."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from ...nn.module import Module
from ..missing import missing
from .graph import Graph
from .graph_module import GraphModule
from .node import Node
from .tracer import symbolic_trace

__all__ = ["Match", "replace_pattern"]


class Match(NamedTuple):
    """A place where a pattern was found: its last step there, and the step there for each of the pattern's."""

    anchor: Node
    nodes_map: dict[Node, Any]


def _traced(given: Any) -> Graph:
    if isinstance(given, Graph):
        return given
    return given.graph if isinstance(given, GraphModule) else symbolic_trace(given).graph


def _same(pattern: Any, found: Any, known: dict[Node, Any]) -> bool:
    """Whether steps, or nested arguments, are what the pattern says; its arguments may be anything."""
    if isinstance(pattern, Node):
        if pattern in known:
            return known[pattern] is found
        if pattern.op == "placeholder":
            known[pattern] = found
            return True
        if not isinstance(found, Node) or pattern.op != found.op or pattern.target != found.target:
            return False
        known[pattern] = found
        return _same(pattern.args, found.args, known) and _same(pattern.kwargs, found.kwargs, known)
    if isinstance(pattern, list | tuple):
        return (
            isinstance(found, list | tuple) and len(pattern) == len(found)
            and all(_same(p, f, known) for p, f in zip(pattern, found, strict=True))
        )  # fmt: skip
    if isinstance(pattern, dict):
        return (
            isinstance(found, dict) and pattern.keys() == found.keys()
            and all(_same(value, found[key], known) for key, value in pattern.items())
        )  # fmt: skip
    return type(pattern) is type(found) and pattern == found


def replace_pattern(gm: GraphModule, pattern: Any, replacement: Any) -> list[Match]:
    """Exchange all places of `gm` that do what `pattern` does for what `replacement` does; the places are given.

    Both are functions, modules or graphs with the same arguments. Places do not overlap, and what is within one is used
    nowhere else.
    """
    wanted, other = _traced(pattern), _traced(replacement)
    root = wanted.output_node().args[0]
    matches: list[Match] = []
    taken: set[Node] = set()
    exchanged: dict[Node, Any] = {}
    for node in gm.graph.nodes:
        known: dict[Node, Any] = {}
        if node in taken or not _same(root, node, known):
            continue
        inner = [n for p, n in known.items() if p.op not in ("placeholder", "output")]
        own = set(inner)
        if any(n in taken for n in inner) or any(u not in own for n in inner if n is not node for u in n.users):
            continue
        matches.append(Match(node, known))
        taken |= own
    arguments = [n for n in wanted.nodes if n.op == "placeholder"]
    places = [n for n in other.nodes if n.op == "placeholder"]
    for match in matches:
        values: dict[Node, Any] = {}
        for place, argument in zip(places, arguments, strict=True):
            given = match.nodes_map.get(argument)
            values[place] = exchanged.get(given, given) if isinstance(given, Node) else given
        with gm.graph.inserting_before(next((n for n in gm.graph.nodes if n in match.anchor.users), match.anchor)):
            made = gm.graph.graph_copy(other, values)
        match.anchor.replace_all_uses_with(made)
        exchanged[match.anchor] = made
        for step in reversed([n for n in gm.graph.nodes if n in set(match.nodes_map.values())]):
            inner_step = any(n is step for p, n in match.nodes_map.items() if p.op != "placeholder")
            if inner_step and not step.users:
                gm.graph.erase_node(step)
    if isinstance(replacement, Module):
        for step in other.nodes:
            if step.op in ("call_module", "get_attr") and not hasattr(gm, str(step.target)):
                found = replacement
                for part in str(step.target).split("."):
                    found = getattr(found, part)
                gm.add_submodule(str(step.target), copy.copy(found) if not isinstance(found, Module) else found)
    gm.recompile()
    return matches


__getattr__ = missing(__name__, __all__)
