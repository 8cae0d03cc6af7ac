"""Division with a whole quotient, what it leaves, and common divisors.

Quotients are rounded down by `floor_divide` and `remainder`, towards zero by `fmod`.
"""

from __future__ import annotations

from .. import types
from ..operands import Reg
from .call import Call, Operation


def _floor_divide(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    if call.dtype.category == "float":
        return _float_division(call)[0]
    y = _safe_divisor(call)
    if not call.dtype.signed:
        return f.binary("udiv", x, y)
    quotient = f.binary("sdiv", x, y)
    rest = x - quotient * y
    down = f.binary("and", f.ne(rest, 0), f.compare("lt", rest ^ y, 0))
    return quotient - f.cast(down, x.type, signed=False)


def _remainder(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    if call.dtype.category == "float":
        return _float_division(call)[1]
    y = _safe_divisor(call)
    if not call.dtype.signed:
        return f.binary("urem", x, y)
    rest = f.binary("srem", x, y)
    down = f.binary("and", f.ne(rest, 0), f.compare("lt", rest ^ y, 0))
    return f.select(down, rest + y, rest)


def _fmod(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    if call.dtype.category == "float":
        return f.binary("frem", x, y)
    return f.binary("srem" if call.dtype.signed else "urem", x, _safe_divisor(call))


def _safe_divisor(call: Call) -> Reg:
    """The divisor of integers, and 1 where the processor would trap.

    That is also right for the least integer by -1: the quotient wraps to itself and nothing is left.
    """
    f, (x, y) = call.f, call.args
    if y.literal is None or y.literal == 0:
        zero = f.eq(y, 0)
        call.fail(zero, f.const("i64", 0))
        y = f.select(zero, 1, y)
    if call.dtype.signed and (y.literal is None or y.literal == -1):
        least = -(1 << (types.bits(x.type) - 1))
        y = f.select(f.binary("and", f.eq(x, least), f.eq(y, -1)), 1, y)
    return y


def _float_division(call: Call) -> tuple[Reg, Reg]:
    """Python's quotient and remainder, step by step as NumPy has them, so that they agree in every bit.

    The remainder is exact until the divisor is added; the quotient of what is left is an integer but for rounding.
    """
    f, (x, y) = call.f, call.args
    ratio = f.fdiv(x, y)
    rest = f.binary("frem", x, y)
    some = f.ne(rest, 0.0)
    down = f.binary("and", some, f.binary("xor", rest < 0.0, y < 0.0))
    quotient = f.fdiv(x - rest, y)
    quotient = f.select(down, quotient - 1.0, quotient)
    whole = f.intrinsic("floor", quotient)
    whole = f.select((quotient - whole) > 0.5, whole + 1.0, whole)
    whole = f.select(f.eq(quotient, 0.0), f.intrinsic("copysign", f.const(x.type, 0.0), ratio), whole)
    by_zero = f.eq(y, 0.0)
    whole = f.select(by_zero, ratio, whole)
    left = f.select(some, f.select(down, rest + y, rest), f.intrinsic("copysign", f.const(x.type, 0.0), y))
    return whole, f.select(by_zero, rest, left)


def _gcd(call: Call) -> Reg:
    """The greatest common divisor, by Euclid's remainders of the magnitudes, which are unsigned."""
    f, (x, y) = call.f, call.args
    if call.dtype.signed:
        x, y = (f.select(f.compare("lt", z, 0), f.const(z.type, 0) - z, z) for z in (x, y))
    with f.while_([x, y], name="gcd", names=["large", "small"]) as loop:
        large, small = loop.carried
        more = f.ne(small, 0)
        some = more
        if types.lanes(x.type) > 1:
            some = f.intrinsic("vector.reduce.or", more, returns="i1", overload=(more.type,))
        loop.test(some)
        rest = f.binary("urem", large, f.select(more, small, 1))  # of 0, the processor would trap
        loop.yield_(f.select(more, small, large), f.select(more, rest, 0))
    return loop.results[0]


OPERATIONS: dict[str, Operation] = {
    "floor_divide": _floor_divide, "remainder": _remainder, "fmod": _fmod, "gcd": _gcd
}  # fmt: skip
