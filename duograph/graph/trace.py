"""Recording: values, the tree of steps, and each thread's trace.

A trace is a walk down a tree. Each edge is one recorded operation, keyed by the operation, its attributes and the
slots of its inputs, so where a walk has got to *is* the structural key of everything recorded so far. Shapes, dtypes,
checks and graph nodes belong to the tree; walking an edge a second time finds them with one dictionary look-up.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import ref

from .composite import Operation
from .dtype import DType
from .lines import user_line, user_site
from .node import PRIMITIVES, Attributes, Graph, Node, make, note_line
from .skeleton import Skeleton
from .value import Failure, Kind, Leaf, Number, Origin, ReadableLeaf, ReadableOrigin, Snapshot, Value, kind_of

__all__ = [
    "Failure", "Kind", "Leaf", "Number", "Origin", "Passage", "ReadableLeaf", "ReadableOrigin", "Refilling", "Snapshot",
    "Source", "Step", "Trace", "Tree", "Value", "alias", "boundary", "constant", "kind_of", "local", "realise",
    "record", "scalar", "tree",
]  # fmt: skip

PENDING_BYTES = int(os.environ.get("DUOGRAPH_PENDING_BYTES") or 2**30)
"""A trace whose results would hold more bytes than this is realised."""
PENDING_STEPS = 20_000
"""A trace longer than this is realised, so that a loop that observes nothing stays bounded."""
TREE_STEPS = 200_000
"""When the tree has grown to this many steps it is dropped and grown anew: programs that never repeat stay bounded."""


class Step:
    """A node of the tree: the operation recorded there, and what is known about it.

    `results` are the kinds of the results, `single` that of the only one if there is one; `first` is the slot of the
    first. `following` are the steps that were seen to come next, `plans` what the traces that ended here computed,
    by live slots. `slots`, `leaves`, `length` and `pending_bytes` count from the root. `passages`
    are ways onwards that are walked as one: to a step, by the key of an operation that brings new leaves with it, and
    whole `Passage`s. `skeleton` is what this step shares with those that differ in sizes alone, and `numbers` are the
    sizes in its own `key`. `constants` are the numbers that source lines brought here.
    """

    __slots__ = (
        "_nodes", "constants", "first", "following", "full", "key", "leaves", "length", "line", "numbers", "parent",
        "passages", "pending_bytes", "plans", "results", "single", "skeleton", "slots",
    )  # fmt: skip

    def __init__(
        self, parent: Step | None, key: Any, results: tuple[Kind, ...], nodes: tuple[Node, ...] | None, leaf: bool,
        taken_apart: tuple[Skeleton, tuple[int, ...]],
    ) -> None:  # fmt: skip
        self.parent = parent
        self.key = key
        self.skeleton, self.numbers = taken_apart
        self._nodes = nodes
        self.line = self.skeleton.line
        if self.line is None and parent is not None:
            self.line = self.skeleton.line = user_line()
        self.results = results
        self.single = results[0] if len(results) == 1 else None
        self.following: dict[Any, Step] = {}
        self.plans: dict[tuple[int, ...], Any] = {}
        self.constants: dict[Any, Any] | None = None
        self.passages: dict[Any, Any] = {}
        self.first: int = parent.slots if parent else 0
        self.slots: int = self.first + len(results)
        self.leaves: int = (parent.leaves if parent else 0) + leaf
        self.length: int = parent.length + 1 if parent else 0
        held = 0 if leaf else sum([math.prod(k.shape) * k.dtype.itemsize for k in results])
        self.pending_bytes: int = (parent.pending_bytes if parent else 0) + held
        self.full = self.pending_bytes > PENDING_BYTES or self.length > PENDING_STEPS

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The graph nodes of the results. They are built when somebody asks: only new computations need them."""
        if self._nodes is None:
            nodes: list[Node] = []
            for step in self.walk():
                if step._nodes is None:
                    step._nodes = step.operation(nodes)
                nodes += step._nodes
        assert self._nodes is not None
        return self._nodes

    def operation(self, nodes: Sequence[Node]) -> tuple[Node, ...]:
        """The nodes of a recorded operation, from those of all slots before."""
        op, attributes, *slots = self.key
        built: tuple[Node, ...] = op.build([None if s is None else nodes[s] for s in slots], attributes)
        return built

    def walk(self) -> list[Step]:
        """The steps from the root to this one, without the root."""
        steps, step = [], self
        while step.parent is not None:
            steps.append(step)
            step = step.parent
        return steps[::-1]

    def graph(self, live: tuple[int, ...]) -> Graph:
        """The computation of the slots `live` from the leaves of a trace that came here, with the user's lines."""
        nodes: list[Node] = []
        lines: dict[Node, str] = {}
        inputs: list[Node] = []
        _ = self.nodes  # builds those of all steps
        for step in self.walk():
            nodes.extend(step.nodes)
            if step.parent is not None and step.leaves > step.parent.leaves:
                inputs.extend(step.nodes)
            note_line(lines, step.nodes, step.line)
        return Graph(tuple(inputs), tuple(nodes[slot] for slot in live), lines)


