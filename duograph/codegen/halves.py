"""The 16-bit floating-point types in memory, without the compiler's run-time library.

LLVM turns a conversion that the processor has no instruction for into a call of a function that is not there, passes
vectors of bfloat through such conversions when it splits them, and rounds to bfloat, where there is an instruction for
that, with one that takes subnormal numbers for zero. So these types are integers in memory here, and floats anywhere
else. Conversions are exact, or round to nearest, ties to even, keep subnormal numbers, and give the same bits
everywhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import types
from .operands import Reg
from .types import vector

if TYPE_CHECKING:
    from .emitter import Function

HALVES = ("half", "bfloat")


def computed(element: str) -> str:
    """The type that numbers of this type are computed in: float for the halves."""
    return "float" if element in HALVES else element


def read(
    f: Function,
    pointer: Reg,
    element: str,
    lanes: int = 1,
    *,
    native: bool,
    align: int | None = None,
    mask: Reg | None = None,
    name: str = "load",
) -> Reg:
    """What is in memory, in the type it is computed in.

    Args:
        native: Whether the processor converts `half` itself, as those with F16C and those of Arm do.
        align, mask: See `Function.load`.
    """
    if element not in HALVES:
        return f.load(pointer, vector(element, lanes), align=align, mask=mask, name=name)
    word = f.load(pointer, vector("i16", lanes), align=align, mask=mask, name=name)
    if element == "half" and native:
        return f.cast(f.bitcast(word, vector("half", lanes)), "float")
    return from_word(f, word, element)


def write(
    f: Function,
    value: Reg,
    pointer: Reg,
    element: str,
    *,
    native: bool,
    align: int | None = None,
    mask: Reg | None = None,
) -> None:
    """Write a number of any type as one of the element type. See `read`."""
    if element not in HALVES:
        f.store(f.cast(value, element), pointer, align=align, mask=mask)
        return
    value = f.cast(value, "float")
    if element == "half" and native:
        # The fence keeps LLVM from joining this conversion to one from double before it, which nothing can do.
        value = f.intrinsic("arithmetic.fence", value)
        word = f.bitcast(f.cast(value, "half"), types.like(value.type, "i16"))
    else:
        word = to_word(f, value, element)
    f.store(word, pointer, align=align, mask=mask)


def from_word(f: Function, word: Reg, element: str) -> Reg:
    """The float that an `i16` stands for."""
    word = f.cast(word, "i32", signed=False)
    return _from_half(f, word) if element == "half" else f.bitcast(word << 16, types.like(word.type, "float"))


def to_word(f: Function, x: Reg, element: str) -> Reg:
    """A float as the `i16` of the nearest number."""
    return f.cast(_to_half(f, x) if element == "half" else _to_bfloat(f, x), "i16")


def rounded(f: Function, x: Reg, element: str) -> Reg:
    """A float rounded to what memory would hold of it, and still a float: cheaper than there and back."""
    word = f.bitcast(x, types.like(x.type, "i32"))
    lost = 16 if element == "bfloat" else 13  # bits of the fraction
    odd = f.binary("lshr", word, lost) & 1
    near = f.bitcast((word + ((1 << (lost - 1)) - 1) + odd) & -(1 << lost), x.type)
    if element == "half":
        a = f.intrinsic("fabs", x)
        near = f.select(f.compare("ge", f.intrinsic("fabs", near), 2.0**16), math.inf, near)
        near = f.select(a < 2.0**-14, (a + 0.5) - 0.5, near)  # subnormal ones are multiples of half's least number
        near = f.intrinsic("copysign", near, x)
    return f.select(f.ne(x, x), x, near)


def _to_bfloat(f: Function, x: Reg) -> Reg:
    """The upper half of the word, rounded. A NaN keeps its sign and becomes a quiet one."""
    word = f.bitcast(x, types.like(x.type, "i32"))
    upper = f.binary("lshr", word, 16)
    rounded = f.binary("lshr", word + 0x7FFF + (upper & 1), 16)
    return f.select(f.ne(x, x), upper | 0x40, rounded)


def _from_half(f: Function, word: Reg) -> Reg:
    """Exponent and fraction in their new places, and a multiplication that corrects the exponent's bias, for subnormal
    numbers too."""
    magnitude = word & 0x7FFF
    scaled = f.mul(f.bitcast(magnitude << 13, types.like(word.type, "float")), 2.0**112)
    bits = f.bitcast(scaled, word.type)
    bits = f.select(f.compare("ge", magnitude, 0x7C00), bits | 0x7F800000, bits)
    return f.bitcast(bits | ((word & 0x8000) << 16), scaled.type)


def _to_half(f: Function, x: Reg) -> Reg:
    """Normal numbers are rounded in their bits; adding 1/2 leaves a subnormal one, rounded, in the lowest bits."""
    word = f.bitcast(x, types.like(x.type, "i32"))
    magnitude = word & 0x7FFFFFFF
    normal = f.binary("lshr", magnitude + (0xFFF - (112 << 23)) + (f.binary("lshr", magnitude, 13) & 1), 13)
    subnormal = f.bitcast(f.bitcast(magnitude, x.type) + 0.5, word.type) - 0x3F000000
    result = f.select(magnitude < 0x38800000, subnormal, normal)
    nan = (f.binary("lshr", magnitude, 13) & 0x3FF) | 0x7E00  # a quiet one with what fits of its payload
    infinite = f.select(f.compare("gt", magnitude, 0x7F800000), nan, 0x7C00)
    result = f.select(f.compare("ge", magnitude, 0x47800000), infinite, result)
    return result | (f.binary("lshr", word, 16) & 0x8000)
