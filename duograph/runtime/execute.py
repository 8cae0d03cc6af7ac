"""From a trace to buffers: the plan cache and its use."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import trace as tracing
from ..graph.body import Body, unreadable
from ..graph.errors import ArgumentError
from ..graph.node import Graph
from ..graph.trace import Failure, Number, Refilling, Step, Trace, Value
from . import families, log, memory
from .buffer import Buffer
from .interpreter import Interpretation

if TYPE_CHECKING:
    from .native import Native, Setting

observers: list[Callable[[Step, Graph], Any]] = []
"""Called with the last step and the graph of each new plan: how `duograph.debug` explains what was recorded anew."""
watch: Callable[..., Any] | None = None
"""If set, shown every intermediate result (by the interpreter): how `duograph.debug.nans` hunts."""

TIERS = ("auto", "compiled", "interpreted")
TURNS = 100
"""About as many turns a loop is thought to take whose condition will tell."""
PATIENCE = 0.1
"""Seconds that the interpreter may take for a graph seen for the first time. What takes longer is compiled at once."""


def tier() -> str:
    """Who runs plans: `DUOGRAPH_TIER`, `"auto"` by default.

    Raises:
        ArgumentError: It is none of `TIERS`.
    """
    wanted = os.environ.get("DUOGRAPH_TIER", "").strip().lower() or "auto"
    if wanted not in TIERS:
        raise ArgumentError(f"DUOGRAPH_TIER must be one of {', '.join(TIERS)}. Received: {wanted!r}")
    return wanted


class Plan:
    """How a graph is computed: by the reference interpreter when it is small and new, as machine code otherwise.

    Which of them is decided by a rule and never by a clock: a graph is compiled at its second sighting, or at once if
    the interpreter would take long for it, or if it would round otherwise than machine code does. So a function gives
    the same bits the first time and the second.
    """

    __slots__ = ("_graph", "_interpretation", "_native", "_setting", "_sightings", "_tier", "orders")

    def __init__(
        self, graph: Graph | Callable[[], Graph], orders: Sequence[tuple[int, ...] | None],
        shared: tuple[Native, Setting] | None = None,
    ) -> None:  # fmt: skip
        self._graph = graph
        self.orders = tuple(orders)
        self._tier = tier()
        log.stages()  # a name that is none is told at once, whoever runs the plan
        self._native: Native | None
        self._setting: Setting | None
        self._native, self._setting = shared if shared is not None else (None, None)
        self._interpretation: Interpretation | None = None
        self._sightings = 0

    @property
    def is_shared(self) -> bool:
        """Whether a compiled graph runs this that serves other sizes too."""
        return self._setting is not None

    @property
    def graph(self) -> Graph:
        """What is computed; if it was given as a function, it is built when somebody asks."""
        if not isinstance(self._graph, Graph):
            self._graph = self._graph()
        return self._graph

    def __call__(self, leaves: Sequence[Any], holders: int = 1) -> list[Buffer]:
        """The outputs: fresh buffers, or leaves that nobody but `holders` of the caller's references holds."""
        native = self._native
        if native is None or watch is not None:
            self._sightings += 1
            if watch is not None or not self._compiles():
                if self._interpretation is None:
                    self._interpretation = Interpretation(self.graph)
                return interpreted(self._interpretation, leaves)
            from .native import Native

            native = self._native = Native(self.graph, self.orders)
            self._interpretation = None
        return native(leaves, holders, self._setting)

    def rescued(self) -> list[Buffer] | None:
        """The outputs of a call that an interrupt ended after they were computed."""
        return self._native.finished if self._native is not None else None

    def settled(self) -> None:
        """What was computed has come to those it was for."""
        if self._native is not None:
            self._native.finished = None

    def _compiles(self) -> bool:
        if self._tier == "auto":
            return self._sightings > 1 or not is_quick(self.graph)
        return self._tier == "compiled"


def is_quick(graph: Graph) -> bool:
    """Whether the interpreter computes a graph that is new."""
    return is_exact(graph) and patience(graph) <= PATIENCE


def is_exact(graph: Graph) -> bool:
    """Whether a graph has the same bits by whatever way it is computed."""
    return all(node.is_exact for node in graph.nodes())


def patience(graph: Graph) -> float:
    """About how many seconds the interpreter takes: 4 us a node, 1 ns an element, and 10 GFLOP/s in products."""
    seconds = 0.0
    for node in graph.nodes():
        seconds += 4e-6 + 1e-9 * node.size
        if node.op.kind == "loop":
            seconds += node["length"] * patience(node["body"])
        if node.op.kind == "control":  # nobody knows how often
            seconds += TURNS * sum(map(patience, node.graphs))
        if node.op.kind == "contraction":
            first, second = (operand.size for operand in node.inputs)
            seconds += 2e-10 * (first * second * max(1, node.size)) ** 0.5
    return seconds


def array_of(leaf: Any, dtype: np.dtype) -> np.ndarray:
    """A leaf buffer as an array."""
    return np.asarray(leaf.number, dtype) if type(leaf) is Number else leaf.array


