"""Protocol buffers' wire format, read: the fields of a message. `duograph.events.wire` writes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from duograph.events.wire import BYTES, FIXED32, FIXED64, VARINT, field, varint

from .errors import DataLossError

__all__ = [
    "BYTES",
    "FIXED32",
    "FIXED64",
    "VARINT",
    "field",
    "fields",
    "read_varint",
    "signed",
    "spans",
    "varint",
    "varints",
]


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, and where it ends. Raises DataLossError at the end of the data."""
    number = shift = 0
    while True:
        if place >= len(data) or shift > 63:
            raise DataLossError("a message that ends in the middle of a number")
        byte = data[place]
        number |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return number & ((1 << 64) - 1), place
        shift += 7


def spans(data: bytes, place: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Number and kind of each field of the message at data[place:stop], and where its value begins and ends.

    Raises DataLossError for damaged data.
    """
    while place < stop:
        key, place = read_varint(data, place)
        kind = key & 7
        if kind == VARINT:
            _, end = read_varint(data, place)
        elif kind == BYTES:
            length, place = read_varint(data, place)
            end = place + length
        elif kind in (FIXED32, FIXED64):
            end = place + (4 if kind == FIXED32 else 8)
        else:
            raise DataLossError(f"a message with a field of kind {kind}, which is none")
        if end > stop:
            raise DataLossError("a message that ends in the middle of a field")
        yield key >> 3, kind, place, end
        place = end


def fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, kind and raw value (of a varint its bytes) of each field. Raises DataLossError for damaged data."""
    return ((number, kind, data[place:end]) for number, kind, place, end in spans(data, 0, len(data)))


def varints(data: bytes) -> np.ndarray:
    """The numbers that stand one after another, as int64. Raises DataLossError where the last one does not end."""
    content = np.frombuffer(data, np.uint8)
    last = content < 128
    ends = np.flatnonzero(last)
    if len(content) and not last[-1]:
        raise DataLossError("a message that ends in the middle of a number")
    if len(ends) == len(content):
        return content.astype(np.int64)
    begins = np.concatenate([[0], ends[:-1] + 1])
    if (ends - begins).max() > 9:
        raise DataLossError("a message with a number of more than 64 bits")
    places = np.arange(len(content)) - np.repeat(begins, ends - begins + 1)
    groups = (content & 127).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(groups, begins).astype(np.int64)


def signed(number: int) -> int:
    """A 64-bit number as a signed one."""
    return number - (1 << 64) if number >> 63 else number
