"""Where the values of a serialised `tf.train.Example` stand, found without making the message.

The examples of a file are mostly alike: the same features, of the same lengths. What stands between their values is
then the same bytes, so that a layout found in one example is recognised in others by comparing these.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .errors import DataLossError
from .wire import BYTES, FIXED32, spans, varints

KINDS = {1: "bytes_list", 2: "float_list", 3: "int64_list"}


class Layout:
    """Where the lists of an example stand: by feature, the kind of its list and the spans of its values."""

    def __init__(self, data: bytes) -> None:
        self.lists: dict[str, tuple[str, list[tuple[int, int]]]] = {}
        for number, _, begin, end in spans(data, 0, len(data)):
            if number == 1:
                for entry, _, start, stop in spans(data, begin, end):
                    if entry == 1:
                        self._add(data, start, stop)
        bounds = sorted(span for _, of_list in self.lists.values() for span in of_list)
        begins, ends = [0, *(e for _, e in bounds)], [*(b for b, _ in bounds), len(data)]
        self._fixed = [(b, e, data[b:e]) for b, e in zip(begins, ends, strict=True)]

    def _add(self, data: bytes, start: int, stop: int) -> None:
        """Add one entry of the map of features: a name and a list."""
        name, found = "", None
        for number, _, begin, end in spans(data, start, stop):
            if number == 1:
                name = data[begin:end].decode()
            elif number == 2:
                for kind, _, first, last in spans(data, begin, end):
                    if kind in KINDS:
                        found = KINDS[kind], [(b, e) for n, _, b, e in _values(kind, data, first, last) if n == 1]
        if found is not None:
            self.lists[name] = found

    def fits(self, data: bytes) -> bool:
        """Whether another example of the same length has this layout."""
        return all(data[b:e] == fixed for b, e, fixed in self._fixed)

    def values(self, data: bytes, name: str) -> tuple[str | None, list[bytes] | np.ndarray]:
        """The kind of a feature's list (None where there is none), and its values: bytes objects, or an array."""
        kind, of_list = self.lists.get(name, (None, ()))
        if kind is None or kind == "bytes_list":
            return kind, [data[b:e] for b, e in of_list]
        packed = data[of_list[0][0] : of_list[0][1]] if len(of_list) == 1 else b"".join(data[b:e] for b, e in of_list)
        if kind == "int64_list":
            return kind, varints(packed)
        return kind, np.frombuffer(packed, "<f4")


def _values(kind: int, data: bytes, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
    """The values of a list. Raises DataLossError for floats that are something else."""
    for number, wire, begin, end in spans(data, first, last):
        if KINDS[kind] == "float_list" and number == 1 and (wire not in (BYTES, FIXED32) or (end - begin) % 4):
            raise DataLossError("a list of floats that holds something else")
        yield number, wire, begin, end


class Layouts:
    """The layouts of the examples seen, by their length: of each the last one."""

    def __init__(self, limit: int = 1024) -> None:
        self._by_length: dict[int, Layout] = {}
        self._limit = limit

    def of(self, data: bytes) -> Layout:
        """The layout of an example. Raises DataLossError for what is none."""
        known = self._by_length.get(len(data))
        if known is None or not known.fits(data):
            if len(self._by_length) >= self._limit:
                self._by_length.clear()
            known = self._by_length[len(data)] = Layout(data)
        return known
