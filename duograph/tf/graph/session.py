"""Sessions: they hold the content of variables, and make the calls of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.replay import compile

from ..errors import InvalidArgumentError
from ..tensors import Tensor, convert_to_tensor
from ..text import StringTensor
from ..variable import Variable
from .gradients import Gradients
from .symbolic import Graph, GraphTensor, building, get_default_graph, running
from .variables import GraphVariable, uninitialized

_default: list[Session] = []


def get_default_session() -> Session | None:
    """The session entered last."""
    return _default[-1] if _default else None


def needed_session(session: Session | None) -> Session:
    found = session or get_default_session()
    if found is None:
        raise ValueError("No default session is registered. Use `with sess.as_default()` or pass the session")
    return found


class Session:
    """Runs a graph. Variables have content of their own in each session.

    A run makes the calls that its fetches need once each, those that change variables after all others that they do not
    wait for. The first runs with the same fetches and feeds record them; further ones are replayed.
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        self.graph = graph or get_default_graph()
        self._contents: dict[GraphVariable, Variable] = {}
        self._programs: dict[Any, Callable[..., Any]] = {}
        self._closed = False
        self._entered: Any = None

    # -- the content of variables --------------------------------------------------------------------------------------
    def content(self, variable: GraphVariable) -> Variable:
        """Raises FailedPreconditionError before it was initialised."""
        found = self._contents.get(variable)
        if found is None:
            raise uninitialized(variable)
        return found

    def set_content(self, variable: GraphVariable, value: Tensor) -> Variable:
        """Give a variable other content."""
        found = self._contents.get(variable)
        if found is not None:
            return found.assign(value)
        with running():
            value = value if value.dtype is variable.dtype else value.to(variable.dtype)
            found = self._contents[variable] = Variable(value, trainable=variable.dtype.is_floating_point)
        return found

    def has_content(self, variable: GraphVariable) -> bool:
        return variable in self._contents

    # -- running -------------------------------------------------------------------------------------------------------
    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """The values of `fetches` (a tensor, an operation, or a nested structure of them) as NumPy arrays.

        `feed_dict` has values for placeholders, or for any other tensors. Raises InvalidArgumentError for a placeholder
        that needs a value and has none.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        flat: list[GraphTensor] = []
        form = self._form(fetches, flat)
        feeds = {self._tensor(key): value for key, value in (feed_dict or {}).items()}
        values = [self._fed(tensor, value) for tensor, value in feeds.items()]
        key = tuple(map(id, flat)), tuple(map(id, feeds))
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = self._program(flat, list(feeds))
        with running():
            results = program(*values)
        arrays = [_as_array(fetch, result) for fetch, result in zip(flat, results, strict=True)]
        return form(arrays)

    def _program(self, fetches: list[GraphTensor], feeds: list[GraphTensor]) -> Callable[..., Any]:
        needed = _needed(fetches, set(feeds))
        gradients = [t for t in needed if isinstance(t, Gradients)]
        watched = {x for g in gradients for x in g.sources if not isinstance(x, GraphVariable)}
        changing = _stateful(needed)
        order = [f for f in fetches if f not in changing] + [f for f in fetches if f in changing]

        def step(*values: Any) -> list[Any]:
            made: dict[GraphTensor, Any] = {}
            for tensor, value in zip(feeds, values, strict=True):
                made[tensor] = _on_tape(value) if tensor in watched else value

            def value_of(tensor: GraphTensor) -> Any:
                if tensor in made:
                    return made[tensor]
                for before in tensor.control_inputs:
                    value_of(before)
                if isinstance(tensor, GraphVariable):
                    return self.content(tensor)  # each use reads anew
                value = tensor.call(self, value_of)
                made[tensor] = _on_tape(value) if tensor in watched else value
                return made[tensor]

            with torch.set_grad_enabled(bool(gradients)):
                for fetch in order:
                    value_of(fetch)
                return [_detached(value_of(f)) for f in fetches]

        variables = [t if isinstance(t, GraphVariable) else getattr(t, "variable", None) for t in needed]
        creates = any(v is not None and v not in self._contents for v in variables)
        numeric = all(getattr(f.dtype, "name", "") != "string" for f in feeds)
        return step if creates or not numeric else compile(step)

    def _tensor(self, thing: Any) -> GraphTensor:
        if isinstance(thing, str):
            return self.graph.get_tensor_by_name(thing if ":" in thing else f"{thing}:0")
        if not isinstance(thing, GraphTensor):
            raise TypeError(f"Session.run expected tensors and operations of a graph. Received: {type(thing).__name__}")
        if thing.graph is not self.graph:
            raise ValueError(f"{thing.name} is not an element of the graph of this session")
        return thing

    def _form(self, fetches: Any, flat: list[GraphTensor]) -> Callable[[list[Any]], Any]:
        """Append the tensors of `fetches` to `flat`. Returns what puts values in their places."""
        if isinstance(fetches, dict):
            parts = {key: self._form(part, flat) for key, part in fetches.items()}
            return lambda values: {key: part(values) for key, part in parts.items()}
        if isinstance(fetches, tuple | list):
            items = [self._form(part, flat) for part in fetches]
            make: Any = (lambda v: type(fetches)(*v)) if hasattr(fetches, "_fields") else type(fetches)
            return lambda values: make([item(values) for item in items])
        place = len(flat)
        flat.append(self._tensor(fetches))
        return lambda values: values[place]

    @staticmethod
    def _fed(tensor: GraphTensor, value: Any) -> Any:
        if isinstance(value, GraphTensor):
            raise TypeError("The value of a feed cannot be a tensor of a graph: feed its value")
        dtype = tensor.dtype
        if getattr(dtype, "name", "") == "string":
            return convert_to_tensor(value, dtype)
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        known = tensor._described()[0]
        if known is not None and (
            len(known) != array.ndim or any(n is not None and n != m for n, m in zip(known, array.shape, strict=True))
        ):
            raise ValueError(f"Cannot feed value of shape {array.shape} for {tensor.name}, which has shape {known}")
        return torch.from_numpy(np.array(array, dtype.numpy))

    # -- life ----------------------------------------------------------------------------------------------------------
    @contextmanager
    def as_default(self) -> Iterator[Session]:
        """The session of `eval` and `run` inside."""
        _default.append(self)
        try:
            yield self
        finally:
            _default.remove(self)

    def __enter__(self) -> Session:
        self._entered = building(self.graph), self.as_default()
        for manager in self._entered:
            manager.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for manager in reversed(self._entered):
            manager.__exit__(*error)
        self.close()

    def close(self) -> None:
        """Forget the variables."""
        self._closed = True
        self._contents.clear()
        self._programs.clear()


class InteractiveSession(Session):
    """A session that is the default one from the beginning."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        _default.append(self)

    def close(self) -> None:
        if self in _default:
            _default.remove(self)
        super().close()


