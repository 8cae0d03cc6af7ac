"""Recording: values, the tree of steps, and each thread's trace.

A trace is a walk down a tree. Each edge is one recorded operation, keyed by the operation, its attributes and the
slots of its inputs, so where a walk has got to *is* the structural key of everything recorded so far. Shapes, dtypes,
checks and graph nodes belong to the tree; walking an edge a second time finds them with one dictionary look-up.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import ref

from .composite import Operation
from .dtype import DType
from .lines import user_line, user_site
from .node import PRIMITIVES, Attributes, Graph, Node, Shape, make

PENDING_BYTES = int(os.environ.get("DUOGRAPH_PENDING_BYTES") or 2**30)
"""A trace whose results would hold more bytes than this is realised."""
PENDING_STEPS = 20_000
"""A trace longer than this is realised, so that a loop that observes nothing stays bounded."""
TREE_STEPS = 200_000
"""When the tree has grown to this many steps it is dropped and grown anew: programs that never repeat stay bounded."""


class Number:
    """The buffer of a value that is a Python number: baked into the graph if `fixed`, a run-time input otherwise."""

    __slots__ = ("fixed", "number")

    def __init__(self, number: bool | int | float, fixed: bool) -> None:
        self.number = number
        self.fixed = fixed

    def snapshot(self) -> Number:
        return self


class Origin:
    """The tape: which operation a value came from. Shared by the results of one operation.

    `hooks` are called with the cotangent of an output (by index) when it is complete. `successor` is the class of the
    origins of what is computed from here, `readable` whether `numpy()` reads such values without `detach()`.
    """

    __slots__ = ("__weakref__", "attributes", "freed", "hooks", "inputs", "line", "op", "outputs")
    readable = False
    successor: ClassVar[type[Origin]]

    def __init__(
        self, op: Any, inputs: tuple[Value | None, ...], attributes: Attributes, outputs: int, line: str | None
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.outputs = outputs
        self.line = line
        self.freed = False
        self.hooks: dict[int, list[Callable[[Any], Any]]] | None = None


class Leaf:
    """The end of the tape: gradients that arrive here are accumulated in the owner, a tensor."""

    __slots__ = ("owner",)
    readable = False
    successor: ClassVar[type[Origin]]

    def __init__(self, owner: Any) -> None:
        self.owner = ref(owner)


class ReadableOrigin(Origin):
    """The tape behind a readable leaf."""

    __slots__ = ()
    readable = True


class ReadableLeaf(Leaf):
    """A variable of TensorFlow's or Keras's, whose users expect `numpy()` to read whatever was computed from it."""

    __slots__ = ()
    readable = True


Origin.successor = Leaf.successor = Origin
ReadableOrigin.successor = ReadableLeaf.successor = ReadableOrigin


class Value:
    """What a tensor holds. Pending: `buffer` is None and it is slot `slot` of `trace`. Realised: `buffer` is set.

    `origin` is None unless gradients flow through this value; `index` says which output of the origin it is.
    `overwritten` is set when the tensor that held the value was written in place: to the origin of what was written.
    """

    __slots__ = ("__weakref__", "buffer", "dtype", "index", "origin", "overwritten", "shape", "slot", "trace")

    def __init__(
        self, shape: Shape, dtype: DType, buffer: Any = None, trace: Trace | None = None, slot: int = -1,
        origin: Origin | Leaf | None = None, index: int = 0,
    ) -> None:  # fmt: skip
        self.shape = shape
        self.dtype = dtype
        self.buffer = buffer
        self.trace = trace
        self.slot = slot
        self.origin = origin
        self.index = index
        self.overwritten: Any = None


class Step:
    """A node of the tree: the operation recorded there, and what is known about it.

    `results` are the shape and the dtype of each result, and whether gradients flow through it; `first` is the slot of
    the first. `following` are the steps that were seen to come next, `plans` what the traces that ended here computed,
    by live slots. `slots`, `leaves`, `length` and `pending_bytes` count from the root.
    """

    __slots__ = (
        "first", "following", "full", "leaves", "length", "line", "nodes", "numbers", "parent", "pending_bytes",
        "plans", "results", "slots",
    )  # fmt: skip

    def __init__(self, parent: Step | None, nodes: tuple[Node, ...], leaf: bool, line: str | None) -> None:
        self.parent = parent
        self.nodes = nodes
        self.line = line
        self.results = tuple((n.shape, n.dtype, n.dtype.is_floating_point) for n in nodes)
        self.following: dict[Any, Step] = {}
        self.plans: dict[tuple[int, ...], Any] = {}
        self.numbers: dict[Any, Any] | None = None
        self.first: int = parent.slots if parent else 0
        self.slots: int = self.first + len(nodes)
        self.leaves: int = (parent.leaves if parent else 0) + leaf
        self.length: int = parent.length + 1 if parent else 0
        held = 0 if leaf else sum(n.nbytes for n in nodes)
        self.pending_bytes: int = (parent.pending_bytes if parent else 0) + held
        self.full = self.pending_bytes > PENDING_BYTES or self.length > PENDING_STEPS


class Tree:
    """All traces seen: `root` is the empty one. `listeners` are told of each new step that a replay could not walk."""

    def __init__(self) -> None:
        self.root = Step(None, (), False, None)
        self.size = 0
        self.lock = threading.Lock()

    def grow(self, parent: Step, key: Any, nodes: tuple[Node, ...], leaf: bool) -> Step:
        with self.lock:
            step = parent.following.get(key)
            if step is None:
                step = parent.following[key] = Step(parent, nodes, leaf, user_line())
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
        self.root = Step(None, (), False, None)
        self.size = 0


tree = Tree()


class Trace:
    """What one thread has recorded since the last realisation."""

    __slots__ = ("_nodes", "_synced", "leaf_slots", "leaves", "pending", "step")

    def __init__(self) -> None:
        self.step = tree.root
        self.pending: list[ref[Value]] = []
        self.leaves: list[Any] = []  # buffers
        self.leaf_slots: dict[Value, int] = {}
        self._nodes: list[Node] = []  # by slot, up to step `_synced`: only needed where the tree grows
        self._synced = tree.root

    def retire(self) -> None:
        """End this thread's trace and begin a new one.

        Realised values still name the trace they came from; it lets go of what it held, or each trace would keep the
        one before it alive through its leaves.
        """
        local.trace = Trace()
        self.pending, self.leaves, self.leaf_slots, self._nodes = [], [], {}, []
        self._synced = tree.root

    def nodes(self) -> list[Node]:
        """The graph node of each slot."""
        steps = []
        step = self.step
        while step is not self._synced and step.parent is not None:
            steps.append(step)
            step = step.parent
        for step in reversed(steps):
            self._nodes.extend(step.nodes)
        self._synced = self.step
        return self._nodes

    def steps(self) -> list[Step]:
        """The walk from the root, without it."""
        steps = []
        step = self.step
        while step.parent is not None:
            steps.append(step)
            step = step.parent
        return steps[::-1]

    def graph(self, live: tuple[int, ...]) -> Graph:
        """The computation of the slots `live` from this trace's leaves, with the user's lines."""
        nodes = self.nodes()
        lines: dict[Node, str] = {}
        inputs: list[Node] = []
        for step in self.steps():
            if step.parent is not None and step.leaves > step.parent.leaves:
                inputs.extend(step.nodes)
            if step.line is not None:
                stack = list(step.nodes)
                while stack:
                    node = stack.pop()
                    if node not in lines:
                        lines[node] = step.line
                        stack.extend(node.inputs)
        return Graph(tuple(inputs), tuple(nodes[slot] for slot in live), lines)

    def slot_of(self, value: Value) -> int:
        """The slot of a value that this trace did not record: a leaf, entered at its first use."""
        slot = self.leaf_slots.get(value)
        if slot is not None:
            return slot
        if value.buffer is None:  # pending in another thread's trace, or failed there
            realise(value)
        if self.step.parent is None:
            self.step = tree.entry(user_site())
        is_number = type(value.buffer) is Number
        step = self._number_step(value) if is_number else self._leaf_step(value.shape, value.dtype)
        self.step = step
        if len(self.leaves) < step.leaves:
            leaf = value.buffer.snapshot()
            self.leaves.append(leaf)
            if leaf is not value.buffer:  # memory that others may write: every use sees the memory as it is then
                return step.first
        self.leaf_slots[value] = step.first
        return step.first

    def _leaf_step(self, shape: Shape, dtype: DType) -> Step:
        key = (shape, dtype)
        step = self.step.following.get(key)
        if step is None:
            node = make(PRIMITIVES["input"], position=self.step.leaves, shape=shape, dtype=dtype)
            step = tree.grow(self.step, key, (node,), leaf=True)
        return step

    def _number_step(self, value: Value) -> Step:
        """A number is a constant until the same source line brings another one here: then it is a run-time input."""
        number, dtype, here = value.buffer.number, value.dtype, self.step
        if not value.buffer.fixed:
            return self._leaf_step((), dtype)
        key = (dtype, type(number), repr(number) if not number or number != number else number)
        step = here.following.get(key)
        if step is None:
            if here.numbers is None:
                here.numbers = {}
            if here.numbers.setdefault(user_site(), key) != key:
                return self._leaf_step((), dtype)
            node = make(PRIMITIVES["constant"], value=dtype.numpy.type(number).item(), dtype=dtype)
            step = tree.grow(here, key, (node,), leaf=False)
        return step

    def extend(self, key: tuple[Any, ...], op: Operation, attributes: Attributes) -> Step:
        """Grow the tree by an operation not seen here before: build its nodes, which checks shapes and dtypes."""
        nodes = self.nodes()
        slots = key[2:]
        built = op.build([None if s is None else nodes[s] for s in slots], attributes)
        return tree.grow(self.step, key, built, leaf=False)


class _Local(threading.local):
    def __init__(self) -> None:
        self.trace = Trace()
        self.gradients = True
        self.eager = False


local = _Local()
"""This thread's trace, and whether operations are taped (`gradients`) and realised at once (`eager`)."""


