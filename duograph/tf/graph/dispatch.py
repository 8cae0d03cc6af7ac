"""Functions of the face that become calls of a graph where one is being built."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .. import control
from ..autograph import flow
from ..autograph.symbolic import is_symbolic
from ..dtypes import as_dtype
from ..structure import flatten, pack_like
from ..text import is_text
from .symbolic import GraphTensor, get_default_graph, is_building, replaced
from .variables import GraphVariable

_ROOMS = ("duograph.tf", "duograph.tf.math", "duograph.tf.nn", "duograph.tf.linalg", "duograph.tf.random")
_NOT_OPERATIONS = {
    "function",
    "allow_on_keras",
    "install",
    "uninstall",
    "is_tensor",
    "set_seed",
    "missing",
    "cond",
    "while_loop",
    "case",
    "switch_case",
    "map_fn",
    "scan",
    "foldl",
    "foldr",
    "custom_gradient",
    "is_nested",
    "flatten",
    "map_structure",
    "pack_sequence_as",
    "as_dtype",
    "vectorized_map",
    "recompute_grad",
}


_ON_HOST = {f"duograph.tf.{room}" for room in ("gfile", "host", "io", "lookup", "parsing", "strings")}
"""Modules of functions that Python calls anew in each run: they work on strings and files."""

_LABELS = {
    "argmax": "ArgMax", "argmin": "ArgMin", "constant": "Const", "logical_and": "LogicalAnd", "matmul": "MatMul",
    "reduce_max": "Max", "reduce_mean": "Mean", "reduce_min": "Min", "reduce_prod": "Prod", "reduce_sum": "Sum",
}  # fmt: skip
_LOWER = {
    "concat", "one_hot", "ones", "ones_like", "range", "split", "stack", "strided_slice", "transpose", "unstack",
    "zeros", "zeros_like",
}  # fmt: skip


def _label(name: str) -> str:
    """What a call of the function is named in a graph, unless the program says otherwise."""
    name = name.strip("_")
    if name in _LOWER or name.startswith("random"):
        return name
    return _LABELS.get(name) or "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def deferring(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which becomes a call of the graph where one is being built."""

    label = _label(function.__name__)
    on_host = function.__module__ in _ON_HOST

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_building() or any(isinstance(x, GraphTensor) for x in flatten((args, kwargs))):
            name = kwargs.pop("name", None) or label
            made = GraphTensor(function, args, kwargs, name=name)
            made.is_host = on_host or (label == "Const" and is_text(args[0] if args else kwargs["value"]))
            return made
        return function(*args, **kwargs)

    call.__duograph_deferring__ = True  # type: ignore[attr-defined]
    return call


@functools.cache
def install() -> None:
    """From now on the functions of `tf`, `tf.math`, `tf.nn`, ... look whether a graph is being built."""
    from .. import variable

    for room in map(importlib.import_module, _ROOMS):
        install_in(room)
    face: Any = importlib.import_module("duograph.tf")
    for form in (cond, while_loop, numpy_function, py_function):
        setattr(face, form.__name__, _either(getattr(control, form.__name__), form))
    face.group = _either(face.group, group)
    known_before = face.is_tensor
    face.is_tensor = lambda x: isinstance(x, GraphTensor) or known_before(x)
    variable.in_graph = lambda args, kwargs: GraphVariable(*args, **kwargs) if is_building() else None


def install_in(room: Any) -> None:
    """The same for one module."""
    for name, function in list(vars(room).items()):
        setattr(room, name, deferred(name, function))


def deferred(name: str, thing: Any) -> Any:
    """What stands under a name of a module: functions of the face that are operations become deferring ones."""
    if (
        isinstance(thing, FunctionType)
        and not name.startswith("_")
        and name not in _NOT_OPERATIONS
        and thing.__module__.startswith("duograph.")
        and not hasattr(thing, "__duograph_deferring__")
    ):
        return deferring(thing)
    return thing