def _needed(fetches: list[GraphTensor], given: set[GraphTensor]) -> list[GraphTensor]:
    found: dict[GraphTensor, None] = {}
    waiting = list(fetches)
    while waiting:
        tensor = waiting.pop()
        if tensor not in found and tensor not in given:
            found[tensor] = None
            waiting += tensor.inputs() + tensor.control_inputs
    for tensor in found:
        if getattr(tensor, "is_placeholder", False):
            raise InvalidArgumentError(
                f"You must feed a value for placeholder tensor {tensor.name[:-2]!r} of shape {tensor.shape}"
            )
    return list(found)


def _stateful(needed: list[GraphTensor]) -> set[GraphTensor]:
    """Those that change variables, or wait for such."""
    found = {t for t in needed if t.is_stateful}
    while more := [t for t in needed if t not in found and any(i in found for i in t.inputs() + t.control_inputs)]:
        found.update(more)
    return found


def _on_tape(value: Any) -> Any:
    if isinstance(value, Tensor) and not value.requires_grad and value.dtype.is_floating_point:
        return value.detach().requires_grad_()
    return value


def _detached(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_detached(v) for v in value]
    if isinstance(value, Variable):
        return value.detach().clone()
    return value.detach() if isinstance(value, Tensor) else value


def _as_array(fetch: GraphTensor, value: Any) -> Any:
    if getattr(fetch, "is_operation", False):
        return None
    if isinstance(value, list | tuple):
        return [_as_array(fetch, v) for v in value]
    if isinstance(value, Tensor):
        array = value.numpy()
        return array if array.ndim else array[()]
    return value.numpy() if isinstance(value, StringTensor) else value
