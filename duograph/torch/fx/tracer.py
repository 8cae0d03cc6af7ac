"""`torch.fx.symbolic_trace`: run a module's Python on stand-ins, and record what it does.

Functions of tensors do not know of stand-ins. While a program is recorded, those that stand in `torch`,
`torch.nn.functional` and the modules of the program itself are exchanged for functions that do.
"""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import math
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ...graph.errors import NotSupported
from ...nn import Parameter, Sequential
from ...nn.module import Module
from ...tensor.core import Tensor
from . import names
from .graph import Graph
from .graph_module import GraphModule
from .node import map_aggregate
from .proxy import ParameterProxy, Proxy, TracerBase

_wrapped: list[tuple[dict[str, Any], str]] = []
"""Functions that are to be recorded as one step: where they stand, and their names."""


def wrap(fn_or_name: Any) -> Any:
    """Let calls of a function be one step: `wrap("name")` at a module's top level, or as a decorator there."""
    name = fn_or_name if isinstance(fn_or_name, str) else getattr(fn_or_name, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(f"wrap: expected a function or its name. Received: {type(fn_or_name).__name__}")
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    if frame.f_back.f_code.co_name != "<module>":
        raise NotImplementedError("wrap: expected to be called at the top level of a module")
    _wrapped.append((frame.f_back.f_globals, name))
    return fn_or_name


def _stand_in(arguments: Any) -> Proxy | None:
    found: list[Proxy] = []
    map_aggregate(arguments, lambda a: found.append(a) if isinstance(a, Proxy) else None)
    return found[0] if found else None


def _recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose calls with stand-ins are steps."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        proxy = _stand_in((args, kwargs))
        if proxy is None:
            return function(*args, **kwargs)
        return proxy.tracer.create_proxy("call_function", function, args, kwargs)

    return call


@contextmanager
def _exchanged(modules: set[str]) -> Iterator[None]:
    """Functions of tensors, and those that are wrapped, exchanged for such that know of stand-ins."""
    known = names.functions()
    made: dict[int, Any] = {}
    places = [vars(names.room(name)) for name in names.ROOMS] + [
        vars(sys.modules[name]) for name in sorted(modules) if name in sys.modules
    ]
    undo: list[tuple[dict[str, Any], str, Any]] = []
    absent = object()

    def exchange(place: dict[str, Any], name: str, value: Any) -> None:
        undo.append((place, name, place.get(name, absent)))
        place[name] = made.setdefault(id(value), _recording(value))

    try:
        for place in places:
            for name, value in list(place.items()):
                if id(value) in known and callable(value):
                    exchange(place, name, value)
        for name, value in list(vars(math).items()):
            if callable(value):
                exchange(vars(math), name, value)
        for place, name in _wrapped:
            exchange(place, name, place[name] if name in place else getattr(builtins, name))
        yield
    finally:
        for place, name, value in reversed(undo):
            if value is absent:
                del place[name]
            else:
                place[name] = value


class Tracer(TracerBase):
    """Records modules and functions. Override `is_leaf_module` to say which modules are one step.

    `param_shapes_constant` makes shapes of parameters known while recording.
    """

    def __init__(
        self, autowrap_modules: Any = (math,), autowrap_functions: Any = (), param_shapes_constant: bool = False
    ) -> None:
        self.root: Any = None
        self.param_shapes_constant = param_shapes_constant
        self._autowrapped = tuple(autowrap_functions)
        self._paths: dict[Module, str] = {}
        self._constants: dict[int, str] = {}

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Whether a module is one step: those of `torch.nn` are, but for Sequential."""
        return type(m).__module__.startswith("duograph.") and not isinstance(m, Sequential | GraphModule)

    def path_of_module(self, mod: Module) -> str:
        """The dotted name of a module. Raises NameError for one that is not part of the root."""
        for name, module in self.root.named_modules():
            if module is mod:
                return name
        raise NameError("module is not installed as a submodule")

    def call_module(self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record the call of a module as one step, or go into it."""
        path = self.path_of_module(m)
        if self.is_leaf_module(m, path):
            return self.create_proxy("call_module", path, args, kwargs)
        return forward(*args, **kwargs)

    def _leaf(self, a: Any) -> Any:
        if isinstance(a, Proxy):
            return a.node
        if isinstance(a, Parameter):
            for name, parameter in self.root.named_parameters():
                if parameter is a:
                    return self.create_node("get_attr", name, (), {})
            raise NameError("a parameter is used that is not one of the module's")
        if isinstance(a, Tensor):
            for name, buffer in self.root.named_buffers():
                if buffer is a:
                    return self.create_node("get_attr", name, (), {})
            if id(a) not in self._constants:
                free = names.Namespace()
                for taken in dir(self.root):
                    free.name(taken)
                name = self._constants[id(a)] = free.name("_tensor_constant0")
                setattr(self.root, name, a)
            return self.create_node("get_attr", self._constants[id(a)], (), {})
        if isinstance(a, Module):
            return self.create_node("get_attr", self.path_of_module(a), (), {})
        return a

    def iter(self, obj: Proxy) -> Iterator[Proxy]:
        """The elements, where so many names take them: `a, b = x`."""
        frame = inspect.currentframe()
        assert frame is not None and frame.f_back is not None and frame.f_back.f_back is not None
        calling = frame.f_back.f_back
        following = next((i for i in dis.get_instructions(calling.f_code) if i.offset == calling.f_lasti), None)
        if following is not None and following.opname == "UNPACK_SEQUENCE":
            return (obj[k] for k in range(following.argval))  # type: ignore[index]
        return super().iter(obj)

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> Graph:
        """The graph of a module, or of a function.

        `concrete_args` are arguments that have their values while it is recorded.
        """
        is_method = isinstance(root, Module)
        self.root, function = (root, type(root).forward) if is_method else (Module(), root)
        if is_method and type(root).forward.__module__.startswith("duograph.nn.layers"):
            raise NotSupported(
                f"symbolic_trace: {type(root).__name__} is one step, which is not gone into: put it into a Sequential"
            )
        self.graph = Graph(owning_module=self.root if is_method else None, tracer_cls=type(self))
        self._constants = {}
        function, arguments = self._prepared(function, is_method, concrete_args or {})
        homes = {type(m).__module__ for m in self.root.modules()} | {getattr(function, "__module__", "")}
        with ExitStack() as stack:
            stack.enter_context(_exchanged({home for home in homes if not home.startswith("duograph.")}))
            stack.enter_context(self._modules())
            result = function(*arguments)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _prepared(self, function: Any, is_method: bool, concrete: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The function as one of arguments by place alone, a tuple for `*` and a dictionary for `**`; and stand-ins."""
        function = inspect.unwrap(function)
        code = function.__code__
        stars = [code.co_flags & inspect.CO_VARARGS, code.co_flags & inspect.CO_VARKEYWORDS]
        count = code.co_argcount + code.co_kwonlyargcount
        plain = types.FunctionType(
            code.replace(
                co_argcount=count + sum(map(bool, stars)), co_kwonlyargcount=0, co_posonlyargcount=0,
                co_flags=code.co_flags & ~inspect.CO_VARARGS & ~inspect.CO_VARKEYWORDS,
            ),
            function.__globals__, function.__name__, None, function.__closure__,
        )  # fmt: skip
        plain.__module__ = function.__module__
        parameters = inspect.signature(function).parameters
        given: list[Any] = [self.root] if is_method else []
        for name in code.co_varnames[is_method : plain.__code__.co_argcount]:
            parameter = parameters[name]
            default = concrete.get(name, parameter.default)
            starred = parameter.kind == parameter.VAR_POSITIONAL
            mark = "*" if starred else "**" if parameter.kind == parameter.VAR_KEYWORD else ""
            args = () if default is parameter.empty else (default,)
            hint = None if parameter.annotation is parameter.empty else parameter.annotation
            proxy = self.create_proxy("placeholder", mark + name, args, {}, type_expr=hint)
            given.append(concrete.get(name, proxy))
        return plain, given

    @contextmanager
    def _modules(self) -> Iterator[None]:
        """Calls of modules go to `call_module`, and parameters are read as stand-ins."""
        call, own = Module.__call__, Module.__dict__.get("__getattribute__")
        tracer = self
        made: dict[int, Proxy] = {}

        def recorded(module: Module, *args: Any, **kwargs: Any) -> Any:
            return tracer.call_module(module, functools.partial(call, module), args, kwargs)

        def read(module: Module, name: str) -> Any:
            value = object.__getattribute__(module, name)
            if isinstance(value, Parameter):
                if id(value) not in made:
                    path = next((n for n, p in tracer.root.named_parameters() if p is value), None)
                    if path is None:
                        return value
                    node = tracer.create_node("get_attr", path, (), {})
                    shaped = tracer.param_shapes_constant
                    made[id(value)] = ParameterProxy(tracer, node, path, value) if shaped else tracer.proxy(node)
                return made[id(value)]
            return value

        Module.__call__ = recorded  # type: ignore[method-assign, assignment]
        Module.__getattribute__ = read  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Module.__call__ = call  # type: ignore[method-assign]
            if own is None:
                del Module.__getattribute__
            else:
                Module.__getattribute__ = own  # type: ignore[method-assign]


def symbolic_trace(root: Any, concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """A module whose graph is what `root`, a module or a function, does with stand-ins for its arguments.

    Raises TraceError where it asks for what is known only when it runs: the truth of a result, or how many elements
    there are.
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)
