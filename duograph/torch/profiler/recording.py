"""What a profile measures: the runs of plans, their kernels, and the blocks that the program names."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ...codegen.lower import Host
from ...graph.node import Node
from ...graph.sizes import hint
from ...runtime import execute, profile
from ...runtime.profile import Runs
from ...runtime.report import nodes_of, place_of, title_of
from ...runtime.settings import realize


@dataclass(eq=False)
class Event:
    """Something that took time: a block of the program, the run of a plan, or a kernel's share of one."""

    name: str
    kind: str  # "user_annotation", "plan" or "kernel"
    start: float  # seconds, of the recorder's clock
    end: float = 0.0
    thread: int = 0
    shapes: list[list[int]] = field(default_factory=list)
    line: str = ""
    operations: int = 0
    nbytes: int = 0
    parent: Event | None = None
    children: list[Event] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From start to end."""
        return self.end - self.start

    def put_in(self, parent: Event | None) -> None:
        """Make it a part of another one."""
        self.parent = parent
        if parent is not None:
            parent.children.append(self)


@dataclass(frozen=True)
class _Kernel:
    """One wave of a plan, and its part of the time."""

    name: str
    share: float
    operations: int
    shapes: list[list[int]]
    line: str


class Recorder:
    """Listens to the runs of plans while it is active.

    A plan that is compiled is measured wave by wave once, after its first run here; the time of each run is shared out
    among its kernels accordingly. The clock stands still meanwhile.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._kernels: dict[Any, list[_Kernel]] = {}
        self._open: dict[int, list[Event]] = {}
        self._cut = 0.0  # seconds that the clock stood still
        self._run = execute.run
        self._lock = threading.Lock()

    def clock(self) -> float:
        """Seconds, without those that measuring took."""
        return perf_counter() - self._cut

    def start(self) -> None:
        """Compute what is pending, and listen from now on."""
        realize()
        self._run = execute.run
        execute.run = self._watched

    def stop(self) -> None:
        """Compute what is pending, and listen no more."""
        try:
            realize()
        finally:
            execute.run = self._run

    def enter(self, name: str) -> Event:
        """A block of the program begins."""
        realize()
        event = Event(name, "user_annotation", self.clock(), thread=threading.get_ident())
        self._add(event)
        self._open.setdefault(event.thread, []).append(event)
        return event

    def leave(self, event: Event) -> None:
        """A block ends, when all that it recorded is computed."""
        realize()
        event.end = self.clock()
        blocks = self._open[event.thread]
        if event in blocks:
            blocks.remove(event)

    def _add(self, event: Event) -> None:
        event.put_in(next(reversed(self._open.get(event.thread, [])), None))
        with self._lock:
            self.events.append(event)

    def _watched(self, plan: Any, leaves: Sequence[Any], holders: int = 1) -> Any:
        before = plan._native
        if before is not None and before not in self._kernels:
            self._kernels[before] = []
            profile.attach(before, lambda runs: self._measured(before, runs))
        start = self.clock()
        made = self._run(plan, leaves, holders)
        event = Event(_title(plan, before), "plan", start, self.clock(), threading.get_ident())
        event.shapes = [list(map(hint, node.shape)) for node in plan.graph.inputs]
        event.line = _line(plan.graph)
        event.nbytes = sum(hint(node.nbytes) for node in plan.graph.outputs)
        self._add(event)
        for kernel in self._kernels.get(before, ()):
            end = start + kernel.share * event.seconds
            part = Event(kernel.name, "kernel", start, end, event.thread, kernel.shapes, kernel.line, kernel.operations)
            part.put_in(event)
            with self._lock:
                self.events.append(part)
            start = end
        return made

    def _measured(self, native: Any, runs: Runs) -> None:
        self._cut += runs.took
        total = sum(run.seconds for run in runs.waves if run.wave != profile.ONCE)
        for run in runs.waves:
            if run.wave == profile.ONCE:
                continue
            titles = Counter(title_of(step) for step in run.steps)
            nodes = [node for step in run.steps for node in nodes_of(step)]
            lines = Counter(line for node in nodes if (line := native.graph.lines.get(node)))
            self._kernels[native].append(
                _Kernel(
                    ", ".join(f"{count} x {name}" if count > 1 else name for name, count in titles.items()),
                    run.seconds / total,
                    sum(hint(step.operations) for step in run.steps if not isinstance(step, Host)),
                    _operands(nodes),
                    lines.most_common(1)[0][0] if lines else "",
                )
            )


def _operands(nodes: Sequence[Node]) -> list[list[int]]:
    """The shapes of what comes from elsewhere."""
    own = set(nodes)
    return [list(map(hint, x.shape)) for x in dict.fromkeys(x for node in nodes for x in node.inputs if x not in own)]


def _line(graph: Any) -> str:
    """The user's line of what was recorded last."""
    return next((line for node in reversed(graph.nodes()) if (line := graph.lines.get(node))), "")


def _title(plan: Any, before: Any) -> str:
    line = _line(plan.graph)
    how = "" if before is not None else ", interpreted" if plan._native is None else ", compiled and run"
    return f"plan ({place_of(line)}){how}" if line else f"plan{how}"


active: Recorder | None = None
"""The one that listens."""
