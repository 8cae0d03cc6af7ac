"""A function recorded once: what it computes becomes one operation, whatever path later data take."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from duograph.graph import trace as tracing
from duograph.graph.body import Body, Written, content_of
from duograph.graph.errors import UnreadableError
from duograph.graph.node import Attributes, Graph, Node, substitute
from duograph.graph.trace import Number, Source, Value, alias, local
from duograph.ops.control import restore, write
from duograph.replay.capture import live_tensors
from duograph.tensor.core import Tensor, wrap

from .. import structure
from ..tape import is_taping
from ..tensors import convert_to_tensor

__all__ = ["Traced", "outside"]

OTHERS = (bool, int, float, complex, np.generic, np.ndarray)
"""What a function may return that becomes a tensor."""


class NewVariableError(UnreadableError):
    """A variable is made while a function is recorded. Once it is there, the function may well be recorded."""


class Whole(Body):
    """The trace of a whole function.

    `is_customised` says that an operation has a gradient of the user's own, which a gradient of the whole would miss.
    """

    __slots__ = ("is_customised",)
    is_whole = True

    def __init__(self, variable: dict[Any, Value]) -> None:
        super().__init__(1)
        self.variable = variable
        self.is_customised = False

    def customised(self) -> None:
        self.is_customised = True


@contextmanager
def outside() -> Iterator[None]:
    """What happens inside is no part of the function that is being recorded: new variables begin with values."""
    before = local.trace, local.capture
    while isinstance(local.trace, Body):
        local.trace, local.capture = local.trace.outer, None
    try:
        yield
    finally:
        local.trace, local.capture = before


def made_outside(tensor: Tensor) -> None:
    """A variable was made outside while a function was recorded: it has other content later."""
    if isinstance(local.trace, Body) and local.trace.variable is not None:
        local.trace.variable[content_of(tensor._value)] = tensor._value


class _Watch:
    """Notes where run-time numbers come from while a function is recorded."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.places: dict[int, tuple[int, int]] = {}  # of the numbers, by id: which source, which of its numbers
        self.numbered: list[Number] = []  # so that ids stay theirs

    def numbers(self, source: Source, buffers: Sequence[Number]) -> None:
        for place, buffer in enumerate(buffers):
            self.places[id(buffer)] = len(self.sources), place
        self.sources.append(source)
        self.numbered += buffers

    def spoil(self, reason: str) -> None:
        if reason != "a tensor is read":  # whether it can be read shows when it is
            raise UnreadableError(f"this cannot be recorded once for all calls: {reason}")


class _Call:
    """The operation that a recorded function is."""

    def __init__(self, name: str, graph: Graph) -> None:
        self.name = name
        self.graph = graph

    def __repr__(self) -> str:
        return f"<function {self.name}>"

    def build(self, inputs: Sequence[Node | None], attributes: Attributes) -> tuple[Node, ...]:
        given = {mine: x for mine, x in zip(self.graph.inputs, inputs, strict=True) if x is not None}
        return substitute(self.graph.outputs, given)


