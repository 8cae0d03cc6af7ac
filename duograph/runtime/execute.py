"""From a trace to buffers: the plan cache and its use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import trace as tracing
from ..graph.node import Graph
from ..graph.trace import Failure, Number, Step, Trace
from .buffer import Buffer
from .interpreter import Interpretation

observers: list[Callable[[Step, Graph], Any]] = []
"""Called with the last step and the graph of each new plan: how `duograph.debug` explains what was recorded anew."""
watch: Callable[..., Any] | None = None
"""If set, shown every intermediate result (by the interpreter): how `duograph.debug.nans` hunts."""


def array_of(leaf: Any, dtype: np.dtype) -> np.ndarray:
    """A leaf buffer as an array."""
    return np.asarray(leaf.number, dtype) if type(leaf) is Number else leaf.array


def memory_of(array: np.ndarray) -> int:
    """Which memory an array is a window on: the identity of the object that owns it."""
    owner: Any = array
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    return id(owner)


def run(plan: Interpretation, leaves: Sequence[Any]) -> list[Buffer]:
    """The outputs of a plan as fresh buffers: none shares memory with a leaf or another output."""
    arrays = [array_of(leaf, node.dtype.numpy) for leaf, node in zip(leaves, plan.graph.inputs, strict=True)]
    taken = set(map(memory_of, arrays))
    buffers = []
    for result in plan(arrays, watch):
        if not result.flags.writeable or memory_of(result) in taken:
            result = result.copy()
        taken.add(memory_of(result))
        buffers.append(Buffer(result))
    return buffers


def realise(trace: Trace) -> None:
    """Compute every value of `trace` that is pending and still referenced.

    On this thread's own trace a new one begins. Another thread's trace goes on: its values are only made available.
    If the computation fails, the values it was for are marked failed, so that observing them raises the same error;
    after an interrupt they are still pending and a later realisation tries again.
    """
    live = [v for r in list(trace.pending) if (v := r()) is not None and v.buffer is None]
    step = trace.step
    if live:
        key = tuple(dict.fromkeys([v.slot for v in live]))
        plan = step.plans.get(key)
        if plan is None:
            plan = Interpretation(trace.graph(key))
            step.plans[key] = plan
            for observer in observers:
                observer(step, plan.graph)
        try:
            buffers = run(plan, trace.leaves[: step.leaves])
        except Exception as error:
            for value in live:
                value.buffer = Failure(error)
            if trace is tracing.local.trace:
                trace.retire()
            raise
        if len(key) == len(live):
            for value, buffer in zip(live, buffers, strict=True):
                value.buffer = buffer
        else:  # some values are the same slot under another tape
            made = dict(zip(key, buffers, strict=True))
            for value in live:
                value.buffer = made[value.slot]
    if trace is tracing.local.trace:
        trace.retire()


tracing.realiser = realise
