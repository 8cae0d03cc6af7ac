"""The time of each wave of a plan, alone.

After a plan's first run, before its outputs are handed out, its waves run again, one at a time and several times each,
in their order: every wave then finds what it needs in memory. What they write to the outputs is put right at the end.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..codegen.lower import Host, Step
from ..graph.errors import DuographError
from . import driver

if TYPE_CHECKING:
    from .native import Native

ONCE = "once"

SECONDS = 0.004
"""How long a wave runs again and again, if 3 to 50 times do not take more or less."""


@dataclass(frozen=True)
class Run:
    """The best time of a wave, or of what the interpreter computes for it."""

    wave: str
    steps: list[Step]
    seconds: float


@dataclass(frozen=True)
class Runs:
    """All waves, and the best time of the plan as a whole; or why they cannot be had."""

    waves: list[Run]
    seconds: float
    complaint: str = ""
    took: float = 0.0  # seconds that the measurement itself took


def attach(native: Native, deliver: Callable[[Runs], None]) -> None:
    """Let a plan's first run that computes its outputs be followed by a measurement."""
    run = native.run
    last, address_of_last, _ = native.segments[-1]

    def watched(address: int) -> None:
        run(address)
        if address == address_of_last and not last[7]:
            native.run = run
            start = perf_counter()
            runs = _measured(native, run)
            deliver(replace(runs, took=perf_counter() - start))

    native.run = watched


def _measured(native: Native, run: Callable[[int], Any]) -> Runs:
    """Run every wave by itself; the plan's bases must be set."""
    count = len(native.drawn().simple.outputs)
    bases = native.bases[-2 - count : -2]  # before those of the arena and of what is kept
    outputs = [(base, node.nbytes) for base, node in zip(bases, native.drawn().simple.outputs, strict=True)]
    kept = [ctypes.string_at(base, nbytes) for base, nbytes in outputs]

    def restore() -> None:
        for (base, nbytes), content in zip(outputs, kept, strict=True):
            ctypes.memmove(base, content, nbytes)

    try:
        whole = min(_whole(native, run) for _ in range(3))
        restore()
        return Runs(_waves(native, run), whole)
    except DuographError as error:  # an output that was written over its input is no input for the interpreter
        return Runs([], 0.0, str(error.args[0]))
    finally:
        restore()
        for k in range(len(native.tables.errors)):
            native.tables.errors[k] = 0


def _whole(native: Native, run: Callable[[int], Any]) -> float:
    start = perf_counter()
    for _, address, hosts in native.segments[bool(native.drawn().preparations) :]:
        run(address)
        for host in hosts:
            native._on_host(host)
    return perf_counter() - start


def _waves(native: Native, run: Callable[[int], Any]) -> list[Run]:
    """The plan's tables have one row for each wave in which kernels run; see `driver` for their form."""
    rows = ((plan, row) for plan, _, _ in native.segments for row in range(plan[3]))
    found = []
    for name, wave in named_waves(native):
        launches = [step for step in wave if not isinstance(step, Host)]
        hosts = [step for step in wave if isinstance(step, Host)]
        if launches:
            plan, row = next(rows)
            single = (ctypes.c_int64 * driver.PLAN_SLOTS)(*plan)
            single[1], single[2], single[3] = 0, plan[2] + 8 * driver.WAVE_SLOTS * row, 1
            found.append(Run(name, list(launches), _best(run, ctypes.addressof(single))))
        if hosts:
            start = perf_counter()
            for host in hosts:
                native._on_host(host)
            found.append(Run(name, list(hosts), perf_counter() - start))
    return found


def named_waves(native: Native) -> list[tuple[str, Sequence[Step]]]:
    """The waves by their numbers; `ONCE` for what runs only when its inputs are others than in the run before."""
    numbered = [(str(number), wave) for number, wave in enumerate(native.drawn().waves)]
    return [(ONCE, native.drawn().preparations), *numbered] if native.drawn().preparations else [*numbered]


def _best(run: Callable[[int], Any], address: int) -> float:
    start = perf_counter()
    run(address)
    best = perf_counter() - start
    for _ in range(min(50, max(3, int(SECONDS / best)))):
        start = perf_counter()
        run(address)
        best = min(best, perf_counter() - start)
    return best
