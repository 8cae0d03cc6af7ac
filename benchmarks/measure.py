"""Timing on a machine that is shared: short samples, each with a note of how much the rest of the machine disturbed it.

A sample is the mean time of a few calls in a row. While it is taken, the processor time used by everything else on the
machine is counted too; a summary keeps the quiet samples where there are enough of them. That choice looks only at
what others did and never at the time measured, so it does not favour anyone.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

QUIET = 0.08  # of all processor time, used by other processes: below this a sample counts as undisturbed
ENOUGH = 3  # quiet samples: with fewer, all samples count

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Sample:
    """Mean seconds of one call, and the share of the machine's processor time that others used meanwhile."""

    seconds: float
    disturbance: float


@dataclass(frozen=True)
class Summary:
    """What many samples say: the median over the quiet ones, the best, and how many were quiet."""

    median: float
    best: float
    samples: int
    quiet: int


def _busy_seconds() -> float | None:
    """Processor seconds used by the whole machine since it started, or None where the system does not tell."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    except OSError:
        return None
    return (user + nice + system + irq + softirq + steal) / _TICKS


def take_sample(run: Callable[[int], object], calls: int, clock: Callable[[], float] = time.perf_counter) -> Sample:
    """Time `run(calls)`, which makes that many calls, and return the mean of one by `clock`."""
    busy, own, start, begun = _busy_seconds(), time.process_time(), time.perf_counter(), clock()
    run(calls)
    taken = clock() - begun
    elapsed, own = time.perf_counter() - start, time.process_time() - own
    disturbance = 0.0
    if busy is not None:
        others = (_busy_seconds() or busy) - busy - own
        disturbance = max(0.0, others / (elapsed * (os.cpu_count() or 1)))
    return Sample(taken / calls, disturbance)


def calls_for(run: Callable[[int], object], seconds: float) -> int:
    """How many calls take about `seconds`. `run` must be warm already."""
    calls = 1
    while True:
        start = time.perf_counter()
        run(calls)
        elapsed = time.perf_counter() - start
        if elapsed > seconds / 4:
            return max(1, round(calls * seconds / elapsed))
        calls = calls * 4 if elapsed < seconds / 40 else calls * 2


def summarise(samples: Iterable[Sample]) -> Summary:
    """Median and best of the samples; the median over the quiet ones if there are enough."""
    samples = list(samples)
    quiet = [s.seconds for s in samples if s.disturbance < QUIET]
    counted = quiet if len(quiet) >= ENOUGH else [s.seconds for s in samples]
    return Summary(statistics.median(counted), min(s.seconds for s in samples), len(samples), len(quiet))


def peak_memory() -> int:
    """Bytes of memory this process has held at most.

    Linux's own high-water mark of the process is preferred: `ru_maxrss` survives `exec`, so that a small process
    started by a large one would report the large one's.
    """
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource
        import sys

        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
