"""What a profile found, as PyTorch gives it: events, their sums by name, tables and Chrome's trace format."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...graph.errors import ArgumentError
from .recording import Event

_UNITS = {"s": 1e-6, "ms": 1e-3, "us": 1.0}


def _spelled(microseconds: float, unit: str | None = None) -> str:
    if unit is None:
        unit = "s" if microseconds >= 1e6 else "ms" if microseconds >= 1e3 else "us"
    return f"{microseconds * _UNITS[unit]:.3f}{unit}"


class _Timed:
    """Times in microseconds. Nothing ran on other devices than the CPU."""

    count: int
    cpu_time_total: float
    self_cpu_time_total: float
    device_time_total = self_device_time_total = cuda_time_total = self_cuda_time_total = 0.0
    device_time = cuda_time = 0.0
    device_memory_usage = self_device_memory_usage = 0

    @property
    def cpu_time(self) -> float:
        """The mean of the total times."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def cpu_time_str(self) -> str:
        """`cpu_time` with its unit."""
        return _spelled(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        """`cpu_time_total` with its unit."""
        return _spelled(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        """`self_cpu_time_total` with its unit."""
        return _spelled(self.self_cpu_time_total)


class TimeRange:
    """Microseconds at which something began and ended."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def elapsed_us(self) -> float:
        """From start to end."""
        return self.end - self.start


class FunctionEvent(_Timed):
    """One event: a named block, the run of a plan, or a kernel in it."""

    count = 1

    def __init__(self, event: Event) -> None:
        self.id = id(event)
        self.name = self.key = self.trace_name = event.name
        self.kind = event.kind
        self.time_range = TimeRange(1e6 * event.start, 1e6 * event.end)
        self.thread = event.thread
        self.input_shapes = event.shapes
        self.stack = [event.line] if event.line else []
        self.flops = event.operations
        self.is_user_annotation = event.kind == "user_annotation"
        self.cpu_time_total = 1e6 * event.seconds
        self.self_cpu_time_total = max(0.0, self.cpu_time_total - 1e6 * sum(c.seconds for c in event.children))
        self.self_cpu_memory_usage = event.nbytes
        self.cpu_memory_usage = event.nbytes + sum(c.nbytes for c in _below(event))
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []

    def __repr__(self) -> str:
        return f"<FunctionEvent {self.name} cpu_time={self.cpu_time_str} thread={self.thread}>"


def _below(event: Event) -> Iterable[Event]:
    for child in event.children:
        yield child
        yield from _below(child)


class FunctionEventAvg(_Timed):
    """All events of one key together."""

    key: str
    input_shapes: list[list[int]]
    stack: list[str]
    is_user_annotation: bool

    def __init__(self, first: FunctionEvent | FunctionEventAvg) -> None:
        self.key = first.key
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = self.flops = 0
        self.input_shapes, self.stack = first.input_shapes, first.stack
        self.is_user_annotation = first.is_user_annotation

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Count another one."""
        for name in (
            "count", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage", "flops",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str} count={self.count}>"
        )


def made(events: Sequence[Event]) -> list[FunctionEvent]:
    """Events as the user sees them, parents and children included."""
    known = {event: FunctionEvent(event) for event in events}
    for event, shown in known.items():
        if event.parent in known:
            shown.cpu_parent = known[event.parent]
            known[event.parent].cpu_children.append(shown)
    return list(known.values())


class EventList(list[Any]):
    """Events, or their sums by name."""

    def __init__(self, items: Iterable[Any] = (), *, profile_memory: bool = False, with_flops: bool = False) -> None:
        super().__init__(items)
        self._shown = {"profile_memory": profile_memory, "with_flops": with_flops}

    @property
    def self_cpu_time_total(self) -> float:
        """The sum of what the events took themselves, in microseconds."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """One sum for each name; also for each of the input shapes, or of the user's lines, if asked for."""
        sums: dict[Any, FunctionEventAvg] = {}
        for event in self:
            key = (
                event.key, str(event.input_shapes) if group_by_input_shape else "",
                tuple(event.stack[:group_by_stack_n]), event.is_user_annotation,
            )  # fmt: skip
            if key not in sums:
                sums[key] = FunctionEventAvg(event)
                if not group_by_input_shape:
                    sums[key].input_shapes = []
                if not group_by_stack_n:
                    sums[key].stack = []
            sums[key].add(event)
        return EventList(sums.values(), **self._shown)

    def total_average(self) -> FunctionEventAvg:
        """The sum of all, called "Total"."""
        if not self:
            raise ArgumentError("total_average: expected a profile with events. Received: none")
        total = FunctionEventAvg(self[0])
        for event in self:
            total.add(event)
        total.key, total.input_shapes, total.stack = "Total", [], []
        return total

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, max_shapes_column_width: int = 80, header: str | None = None,
        top_level_events_only: bool = False, time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """A table of times, sorted by an attribute such as "self_cpu_time_total", of at most `row_limit` rows."""
        rows = list(self)
        if top_level_events_only:
            rows = [event for event in rows if getattr(event, "cpu_parent", None) is None]
        if sort_by is not None:
            name = sort_by.replace("cuda", "device").replace("xpu", "device")
            if rows and not isinstance(getattr(rows[0], name, None), int | float):
                raise AttributeError(f"table: sort_by: expected a time, memory or count. Received: {sort_by!r}")
            rows.sort(key=lambda event: getattr(event, name), reverse=True)
        whole = self.self_cpu_time_total
        columns: list[tuple[str, bool, Callable[[Any], str]]] = [
            ("Name", False, lambda e: _cut(e.key, max_name_column_width)),
            ("Self CPU %", True, lambda e: f"{100 * e.self_cpu_time_total / whole:.2f}%" if whole else "NaN"),
            ("Self CPU", True, lambda e: _spelled(e.self_cpu_time_total, time_unit)),
            ("CPU total %", True, lambda e: f"{100 * e.cpu_time_total / whole:.2f}%" if whole else "NaN"),
            ("CPU total", True, lambda e: _spelled(e.cpu_time_total, time_unit)),
            ("CPU time avg", True, lambda e: _spelled(e.cpu_time, time_unit)),
        ]
        if self._shown["profile_memory"]:
            columns += [
                ("CPU Mem", True, lambda e: f"{e.cpu_memory_usage} B"),
                ("Self CPU Mem", True, lambda e: f"{e.self_cpu_memory_usage} B"),
            ]
        columns.append(("# of Calls", True, lambda e: str(e.count)))
        if any(event.input_shapes for event in rows):
            columns.append(("Input Shapes", False, lambda e: _cut(str(e.input_shapes), max_shapes_column_width)))
        if any(event.stack for event in rows):
            columns.append(("Source Location", False, lambda e: _cut("; ".join(e.stack), max_src_column_width)))
        if self._shown["with_flops"]:
            columns.append(("Total MFLOPs", True, lambda e: f"{e.flops / 1e6:.3f}" if e.flops else "--"))
        cells = [[spell(event) for _, _, spell in columns] for event in (rows if row_limit < 0 else rows[:row_limit])]
        widths = [max(len(head), *(len(row[k]) for row in cells), 0) for k, (head, _, _) in enumerate(columns)]
        rule = "  ".join("-" * width for width in widths)

        def line(row: Sequence[str]) -> str:
            return "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, (_, right, _) in zip(row, widths, columns, strict=True)
            ).rstrip()

        text = [rule, line([head for head, _, _ in columns]), rule, *map(line, cells), rule]
        if header is not None:
            text.insert(0, header)
        return "\n".join([*text, f"Self CPU time total: {_spelled(whole, time_unit)}", ""])

    def __str__(self) -> str:
        return self.table()

    def export_chrome_trace(self, path: str) -> None:
        """Write the events in the format of chrome://tracing and Perfetto."""
        write_chrome_trace(self, path)


def write_chrome_trace(events: Iterable[FunctionEvent], path: str, metadata: dict[str, Any] | None = None) -> None:
    """A JSON file of complete events, in microseconds; compressed if the path ends in `.gz`."""
    rows = [
        {
            "ph": "X", "cat": event.kind, "name": event.name, "pid": os.getpid(), "tid": event.thread,
            "ts": event.time_range.start, "dur": event.time_range.elapsed_us(),
            "args": {"Input Dims": event.input_shapes, "Source": event.stack, "Operations": event.flops},
        }
        for event in events
    ]  # fmt: skip
    text = json.dumps({"schemaVersion": 1, "displayTimeUnit": "ms", "traceEvents": rows, **(metadata or {})})
    if path.endswith(".gz"):
        import gzip

        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write(text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _cut(text: str, most: int) -> str:
    return text if most <= 0 or len(text) <= most else text[: most - 3] + "..."
