"""Batches of parameters: what one recorded operation updates, and how its results become their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..functional.update import Rule
from ..graph import trace as tracing
from ..graph.dtype import DType, float32, float64
from ..graph.node import Attributes
from ..graph.trace import Number, Passage, Refilling, Step, Trace, Value, local, record, scalar
from ..tensor.core import Tensor, cast
from ..tensor.views import Refill, overwrite

if TYPE_CHECKING:
    from .optimizer import Optimizer

Group = dict[str, Any]


class Batch:
    """Parameters of a group that have counted the same, and so are updated by one operation."""

    __slots__ = ("counted", "counts", "numbers", "parameters", "passages", "refill", "states")

    def __init__(self, counted: dict[str, float]) -> None:
        self.counted = counted
        self.parameters: list[Tensor] = []
        self.states: list[dict[str, Any]] = []
        self.numbers: list[_RunTimeNumber] = []
        self.counts: dict[str, _RunTimeNumber] = {}
        self.refill: Refill | None = None  # parameters and states, with the values that the last update gave them
        self.passages: dict[Any, Passage] = {}  # of updates of these

    def share_counts(self, names: tuple[str, ...]) -> None:
        """Let the counters in all states be one value: people read them, and no view of one is kept up to date."""
        for name in names:
            count = self.counts[name] = _RunTimeNumber(self.counted[name], float32)
            for state in self.states:
                state[name]._value = count.value

    def update(self, optimizer: Optimizer, group: Group) -> Update:
        """Count the step, and say what is to be recorded."""
        counted = self.counted
        if "step" in counted:
            counted["step"] += 1
        rule, numbers, attributes = optimizer.rule(group, counted)
        tensors = self.parameters + [state[name] for name in rule.states for state in self.states]
        inputs = self._inputs(numbers)
        if local.capture is not None:
            source = _Turn(optimizer, group, self, optimizer._batches[id(group)], rule, attributes)
            local.capture.numbers(source, [v.buffer for v in inputs if type(v.buffer) is Number])
        counted["first"] = False
        self.advance(counted)
        return Update(self, rule, attributes, inputs, tensors)

    def advance(self, counted: dict[str, float]) -> None:
        """Let the states show what was counted."""
        self.counted = counted
        for name, count in self.counts.items():
            count.become(counted[name])

    def _inputs(self, numbers: tuple[Any, ...]) -> list[Value]:
        """The numbers as run-time inputs; one that has not changed is the same value as in the last step."""
        if len(self.numbers) != len(numbers):
            self.numbers = [_RunTimeNumber(0.0, float64) for _ in numbers]
        return [
            held.value if type(number) is float and number == held.number
            else cast(number, float64)._value if isinstance(number, Tensor)
            else held.become(number)
            for number, held in zip(numbers, self.numbers, strict=True)
        ]  # fmt: skip


class Update(NamedTuple):
    """One batch's update in one step: the rule, its numbers, and the tensors that it gives new content."""

    batch: Batch
    rule: Rule
    attributes: Attributes
    numbers: list[Value]
    tensors: list[Tensor]  # the parameters, then their states, one kind after the other

    def record(self) -> None:
        """Record the update, and make its results the content of the tensors."""
        batch, trace, here = self.batch, local.trace, local.trace.step
        count = len(batch.parameters)
        values = [t._value for t in self.tensors]
        known = values[:count] + [p._grad._value for p in batch.parameters]  # type: ignore[union-attr]
        is_plain = trace.holds(known) and trace.would_enter(self.numbers + values[count:])
        results = record(self.rule, (*self.numbers, *known, *values[count:]), self.attributes)
        results = results if type(results) is tuple else (results,)
        passage = Passage(trace.step, tuple([(v.kind, v.slot) for v in results])) if local.trace is trace else None
        overwrite(self.tensors, results)
        del results, values
        if batch.refill is None or not batch.refill.is_for(self.tensors):
            batch.refill, batch.passages = Refill(self.tensors), {}
        batch.refill.take()
        if is_plain and passage is not None:
            batch.passages[here, self.rule, self.attributes, *[v.slot for v in known]] = passage

    def passage(self, trace: Trace, here: Step) -> Passage | None:
        """The passage of this update at `here`; None if it has to be recorded.

        In a loop it is the same in each step: parameters and gradients are in the trace already, in the same slots, and
        numbers and states enter as leaves. It holds for the values that the last update gave the tensors, if nobody
        else has got hold of those.
        """
        batch = self.batch
        refill = batch.refill
        if refill is None or not refill.is_for(self.tensors) or not refill.is_alone():
            return None
        count = len(batch.parameters)
        known = refill.values[:count] + [p._grad._value for p in batch.parameters]  # type: ignore[union-attr]
        if not trace.holds(known) or trace in [v.trace for v in refill.values[count:]]:
            return None
        if not trace.would_enter(self.numbers):
            return None
        return batch.passages.get((here, self.rule, self.attributes, *[v.slot for v in known]))

    def leaves(self) -> list[Any]:
        """What enters on the passage."""
        states = self.batch.refill.values[len(self.batch.parameters) :]  # type: ignore[union-attr]
        return [v.buffer for v in self.numbers + states]


