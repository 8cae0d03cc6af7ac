"""What the compiler did, for people: `DUOGRAPH_LOG` and `duograph.debug.plans()`.

A `Journal` goes along while a plan is compiled; it is a list of times and nothing else unless somebody wants to know.
What is shown is made afterwards, from the plan itself, in `report.py` and `profile.py`.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from ..graph.errors import ArgumentError

if TYPE_CHECKING:
    from .native import Native

STAGES = ("plans", "graph", "fusion", "layout", "memory", "kernels", "profile")
"""What there is to show, in the order in which it is shown; `all` is all of it."""


@dataclass(frozen=True)
class Record:
    """What one stage has to say about one plan, as text."""

    plan: int
    stage: str
    text: str


Sink = tuple[frozenset[str], Callable[[Record], None]]

_collectors: list[Sink] = []
_numbers = itertools.count(1)


def stages() -> frozenset[str]:
    """The stages that `DUOGRAPH_LOG` names, a comma-separated list.

    Raises:
        ArgumentError: A name is none of `STAGES`, nor `all`.
    """
    return named(os.environ.get("DUOGRAPH_LOG", "").split(","), "DUOGRAPH_LOG")


def named(names: list[str] | tuple[str, ...], who: str) -> frozenset[str]:
    """A set of stages by their names.

    Raises:
        ArgumentError: A name is none of `STAGES`, nor `all`; the message begins with `who`.
    """
    found: set[str] = set()
    for name in names:
        stage = name.strip().lower()
        if stage == "all":
            found.update(STAGES)
        elif stage in STAGES:
            found.add(stage)
        elif stage:
            raise ArgumentError(f"{who} takes the stages {', '.join(STAGES)} and all. Received: {name.strip()!r}")
    return frozenset(found)


@contextmanager
def collecting(wanted: frozenset[str], deliver: Callable[[Record], None]) -> Iterator[None]:
    """Within the block, `deliver` is given the records of these stages."""
    sink = (wanted, deliver)
    _collectors.append(sink)
    try:
        yield
    finally:
        _collectors[:] = [other for other in _collectors if other is not sink]


def _print(record: Record) -> None:
    print(record.text, file=sys.stderr, flush=True)


class Journal:
    """Who wants to know about a plan that is about to be compiled, and when its stages ended."""

    def __init__(self) -> None:
        printed = stages()
        self.sinks: list[Sink] = [*_collectors, *([(printed, _print)] if printed else [])]
        self.known: frozenset[str] = frozenset()
        if self.sinks:
            from . import code

            self.known = code.known()
        self.seconds: dict[str, float] = {}
        self._then = perf_counter()

    def mark(self, stage: str) -> None:
        """A stage of the compiler ends."""
        now = perf_counter()
        self.seconds[stage] = now - self._then
        self._then = now

    def finish(self, native: Native) -> None:
        """The plan is ready to run: tell whoever wants to know."""
        self.mark("compile")
        wanted = frozenset[str]().union(*(stages for stages, _ in self.sinks))
        if not wanted:
            return
        from .report import Report

        report = Report(native, next(_numbers), self)
        for stage in STAGES:
            if stage in wanted and stage != "profile":
                self.deliver(Record(report.number, stage, report.text(stage)))
        if "profile" in wanted:
            from .profile import attach

            attach(native, lambda runs: self.deliver(Record(report.number, "profile", report.profile(runs))))

    def deliver(self, record: Record) -> None:
        """Give a record to those who want its stage."""
        for stages, deliver in self.sinks:
            if record.stage in stages:
                deliver(record)
