"""The fingerprint of a byte string in 64 bits that TensorFlow's hashed features are made of: FarmHash's Fingerprint64.

The algorithm is that of Geoff Pike, FarmHash (2014), whose fingerprints are the same on every machine. Strings of up to
16, 32, 64 and more bytes are hashed in four ways, of 64-bit words read from their beginning and end; the words wrap
around.
"""

from __future__ import annotations

__all__ = ["fingerprint64", "joined"]

_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_MASK = (1 << 64) - 1
_SEED = 81


def _turned(x: int, by: int) -> int:
    """The 64 lowest bits turned to the right."""
    x &= _MASK
    return (x >> by | x << 64 - by) & _MASK


def _mixed(x: int) -> int:
    x &= _MASK
    return x ^ x >> 47


def _word(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 8], "little")


def _joined(x: int, y: int, factor: int) -> int:
    """Two words as one."""
    first = _mixed((x ^ y) * factor)
    return _mixed((y ^ first) * factor) * factor & _MASK


def _short(content: bytes) -> int:
    """Up to 16 bytes."""
    size, factor = len(content), _K2 + 2 * len(content)
    if size >= 8:
        a, b = _word(content, 0) + _K2, _word(content, size - 8)
        return _joined(_turned(b, 37) * factor + a & _MASK, (_turned(a, 25) + b) * factor & _MASK, factor)
    if size >= 4:
        first, last = (int.from_bytes(content[k : k + 4], "little") for k in (0, size - 4))
        return _joined(size + (first << 3), last, factor)
    if size:
        y, z = content[0] + (content[size >> 1] << 8), size + (content[-1] << 2)
        return _mixed(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _ends(content: bytes, first_factor: int) -> tuple[int, int, int, int]:
    """Two words of the beginning and the end of more than 16 bytes, before they are joined, and the first and last of
    them."""
    size, factor = len(content), _K2 + 2 * len(content)
    a, b = _word(content, 0) * first_factor, _word(content, 8)
    c, d = _word(content, size - 8) * factor, _word(content, size - 16) * _K2
    return _turned(a + b, 43) + _turned(c, 30) + d & _MASK, a + _turned(b + _K2, 18) + c & _MASK, a, factor


def _middle(content: bytes) -> int:
    """17 to 64 bytes."""
    size = len(content)
    if size <= 32:
        y, z, _, factor = _ends(content, _K1)
        return _joined(y, z, factor)
    y, z, a, factor = _ends(content, _K2)
    z = _joined(y, z, factor)
    e, f = _word(content, 16) * factor, _word(content, 24)
    g, h = (y + _word(content, size - 32)) * factor, (z + _word(content, size - 24)) * factor
    return _joined(_turned(e + f, 43) + _turned(g, 30) + h & _MASK, e + _turned(f + a, 18) + g & _MASK, factor)


def _two(content: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    """Two words of 32 bytes and two seeds."""
    first, second, third, fourth = (_word(content, place + k) for k in (0, 8, 16, 24))
    a += first
    total = a + second + third
    return total + fourth & _MASK, _turned(b + a + fourth, 21) + _turned(total, 44) + a & _MASK


def _long(content: bytes) -> int:
    """More than 64 bytes: the last 64 once more after all whole blocks of 64, but for the last."""
    x, y = _SEED * _K2 + _word(content, 0), _SEED * _K1 + 113
    z = _mixed(y * _K2 + 113) * _K2
    v, w = (0, 0), (0, 0)
    rest = len(content) - 1 & 63
    for place in range(0, len(content) - 1 - rest, 64):
        x, y, z, v, w = _block(content, place, x, y, z, v, w, _K1, 1)
    factor = _K1 + ((z & 255) << 1)
    w0 = w[0] + rest
    v0 = v[0] + w0
    x, y, z, v, w = _block(content, len(content) - 64, x, y, z, (v0, v[1]), (w0 + v0, w[1]), factor, 9)
    return _joined(
        _joined(v[0], w[0], factor) + _mixed(y) * _K0 + z & _MASK, _joined(v[1], w[1], factor) + x & _MASK, factor
    )


def _block(
    content: bytes, place: int, x: int, y: int, z: int, v: tuple[int, int], w: tuple[int, int], factor: int, times: int
) -> tuple[int, int, int, tuple[int, int], tuple[int, int]]:
    """The state after 64 bytes."""
    x = _turned(x + y + v[0] + _word(content, place + 8), 37) * factor ^ w[1] * times
    y = _turned(y + v[1] + _word(content, place + 48), 42) * factor + v[0] * times + _word(content, place + 40)
    z = _turned(z + w[0], 33) * factor
    v, w = (
        _two(content, place, v[1] * factor, x + w[0]),
        _two(content, place + 32, z + w[1], y + _word(content, place + 16)),
    )
    return z & _MASK, y & _MASK, x & _MASK, v, w


def fingerprint64(content: bytes) -> int:
    """The fingerprint of a byte string: a number of 64 bits."""
    return _short(content) if len(content) <= 16 else _middle(content) if len(content) <= 64 else _long(content)


_JOINING = 0xC6A4A7935BD1E995


def joined(first: int, second: int) -> int:
    """One number of 64 bits for two, as TensorFlow makes one of a hash and a further feature."""
    value = first ^ _JOINING ^ _mixed(second * _JOINING) * _JOINING
    return _mixed(_mixed(value * _JOINING) * _JOINING)