def _no_realiser(trace: Trace) -> None:
    raise RuntimeError("no executor is installed: import duograph, not its parts")


realiser: Callable[[Trace], None] = _no_realiser
"""Computes the live pending values of a trace and gives the thread a new one. Installed by `runtime`."""


def record(op: Operation, inputs: tuple[Value | None, ...], attributes: Attributes = ()) -> Any:
    """Record one operation. Returns its pending result, a Value, or a tuple of them where it has several.

    Raises what the operation's shape and dtype rules raise, with the user's line.
    """
    trace = local.trace
    key: Any = [op, attributes]
    taped: Any = None
    for value in inputs:
        if value is None:
            key.append(None)
            continue
        key.append(value.slot if value.trace is trace else trace.slot_of(value))
        if value.origin is not None:
            taped = value.origin
    key = tuple(key)
    step = trace.step.following.get(key)
    if step is None:
        step = trace.extend(key, op, attributes)
    trace.step = step
    if taped is not None:
        taped = taped.successor(op, inputs, attributes, len(step.results), step.line) if local.gradients else None
    if len(step.results) == 1:
        shape, dtype, differentiable = step.results[0]
        result: Any = Value(shape, dtype, None, trace, step.first, taped if differentiable else None)
        trace.pending.append(ref(result))
    else:
        values = []
        for index, (shape, dtype, differentiable) in enumerate(step.results):
            value = Value(shape, dtype, None, trace, step.first + index, taped if differentiable else None, index)
            values.append(value)
            trace.pending.append(ref(value))
        result = tuple(values)
    if step.full or local.eager:
        realiser(trace)
    return result


