"""Statements run again and again, and the times that they took."""

from __future__ import annotations

import statistics
import textwrap
import timeit
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ....graph.errors import ArgumentError
from ....runtime import pool
from ....runtime.settings import eager

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def spelled(seconds: float) -> str:
    """A time with its unit."""
    scale, unit = next(((s, u) for s, u in _UNITS if seconds >= s), _UNITS[-1])
    return f"{seconds / scale:.2f} {unit}"


@dataclass
class Measurement:
    """The times of runs of a statement: `raw_times`, of `number_per_run` each, in seconds."""

    number_per_run: int
    raw_times: list[float]
    stmt: str = "pass"
    setup: str = "pass"
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    num_threads: int = 1
    env: str | None = None
    metadata: dict[str, Any] | None = field(default=None)

    @property
    def times(self) -> list[float]:
        """The time of one statement, in each run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        """The median of the times."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The mean of the times."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """How far the first and the third quartile are apart."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    @property
    def has_warnings(self) -> bool:
        """Whether the times differ much."""
        return self.median > 0 and self.iqr / self.median > 0.1

    @property
    def title(self) -> str:
        """The label, or the statement."""
        return ": ".join(part for part in (self.label or self.stmt, self.sub_label) if part)

    @property
    def as_row_name(self) -> str:
        """How a row of a table is called."""
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        lines = [f"{object.__repr__(self)[:-1].split(' object')[0]}>", self.title]
        if self.description:
            lines.append(self.description)
        if self.setup not in ("", "pass"):
            lines.append(f"setup: {self.setup}")
        if len(self.raw_times) > 1:
            lines += [f"Median: {spelled(self.median)}", f"IQR:    {spelled(self.iqr)}"]
        else:
            lines.append(spelled(self.median))
        runs = f"{len(self.raw_times)} measurement{'s' if len(self.raw_times) > 1 else ''}"
        threads = f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        return "\n  ".join([*lines, f"{runs}, {self.number_per_run} runs per measurement, {threads}"])


class Timer:
    """A statement, or several, whose time is measured.

    Operations are computed at once, as under `duograph.eager()`, so that what a statement throws away is computed too.
    `globals` are the names that it knows. Raises ArgumentError for another language than Python.
    """

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "",
        timer: Callable[[], float] = perf_counter, globals: dict[str, Any] | None = None, label: str | None = None,
        sub_label: str | None = None, description: str | None = None, env: str | None = None, num_threads: int = 1,
        language: Any = "python",
    ) -> None:  # fmt: skip
        if str(language).lower() not in ("python", "py"):
            raise ArgumentError(f"Timer: language: expected 'python'. Received: {language!r}")
        self._names = dict(globals or {})
        if "torch" not in self._names:
            from .... import torch

            self._names["torch"] = torch
        self._timer = timeit.Timer(_dedented(stmt), _dedented(setup), timer, self._names)
        self._facts = {
            "stmt": _dedented(stmt), "setup": _dedented(setup), "label": label, "sub_label": sub_label,
            "description": description, "env": env, "num_threads": num_threads,
        }  # fmt: skip
        self._threads = num_threads

    def _run(self, number: int) -> float:
        before = pool.get_num_threads()
        pool.set_num_threads(self._threads)
        try:
            with eager():
                return self._timer.timeit(number)
        finally:
            pool.set_num_threads(before)

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, **self._facts)  # type: ignore[arg-type]

    def timeit(self, number: int = 1000000) -> Measurement:
        """One run of so many statements, after some to warm up."""
        self._run(max(number // 100, 2))
        return self._measured(number, [self._run(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> Any:
        """Raises NotImplementedError, as in PyTorch: use `timeit` and `blocked_autorange`."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    autorange = repeat

    def _block(self, least: float) -> int:
        number = 1
        self._run(2)
        while (taken := self._run(number)) < least:
            number = int(number * min(10.0, max(2.0, 1.2 * least / max(taken, 1e-9))))
        return number

    def blocked_autorange(self, callback: Any = None, min_run_time: float = 0.2) -> Measurement:
        """Runs of as many statements as take a thousandth of `min_run_time`, for that time."""
        number = self._block(min(min_run_time / 1000, 1e-3) if min_run_time else 1e-6)
        times: list[float] = []
        while not times or sum(times) < min_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
        return self._measured(number, times)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0, callback: Any = None
    ) -> Measurement:
        """As `blocked_autorange`, until the times differ by little: by `threshold` of the median."""
        number = self._block(min(min_run_time / 1000, 1e-3))
        times: list[float] = []
        while sum(times) < max_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
            found = self._measured(number, times)
            if len(times) > 3 and sum(times) >= min_run_time and found.iqr <= threshold * found.median:
                break
        return self._measured(number, times)


def _dedented(text: str) -> str:
    return textwrap.dedent(text).strip() or "pass"