class Traced:
    """A function recorded for arguments of one signature.

    The tensors that the function uses from outside are read at each call, so that variables have the content that they
    have then; what it assigns to them is assigned when the call is made. Random numbers are others in each call.

    Raises:
        UnreadableError: The function reads a value that is not there before it runs.
    """

    def __init__(self, function: Callable[[Sequence[Tensor]], Any], arguments: Sequence[Tensor], name: str) -> None:
        if gc.get_freeze_count():
            raise UnreadableError("gc.freeze() hides the tensors that there are")
        if local.trace.readable:
            tracing.realiser(local.trace)
        whole = Whole({content_of(t._value): t._value for t in live_tensors()})
        watch = _Watch()
        written: list[Written] = []
        outer, local.capture = local.capture, watch
        try:
            with whole.recording():
                local.gradients = True
                given = [wrap(whole.input(x._value.shape, x._value.dtype)) for x in arguments]
                try:
                    self.form, leaves = _outputs(function(given))
                    written = whole.writings()
                    outputs = [x._value for x in leaves if isinstance(x, Tensor)]
                    outputs += [w.tensor._value for w in written]
                finally:
                    restore(whole.writings())
                graph = whole.graph(outputs)
        finally:
            local.capture = outer
        self.leaves = [None if isinstance(x, Tensor) else x for x in leaves]
        self.places = [k for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        self.written = written
        self.sources = watch.sources
        self.is_customised = whole.is_customised
        self.operation = _Call(name, graph)
        self.captured = self._sources_of(whole.captured, watch)
        self._first: list[Value] | None = list(whole.captured)

    def _sources_of(self, captured: Sequence[Value], watch: _Watch) -> list[Tensor | tuple[int, int] | Value]:
        """For each value from outside the tensor that holds it, or which random number it is, or itself: a constant."""
        owners: dict[Any, Tensor] = {}
        wanted = set(map(content_of, captured))
        for tensor in live_tensors():
            content = content_of(tensor._value)
            if content in wanted and (content not in owners or type(tensor) is not Tensor):
                owners[content] = tensor
        found: list[Tensor | tuple[int, int] | Value] = []
        for value in captured:
            place = watch.places.get(id(value.buffer)) if type(value.buffer) is Number else None
            found.append(owners.get(content_of(value), value) if place is None else place)
        self._taped = [value.origin is not None for value in captured]
        return found

    def __call__(self, arguments: Sequence[Tensor]) -> Any:
        captured = self._first if self._first is not None else self._now()
        self._first = None
        results = tracing.record(self.operation, (*(x._value for x in arguments), *captured))
        values = list(results) if isinstance(results, tuple) else [results]
        count = len(self.places)
        write(self.written, values[count:])
        found = list(self.leaves)
        for place, value in zip(self.places, values, strict=False):
            found[place] = wrap(value)
        if local.trace.readable and local.capture is None and not is_taping():
            tracing.realiser(local.trace)
        return self.form(found)

    def misses_gradients(self, arguments: Sequence[Tensor]) -> bool:
        """Whether a gradient of one's own would be lost if the call became one operation."""
        return self.is_customised and local.gradients and (is_taping() or any(x.requires_grad for x in arguments))

    def _now(self) -> list[Value]:
        """What the captured values are at this call."""
        states: dict[Any, Any] = {}
        drawn = []
        for origin in self.sources:
            numbers = origin.ahead(states)
            if numbers is None:
                raise AssertionError(f"{self.operation!r}: a source of numbers has changed")
            drawn.append(numbers)
            if local.capture is not None:
                local.capture.numbers(origin, numbers)
        for thing, state in states.items():
            thing.advance(state)
        found = []
        graph = self.operation.graph
        inputs = graph.inputs[len(graph.inputs) - len(self.captured) :]
        for source, node, taped in zip(self.captured, inputs, self._taped, strict=True):
            if isinstance(source, Tensor):
                value = source._value
                found.append(value if taped or value.origin is None else alias(value, None))
            elif isinstance(source, Value):
                found.append(source)
            else:
                found.append(Value((), node.dtype, drawn[source[0]][source[1]]))
        return found


def _outputs(result: Any) -> tuple[Callable[[list[Any]], Any], list[Any]]:
    """How the result is put together from its leaves, and these: numbers become tensors, as in TensorFlow."""
    leaves = []
    for leaf in structure.flatten(result):
        if isinstance(leaf, OTHERS):
            leaf = convert_to_tensor(leaf)
        elif hasattr(leaf, "__torch_function__") and not isinstance(leaf, Tensor):
            leaf = leaf.value
        if not isinstance(leaf, Tensor | str | bytes | None):
            raise UnreadableError(f"a function that is recorded once returns tensors. Received: {type(leaf).__name__}")
        leaves.append(leaf)
    form = structure.map_structure(lambda _: None, result)
    return lambda found: structure.pack_like(form, found), leaves