def memory_of(array: np.ndarray) -> int:
    """Which memory an array is a window on: the identity of the object that owns it."""
    owner: Any = array
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    return id(owner)


def interpreted(plan: Interpretation, leaves: Sequence[Any]) -> list[Buffer]:
    """The outputs of the interpreter as fresh buffers in row-major order."""
    arrays = [array_of(leaf, node.dtype.numpy) for leaf, node in zip(leaves, plan.graph.inputs, strict=True)]
    taken = set(map(memory_of, arrays))
    buffers = []
    for result in plan(arrays, watch):
        fresh = result.flags.writeable and result.flags.c_contiguous and memory_of(result) not in taken
        if not fresh or not memory.is_placed(result):
            result = memory.copied(result)
        taken.add(memory_of(result))
        buffers.append(Buffer(result))
    return buffers


def run(plan: Plan, leaves: Sequence[Any], holders: int = 1) -> list[Buffer]:
    """The outputs of a plan for these leaves; `holders` as for `Plan`."""
    return plan(leaves, holders)


def realise(trace: Trace, refilling: Refilling | None = None, value: Value | None = None) -> None:
    """Compute every value of `trace` that is pending and still referenced, and what is to refill other values.

    On this thread's own trace a new one begins. Another thread's trace goes on: its values are only made available.
    If the computation fails, the values it was for are marked failed, so that observing them raises the same error;
    after an interrupt they are still pending and a later realisation tries again.
    """
    if not trace.readable:
        array = trace.known(value) if isinstance(trace, Body) and value is not None else None
        if value is None or array is None:
            raise unreadable()
        value.buffer = Buffer(np.ascontiguousarray(array).copy())
        return
    own = trace is tracing.local.trace
    interrupt: KeyboardInterrupt | None = None
    while True:
        # the slot first: once another thread has computed the value, it may stand elsewhere in that thread's trace
        live = [v for r in list(trace.pending) if (v := r()) is not None]
        slots = [v.slot for v in live]
        if [v.buffer for v in live].count(None) < len(live):
            pairs = [(v, slot) for v, slot in zip(live, slots, strict=True) if v.buffer is None]
            live, slots = [v for v, _ in pairs], [slot for _, slot in pairs]
        step = trace.step
        leaves = trace.leaves[: step.leaves]
        if own or not live or (trace not in _computing and len(leaves) == step.leaves):
            break
        time.sleep(WAIT)  # its own thread computes the same just now
    if live or refilling is not None:
        wanted = slots if refilling is None else slots + refilling.slots
        key = tuple(dict.fromkeys(wanted))
        plan = step.plans.get(key)
        if plan is None:
            orders = [None if type(leaf) is Number else leaf.order for leaf in leaves]
            plan = step.plans[key] = _plan(step, key, orders)
            for observer in observers:
                observer(step, plan.graph)
        # What is dead is held by the trace's list and this one. What may be overwritten although it is alive is held by
        # a value too, and so all others are held once more. Of another thread's trace nobody knows who holds what.
        others = () if refilling is None else [leaf for leaf in leaves if id(leaf) not in refilling.given]
        holders = UNKNOWN if not own else 2 if refilling is None else 3
        try:
            if own:
                _computing.add(trace)
            try:
                buffers = run(plan, leaves, holders)
            except KeyboardInterrupt as stop:
                rescued = plan.rescued()
                if rescued is None:
                    raise
                buffers, interrupt = rescued, stop
            del others
            made = buffers if len(key) == len(wanted) else _of_slots(key, wanted, buffers)
            for value, buffer in zip(live, made, strict=False):  # what refills comes after
                if value.buffer is None:  # or another thread was quicker
                    value.buffer = buffer
            if refilling is not None:
                refilling.fill(made[len(live) :])
            plan.settled()
        except Exception as error:
            for value in live:
                if value.buffer is None:
                    value.buffer = Failure(error)
            if own:
                trace.retire()
            raise
        finally:
            if own:
                _computing.discard(trace)
    if own:
        trace.retire()
    if interrupt is not None:
        raise interrupt


def _plan(step: Step, live: tuple[int, ...], orders: Sequence[tuple[int, ...] | None]) -> Plan:
    """The plan of a trace that ends at `step`."""
    graph = functools.cache(functools.partial(step.graph, live))
    if tier() == "interpreted":
        return Plan(graph, orders)
    return Plan(graph, orders, families.shared(step, live, orders, lambda: tier() == "auto" and is_quick(graph())))


def _of_slots(key: Sequence[int], slots: Sequence[int], buffers: Sequence[Buffer]) -> list[Buffer]:
    """The buffers of slots, of which some may be the same."""
    made = dict(zip(key, buffers, strict=True))
    return [made[slot] for slot in slots]


_computing: set[Trace] = set()
"""Traces that their own threads compute just now, perhaps writing over leaves. Whoever else wants what is pending there
holds the leaves first and looks here then: so either the leaves are seen to be held, or they are left alone."""

WAIT = 1e-4
"""Seconds between two looks."""

UNKNOWN = 0
"""As the number of holders of leaves: more hold them, so none is overwritten."""


tracing.realiser = realise