class Passage(NamedTuple):
    """A way through the tree that was walked before: its end, the kinds and slots of the results that are taken from
    it, and what else is to be remembered of it."""

    end: Step
    results: tuple[tuple[Kind, int], ...]
    notes: Any = None


class Tree:
    """All traces seen: `root` is the empty one. `listeners` are told of each new step that a replay could not walk."""

    def __init__(self) -> None:
        self.root = Step(None, None, (), (), False, (Skeleton(), ()))
        self.size = 0
        self.lock = threading.Lock()

    def grow(
        self, parent: Step, key: Any, nodes: tuple[Node, ...] | None, leaf: bool, results: tuple[Kind, ...] = (),
        taken_apart: tuple[Skeleton, tuple[int, ...]] | None = None,
    ) -> Step:  # fmt: skip
        """The step that follows `parent`, with these nodes; if they are to be built later, the kinds of `results`.
        `taken_apart` is what the skeleton of `parent` says comes next, for whom has it already."""
        if nodes is not None:
            results = tuple([kind_of(n.shape, n.dtype) for n in nodes])
        if taken_apart is None:
            taken_apart = parent.skeleton.next(key)
        with self.lock:
            step = parent.following.get(key)
            if step is None:
                step = parent.following[key] = Step(parent, key, results, nodes, leaf, taken_apart)
                self.size += 1
                if self.size > TREE_STEPS:
                    self.clear()
        return step

    def entry(self, site: Any) -> Step:
        """Where traces begin that begin at one place of the user's program.

        Programs that happen to start alike so keep steps of their own, whose lines are theirs: the line of a step is
        found out once, when it is first walked.
        """
        step = self.root.following.get(site)
        return step if step is not None else self.grow(self.root, site, (), leaf=False)

    def clear(self) -> None:
        """Forget every trace and plan. Traces being recorded go on in the part of the tree they hold."""
        self.root = Step(None, None, (), (), False, (Skeleton(), ()))
        self.size = 0


tree = Tree()


