"""Recording a function once that will run many times: the step of a loop becomes a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from .composite import Operation, composite
from .dtype import DType, uint64
from .errors import GraphError
from .node import PRIMITIVES, Graph, Node, Shape
from .scan import scan_graph
from .trace import Step, Trace, local, record
from .value import Number, Value


class _Unknown:
    """The content of a value inside a step: another one in each turn, so nothing can be read."""

    order = None
    simple = False

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise unreadable()


_UNKNOWN = _Unknown()


def unreadable() -> GraphError:
    """The error of who reads a value inside a step, or what a step has left somewhere."""
    return GraphError(
        "the step of a loop is recorded once and runs many times: a value inside it cannot be read, nor be used "
        "outside of it unless the step returns it. Choose by `where` and not by `if`, and change no variable; or write "
        "the loop in Python (in Keras: unroll=True)"
    )


class Body(Trace):
    """The trace of a step. Values from outside are captured when an operation takes them."""

    __slots__ = ("_originals", "_places", "_stand_ins", "_turn", "captured", "outer", "turns")
    readable = False

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns = turns
        self.outer = local.trace
        self.captured: list[Value] = []
        self._turn: Value | None = None
        self._places: list[int] = []  # of the inputs that were declared, among the leaves
        self._stand_ins: dict[Value, Value] = {}  # for values that are not realised
        self._originals: dict[Value, Value] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record here what happens inside. Gradients are those of the loop as a whole."""
        before = local.trace, local.gradients, local.eager
        local.trace, local.gradients, local.eager = self, False, False
        try:
            yield
        finally:
            local.trace, local.gradients, local.eager = before

    @property
    def turn(self) -> Value:
        """The number of the turn, 0-d uint64. It makes one more sequence, the last: see `counts`."""
        if self._turn is None:
            self._turn = self.input((), uint64)
        return self._turn

    @property
    def counts(self) -> bool:
        """Whether the step asked for the number of the turn."""
        return self._turn is not None

    def input(self, shape: Shape, dtype: DType) -> Value:
        """An argument of the step."""
        value = Value(shape, dtype, _UNKNOWN)
        self._places.append(len(self.leaves))
        super().enter([value], [_UNKNOWN])
        self.step = self._leaf_step(value.kind)
        return value

    def admit(self, value: Value, use: tuple[Operation, int]) -> tuple[Value, Any]:
        """What stands for a value here, which stays where it is in its own trace."""
        stand_in = self._stand_ins.get(value)
        if stand_in is None:
            number = type(value.buffer) is Number and value.buffer.fixed
            buffer = value.buffer if number else _UNKNOWN
            stand_in = Value(value.shape, value.dtype, buffer, origin=value.origin, index=value.index)
            self._stand_ins[value], self._originals[stand_in] = stand_in, value
        if type(stand_in.buffer) is Number and stand_in.trace is not self:
            return super().admit(stand_in, use)
        return stand_in, _UNKNOWN

    def enter(self, values: list[Value], leaves: list[Any]) -> Step:
        self.captured += [self._originals[value] for value in values]
        return super().enter(values, leaves)

    def graph(self, outputs: Sequence[Value]) -> Graph:
        """The step. Its inputs are those that were declared, in their order, and then what was captured."""
        slots = []
        for value in outputs:
            if value.trace is not self:  # something from outside, as it is
                value = record(PRIMITIVES["copy"], (value,))
            slots.append(value.slot)
        key = (*self._places, -1, *slots)
        found: Graph | None = self.step.plans.get(key)
        if found is None:
            whole = self.step.graph(tuple(slots))
            rest = [k for k in range(len(whole.inputs)) if k not in self._places]
            inputs = tuple(whole.inputs[k] for k in (*self._places, *rest))
            found = self.step.plans[key] = Graph(inputs, whole.outputs)
        return found

    def _varies(self, use: tuple[Operation, int], key: Any) -> bool:
        return False  # a number in a step is the same in all turns


def bodies() -> Iterator[Body]:
    """The steps that are being recorded on this thread, from the innermost."""
    trace = local.trace
    while isinstance(trace, Body):
        yield trace
        trace = trace.outer


@contextmanager
def around_loops() -> Iterator[None]:
    """Record what happens inside of the block before the loops whose steps are being recorded: once, and not in each
    turn."""
    before = local.trace
    for body in bodies():
        local.trace = body.outer
    try:
        yield
    finally:
        local.trace = before


@composite
def loop(*inputs: Node, body: Graph, carries: int, sequences: int, length: int, reverse: bool) -> tuple[Node, ...]:
    """A step repeated: the carries after the last turn, and what the turns give besides, stacked in the order of time.

    `inputs` are the carries, the sequences and what the step has captured, as in `body`.
    """
    ends = carries, carries + sequences
    scanned = scan_graph(
        body, inputs[: ends[0]], inputs[ends[0] : ends[1]], inputs[ends[1] :], length=length, reverse=reverse
    )
    return *scanned.ends(reverse), *scanned.emitted
