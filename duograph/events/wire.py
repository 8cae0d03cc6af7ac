"""Protocol buffers' wire format: a field is a number and a value."""

from __future__ import annotations

import struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """A whole number (a negative one in 64 bits) in groups of seven bits."""
    number &= (1 << 64) - 1
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def field(number: int, value: bytes | int | float, double: bool = False) -> bytes:
    """One field: bytes with their length, an int as a varint, a float in 32 or 64 bits."""
    if isinstance(value, bytes):
        return varint(number << 3 | BYTES) + varint(len(value)) + value
    if isinstance(value, float):
        packed = struct.pack("<d" if double else "<f", value)
        return varint(number << 3 | (FIXED64 if double else FIXED32)) + packed
    return varint(number << 3 | VARINT) + varint(value)