class Trace:
    """What one thread has recorded since the last realisation."""

    __slots__ = ("_nodes", "_synced", "leaves", "pending", "step")
    readable = True
    """Whether what was recorded can be computed: the step of a loop (`body.Body`) cannot, by itself."""

    def __init__(self) -> None:
        self.step = tree.root
        self.pending: list[ref[Value]] = []
        self.leaves: list[Any] = []  # buffers
        self._nodes: list[Node] = []  # by slot, up to step `_synced`: only needed where the tree grows
        self._synced = tree.root

    def retire(self) -> None:
        """End this thread's trace and begin a new one.

        Realised values still name the trace they came from; it lets go of what it held, or each trace would keep the
        one before it alive through its leaves.
        """
        local.trace = Trace()
        self.pending.clear()
        self.leaves.clear()
        self._nodes = []
        self._synced = tree.root

    def nodes(self) -> list[Node]:
        """The graph node of each slot."""
        steps = []
        step = self.step
        _ = step.nodes  # builds those of all before it, too
        while step is not self._synced and step.parent is not None:
            steps.append(step)
            step = step.parent
        for step in reversed(steps):
            self._nodes.extend(step.nodes)
        self._synced = self.step
        return self._nodes

    def admit(self, value: Value, use: tuple[Operation, int]) -> tuple[Value, Any]:
        """A value that this trace did not record (or its snapshot), and the buffer that enters as a leaf for it.

        That is a snapshot if others may write the value's memory: every use sees the memory as it is then. A constant
        enters at once: then `value.trace` is this trace. `use` is the operation, and which of its inputs this is.
        """
        buffer = value.buffer
        if buffer is None or type(buffer) is Failure:  # pending in another thread's trace, or failed there
            realise(value)
            buffer = value.buffer
        if type(buffer) is Number:
            if buffer.fixed:
                if self.step.parent is None:
                    self.step = tree.entry(user_site())
                self.step = self._constant_step(value, use)
                value.trace, value.slot = self, self.step.first
            return value, buffer
        leaf = buffer.snapshot()
        is_seen = leaf is not buffer and (buffer.foreign or buffer.exports)
        return (Snapshot(value, leaf) if is_seen else value), leaf

    def enter(self, values: list[Value], leaves: list[Any]) -> Step:
        """Make `values` leaves, whose buffers are `leaves`. Returns the step they enter at: `step` does not move."""
        if self.step.parent is None:
            self.step = tree.entry(user_site())
        slot = self.step.slots
        for value in values:
            value.trace = None  # another thread may be using the value: it must not find its trace with our slot
            value.slot = slot
            value.trace = self
            slot += 1
        self.leaves += leaves
        return self.step

    def writes(self, tensor: Any, in_place: bool) -> None:
        """A tensor is about to be given other content. Only who cannot be read needs to know."""

    def is_fixed(self, value: Value) -> bool:
        """Whether a value from outside that is known is the same whenever what is recorded runs."""
        return True

    def customised(self) -> None:
        """An operation is recorded whose gradient is a function of the user's."""

    def holds(self, values: Sequence[Value]) -> bool:
        """Whether all `values` are in this trace."""
        return [v.trace for v in values].count(self) == len(values)

    def would_enter(self, values: Sequence[Value]) -> bool:
        """Whether all `values` would become leaves, just as they are."""
        return all(v.trace is not self and v.buffer is not None and v.buffer.simple for v in values)

    def _leaf_step(self, kind: Kind, order: tuple[int, ...] | None = None) -> Step:
        """The step that brings a leaf: its key is the kind, and how the leaf lies in memory if not row by row."""
        key = kind if order is None else (kind, order)
        step = self.step.following.get(key)
        if step is None:
            node = make(PRIMITIVES["input"], position=self.step.leaves, shape=kind.shape, dtype=kind.dtype)
            step = tree.grow(self.step, key, (node,), leaf=True)
        return step

    def _constant_step(self, value: Value, use: tuple[Operation, int]) -> Step:
        """A number is a constant until the same source line brings another one to the same use: then it is a run-time
        input."""
        number, dtype, here = value.buffer.number, value.dtype, self.step
        kind = type(number)
        key = (dtype, kind, repr(number) if not number or number != number or kind is complex else number)
        step = here.following.get(key)
        if step is None:
            if self._varies(use, key):
                self.leaves.append(value.buffer)
                return self._leaf_step(kind_of((), dtype))
            node = make(PRIMITIVES["constant"], value=dtype.numpy.type(number).item(), dtype=dtype)
            step = tree.grow(here, key, (node,), leaf=False)
        return step

    def _varies(self, use: tuple[Operation, int], key: Any) -> bool:
        """Whether the same source line brought another number to this use before."""
        here = self.step
        if here.constants is None:
            here.constants = {}
        known: Any = here.constants.setdefault((user_site(), use), key)
        return known != key

    def follow(self, passage: Passage) -> list[Value]:
        """Go on at the end of a passage on which no leaves enter. Returns its results, off the tape."""
        self.step = passage.end
        return [_pending(kind, self, slot, None, 0) for kind, slot in passage.results]

    def extend(
        self, key: tuple[Any, ...], op: Operation, inputs: tuple[Value | None, ...], attributes: Attributes,
        values: list[Value], leaves: list[Any],
    ) -> Step:  # fmt: skip
        """Go on to an operation not seen here before: build its nodes, which checks shapes and dtypes.

        `key` brings its new leaves with it; the tree has a step for each of them, and one for the operation.
        """
        here = self.step
        for value, leaf in zip(values, leaves, strict=True):
            self.step = self._leaf_step(value.kind, leaf.order)
        slots = tuple([None if v is None else v.slot for v in inputs])
        inner = (op, attributes, *slots)
        step = self.step.following.get(inner)
        if step is None:
            kinds = [None if v is None else v.kind for v in inputs]
            skeleton, numbers = apart = self.step.skeleton.next(inner)
            results = skeleton.results(inner, numbers, kinds)
            if results is not None:
                step = tree.grow(self.step, inner, None, leaf=False, results=results, taken_apart=apart)
            else:
                nodes = self.nodes()
                built = op.build([None if s is None else nodes[s] for s in slots], attributes)
                step = tree.grow(self.step, inner, built, leaf=False, taken_apart=apart)
                skeleton.learn(numbers, kinds, step.results)
        if leaves:
            here.passages[key] = step
        return step


