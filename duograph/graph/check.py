"""The graph checker: states what makes a graph a graph, and verifies it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .errors import DuographError, GraphError
from .node import PRIMITIVES, Graph, Node


def enabled() -> bool:
    """Whether the compiler's passes are checked: `DUOGRAPH_CHECK`."""
    return os.environ.get("DUOGRAPH_CHECK", "") not in ("", "0")


def check(graph: Graph) -> None:
    """Verify any graph, however it was made.

    - no node depends on itself;
    - the inputs are `input` nodes that carry their own place as position, and no other input is used;
    - each node is an entry of the table, with its number of inputs and just its attributes, all hashable;
    - its shape and dtype are what the entry's rules give.

    Raises GraphError, which names the node and, where known, the user's source line.
    """
    for place, node in enumerate(graph.inputs):
        if node.op.name != "input" or node["position"] != place:
            raise GraphError(f"argument {place}: expected an input of position {place}. Received: {_describe(node)}")
    arguments = set(graph.inputs)
    for node in _acyclic((*graph.inputs, *graph.outputs), graph):
        if node.op.name == "input" and node not in arguments:
            raise _error(graph, node, "is not among the graph's inputs")
        _check_node(graph, node)


def _acyclic(roots: Iterable[Node], graph: Graph) -> Iterable[Node]:
    """Every node, inputs first. Raises GraphError at a cycle."""
    open_, closed = set[Node](), set[Node]()
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, entered = stack.pop()
            if entered:
                open_.discard(node)
                closed.add(node)
                yield node
            elif node in open_:
                raise _error(graph, node, "depends on itself")
            elif node not in closed:
                open_.add(node)
                stack.append((node, True))
                stack.extend((i, False) for i in reversed(node.inputs) if i not in closed)


def _check_node(graph: Graph, node: Node) -> None:
    op = node.op
    if PRIMITIVES.get(op.name) is not op:
        raise _error(graph, node, "is not in the table of primitives")
    if op.arity is not None and len(node.inputs) != op.arity:
        raise _error(graph, node, f"expected {op.arity} inputs. Received: {len(node.inputs)}")
    if tuple(name for name, _ in node.attributes) != op.attributes:
        raise _error(graph, node, f"expected the attributes {op.attributes}. Received: {node.attributes}")
    attributes = dict(node.attributes)
    for value in attributes.values():
        if isinstance(value, Graph):
            try:
                check(value)
            except GraphError as error:
                raise _error(graph, node, str(error)) from error
    try:
        hash(node.attributes)
    except TypeError:
        raise _error(graph, node, f"expected hashable attributes. Received: {attributes}") from None
    try:
        shape = op.shape(*(i.shape for i in node.inputs), **attributes)
        dtype = op.dtype(*(i.dtype for i in node.inputs), **attributes)
    except DuographError as error:
        raise _error(graph, node, str(error)) from error
    if (shape, dtype) != (node.shape, node.dtype):
        expected = f"{dtype.name}{list(shape)}"
        raise _error(graph, node, f"expected {expected}. Received: {node.dtype.name}{list(node.shape)}")


def _describe(node: Node) -> str:
    operands = [f"{i.op.name} {i.dtype.name}{list(i.shape)}" for i in node.inputs]
    named = [f"{name}={value!r}" for name, value in node.attributes]
    return f"{node.op.name}({', '.join(operands + named)})"


def _error(graph: Graph, node: Node, complaint: str) -> DuographError:
    return GraphError(f"{_describe(node)}: {complaint}").located(graph.lines.get(node))
