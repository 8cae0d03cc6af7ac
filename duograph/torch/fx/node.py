"""`torch.fx.node`: one step of a recorded program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ...graph.errors import ArgumentError
from ..missing import missing
from .names import qualified

if TYPE_CHECKING:
    from .graph import Graph

__all__ = ["Argument", "Node", "Target", "has_side_effect", "map_aggregate", "map_arg"]

Argument = Any
Target = Callable[..., Any] | str
OPERATIONS = ("placeholder", "get_attr", "call_function", "call_method", "call_module", "output")

_with_effects: set[Any] = {print, setattr}


def has_side_effect(fn: Any) -> Any:
    """Decorator: calls of `fn` are kept though nobody uses what they give."""
    _with_effects.add(fn)
    return fn


def map_aggregate(a: Any, fn: Callable[[Any], Any]) -> Any:
    """`fn` of every leaf of nested tuples, lists, dictionaries and slices."""
    if isinstance(a, tuple):
        parts = [map_aggregate(x, fn) for x in a]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts)
    if isinstance(a, list):
        return [map_aggregate(x, fn) for x in a]
    if isinstance(a, dict):
        return {key: map_aggregate(x, fn) for key, x in a.items()}
    if isinstance(a, slice):
        return slice(*(map_aggregate(x, fn) for x in (a.start, a.stop, a.step)))
    return fn(a)


def map_arg(a: Any, fn: Callable[[Node], Any]) -> Any:
    """`fn` of every node in nested arguments; other leaves stay."""
    return map_aggregate(a, lambda x: fn(x) if isinstance(x, Node) else x)


class Node:
    """One step: `op` is one of "placeholder", "get_attr", "call_function", "call_method", "call_module", "output".

    `target` is the function, the name of the method, of the module, of the attribute or of the argument; `args` and
    `kwargs` hold nodes where results of other steps go in, and `users` the nodes that this one goes into. `meta` is for
    whoever works on the graph.
    """

    def __init__(
        self, graph: Graph, name: str, op: str, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any],
        return_type: Any = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.name = name
        self.op = op
        self.target = target
        self.type = return_type
        self.meta: dict[str, Any] = {}
        self.users: dict[Node, None] = {}
        self.stack_trace: str | None = None
        self._inputs: dict[Node, None] = {}
        self._args: tuple[Any, ...] = ()
        self._kwargs: dict[str, Any] = {}
        self._update(args, kwargs)

    def _update(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for node in self._inputs:
            node.users.pop(self, None)
        self._inputs = {}
        self._args, self._kwargs = tuple(args), dict(kwargs)
        map_arg((self._args, self._kwargs), lambda node: self._inputs.setdefault(node))
        for node in self._inputs:
            node.users[self] = None

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments by place."""
        return self._args

    @args.setter
    def args(self, args: tuple[Any, ...]) -> None:
        self._update(args, self._kwargs)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by name."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, kwargs: dict[str, Any]) -> None:
        self._update(self._args, kwargs)

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes among the arguments, each once."""
        return list(self._inputs)

    @property
    def next(self) -> Node:
        """The step after this one."""
        return self.graph._neighbour(self, 1)

    @property
    def prev(self) -> Node:
        """The step before this one."""
        return self.graph._neighbour(self, -1)

    def prepend(self, x: Node) -> None:
        """Move `x` right before this step."""
        self.graph._move(x, self, 0)

    def append(self, x: Node) -> None:
        """Move `x` right after this step."""
        self.graph._move(x, self, 1)

    def update_arg(self, idx: int, arg: Any) -> None:
        """Put another argument in a place."""
        args = list(self.args)
        args[idx] = arg
        self.args = tuple(args)

    def insert_arg(self, idx: int, arg: Any) -> None:
        """Put another argument in front of a place."""
        self.args = (*self.args[:idx], arg, *self.args[idx:])

    def update_kwarg(self, key: str, arg: Any) -> None:
        """Put another argument under a name."""
        self.kwargs = {**self.kwargs, key: arg}

    def replace_input_with(self, old_input: Node, new_input: Any) -> None:
        """Put `new_input` wherever `old_input` is among the arguments."""

        def changed(node: Node) -> Any:
            return new_input if node is old_input else node

        self._update(map_arg(self.args, changed), map_arg(self.kwargs, changed))

    def replace_all_uses_with(
        self, replace_with: Node, delete_user_cb: Callable[[Node], bool] = lambda user: True, *,
        propagate_meta: bool = False,
    ) -> list[Node]:  # fmt: skip
        """Let all nodes that use this one (or those of which `delete_user_cb` says so) use another; those are given."""
        if propagate_meta:
            replace_with.meta.update(self.meta)
        changed = [user for user in list(self.users) if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    def is_impure(self) -> bool:
        """Whether the step must stay though nobody uses what it gives."""
        if self.op in ("placeholder", "output"):
            return True
        if self.op == "call_function":
            return self.target in _with_effects or getattr(self.target, "__name__", "_").endswith("_")
        if self.op == "call_method":
            name = str(self.target)
            return name.endswith("_") and not name.endswith("__")
        return False

    def format_node(self) -> str:
        """One line of text."""
        if self.op == "output":
            return f"return {self.args[0]}"
        head = f"%{self.name} : [num_users={len(self.users)}] = {self.op}[target={self._target()}]"
        if self.op == "placeholder":
            return head + (f"(default={self.args[0]})" if self.args else "")
        if self.op == "get_attr":
            return head

        def spelled(x: Any) -> str:
            if isinstance(x, tuple):
                return f"({', '.join(map(spelled, x))}{',' if len(x) == 1 else ''})"
            if isinstance(x, list):
                return f"[{', '.join(map(spelled, x))}]"
            if isinstance(x, dict):
                return "{" + ", ".join(f"{key}: {spelled(value)}" for key, value in x.items()) + "}"
            return f"%{x.name}" if isinstance(x, Node) else str(x)

        return f"{head}(args = {spelled(self.args)}, kwargs = {spelled(self.kwargs)})"

    def _target(self) -> str:
        return self.target if isinstance(self.target, str) else qualified(self.target)

    def __repr__(self) -> str:
        return self.name


def check_operation(op: str, target: Any) -> None:
    """Raise ArgumentError for what is no step, TypeError for a target that does not fit."""
    if op not in OPERATIONS:
        raise ArgumentError(f"op: expected one of {', '.join(OPERATIONS)}. Received: {op!r}")
    if op == "call_function":
        if not callable(target):
            raise TypeError(f"call_function: target: expected a function. Received: {type(target).__name__}")
    elif not isinstance(target, str):
        raise TypeError(f"{op}: target: expected a name. Received: {type(target).__name__}")


def nodes_in(*arguments: Any) -> Iterable[Node]:
    """The nodes in nested arguments."""
    found: list[Node] = []
    map_arg(arguments, found.append)
    return found


__getattr__ = missing(__name__, __all__)
