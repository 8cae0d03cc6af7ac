"""Protocol buffers' wire format, read: the fields of a message. `duograph.events.wire` writes it."""

from __future__ import annotations

from collections.abc import Iterator

from duograph.events.wire import BYTES, FIXED32, FIXED64, VARINT, field, varint

from .errors import DataLossError

__all__ = ["BYTES", "FIXED32", "FIXED64", "VARINT", "field", "fields", "read_varint", "signed", "varint"]


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


def fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, kind and raw value (of a varint its bytes) of each field. Raises DataLossError for damaged data."""
    place = 0
    while place < len(data):
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
        if end > len(data):
            raise DataLossError("a message that ends in the middle of a field")
        yield key >> 3, kind, data[place:end]
        place = end


def signed(number: int) -> int:
    """A 64-bit number as a signed one."""
    return number - (1 << 64) if number >> 63 else number
