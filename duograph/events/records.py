"""Records: byte strings in a file, each with its length and two checksums."""

from __future__ import annotations

import struct

from .checksum import crc32c


def masked(data: bytes) -> bytes:
    """The checksum as the files have it: turned and moved, so that one of checksums is not itself one."""
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(data: bytes) -> bytes:
    """A record as it stands in a file."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)