def fill(updates: list[Update]) -> bool:
    """Make the updates and compute all that is pending, if each is known and nobody looks: no value is made for the
    results, those that the tensors hold are refilled. Returns False if that cannot be, and nothing was done."""
    trace = local.trace
    step = trace.step
    slots: list[int] = []
    for update in updates:
        passage = update.passage(trace, step)
        if passage is None:
            return False
        slots += [slot for _, slot in passage.results]
        step = passage.end
    refills: list[Any] = [update.batch.refill for update in updates]
    given = {id(v.buffer) for refill in refills for v in refill.values}
    for update in updates:
        trace.leaves += update.leaves()
    trace.step = step

    def fill_all(buffers: list[Any]) -> None:
        start = 0
        for refill in refills:
            end = start + len(refill.tensors)
            refill.fill(buffers[start:end])
            start = end

    tracing.realiser(trace, Refilling(slots, given, fill_all))
    return True


class _Turn(NamedTuple):
    """An update that was captured, as the source of the numbers of the next ones."""

    optimizer: Optimizer
    group: Group
    batch: Batch
    entry: Any  # of the optimiser's batches: another, when parameters or states have come or gone
    rule: Rule
    attributes: Attributes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Turn) and self.batch is other.batch and self[4:] == other[4:]

    def __hash__(self) -> int:
        return id(self.batch)

    def ahead(self, states: dict[Any, Any]) -> list[Number] | None:
        batch = self.batch
        if self.optimizer._batches.get(id(self.group)) is not self.entry:
            return None
        counted = dict(states.get(batch, batch.counted))
        if "step" in counted:
            counted["step"] += 1
        rule, numbers, attributes = self.optimizer.rule(self.group, counted)
        if rule is not self.rule or attributes != self.attributes:
            return None
        states[batch] = counted
        return [
            held.value.buffer if number == held.number else Number(float(number), fixed=False)
            for number, held in zip(numbers, batch.numbers, strict=True)
            if not isinstance(number, Tensor)
        ]


class CountedStep(NamedTuple):
    """A step that was captured."""

    optimizer: Optimizer
    groups: list[Group]
    length: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CountedStep) and self.optimizer is other.optimizer and self[2] == other[2]

    def __hash__(self) -> int:
        return id(self.optimizer)

    def ahead(self, states: dict[Any, Any]) -> tuple[Number, ...] | None:
        optimizer = self.optimizer
        if optimizer.param_groups is not self.groups or len(self.groups) != self.length:
            return None
        states[optimizer] = states.get(optimizer, optimizer._steps_taken) + 1
        return ()


class _RunTimeNumber:
    """A number that changes from step to step, and the value it enters a trace as."""

    __slots__ = ("number", "value")

    def __init__(self, number: float, dtype: DType) -> None:
        self.number = number
        self.value = scalar(number, dtype)

    def become(self, number: float) -> Value:
        """The value with another content."""
        if number != self.number:
            self.number = number
            self.value.buffer = Number(float(number), fixed=False)
            self.value.trace = None  # where it entered, it was the number before
        return self.value


def read_counter(counter: Any) -> float:
    """The number a counter holds."""
    if isinstance(counter, Tensor):
        buffer = counter._value.buffer
        return buffer.number if type(buffer) is Number else counter.item()
    return counter
