"""Graphs, and tensors that stand for calls yet to be made."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import duograph.torch as torch

from ..engine import recording_apart
from ..errors import OperatorNotAllowedInGraphError
from ..math import operands, true_quotient
from ..structure import flatten
from ..tensors import Tensor
from ..text import StringTensor


class Graph:
    """Calls, variables and collections that belong together."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._scopes: list[str] = []
        self._by_name: dict[str, GraphTensor] = {}
        self.collections: dict[str, list[Any]] = {}
        self.seed: int | None = None
        self.finalized = False

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Functions called inside are not computed: they become calls of this graph."""
        with _entered(self):
            yield self

    def unique_name(self, name: str) -> str:
        """The name within the present scope, numbered if it is taken."""
        whole = "/".join([*self._scopes, name])
        count = self._names.get(whole, 0)
        self._names[whole] = count + 1
        return whole if count == 0 else f"{whole}_{count}"

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Names inside begin with this one. One that ends in "/" is entered again as it is; None leaves all scopes."""
        before = self._scopes
        if not name:
            self._scopes = []
        elif name.endswith("/"):
            self._scopes = name[:-1].split("/")
        else:
            self._scopes = [*before, self.unique_name(name).split("/")[-1]]
        try:
            yield "".join(f"{scope}/" for scope in self._scopes)
        finally:
            self._scopes = before

    def add_to_collection(self, name: str, value: Any) -> None:
        self.collections.setdefault(name, []).append(value)

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        """What was added under this name, in names that begin with `scope`."""
        found = self.collections.get(name, [])
        return [v for v in found if scope is None or getattr(v, "name", "").startswith(scope)]

    def get_collection_ref(self, name: str) -> list[Any]:
        return self.collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[str]:
        return list(self.collections)

    def get_tensor_by_name(self, name: str) -> GraphTensor:
        """Raises KeyError for a name that is not in the graph."""
        if name not in self._by_name:
            raise KeyError(f"The name {name!r} refers to a Tensor which does not exist in the graph.")
        return self._by_name[name]

    def get_operation_by_name(self, name: str) -> Operation:
        """Raises KeyError for a name that is not in the graph."""
        found = self._by_name.get(name, self._by_name.get(f"{name}:0"))
        if found is None:
            raise KeyError(f"The name {name!r} refers to an Operation not in the graph.")
        return found.op

    def get_operations(self) -> list[Operation]:
        return [tensor.op for tensor in self._by_name.values()]

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> GraphTensor:
        """The tensor, or operation, that this is or has the name of. Raises KeyError, TypeError and ValueError."""
        if isinstance(obj, str):
            return self.get_tensor_by_name(obj) if ":" in obj else self.get_operation_by_name(obj)
        if not isinstance(obj, GraphTensor):
            raise TypeError(f"Can not convert a {type(obj).__name__} into a Tensor or Operation.")
        if obj.graph is not self:
            raise ValueError(f"Tensor {obj.name!r} is not an element of this graph.")
        return obj

    def finalize(self) -> None:
        """Refuse further calls."""
        self.finalized = True

    def control_dependencies(self, control_inputs: Any) -> Any:
        """As `tf.control_dependencies`."""
        return control_dependencies(control_inputs)

    def as_graph_def(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("GraphDef files are not written: save variables with tf.compat.v1.train.Saver")


class _State(threading.local):
    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.dependencies: list[GraphTensor] = []
        self.running = 0


_state = _State()
_base = Graph()
_always = False  # after disable_eager_execution


def set_always(wanted: bool) -> None:
    """Whether functions are recorded in a graph where no graph was entered."""
    global _always
    _always = wanted


def reset_default_graph() -> None:
    global _base
    _base = Graph()


def get_default_graph() -> Graph:
    """The graph entered last, or that of the program."""
    return _state.graphs[-1] if _state.graphs else _base


def is_building() -> bool:
    """Whether functions called now become calls of a graph."""
    return not _state.running and (bool(_state.graphs) or _always)


@contextmanager
def _entered(graph: Graph) -> Iterator[None]:
    _state.graphs.append(graph)
    try:
        yield
    finally:
        _state.graphs.remove(graph)


building = _entered


@contextmanager
def running() -> Iterator[None]:
    """Functions called inside are called: a session runs."""
    _state.running += 1
    try:
        yield
    finally:
        _state.running -= 1


@contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """What is called inside runs after these operations."""
    before = _state.dependencies
    given = [] if control_inputs is None else [c for c in flatten(control_inputs) if isinstance(c, GraphTensor)]
    _state.dependencies = [] if control_inputs is None else before + given
    try:
        yield
    finally:
        _state.dependencies = before


class GraphTensor:
    """A call yet to be made. `function` gets the arguments with other such tensors replaced by their values.

    Shape and dtype are found when they are asked for: the call is recorded on tensors of two sizes in the place of each
    size that is not known, and not computed.
    """

    is_stateful = False
    """Whether the call changes variables: it is then made after all that can be made before."""
    is_host = False
    """Whether the call is made by Python anew in each run, and is no part of what is compiled."""
    is_lazy = False
    """Whether the call itself makes others, as they turn out to be needed."""
    is_placeholder = False
    """Whether the value is fed."""
    __array_priority__ = 100  # NumPy's arrays leave operators to this class
    _ending = ":0"

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
        spec: tuple[Any, Any] | None = None,
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs or {}
        self.graph = self._graph_of_inputs()
        if self.graph.finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        self.control_inputs = [t for t in _state.dependencies if t.graph is self.graph]
        label = name or getattr(function, "__name__", "op").strip("_")
        self.name = self.graph.unique_name(label) + self._ending
        self.number: float = len(self.graph._by_name)  # arguments have smaller ones
        self.graph._by_name[self.name] = self
        self._spec = spec
        self._stands_for = spec is not None
        self._op: Operation | None = None

    def _graph_of_inputs(self) -> Graph:
        """The graph of the arguments, or the default one. Raises ValueError for arguments of different graphs."""
        inputs = self.inputs()
        for other in inputs[1:]:
            if other.graph is not inputs[0].graph:
                raise ValueError(f"{other!r} must be from the same graph as {inputs[0]!r}.")
        return inputs[0].graph if inputs else get_default_graph()

    # -- what it is ----------------------------------------------------------------------------------------------------
    @property
    def op(self) -> Operation:
        """The operation that makes the tensor."""
        if self._op is None:
            self._op = Operation.of(self)
        return self._op

    @property
    def shape(self) -> Any:
        from ..shapes import TensorShape

        return TensorShape(self._described()[0])

    def get_shape(self) -> Any:
        """The shape; sizes that are not known are None."""
        return self.shape

    @property
    def dtype(self) -> Any:
        return self._described()[1]

    def set_shape(self, shape: Any) -> None:
        """State what is known of the shape."""
        self._spec = tuple(shape), self.dtype

    def _described(self) -> tuple[Any, Any]:
        if self._spec is None:
            ends = in_order([self], GraphTensor._is_sampled_alone)
            unknown = [t for t in ends if t._spec is not None and t._spec[0] is None and t._spec[1] is not None]
            try:
                with running(), recording_apart(), torch.no_grad():
                    first, second = (sample(self, size, {}) for size in (2, 3))
            except Exception:
                if not unknown:
                    raise
                return None, unknown[0]._spec[1]  # type: ignore[index]
            if not hasattr(first, "shape"):
                return None, None  # several results, or none
            sizes = None
            if len(first.shape) == len(second.shape) and not unknown:
                sizes = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
            self._spec = sizes, first.dtype
        return self._spec

    def _is_sampled_alone(self) -> bool:
        """Whether any tensor of the shape serves as a sample: not where the values may be sizes of others."""
        if self._spec is None:
            return False
        dtype = self._spec[1]
        return self._stands_for or dtype is None or dtype.name == "bool" or not dtype.name.startswith(("int", "uint"))

    def inputs(self) -> list[GraphTensor]:
        """The tensors among the arguments."""
        return [a for a in _leaves((self.args, self.kwargs)) if isinstance(a, GraphTensor)]

    def needs(self) -> list[GraphTensor]:
        """What is computed before the call, whatever the values are."""
        return self.inputs() + self.control_inputs

    def call(self, session: Any, value_of: Callable[[GraphTensor], Any]) -> Any:
        """Make the call in a session."""
        args, kwargs = replaced((self.args, self.kwargs), value_of)
        return self.function(*args, **kwargs)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """The value in a session, or in the default one."""
        from .session import needed_session

        return needed_session(session).run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.name!r} shape={self.shape} dtype={getattr(self.dtype, 'name', None)}>"

    def __bool__(self) -> bool:
        raise OperatorNotAllowedInGraphError(
            f"{self.name!r} is a tensor of a graph, which has no value before Session.run: use tf.cond in place of `if`"
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(
            f"{self.name!r} is a tensor of a graph, which has no value for NumPy, or for layers of Keras's, before "
            "Session.run: use a function of tf, a layer of tf.layers, or tf.py_func"
        )

    def __iter__(self) -> Iterator[Any]:
        with running(), recording_apart(), torch.no_grad():
            made = sample(self, 2, {})
        if isinstance(made, tuple | list):
            return iter([self[i] for i in range(len(made))])
        size = self.shape.as_list()[0]
        if size is None:
            raise OperatorNotAllowedInGraphError("iterating over a tensor of a graph needs a known first size")
        return (self[i] for i in range(size))

    def __getitem__(self, key: Any) -> GraphTensor:
        return GraphTensor(operator.getitem, (self, key), name="strided_slice")

    __hash__ = object.__hash__


class Operation(GraphTensor):
    """A call that is made for what it does. A run has None in its place."""

    _ending = ""

    def __init__(self, inputs: Any = (), name: str | None = None) -> None:
        super().__init__(_nothing, (inputs,), name=name, spec=(None, None))
        self._op = self
        self.outputs: list[GraphTensor] = []

    @classmethod
    def of(cls, tensor: GraphTensor) -> Operation:
        """That of a tensor. It is there already, under the tensor's name, and so nothing is added to the graph."""
        made = object.__new__(cls)
        made.function, made.args, made.kwargs = _nothing, (tensor,), {}
        made.graph, made.control_inputs, made.name = tensor.graph, [], tensor.name.removesuffix(":0")
        made._spec, made._stands_for, made._op, made.outputs = (None, None), True, made, [tensor]
        made.number = tensor.number + 0.5
        return made

    @property
    def type(self) -> str:
        """What is called."""
        return (self.outputs[0] if self.outputs else self).function.__name__.strip("_")

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Make the call in a session, or in the default one."""
        self.eval(feed_dict, session)

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.type}>"


def _nothing(*_: Any) -> None:
    return None


def _of_one_dtype(tensor: Any, other: Any) -> tuple[Any, Any]:
    """Both operands, the other in the tensor's dtype: see `operands`. Strings have operators of their own."""
    return operands("operator", tensor, other) if isinstance(tensor, Tensor) else (tensor, other)


def _operator(name: str) -> Any:
    function: Any = true_quotient if name == "truediv" else getattr(operator, name)

    def operate(a: Any, *others: Any) -> Any:
        return function(*_of_one_dtype(a, others[0])) if others else function(a)

    operate.__name__ = name

    def method(self: GraphTensor, *others: Any) -> GraphTensor:
        return GraphTensor(operate, (self, *others), name=name.strip("_"))

    return method


def _reflected(name: str) -> Any:
    function = true_quotient if name == "truediv" else getattr(operator, name)

    def operate(a: Any, b: Any) -> Any:
        return function(*reversed(_of_one_dtype(a, b)))

    operate.__name__ = name

    def method(self: GraphTensor, other: Any) -> GraphTensor:
        return GraphTensor(operate, (self, other), name=name)

    return method


for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]:
    setattr(GraphTensor, f"__{_name}__", _operator(_name))
    setattr(GraphTensor, f"__r{_name}__", _reflected(_name))
