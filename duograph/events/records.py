"""Records: byte strings in a file, each with its length and two checksums."""

from __future__ import annotations

import struct

from .checksum import crc32c

TURN, MASK = 15, 0xA282EAD8
"""By how many bits a checksum is turned to the right, and what is added then."""


def masked(data: bytes) -> bytes:
    """The checksum as the files have it: turned and moved, so that one of checksums is not itself one."""
    value = crc32c(data)
    return struct.pack("<I", ((value >> TURN | value << 32 - TURN) + MASK) & 0xFFFFFFFF)


def framed(data: bytes) -> bytes:
    """A record as it stands in a file."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)
