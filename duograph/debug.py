"""Looking inside: what was recorded anew and why, what the compiler made of it, and where the first NaN arose."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .graph import trace as tracing
from .graph.errors import DuographError
from .graph.node import Graph, Node
from .graph.trace import Step
from .runtime import execute, log
from .runtime.log import Record


class NanError(DuographError, ArithmeticError):
    """A NaN arose in a computation."""


@dataclass
class Report:
    """What `traces()` saw: one sentence for each new plan, and their number."""

    reasons: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """New plans made since the report began."""
        return len(self.reasons)

    def __repr__(self) -> str:
        return "\n".join(self.reasons) or "nothing was recorded anew"


def _path(step: Step) -> list[Step]:
    steps = []
    now: Step | None = step
    while now is not None and now.parent is not None:
        if now.results:  # all but the entry, where the trace begins
            steps.append(now)
        now = now.parent
    return steps[::-1]


def _describe(step: Step) -> str:
    node = step.nodes[-1]
    return f"{node.op.name} giving {node.dtype.name}{list(node.shape)}"


def reason(step: Step, seen: set[Step]) -> str:
    """One sentence: why the trace that ends in `step` had no plan."""
    path = _path(step)
    if step in seen:
        return f"recorded anew because other results were kept alive after {len(path)} operations ({_where(step)})"
    fork = next((k for k, s in enumerate(path) if s not in seen), len(path))
    if fork == len(path):
        last = path[-1]
        return f"recorded anew because the trace ended earlier than before, after {_describe(last)} ({_where(last)})"
    parent = path[fork].parent
    assert parent is not None
    others = [s for s in parent.following.values() if s in seen]
    if not others:
        what = "this program was not seen before" if fork == 0 else "the program went on where it ended before"
        return f"recorded anew because {what}: {_describe(path[fork])} ({_where(path[fork])})"
    return (
        f"recorded anew because operation {fork + 1} is {_describe(path[fork])}, not {_describe(others[-1])} as before "
        f"({_where(path[fork])})"
    )


def _where(step: Step) -> str:
    return step.line or "no user line"


def compiled(function: Any) -> str:
    """One sentence: whether calls of a compiled function are replayed, and if not, why.

    Raises TypeError for what `duograph.compile` did not make.
    """
    made = getattr(function, "_compiled", function)
    if not hasattr(made, "replayed"):
        raise TypeError(f"compiled: expected what duograph.compile made. Received: {type(function).__name__}")
    if made.reason is not None:
        return f"the last call was recorded: {made.reason}"
    if made.replayed:
        return f"calls of {made.replayed} kind{'s' if made.replayed > 1 else ''} are replayed"
    return "not yet called often enough: calls are replayed when two in a row have done the same"


@contextlib.contextmanager
def traces(echo: bool = True) -> Iterator[Report]:
    """Within the block, explain each trace that had to be recorded and planned anew; printed if `echo`."""
    report = Report()
    seen: set[Step] = set()
    for step in _walk(tracing.tree.root):
        if step.plans:
            seen.update(_path(step))

    def observe(step: Step, graph: Graph) -> None:
        *_, plan = step.plans.values()
        shared = "; what was compiled for other sizes serves it" if plan.is_shared else ""
        report.reasons.append(reason(step, seen) + shared)
        seen.update(_path(step))
        if echo:
            print(f"duograph: {report.reasons[-1]}")

    execute.observers.append(observe)
    try:
        yield report
    finally:
        execute.observers.remove(observe)


@dataclass
class Plans:
    """What `plans()` saw: records with the number of the plan, the stage and a text."""

    records: list[Record] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Plans of which there are records."""
        return len({record.plan for record in self.records})

    def __repr__(self) -> str:
        return "\n".join(record.text for record in self.records) or "no plan was compiled"


@contextlib.contextmanager
def plans(*stages: str) -> Iterator[Plans]:
    """Within the block, collect what the compiler has to say about each plan that it makes; nothing is printed.

        with duograph.debug.plans("plans", "fusion") as seen:
            train_step()
        print(seen)

    What is pending at the beginning and at the end of the block is computed there. Under `DUOGRAPH_TIER=auto` small
    plans are compiled when they run for the second time.

    Args:
        stages: As in `DUOGRAPH_LOG`: "plans", "graph", "fusion", "layout", "memory", "kernels", "profile" or "all". If
            none is given, "plans", "fusion" and "kernels".

    Raises ArgumentError for another name.
    """
    wanted = log.named(stages or ("plans", "fusion", "kernels"), "plans")
    seen = Plans()
    if tracing.local.trace.pending:
        tracing.realiser(tracing.local.trace)
    with log.collecting(wanted, seen.records.append):
        yield seen
        if tracing.local.trace.pending:
            tracing.realiser(tracing.local.trace)


def _walk(root: Step) -> Iterator[Step]:
    stack = [root]
    while stack:
        step = stack.pop()
        yield step
        stack.extend(step.following.values())


@contextlib.contextmanager
def nans() -> Iterator[None]:
    """Within the block, the first NaN that an operation makes from numbers raises NanError with the user's line.

    Every result is looked at as the reference interpreter computes it, so this is slow.
    """

    def watch(node: Node, result: np.ndarray, graph: Graph, operands: list[np.ndarray]) -> None:
        if node.dtype.is_floating_point and np.isnan(result).any():
            before = any(o.dtype.kind == "f" and np.isnan(o).any() for o in operands)
            if not before:
                error = NanError(f"the first NaN was made by {node.op.name} giving {node.dtype.name}{list(node.shape)}")
                raise error.located(graph.lines.get(node))

    if tracing.local.trace.pending:
        tracing.realiser(tracing.local.trace)
    previous, execute.watch = execute.watch, watch
    try:
        yield
        if tracing.local.trace.pending:
            tracing.realiser(tracing.local.trace)
    finally:
        execute.watch = previous