def realise(value: Value) -> None:
    """Compute a pending value, and with it all that is pending in its trace."""
    if value.buffer is None:
        assert value.trace is not None
        realiser(value.trace)
    if isinstance(value.buffer, Failure):
        raise value.buffer.error


def alias(value: Value, origin: Origin | Leaf | None, index: int = 0) -> Value:
    """The same content under another tape; pending content is computed once for both."""
    twin = Value(value.shape, value.dtype, value.buffer, value.trace, value.slot, origin, index)
    if value.buffer is None:
        assert value.trace is not None
        value.trace.pending.append(ref(twin))
    return twin


class Failure:
    """The buffer of a value whose computation failed: observing it raises the error again."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def constant(number: bool | int | float, dtype: DType) -> Value:
    """A number as a value: a constant of the graph, until it is seen to change."""
    return Value((), dtype, Number(_cast(number, dtype), fixed=True))


def scalar(number: bool | int | float, dtype: DType) -> Value:
    """A number as a run-time input: another number is the same trace."""
    return Value((), dtype, Number(_cast(number, dtype), fixed=False))


def _cast(number: bool | int | float, dtype: DType) -> bool | int | float:
    if dtype.is_floating_point:
        return float(number)
    if dtype.category == "bool":
        return bool(number)
    return int(number) if math.isfinite(number) else 0
