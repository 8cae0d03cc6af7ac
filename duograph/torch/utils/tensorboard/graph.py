"""A model's graph as TensorBoard draws it: the primitives that Duograph recorded, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .... import tree
from ....events.wire import field
from ....graph.body import Body
from ....graph.node import Node
from ....nn.module import Module
from ....tensor.core import Tensor, wrap


def graph_definition(model: Any, inputs: Any) -> bytes:
    """The graph of `model(*inputs)`; one input may stand without a tuple.

    Raises GraphError where the model reads a value, which a graph cannot do.
    """
    arguments = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    given, rebuild = tree.flatten(arguments)
    tensors = [x for x in given if isinstance(x, Tensor)]
    body = Body(1)
    with body.recording():
        stand_ins = iter([wrap(body.input(x._value.shape, x._value.dtype), x._device) for x in tensors])
        placed = rebuild([next(stand_ins) if isinstance(x, Tensor) else x for x in given])
        results = [x for x in tree.leaves(model(*placed)) if isinstance(x, Tensor)]
        graph = body.graph([x._value for x in results])
    names = _names(model, body.captured)
    called = [f"input/{k}" for k in range(len(tensors))] + names
    return _written(graph.nodes(), dict(zip(graph.inputs, called, strict=True)), graph.outputs)


def _names(model: Any, captured: Sequence[Any]) -> list[str]:
    """Parameters and buffers by their names in the model, other tensors by numbers."""
    known = {}
    if isinstance(model, Module):
        known = {id(x._value): name for name, x in (*model.named_parameters(), *model.named_buffers())}
    return [known.get(id(value), f"constant.{k}").replace(".", "/") for k, value in enumerate(captured)]


def _written(nodes: Sequence[Node], names: dict[Node, str], outputs: Sequence[Node]) -> bytes:
    counted: dict[str, int] = {}
    content = b""
    for node in nodes:
        operation = node.op.name
        if node in names:
            operation = "Parameter" if not names[node].startswith("input/") else "IO Node"
        else:
            counted[operation] = counted.get(operation, -1) + 1
            names[node] = f"{operation}_{counted[operation]}"
        content += field(1, _node(names[node], operation, [names[i] for i in node.inputs], node))
    for k, node in enumerate(outputs):
        content += field(1, _node(f"output/{k}", "IO Node", [names[node]], node))
    return content + field(4, field(1, 22))  # the version of graphs that TensorBoard reads


def _node(name: str, operation: str, inputs: Sequence[str], node: Node) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in node.shape)
    shapes = field(1, b"_output_shapes") + field(2, field(1, field(7, shape)))
    said = field(1, b"attr") + field(2, field(2, str(dict(node.attributes)).encode()))
    took = b"".join(field(3, i.encode()) for i in inputs)
    return field(1, name.encode()) + field(2, operation.encode()) + took + field(5, shapes) + field(5, said)
