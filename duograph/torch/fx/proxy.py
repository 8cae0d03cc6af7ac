"""`torch.fx.proxy`: what stands for a tensor while a program is recorded."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..missing import missing
from .node import Node, map_aggregate

if TYPE_CHECKING:
    from .graph import Graph

__all__ = ["Attribute", "GraphAppendingTracer", "ParameterProxy", "Proxy", "TraceError", "TracerBase"]


class TraceError(ValueError):
    """A program asks for what is known only when it runs."""


class Proxy:
    """Stands for the result of a step. What is done with it is recorded as more steps."""

    def __init__(self, node: Node, tracer: TracerBase | None = None) -> None:
        self.node = node
        self.tracer = GraphAppendingTracer(node.graph) if tracer is None else tracer

    def __getattr__(self, name: str) -> Attribute:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Attribute(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Iterator[Proxy]:
        return self.tracer.iter(self)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __len__(self) -> int:
        raise RuntimeError("len() of a recorded value is not known: write x.size(0), or torch.fx.wrap('len')")

    def __index__(self) -> int:
        raise TraceError(f"{self}: a recorded value is no number that is known")

    __int__ = __float__ = __index__

    def __contains__(self, item: Any) -> bool:
        raise TraceError("'in' of a recorded value is not known")

    def keys(self) -> Any:
        """For `**` of a recorded value."""
        return self.tracer.keys(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, key, value), {})

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"


def _operator(name: str, function: Any, reflected: bool) -> None:
    def forward(self: Proxy, *others: Any) -> Proxy:
        return self.tracer.create_proxy("call_function", function, (self, *others), {})

    setattr(Proxy, f"__{name}__", forward)
    if reflected:

        def backward(self: Proxy, other: Any) -> Proxy:
            return self.tracer.create_proxy("call_function", function, (other, self), {})

        setattr(Proxy, f"__r{name}__", backward)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "pow", "lshift", "rshift"):
    _operator(_name, getattr(operator, _name), True)
for _name in ("and", "or", "xor"):
    _operator(_name, getattr(operator, f"__{_name}__"), True)
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "invert", "abs", "getitem"):
    _operator(_name, getattr(operator, _name), False)


class Attribute(Proxy):
    """An attribute of what a proxy stands for: called, it is a method."""

    def __init__(self, root: Proxy, attr: str) -> None:
        self.root = root
        self.attr = attr
        self.tracer = root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]
        """The step that reads the attribute."""
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


class ParameterProxy(Proxy):
    """Stands for a parameter, whose shape is known."""

    def __init__(self, tracer: TracerBase, node: Node, name: str, param: Any) -> None:
        super().__init__(node, tracer)
        self.param = param

    @property
    def shape(self) -> Any:
        """The parameter's."""
        return self.param.shape

    def size(self, *arguments: Any) -> Any:
        """The parameter's."""
        return self.param.size(*arguments)

    def dim(self) -> int:
        """The parameter's."""
        return self.param.dim()

    @property
    def ndim(self) -> int:
        """The parameter's."""
        return self.param.ndim


class TracerBase:
    """What records: arguments become nodes, and nodes proxies."""

    graph: Graph

    def create_node(
        self, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None = None,
        type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """A new step of the graph."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def proxy(self, node: Node) -> Proxy:
        """What stands for a step's result."""
        return Proxy(node, self)

    def create_proxy(
        self, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None = None,
        type_expr: Any = None,
    ) -> Proxy:  # fmt: skip
        """A new step, and what stands for its result."""
        made = self.create_node(kind, target, self.create_arg(args), self.create_arg(kwargs), name, type_expr)
        return self.proxy(made)

    def create_arg(self, a: Any) -> Any:
        """An argument as steps hold it: proxies become nodes."""
        return map_aggregate(a, self._leaf)

    def _leaf(self, a: Any) -> Any:
        return a.node if isinstance(a, Proxy) else a

    def to_bool(self, obj: Proxy) -> bool:
        """Raises TraceError: which way the program goes is not known."""
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def iter(self, obj: Proxy) -> Iterator[Proxy]:
        """Raises TraceError: how many elements there are is not known, unless as many names take them."""
        raise TraceError("a recorded value cannot be iterated over: how many elements it has is not known")

    def keys(self, obj: Proxy) -> Any:
        """The keys of a recorded value, as a method call."""
        return Attribute(obj, "keys")()


class GraphAppendingTracer(TracerBase):
    """Records to the end of a graph that there is."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph


__getattr__ = missing(__name__, __all__)
