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
        self._places = np.concatenate([np.arange(b, e) for b, e, _ in self._fixed])
        self._bytes = np.frombuffer(data, np.uint8)[self._places]

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

    def fits_all(self, together: np.ndarray) -> bool:
        """Whether all these examples, the rows of an array of bytes, have this layout."""
        return bool((together[:, self._places] == self._bytes).all())

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

    def of_all(self, examples: list[bytes]) -> list[Layout]:
        """The layout of each example. Raises DataLossError for what is none."""
        length = len(examples[0]) if examples else 0
        if len(examples) > 1 and all(len(data) == length for data in examples):
            first = self.of(examples[0])
            if first.fits_all(np.frombuffer(b"".join(examples), np.uint8).reshape(-1, length)):
                return [first] * len(examples)
        return [self.of(data) for data in examples]


def packed(
    layouts: list[Layout], examples: list[bytes], name: str, kind: str, size: int
) -> list[bytes] | np.ndarray | None:
    """The values of a feature of `kind` that each example has `size` of, those of all examples after one another: bytes
    objects, or an array. None where one has others, or in several pieces."""
    pieces = size if kind == "bytes_list" else 1
    raw: list[bytes] = []
    for layout, data in zip(layouts, examples, strict=True):
        own, of_list = layout.lists.get(name, (None, ()))
        if own != kind or len(of_list) != pieces:
            return None
        raw += [data[b:e] for b, e in of_list]
    if kind == "bytes_list":
        return raw
    lengths = np.array([len(piece) for piece in raw])
    joined = np.frombuffer(b"".join(raw), np.uint8)
    if kind == "float_list":
        return joined.view("<f4").astype(np.float32) if (lengths == 4 * size).all() else None
    if not lengths.all():
        return None
    last, ends = joined < 128, np.cumsum(lengths)
    if not last[ends - 1].all() or (np.add.reduceat(last, ends - lengths, dtype=np.int64) != size).any():
        return None
    return varints(joined.tobytes())
