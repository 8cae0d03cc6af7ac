"""Measurements side by side."""

from __future__ import annotations

from collections.abc import Iterable

from .timer import Measurement, spelled


class Compare:
    """A table of measurements: a block for each label, a row for each sub-label, a column for each description."""

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results = list(results)
        self._marks = False

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add more."""
        self._results += results

    def trim_significant_figures(self) -> None:
        """Nothing to do: times have two digits behind the point."""

    def colorize(self, rowwise: bool = False) -> None:
        """Colours are not shown here: the table is text."""

    def highlight_warnings(self) -> None:
        """Mark times that differ much between runs, by `(!)`."""
        self._marks = True

    def _cell(self, found: list[Measurement]) -> str:
        if not found:
            return ""
        merged = Measurement(1, [t for m in found for t in m.times])
        return spelled(merged.median) + (" (!)" if self._marks and merged.has_warnings else "")

    def __str__(self) -> str:
        blocks = []
        for label in dict.fromkeys(m.label or m.stmt for m in self._results):
            own = [m for m in self._results if (m.label or m.stmt) == label]
            columns = list(dict.fromkeys(m.description or "" for m in own))
            lines = [["", *columns]]
            for threads in sorted({m.num_threads for m in own}):
                lines.append([f"{threads} threads:", *[""] * len(columns)])
                for name in dict.fromkeys(m.as_row_name for m in own if m.num_threads == threads):
                    chosen = [m for m in own if m.num_threads == threads and m.as_row_name == name]
                    cells = [self._cell([m for m in chosen if (m.description or "") == c]) for c in columns]
                    lines.append([f"  {name}", *cells])
            widths = [max(len(line[k]) for line in lines) for k in range(len(columns) + 1)]
            rows = [
                "  |  ".join(
                    [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
                )
                for line in lines
            ]
            width = max(map(len, rows))
            blocks.append("\n".join([f"[{f' {label} ':-^{width}}]", *rows, "-" * (width + 2)]))
        return "\n\n".join(blocks)

    def print(self) -> None:
        """Print the table."""
        print(self)
