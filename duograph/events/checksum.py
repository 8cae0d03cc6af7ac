"""CRC-32C, the Castagnoli checksum, with NumPy.

A checksum is linear over bits: that of a block is the exclusive or of what each of its bytes contributes at its place.
Contributions are looked up for all bytes of a block at once. The state from which a block begins is added to its first
four bytes; so the state passes from block to block. See Koopman, 32-bit cyclic redundancy codes (2002), and
Williams, A painless guide to CRC error detection algorithms (1993), on tables.
"""

from __future__ import annotations

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78  # its bits in reverse
_BLOCK = 1024


def _table() -> np.ndarray:
    """What each value of a byte contributes when no byte follows."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


BYTES = _table()
_TABLE = BYTES.tolist()
_FEW = 64
"""So few bytes are looked up one by one sooner than together."""


@functools.cache
def _contributions() -> np.ndarray:
    """For each place of a block, from its end, and each value of a byte: flat, row by row of 256."""
    rows = np.empty((_BLOCK, 256), np.uint32)
    rows[0] = BYTES
    for place in range(1, _BLOCK):
        rows[place] = BYTES[rows[place - 1] & 255] ^ rows[place - 1] >> 8
    return rows[::-1].ravel()


@functools.cache
def _offsets() -> np.ndarray:
    """Where the row of each place of a block begins."""
    return np.arange(0, _BLOCK * 256, 256)


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum."""
    state, place = 0xFFFFFFFF, len(data) % _BLOCK
    if place < _FEW:
        for byte in data[:place]:
            state = _TABLE[(state ^ byte) & 255] ^ state >> 8
    else:
        state = _block(np.frombuffer(data, np.uint8, place), state)
    while place < len(data):
        state = _block(np.frombuffer(data, np.uint8, _BLOCK, place), state)
        place += _BLOCK
    return state ^ 0xFFFFFFFF


def _block(content: np.ndarray, state: int) -> int:
    """The state after a block of at least four bytes."""
    begins = content ^ np.frombuffer(state.to_bytes(4, "little").ljust(len(content), b"\0"), np.uint8)
    return int(np.bitwise_xor.reduce(_contributions()[_offsets()[_BLOCK - len(content) :] + begins]))