class Refilling(NamedTuple):
    """Results that are not to become values of their own: `fill` is called with the buffers of these slots, once they
    are computed. Buffers whose ids are `given` may be overwritten: nothing but values that `fill` fills holds them."""

    slots: list[int]
    given: set[int]
    fill: Callable[[list[Any]], None]


class _Local(threading.local):
    def __init__(self) -> None:
        self.trace = Trace()
        self.gradients = True
        self.eager = False
        self.capture: Capture | None = None
        self.autocast: Any = None


class Source(Protocol):
    """Where run-time numbers come from, so that a replay of what was recorded has those of its own turn."""

    def ahead(self, states: dict[Any, Any]) -> Sequence[Number] | None:
        """The numbers of the next turn; None if what was recorded does not hold any more.

        Nothing changes yet: what an object will have to `advance` to stands in `states`, under the object.
        """


class Capture(Protocol):
    """Who watches a function being recorded, to replay it without Python: see `duograph/replay`."""

    def numbers(self, source: Source, buffers: Sequence[Number]) -> None:
        """These run-time inputs come from `source`."""

    def spoil(self, reason: str) -> None:
        """What happens here cannot be replayed."""


local = _Local()
"""This thread's trace, whether operations are taped (`gradients`) and realised at once (`eager`), who watches, and who
chooses the precision of operations: see `duograph/autograd/autocast.py`."""


def _no_realiser(trace: Trace, refilling: Refilling | None = None, value: Value | None = None) -> None:
    raise RuntimeError("no executor is installed: import duograph, not its parts")


realiser: Callable[..., None] = _no_realiser
"""Computes the live pending values of a trace (and a `Refilling`) and gives the thread a new one; of a trace that is
not readable this one `value`, if it can. Installed by `runtime`."""


_NOTHING: dict[Value, Value] = {}