def _either(eager: Callable[..., Any], graph_form: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(eager)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_building() or any(isinstance(x, GraphTensor) for x in flatten((args, kwargs))):
            return graph_form(*args, **kwargs)
        return eager(*args, **kwargs)

    return call


class Cond(GraphTensor):
    """The result of one of two branches. Only what the branch taken needs is computed.

    `first` is the number of the first tensor that a branch has made: what was there before is computed in any case
    where the value of the predicate is not known, and both become branches of a plan.
    """

    is_lazy = True

    def __init__(self, pred: Any, branches: tuple[Any, Any], first: float, name: str | None) -> None:
        super().__init__(_cond, (pred, *branches), name=name or "cond")
        self.first = first

    def needs(self) -> list[GraphTensor]:
        return [t for t in self.args[:1] if isinstance(t, GraphTensor)] + self.control_inputs

    def call(self, session: Any, value_of: Any) -> Any:
        pred, if_true, if_false = self.args
        if session is None:
            return replaced(if_true, value_of)
        known = replaced(pred, value_of)
        if not is_symbolic(known):
            return replaced(if_true if bool(known) else if_false, value_of)
        inside = self._inside(value_of)

        def branch(results: Any) -> Any:
            return replaced(results, _within(inside, {}, session, value_of))

        return flow.choose_value(known, lambda: branch(if_true), lambda: branch(if_false), "the result of tf.cond")

    def _inside(self, value_of: Any) -> set[GraphTensor]:
        """The tensors that the branches have made. All others that they need are computed."""
        found: set[GraphTensor] = set()
        stack = [t for t in flatten(self.args[1:]) if isinstance(t, GraphTensor)]
        while stack:
            tensor = stack.pop()
            if tensor in found:
                continue
            if tensor.number < self.first or isinstance(tensor, GraphVariable):
                value_of(tensor)
            else:
                found.add(tensor)
                stack += tensor.inputs() + tensor.control_inputs
        return found


def _within(inside: set[GraphTensor], made: dict[GraphTensor, Any], session: Any, value_of: Any) -> Any:
    """What gives values in a branch or a turn, where those of some tensors are its own."""

    def inner(tensor: GraphTensor) -> Any:
        if tensor in made:
            return made[tensor]
        if tensor not in inside:
            return value_of(tensor)
        made[tensor] = tensor.call(session, inner)
        return made[tensor]

    return inner


def _cond() -> Any:
    raise AssertionError("a branch is chosen by a session")


def cond(
    pred: Any, true_fn: Any = None, false_fn: Any = None, strict: bool = False, name: str | None = None, **_: Any
) -> Any:
    """`tf.cond` in a graph."""
    first = len(get_default_graph()._by_name)
    return Cond(pred, (true_fn(), false_fn()), first, name)


class While(GraphTensor):
    """The loop variables after the last turn."""

    is_lazy = True

    def __init__(self, variables: list[Any], condition: Any, body: Any, limit: Any, name: str | None) -> None:
        self.variables = [GraphTensor(_cond, (), name="loop_variable", spec=_spec(v)) for v in variables]
        self.condition = condition(*self.variables)
        self.form = body(*self.variables)
        self.results = flatten(self.form)
        inner = self._inside()
        outside = [i for t in inner for i in t.inputs() if i not in inner and i not in self.variables]
        super().__init__(_cond, (variables, outside, limit), name=name or "while")
        self._inner = inner

    def _inside(self) -> set[GraphTensor]:
        """The tensors of the condition and the body that a turn computes anew: those that depend on the variables."""
        found: set[GraphTensor] = set()
        known: dict[GraphTensor, bool] = dict.fromkeys(self.variables, True)

        def visit(tensor: GraphTensor) -> bool:
            if tensor not in known:
                known[tensor] = any([visit(i) for i in tensor.inputs() + tensor.control_inputs])  # noqa: C419 - visits all
                if known[tensor] or tensor.is_stateful:
                    known[tensor] = True
                    found.add(tensor)
            return known[tensor]

        for tensor in (self.condition, *self.results):
            if isinstance(tensor, GraphTensor):
                visit(tensor)
        return found

    def call(self, session: Any, value_of: Any) -> Any:
        values = replaced(self.args[0], value_of)
        if session is None:
            return values
        limit = replaced(self.args[2], value_of)
        for tensor in (*self.args[1], self.condition, *self.results):  # once, before the loop
            if isinstance(tensor, GraphTensor) and tensor not in self._inner and tensor not in self.variables:
                value_of(tensor)

        def turn(*now: Any) -> Any:
            return _within(self._inner, dict(zip(self.variables, now, strict=True)), session, value_of)

        return control.while_loop(
            lambda *now: replaced(self.condition, turn(*now)),
            lambda *now: [replaced(r, inner) for inner in [turn(*now)] for r in self.results],
            list(values),
            maximum_iterations=limit,
        )


def _spec(value: Any) -> Any:
    if isinstance(value, GraphTensor):
        return value._described()
    from ..tensors import convert_to_tensor

    made = convert_to_tensor(value)
    return tuple(made.shape), made.dtype


def while_loop(
    cond: Any, body: Any, loop_vars: Any, shape_invariants: Any = None, maximum_iterations: Any = None,
    name: str | None = None, **_: Any,
) -> Any:  # fmt: skip
    """`tf.while_loop` in a graph."""
    loop = While(list(loop_vars), cond, body, maximum_iterations, name)
    parts = [GraphTensor(_part, (loop, k), name="exit", spec=v._spec) for k, v in enumerate(loop.variables)]
    return pack_like(loop.form, parts)


def group(*inputs: Any, name: str | None = None) -> Any:
    """`tf.group` in a graph: an operation that runs others."""
    from ..compat.v1 import operations

    return operations.group(*inputs, name=name)


def numpy_function(func: Any, inp: Any, Tout: Any, stateful: bool = True, name: str | None = None) -> Any:
    """`tf.numpy_function` in a graph: Python calls it anew in each run."""
    return _host_call(control.numpy_function, func, inp, Tout, name)


def py_function(func: Any = None, inp: Any = None, Tout: Any = None, name: str | None = None) -> Any:
    """`tf.py_function` in a graph: Python calls it anew in each run."""
    return _host_call(control.py_function, func, inp, Tout, name)


def _host_call(call: Any, func: Any, inp: Any, Tout: Any, name: str | None) -> Any:
    several = isinstance(Tout, list | tuple)
    made = GraphTensor(
        call, (func, list(inp), Tout), name=name or "PyFunc", spec=(None, None if several else as_dtype(Tout))
    )
    made.is_host = True
    if not several:
        return made
    parts = [GraphTensor(_part, (made, k), name="PyFunc", spec=(None, as_dtype(d))) for k, d in enumerate(Tout)]
    for part in parts:
        part.is_host = True
    return parts


def _part(parts: Any, place: int) -> Any:
    return parts[place]
