"""Floating-point formats, and the small steps that every function is made of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import types
from ..operands import Operand, Reg

if TYPE_CHECKING:
    from ..emitter import Function


@dataclass(frozen=True)
class Format:
    """A binary format of IEEE 754 and what is split or rounded to it.

    The upper part of ln 2 has so few bits that its product with any exponent is exact without a fused multiply-add
    (Cody & Waite, "Software Manual for the Elementary Functions", 1980).
    """

    integer: str  # of the same width
    fraction: int  # stored bits of the significand
    bias: int
    ln2: tuple[float, float]  # upper and lower part

    @property
    def shifter(self) -> float:
        """Added to a number below 2 ** (fraction - 2), it leaves the nearest integer in the lowest bits."""
        return 1.5 * 2.0**self.fraction


FLOAT = Format("i32", 23, 127, (float.fromhex("0x1.62e0p-1"), float.fromhex("0x1.0bfbe8p-15")))
DOUBLE = Format("i64", 52, 1023, (float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33")))


def format_of(x: Reg) -> Format:
    """The format of a value's lanes.

    Raises:
        TypeError: They are not float or double.
    """
    found = {"float": FLOAT, "double": DOUBLE}.get(types.element(x.type))
    if found is None:
        raise TypeError(f"expected float or double lanes, received {x.type}: cast it, compute, and cast back")
    return found


def widened(function: Callable[..., Reg]) -> Callable[..., Reg]:
    """The function, written for double, for float too: computed in double and rounded once."""

    @functools.wraps(function)
    def call(f: Function, *values: Reg) -> Reg:
        if format_of(values[0]) is DOUBLE:
            return function(f, *values)
        return f.cast(function(f, *(f.cast(value, "double") for value in values)), "float")

    return call


def integers(x: Reg) -> str:
    """The type of the integers that have the bits of the lanes."""
    return types.like(x.type, format_of(x).integer)


def muladd(f: Function, x: Operand, y: Operand, z: Operand) -> Reg:
    """x * y + z, fused where the processor can: for sums whose accuracy does not hang on it."""
    type = next(value.type for value in (x, y, z) if isinstance(value, Reg))
    return f.intrinsic("fmuladd", *(f.operand(value, type) for value in (x, y, z)))


def polynomial(f: Function, x: Reg, coefficients: Sequence[float]) -> Reg:
    """The sum of c[i] * x ** i, by Horner's rule."""
    total = f.const(x.type, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = muladd(f, total, x, coefficient)
    return total


def two_sum(f: Function, x: Operand, y: Operand) -> tuple[Reg, Reg]:
    """x + y rounded, and exactly what the rounding lost (Knuth)."""
    total = f.add(x, y)
    part = f.sub(total, x)
    return total, f.sub(x, total - part) + f.sub(y, part)


def two_product(f: Function, x: Reg, y: Operand) -> tuple[Reg, Reg]:
    """x * y rounded, and exactly what the rounding lost; a processor without fused multiply-add asks the C library."""
    product = x * y
    return product, f.fma(x, y, -product)


def nearest(f: Function, x: Reg, factor: float) -> tuple[Reg, Reg]:
    """The integer nearest to x * factor, as a number and as an integer; any value where it exceeds 2 ** (fraction - 2).

    Rounding by addition takes two instructions on every processor.
    """
    shifter = format_of(x).shifter
    shifted = muladd(f, x, factor, shifter)
    return shifted - shifter, f.bitcast(shifted, integers(x)) - f.bitcast(f.const(x.type, shifter), integers(x))


def power_of_two(f: Function, k: Reg, type: str) -> Reg:
    """2 ** k for exponents of normal numbers."""
    form = format_of(f.const(type, 0.0))
    return f.bitcast((k + form.bias) << form.fraction, type)


def scaled(f: Function, x: Reg, n: Reg, k: Reg) -> Reg:
    """x * 2 ** k, rounded once, of an x near 1; `n` is `k` as a number.

    The power of two is multiplied in two halves, each a normal number. Only AVX-512 has vectors of 512 bits, and an
    instruction that does this.
    """
    if types.lanes(x.type) * types.bits(x.type) == 512:
        masks, double = f"i{types.lanes(x.type)}", format_of(x) is DOUBLE
        name = f"llvm.x86.avx512.mask.scalef.{'pd' if double else 'ps'}.512"
        callee = f.module.declare(name, x.type, [x.type, x.type, x.type, masks, "i32"])
        return f.call(callee, x, n, f.zero(x.type), f.const(masks, -1), f.const("i32", 4))  # rounded as always
    half = k >> 1
    return x * power_of_two(f, half, x.type) * power_of_two(f, k - half, x.type)


def absolute(f: Function, x: Reg) -> Reg:
    """|x|."""
    return f.intrinsic("fabs", x)


def with_sign(f: Function, x: Reg, sign: Reg) -> Reg:
    """The magnitude of x with the sign of another, zeros' and NaN's signs included."""
    return f.intrinsic("copysign", x, sign)


def at_most(f: Function, x: Reg, bound: float) -> Reg:
    """The smaller of x and the bound; NaN stays."""
    return f.select(x > bound, bound, x)