def record(op: Operation, inputs: tuple[Value | None, ...], attributes: Attributes = ()) -> Any:
    """Record one operation. Returns its pending result, a Value, or a tuple of them where it has several.

    Raises what the operation's shape and dtype rules raise, with the user's line.
    """
    trace = local.trace
    key: Any = [op, attributes]
    taped: Any = None
    values: list[Value] = []  # those that become leaves
    leaves: list[Any] = []
    swapped = _NOTHING  # snapshots that take the place of inputs
    try:
        for value in inputs:
            if value is None:
                key.append(None)
                continue
            slot: Any = value.slot  # read before the trace: see `Trace.enter`
            if value.trace is not trace:
                buffer: Any = value.buffer
                slot = value.kind
                if buffer is None or not buffer.simple or not trace.readable:
                    given = value
                    if given in swapped:
                        value = swapped[given]
                    else:
                        value, buffer = trace.admit(given, (op, len(key)))
                        if value is not given:
                            swapped = {**swapped, given: value} if swapped else {given: value}
                    slot = value.slot if value.trace is trace else (slot, buffer.order)
                if value.trace is not trace:
                    value.slot = ~len(leaves)  # should it come again
                    value.trace = trace
                    values.append(value)
                    leaves.append(buffer)
            key.append(slot)
            if value.origin is not None:
                taped = value.origin
    except BaseException:
        for value in values:
            value.trace = None
        raise
    if swapped:
        inputs = tuple([v and swapped.get(v, v) for v in inputs])
    key = tuple(key)
    step = (trace.enter(values, leaves).passages if leaves else trace.step.following).get(key)
    if step is None:
        step = trace.extend(key, op, inputs, attributes, values, leaves)
    trace.step = step
    results = step.results
    if taped is not None:
        taped = (
            taped.successor(op, inputs, attributes, len(results), step.line, step, trace) if local.gradients else None
        )
    kind = step.single
    if kind is not None:
        result: Any = _pending(kind, trace, step.first, taped, 0)
    else:
        result = tuple([_pending(k, trace, step.first + index, taped, index) for index, k in enumerate(results)])
    if step.full or local.eager:
        _overflow(trace)
    return result


_new: Callable[[type[Value]], Value] = object.__new__


def _pending(kind: Kind, trace: Trace, slot: int, origin: Origin | None, index: int) -> Value:
    """A value that is to be computed. Each operation makes one, so its attributes are set here, without `__init__`."""
    value = _new(Value)
    value.shape = kind.shape
    value.dtype = kind.dtype
    value.kind = kind
    value.buffer = None
    value.trace = trace
    value.slot = slot
    value.origin = origin if kind.differentiable else None
    value.index = index
    value.overwritten = None
    trace.pending.append(ref(value))
    return value


def _overflow(trace: Trace) -> None:
    if local.capture is None or local.eager or trace.step.length > PENDING_STEPS:
        realiser(trace)


def boundary() -> None:
    """The end of a step: compute all that is pending. What is captured is computed at the end of the whole function."""
    trace = local.trace
    if trace.step.parent is not None and trace.readable and local.capture is None:
        realiser(trace)


def realise(value: Value) -> None:
    """Compute a pending value, and with it all that is pending in its trace."""
    if value.buffer is None:
        if local.capture is not None:
            local.capture.spoil("a tensor is read")
        assert value.trace is not None
        realiser(value.trace, None, value)
    if isinstance(value.buffer, Failure):
        raise value.buffer.error


def alias(value: Value, origin: Origin | Leaf | None, index: int = 0) -> Value:
    """The same content under another tape; pending content is computed once for both."""
    twin = Value(value.shape, value.dtype, value.buffer, value.trace, value.slot, origin, index, value.kind)
    if value.buffer is None:
        assert value.trace is not None
        value.trace.pending.append(ref(twin))
    return twin


def constant(number: bool | int | float | complex, dtype: DType) -> Value:
    """A number as a value: a constant of the graph, until it is seen to change."""
    return Value((), dtype, Number(_cast(number, dtype), fixed=True))


def scalar(number: bool | int | float | complex, dtype: DType) -> Value:
    """A number as a run-time input: another number is the same trace."""
    return Value((), dtype, Number(_cast(number, dtype), fixed=False))


def _cast(number: Any, dtype: DType) -> bool | int | float | complex:
    if dtype.is_floating_point:
        return float(number)
    if dtype.category == "bool":
        return bool(number)
    if dtype.is_complex:
        return complex(number)
    return int(number) if math.isfinite(number) else 0
