"""Sessions: they hold the content of variables, and make the calls of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.graph.trace import alias
from duograph.replay import compile
from duograph.tensor.core import wrap

from ..errors import InvalidArgumentError
from ..function import Function
from ..tensors import Tensor, convert_to_tensor
from ..text import StringTensor
from ..variable import Variable
from .gradients import Gradients
from .symbolic import Graph, GraphTensor, Operation, building, get_default_graph, in_order, running
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
        feeds = {self._feedable(key): value for key, value in (feed_dict or {}).items()}
        values = [self._fed(tensor, value) for tensor, value in feeds.items()]
        key = tuple(map(id, flat)), tuple(map(id, feeds))
        program = self._programs.get(key)
        if program is None:
            program, lasting = self._program(flat, list(feeds))
            if lasting:
                self._programs[key] = program
        with running():
            results = program(*values)
        arrays = [_as_array(fetch, result) for fetch, result in zip(flat, results, strict=True)]
        return form(arrays)

    def _program(self, fetches: list[GraphTensor], feeds: list[GraphTensor]) -> tuple[Callable[..., Any], bool]:
        """What a run does with the values of the feeds, and whether it is the same in later runs."""
        given = set(feeds)
        needed = in_order(fetches, given.__contains__)
        _check_fed(needed, given)
        touched = {getattr(t, "variable", t) for t in needed}
        if any(isinstance(t, GraphVariable) and t not in self._contents for t in touched):
            return self._step(fetches, feeds), False  # it makes variables, or fails
        host = _dependents(needed, lambda t: t.is_host)
        if not host:
            return self._replayed(fetches, feeds, needed), True
        if any(t.is_stateful or isinstance(t, Gradients) for t in host):
            return self._step(fetches, feeds), True
        # Python's part follows what is compiled, and has the values that it needs from there
        ours = [t for t in needed if t in host and t not in given]
        between = {i for t in ours for i in t.needs() if i not in ours} | {f for f in fetches if f not in ours}
        first = [t for t in needed if t in between and t not in given]
        numeric = [f for f in feeds if f not in host]
        compiled = self._replayed(first, numeric, needed)

        def run(*values: Any) -> list[Any]:
            made = dict(zip(feeds, values, strict=True))
            made.update(zip(first, compiled(*(made[f] for f in numeric)), strict=True))

            def value_of(tensor: GraphTensor) -> Any:
                if tensor not in made:
                    made[tensor] = tensor.call(self, value_of)
                return made[tensor]

            for tensor in ours:
                value_of(tensor)
            return [made[f] for f in fetches]

        return run, True

    def _replayed(
        self, fetches: list[GraphTensor], feeds: list[GraphTensor], needed: list[GraphTensor]
    ) -> Callable[..., list[Any]]:
        """The calls, recorded: once, if branches and loops become those of a plan."""
        step = self._step(fetches, feeds)
        return Function(step, autograph=False) if any(t.is_lazy for t in needed) else compile(step)

    def _step(self, fetches: list[GraphTensor], feeds: list[GraphTensor]) -> Callable[..., list[Any]]:
        """The calls that the fetches need, as a function of the values of the feeds."""
        given = set(feeds)
        needed = in_order(fetches, given.__contains__)
        gradients = [t for t in needed if isinstance(t, Gradients)]
        watched = {x for g in gradients for x in g.sources if not isinstance(x, GraphVariable)}
        certain = not any(t.is_lazy for t in needed)
        final = gradients[-1] if gradients and certain else None  # nothing needs the tape after it
        changing = _dependents(needed, lambda t: t.is_stateful)
        before = in_order([f for f in fetches if f not in changing], given.__contains__)
        order = before + [t for t in needed if t not in set(before)]

        def step(*values: Any) -> list[Any]:
            made: dict[GraphTensor, Any] = {}
            for tensor, value in zip(feeds, values, strict=True):
                made[tensor] = _on_tape(value) if tensor in watched else value

            def value_of(tensor: GraphTensor) -> Any:
                if tensor in made:
                    return made[tensor]
                for earlier in tensor.control_inputs:
                    value_of(earlier)
                if isinstance(tensor, GraphVariable):
                    return self.content(tensor)  # each use reads anew
                value = final.take(self, value_of, False) if tensor is final else tensor.call(self, value_of)
                made[tensor] = _on_tape(value) if tensor in watched else value
                return made[tensor]

            try:
                with torch.set_grad_enabled(bool(gradients)):
                    for tensor in order:  # not by recursion: graphs are deep
                        value_of(tensor)
                    return [_detached(value_of(f)) for f in fetches]
            finally:
                made.clear()  # `value_of` is in a cycle, and what is referred to would count as wanted later

        return step

    def _fetched(self, thing: Any) -> GraphTensor:
        try:
            return self.graph.as_graph_element(thing)
        except TypeError as error:
            raise TypeError(f"Fetch argument {thing!r} has invalid type {type(thing)}. ({error})") from error
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"Fetch argument {thing!r} cannot be interpreted as a Tensor. ({error.args[0]})"
            ) from error

    def _feedable(self, thing: Any) -> GraphTensor:
        try:
            found = self.graph.as_graph_element(thing)
        except (KeyError, TypeError, ValueError) as error:
            raise TypeError(f"Cannot interpret feed_dict key as Tensor: {error.args[0]}") from error
        if isinstance(found, Operation):
            raise TypeError(f"Cannot interpret feed_dict key as Tensor: {thing!r} is an operation")
        return found

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
        flat.append(self._fetched(fetches))
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


def _check_fed(needed: list[GraphTensor], given: set[GraphTensor]) -> None:
    for tensor in needed:
        if tensor.is_placeholder and tensor not in given:
            raise InvalidArgumentError(
                f"You must feed a value for placeholder tensor {tensor.name[:-2]!r} with dtype {tensor.dtype.name} and "
                f"shape {tensor.shape}"
            )


def _dependents(needed: list[GraphTensor], begins: Callable[[GraphTensor], bool]) -> set[GraphTensor]:
    """Those for which `begins`, and those that need such."""
    found: set[GraphTensor] = set()
    for tensor in needed:  # arguments come before what needs them
        if begins(tensor) or any(i in found for i in tensor.inputs() + tensor.control_inputs):
            found.add(tensor)
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
    if isinstance(value, Tensor):  # x.detach() would be a view, and keep x and what x was computed from
        return wrap(alias(value._value, None))
    return value


def _as_array(fetch: GraphTensor, value: Any) -> Any:
    if isinstance(fetch, Operation):
        return None
    if isinstance(value, list | tuple):
        return [_as_array(fetch, v) for v in value]
    if isinstance(value, Tensor):
        array = value.numpy()
        return array if array.ndim else array[()]
    return value.numpy() if isinstance(value, StringTensor) else value
