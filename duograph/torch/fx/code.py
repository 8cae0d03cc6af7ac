"""A graph as Python code."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from ...graph.dtype import DType
from ...tensor.device import Device
from .names import Namespace, qualified
from .node import Node

if TYPE_CHECKING:
    from .graph import Graph

INFIX: dict[Any, str] = {
    operator.add: "{} + {}", operator.sub: "{} - {}", operator.mul: "{} * {}", operator.truediv: "{} / {}",
    operator.floordiv: "{} // {}", operator.mod: "{} % {}", operator.matmul: "{} @ {}", operator.pow: "{} ** {}",
    operator.and_: "{} & {}", operator.or_: "{} | {}", operator.xor: "{} ^ {}", operator.lshift: "{} << {}",
    operator.rshift: "{} >> {}", operator.eq: "{} == {}", operator.ne: "{} != {}", operator.lt: "{} < {}",
    operator.le: "{} <= {}", operator.gt: "{} > {}", operator.ge: "{} >= {}", operator.getitem: "{}[{}]",
    operator.neg: "-{}", operator.pos: "+{}", operator.invert: "~{}",
}  # fmt: skip


class Code:
    """The source of a function `forward`, and what its global names mean."""

    def __init__(self, graph: Graph, root: str = "self") -> None:
        from . import names

        self.globals: dict[str, Any] = {"torch": names.room("torch"), "inf": float("inf"), "nan": float("nan")}
        self._names = Namespace()
        for taken in (*self.globals, *(node.name for node in graph.nodes)):
            self._names.name(taken)
        self._root = root
        last = _last_uses(graph)
        arguments, lines = [root], []
        unpacking: list[str] = []
        for node in graph.nodes:
            if node.op == "placeholder":
                arguments.append(self._placeholder(node, unpacking))
            elif node.op == "output":
                lines.append(f"return {self._spelled(node.args[0])}")
            else:
                lines.append(f"{node.name} = {self._expression(node)}")
            dead = last.get(node, [])
            if dead:
                lines[-1] += f";  {' = '.join(n.name for n in dead)} = None"
        body = "\n".join(f"    {line}" for line in (*unpacking, *lines) or ("pass",))
        self.source = f"\n\n\ndef forward({', '.join(arguments)}):\n{body}\n    "

    def _placeholder(self, node: Node, unpacking: list[str]) -> str:
        target = str(node.target)
        if target != node.name:
            unpacking.append(f"{node.name} = {target.lstrip('*')}")
        return f"{target} = {self._spelled(node.args[0])}" if node.args else target

    def _expression(self, node: Node) -> str:
        args, kwargs = node.args, node.kwargs
        if node.op == "get_attr":
            return self._attribute(self._root, str(node.target))
        if node.op == "call_module":
            return f"{self._attribute(self._root, str(node.target))}({self._arguments(args, kwargs)})"
        if node.op == "call_method":
            return f"{self._spelled(args[0])}.{node.target}({self._arguments(args[1:], kwargs)})"
        if node.target in INFIX and not kwargs:
            return INFIX[node.target].format(*map(self._spelled, args))
        if node.target is getattr and len(args) == 2 and isinstance(args[1], str) and args[1].isidentifier():
            return f"{self._spelled(args[0])}.{args[1]}"
        return f"{self._global(node.target)}({self._arguments(args, kwargs)})"

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        return ", ".join([*map(self._spelled, args), *(f"{k} = {self._spelled(v)}" for k, v in kwargs.items())])

    @staticmethod
    def _attribute(root: str, path: str) -> str:
        for part in path.split("."):
            root = f"{root}.{part}" if part.isidentifier() else f'getattr({root}, "{part}")'
        return root

    def _global(self, value: Any) -> str:
        """An expression for an object that has a name somewhere, or a name of ours for it."""
        full = qualified(value)
        if full.startswith("torch."):
            return full
        name = full.rpartition(".")[2]
        if name.isidentifier() and self.globals.get(name) is value:
            return name
        if "." not in full:
            return full
        if full.startswith("operator."):
            name = f"_operator_{name}"
        name = self._names.name(full.replace(".", "_") if full.startswith("math.") else name)
        self.globals[name] = value
        return name

    def _spelled(self, x: Any) -> str:
        if isinstance(x, Node):
            return x.name
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return f"{self._global(type(x))}({', '.join(map(self._spelled, x))})"
        if isinstance(x, tuple):
            return f"({', '.join(map(self._spelled, x))}{',' if len(x) == 1 else ''})"
        if isinstance(x, list):
            return f"[{', '.join(map(self._spelled, x))}]"
        if isinstance(x, dict):
            return "{" + ", ".join(f"{self._spelled(k)}: {self._spelled(v)}" for k, v in x.items()) + "}"
        if isinstance(x, slice):
            return f"slice({self._spelled(x.start)}, {self._spelled(x.stop)}, {self._spelled(x.step)})"
        if isinstance(x, DType):
            return f"torch.{x.name}"
        if isinstance(x, Device):
            return f"torch.device({str(x)!r})"
        if x is None or x is ... or isinstance(x, bool | int | float | complex | str | bytes):
            return repr(x)
        if callable(x):
            return self._global(x)
        name = self._names.name(f"_{type(x).__name__}")
        self.globals[name] = x
        return name


def _last_uses(graph: Graph) -> dict[Node, list[Node]]:
    """For each step the results that nobody uses after it."""
    seen: set[Node] = set()
    found: dict[Node, list[Node]] = {}
    for node in reversed(graph.nodes):
        if node.op == "output":
            seen.update(node.all_input_nodes)
        elif node.op != "placeholder":
            found[node] = [n for n in (*node.all_input_nodes, node) if n not in seen]
            seen.update(found[node])
    return found
