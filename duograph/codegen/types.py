"""LLVM's types, spelled as LLVM spells them: `"float"`, `"i64"`, `"<16 x float>"`, `"ptr"`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

FLOAT_BITS = {"half": 16, "bfloat": 16, "float": 32, "double": 64}
_MANGLED = {"half": "f16", "bfloat": "bf16", "float": "f32", "double": "f64", "ptr": "p0"}


def vector(element: str, lanes: int) -> str:
    """The vector of `lanes` elements; one lane is the element itself."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


@cache
def split(type: str) -> tuple[str, int]:
    """A type's element and its number of lanes, 1 for a scalar."""
    if not type.startswith("<"):
        return type, 1
    lanes, element = type[1:-1].split(" x ")
    return element, int(lanes)


def element(type: str) -> str:
    """The type of one lane."""
    return split(type)[0]


def lanes(type: str) -> int:
    """The number of lanes, 1 for a scalar."""
    return split(type)[1]


def like(type: str, element: str) -> str:
    """The type with another element and as many lanes."""
    return vector(element, split(type)[1])


def is_float(type: str) -> bool:
    """Whether the elements are floating-point numbers."""
    return split(type)[0] in FLOAT_BITS


@cache
def bits(type: str) -> int:
    """The bits of one element."""
    scalar = split(type)[0]
    if scalar == "ptr":
        return 64
    if scalar in FLOAT_BITS:
        return FLOAT_BITS[scalar]
    if scalar[:1] == "i" and scalar[1:].isdigit():
        return int(scalar[1:])
    raise TypeError(f"expected a scalar or vector type of LLVM, such as 'float' or '<8 x i32>', received {type!r}")


def size(type: str) -> int:
    """The bytes of one element in memory."""
    return max(1, bits(type) // 8)


@cache
def mangled(type: str) -> str:
    """The type as it stands in an intrinsic's name: `v16f32`."""
    scalar, count = split(type)
    return ("" if count == 1 else f"v{count}") + _MANGLED.get(scalar, scalar)


def literal(type: str, value: int | float | bool) -> str:
    """A constant's text; on a vector type, the same in every lane."""
    scalar, count = split(type)
    if count > 1:
        return f"splat ({scalar} {literal(scalar, value)})"
    if scalar == "ptr":
        if value:
            raise TypeError(f"expected 0 for a constant pointer (null), received {value!r}")
        return "null"
    if scalar not in FLOAT_BITS:
        if isinstance(value, float):
            raise TypeError(f"expected an integer for a constant of type {scalar}, received {value!r}")
        return str(_wrapped(int(value), bits(scalar)))
    return _float_literal(scalar, float(value))


def elements(type: str, values: Sequence[int | float]) -> str:
    """A vector constant's text, lane by lane."""
    scalar = element(type)
    return "<" + ", ".join(f"{scalar} {literal(scalar, value)}" for value in values) + ">"


def wrap(type: str, value: int) -> int:
    """The integer as the type's two's complement holds it."""
    return _wrapped(value, bits(type))


def _wrapped(value: int, width: int) -> int:
    if width == 1:
        return value & 1
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def _float_literal(scalar: str, value: float) -> str:
    """LLVM reads decimal text only where it is exact, so constants are given by their bits.

    A `float` is written by the bits of the double of the same value, as LLVM's grammar asks.
    """
    if scalar == "half":
        return "0xH" + struct.pack(">e", _rounded("e", value)).hex().upper()
    if scalar == "bfloat":
        return f"0xR{_bfloat_bits(value):04X}"
    if scalar == "float":
        value = _rounded("f", value)
    return "0x" + struct.pack(">d", value).hex().upper()


def _rounded(format: str, value: float) -> float:
    """The nearest number of a `struct` format."""
    try:
        return struct.unpack(format, struct.pack(format, value))[0]
    except OverflowError:  # the nearest float is infinite
        return float("inf") if value > 0 else float("-inf")


def _bfloat_bits(value: float) -> int:
    """The upper half of a float, rounded to nearest, ties to even."""
    word = int.from_bytes(struct.pack(">f", _rounded("f", value)), "big")
    if value != value:
        return (word >> 16) | 0x40
    return (word + 0x7FFF + ((word >> 16) & 1)) >> 16
