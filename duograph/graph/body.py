"""Recording a function once that will run many times: the step of a loop becomes a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn
from weakref import ref

import numpy as np

from .composite import Operation, composite
from .dtype import DType, uint64
from .errors import UnreadableError
from .evaluation import evaluate_graph
from .node import PRIMITIVES, Graph, Node, Shape, topological
from .scan import scan_graph
from .trace import Step, Trace, local, record
from .value import Failure, Number, Value


class _Unknown:
    """The content of a value inside a step: another one in each turn, so nothing can be read."""

    order = None
    simple = False

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise unreadable()


_UNKNOWN = _Unknown()


def unreadable() -> UnreadableError:
    """The error of who reads a value inside a step, or what a step has left somewhere."""
    return UnreadableError(
        "the step of a loop is recorded once and runs many times: a value inside it cannot be read, nor be used "
        "outside of it unless the step returns it. Choose by `where` and not by `if`, and change no variable; or write "
        "the loop in Python (in Keras: unroll=True)"
    )


def content_of(value: Value) -> Any:
    """Equal for values that hold the same thing under another tape (see `trace.alias`), while it is held."""
    return (id(value.trace), value.slot) if value.buffer is None else id(value.buffer)


class Written(NamedTuple):
    """A tensor from outside that was given other content: what it held before, and whether its memory was written."""

    tensor: Any
    before: Value
    in_place: bool


class Body(Trace):
    """The trace of a step. Values from outside are captured when an operation takes them.

    `turns` is how often the step will run, None where that is not known; the branch of a condition has one turn.
    `variable` are, by their content, values that may be others when the step runs, though they are known now. Within a
    whole function all others from outside are constants, and what is made of them alone can be read.
    """

    __slots__ = ("_originals", "_places", "_stand_ins", "_turn", "captured", "outer", "turns", "variable", "written")
    readable = False
    is_whole = False
    """Whether it is no step but a whole function."""
    is_branch = False
    """Whether it runs once or not at all."""

    def __init__(self, turns: int | None) -> None:
        super().__init__()
        self.turns = turns
        self.outer = local.trace
        self.captured: list[Value] = []
        self._turn: Value | None = None
        self._places: list[int] = []  # of the inputs that were declared, among the leaves
        self._stand_ins: dict[Value, Value] = {}  # for values that are not realised
        self._originals: dict[Value, Value] = {}
        self.written: dict[int, tuple[ref[Any], Value, bool]] = {}
        self.variable: dict[Any, Value] | None = getattr(self.outer, "variable", None)

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
            number = type(value.buffer) is Number and value.buffer.fixed and self.is_fixed(value)
            buffer = value.buffer if number else _UNKNOWN
            stand_in = Value(value.shape, value.dtype, buffer, origin=value.origin, index=value.index)
            self._stand_ins[value], self._originals[stand_in] = stand_in, value
        if type(stand_in.buffer) is Number and stand_in.trace is not self:
            return super().admit(stand_in, use)
        return stand_in, _UNKNOWN

    def would_enter(self, values: Sequence[Value]) -> bool:
        return not values  # what comes from outside is captured

    def known(self, value: Value) -> np.ndarray | None:
        """The content of a value, where it is made of constants alone."""
        if self.variable is None or value.trace is not self:
            return None
        node = self.nodes()[value.slot]
        inputs = tuple(n for n in topological([node]) if n.op.name == "input")
        arrays = []
        for each in inputs:
            array = self._constant(each["position"])
            if array is None:
                return None
            arrays.append(array)
        return evaluate_graph(Graph(inputs, (node,)), arrays)[0]

    def is_fixed(self, value: Value) -> bool:
        return self.variable is None or content_of(value) not in self.variable

    def _constant(self, place: int) -> np.ndarray | None:
        """The content of a leaf that is a constant."""
        if place in self._places:
            return None
        value = self.captured[place - sum(p < place for p in self._places)]
        if value.buffer is None or value.buffer is _UNKNOWN:
            return value.trace.known(value) if isinstance(value.trace, Body) else None
        if not self.is_fixed(value) or type(value.buffer) in (Failure, Number):
            return None
        return value.buffer.array

    def writes(self, tensor: Any, in_place: bool) -> None:
        value = tensor._value
        if value.trace is not self and id(tensor) not in self.written:
            self.written[id(tensor)] = ref(tensor), value, in_place

    def writings(self) -> list[Written]:
        """The tensors from outside that were written and are still there."""
        found = ((reference(), before, in_place) for reference, before, in_place in self.written.values())
        return [Written(tensor, before, in_place) for tensor, before, in_place in found if tensor is not None]

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


class Part(Body):
    """The trace of a branch, of a condition, or of a turn of a loop that data end."""

    __slots__ = ()

    @property
    def is_branch(self) -> bool:  # type: ignore[override]
        return self.turns == 1

    def customised(self) -> None:
        raise UnreadableError(
            "a gradient of one's own inside a branch or a loop that is recorded once would be lost: use it outside, or "
            "let Python decide"
        )


def is_recording() -> bool:
    """Whether a function, or a part of one, is being recorded: what is computed has no values yet."""
    return isinstance(local.trace, Body) and local.trace.variable is not None


def bodies(until: Body | None = None) -> Iterator[Body]:
    """The steps that are being recorded on this thread, from the innermost: not what lies around a whole function, nor
    `until` and what lies around it."""
    trace = local.trace
    while isinstance(trace, Body) and not trace.is_whole and trace is not until:
        yield trace
        trace = trace.outer


@contextmanager
def around_loops(until: Body | None = None) -> Iterator[None]:
    """Record what happens inside of the block before the loops whose steps are being recorded: once, and not in each
    turn. In a turn of `until`, it happens in each."""
    before = local.trace
    for body in bodies(until):
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
