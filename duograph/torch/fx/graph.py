"""`torch.fx.graph`: a recorded program, as a list of steps that can be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...graph.errors import ArgumentError
from ..missing import missing
from .code import Code
from .names import Namespace, snake_case
from .node import Node, check_operation, map_arg

__all__ = ["Graph", "PythonCode"]


class PythonCode(NamedTuple):
    """The source of a function `forward`, and what its global names mean."""

    src: str
    globals: dict[str, Any]


class Graph:
    """Steps in the order in which they run: see `Node`.

    New ones go where `inserting_before` or `inserting_after` says, else to the end.
    """

    def __init__(self, owning_module: Any = None, tracer_cls: Any = None, tracer_extras: Any = None) -> None:
        self._nodes: list[Node] = []
        self._names = Namespace()
        self._place: tuple[Node | None, int] = (None, 0)
        self.owning_module = owning_module
        self._tracer_cls = tracer_cls
        self.meta: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """All but the module, which enters itself when it is read."""
        return {**vars(self), "owning_module": None}

    @property
    def nodes(self) -> list[Node]:
        """The steps."""
        return list(self._nodes)

    def create_node(
        self, op: str, target: Any, args: tuple[Any, ...] | None = None, kwargs: dict[str, Any] | None = None,
        name: str | None = None, type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """A new step. Raises ArgumentError for another `op`, TypeError for a target that does not fit it."""
        check_operation(op, target)
        if name is None:
            name = target if isinstance(target, str) else snake_case(getattr(target, "__name__", "function")).strip("_")
        node = Node(self, self._names.name(name), op, target, args or (), kwargs or {}, type_expr)
        anchor, after = self._place
        if anchor is None:
            self._nodes.insert(0 if after else len(self._nodes), node)
        else:
            self._nodes.insert(self._nodes.index(anchor) + after, node)
        if after:
            self._place = (node, 1)
        return node

    def placeholder(self, name: str, type_expr: Any = None, default_value: Any = ...) -> Node:
        """An argument of the program; without a `default_value` (...) it must be given."""
        return self.create_node(
            "placeholder", name, () if default_value is ... else (default_value,), {}, None, type_expr
        )

    def get_attr(self, qualified_name: str, type_expr: Any = None) -> Node:
        """A parameter, buffer or other attribute of the module."""
        return self.create_node("get_attr", qualified_name, (), {}, None, type_expr)

    def call_module(
        self, module_name: str, args: tuple[Any, ...] | None = None, kwargs: dict[str, Any] | None = None,
        type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """The call of a module, by its dotted name."""
        return self.create_node("call_module", module_name, args, kwargs, None, type_expr)

    def call_method(
        self, method_name: str, args: tuple[Any, ...] | None = None, kwargs: dict[str, Any] | None = None,
        type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """The call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, None, type_expr)

    def call_function(
        self, the_function: Callable[..., Any], args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None, type_expr: Any = None, name: str | None = None,
    ) -> Node:  # fmt: skip
        """The call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name, type_expr)

    def output(self, result: Any, type_expr: Any = None) -> Node:
        """What the program gives."""
        return self.create_node("output", "output", (result,), {}, None, type_expr)

    def output_node(self) -> Node:
        """The last step."""
        return next(node for node in reversed(self._nodes) if node.op == "output")

    def find_nodes(self, *, op: str, target: Any = None, sort: bool = True) -> list[Node]:
        """The steps of one kind, and with one target if any is given."""
        return [n for n in self._nodes if n.op == op and (target is None or n.target == target)]

    def erase_node(self, to_erase: Node) -> None:
        """Take a step out. Raises ArgumentError (a RuntimeError) where others use what it gives."""
        if to_erase.users:
            users = ", ".join(user.name for user in to_erase.users)
            raise ArgumentError(f"erase_node: expected a node that nobody uses. Received: {to_erase}, used by {users}")
        if to_erase not in self._nodes:
            raise ArgumentError(f"erase_node: {to_erase} is not in this graph")
        to_erase._update((), {})
        if self._place[0] is to_erase:
            self._place = (self._neighbour(to_erase, -1), 1)
        self._nodes.remove(to_erase)

    @contextmanager
    def _at(self, place: tuple[Node | None, int]) -> Iterator[None]:
        if place[0] is not None and place[0].graph is not self:
            raise ArgumentError("expected a node of this graph")
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def inserting_before(self, n: Node | None = None) -> Any:
        """A block whose new steps go right before one, or to the beginning."""
        return self._at((None, 1) if n is None else (n, 0))

    def inserting_after(self, n: Node | None = None) -> Any:
        """A block whose new steps go right after one, or to the end."""
        return self._at((None, 0) if n is None else (n, 1))

    def _neighbour(self, node: Node, distance: int) -> Node:
        return self._nodes[(self._nodes.index(node) + distance) % len(self._nodes)]

    def _move(self, node: Node, anchor: Node, after: int) -> None:
        if node is anchor:
            return
        node.graph._nodes.remove(node)
        self._nodes.insert(self._nodes.index(anchor) + after, node)

    def node_copy(self, node: Node, arg_transform: Callable[[Node], Any] = lambda x: x) -> Node:
        """A copy of another graph's step, whose arguments `arg_transform` brings into this one."""
        args, kwargs = map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform)
        made = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        made.meta = dict(node.meta)
        return made

    def graph_copy(self, g: Graph, val_map: dict[Node, Node], return_output_node: bool = False) -> Any:
        """Copies of another graph's steps, noted in `val_map`; what that graph gives, in terms of this one."""
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                found = map_arg(node.args[0], lambda n: val_map[n])
                return (found, node) if return_output_node else found
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Graph:
        made = Graph(tracer_cls=self._tracer_cls)
        known: dict[Node, Node] = {}
        for node in self._nodes:
            known[node] = made.node_copy(node, lambda n: known[n])
        return made

    def eliminate_dead_code(self, is_impure_node: Callable[[Node], bool] | None = None) -> bool:
        """Take out the steps that nobody uses, but for arguments and what has effects. Whether there were any."""
        count = len(self._nodes)
        for node in reversed(self.nodes):
            kept = node.is_impure() if is_impure_node is None else is_impure_node(node)
            if not node.users and not kept and node.op not in ("placeholder", "output"):
                self.erase_node(node)
        return len(self._nodes) < count

    def lint(self) -> None:
        """Raise ArgumentError (a RuntimeError) where a step uses what is not there yet, or names no attribute."""
        seen: set[Node] = set()
        names: set[str] = set()
        for node in self._nodes:
            check_operation(node.op, node.target)
            for used in node.all_input_nodes:
                if used not in seen:
                    raise ArgumentError(f"{node} uses {used}, which is not there yet or in another graph")
            if node.name in names:
                raise ArgumentError(f"two nodes are called {node.name}")
            names.add(node.name)
            seen.add(node)
            if node.op in ("get_attr", "call_module") and self.owning_module is not None:
                found = self.owning_module
                for part in str(node.target).split("."):
                    if not hasattr(found, part):
                        raise ArgumentError(f"{node}: the module has no {node.target!r}")
                    found = getattr(found, part)

    def python_code(self, root_module: str = "self", **_: Any) -> PythonCode:
        """The graph as the source of a function `forward`."""
        made = Code(self, root_module)
        return PythonCode(made.source, made.globals)

    def print_tabular(self) -> None:
        """Print a table of the steps."""
        rows = [[n.op, n.name, n._target(), str(n.args), str(n.kwargs)] for n in self._nodes]
        heads = ["opcode", "name", "target", "args", "kwargs"]
        widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(5)]
        for row in [heads, ["-" * width for width in widths], *rows]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def __str__(self) -> str:
        lines = [node.format_node() for node in self._nodes]
        return "\n".join(["graph():", *(f"    {line}" for line in lines)])


__getattr__ = missing(__name__, __all__)