for _name in ["and_", "or_", "xor"]:
    setattr(GraphTensor, f"__{_name.strip('_')}__", _operator(_name))
for _name in ["lt", "le", "gt", "ge", "neg", "abs", "invert"]:
    setattr(GraphTensor, f"__{_name}__", _operator(_name))


def _leaves(structure: Any) -> Iterator[Any]:
    if isinstance(structure, dict):
        for part in structure.values():
            yield from _leaves(part)
    elif isinstance(structure, tuple | list):
        for part in structure:
            yield from _leaves(part)
    elif isinstance(structure, slice):
        yield from (structure.start, structure.stop, structure.step)
    else:
        yield structure


def replaced(structure: Any, value_of: Callable[[GraphTensor], Any]) -> Any:
    """`structure` with the values of its graph tensors, also of those in slices."""
    if isinstance(structure, GraphTensor):
        return value_of(structure)
    if isinstance(structure, dict):
        return {key: replaced(part, value_of) for key, part in structure.items()}
    if isinstance(structure, tuple | list):
        parts = [replaced(part, value_of) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    if isinstance(structure, slice):
        return slice(*(replaced(x, value_of) for x in (structure.start, structure.stop, structure.step)))
    return structure


def in_order(fetches: Iterable[GraphTensor], ends: Callable[[GraphTensor], bool]) -> list[GraphTensor]:
    """The fetches and all that they need, in the order of their calls; what those need for which `ends` is left out."""
    found: set[GraphTensor] = set()
    waiting = list(fetches)
    while waiting:
        tensor = waiting.pop()
        if tensor not in found:
            found.add(tensor)
            waiting += [] if ends(tensor) else tensor.needs()
    return sorted(found, key=lambda t: t.number)


def sample(tensor: GraphTensor, size: int, known: dict[GraphTensor, Any]) -> Any:
    """A tensor of the shape and dtype of `tensor`, with `size` for each size that is not known."""
    if tensor not in known:
        for each in in_order([tensor], lambda t: t in known or t._is_sampled_alone()):
            if each not in known:  # not by recursion: graphs are deep
                known[each] = _sampled(each, size, known)
    return known[tensor]


def _sampled(tensor: GraphTensor, size: int, known: dict[GraphTensor, Any]) -> Any:
    if tensor._spec is None or not tensor._is_sampled_alone():
        return tensor.call(None, lambda t: sample(t, size, known))
    shape, dtype = tensor._spec
    sizes = [size if n is None else n for n in shape or ()]
    if dtype is None:
        return None
    if dtype.name == "string":
        return StringTensor(np.full(sizes, b"", object))
    return torch.ones(sizes, dtype=dtype)
