"""Powers."""

from __future__ import annotations

import math as numbers

from .. import math, types
from ..operands import Reg
from .call import Call, Operation


def _power(call: Call) -> Reg:
    return _float_power(call) if call.dtype.category == "float" else _integer_power(call)


def _float_power(call: Call) -> Reg:
    """By multiplication or a root where the exponent is known and that is within 1.5 ulp.

    -2 is not among those: the square may underflow where the power is an ordinary number.
    """
    f, (x, y) = call.f, call.args
    exponent = y.literal
    if exponent in (1, 2, 3, 4):
        return whole_power(x, int(exponent))
    if exponent == -1:
        return f.fdiv(1.0, x)
    if exponent in (0.5, -0.5):  # of -0 and -inf, where the root is -0 or NaN, the power is as of 0 and inf
        root = f.select(f.eq(x, -numbers.inf), numbers.inf, math.sqrt(f, x) + 0.0)
        return root if exponent == 0.5 else f.fdiv(1.0, root)
    return math.pow(f, x, y)


def _integer_power(call: Call) -> Reg:
    """Modulo the type's size. A negative power of anything but 1 and -1 is 0."""
    f, (x, y) = call.f, call.args
    if y.literal is not None and 0 < y.literal <= 64:
        return whole_power(x, int(y.literal))
    one, lanes = f.const(x.type, 1), types.lanes(x.type)
    with f.while_([one, x, y], name="power", names=["product", "square", "left"]) as loop:
        product, square, left = loop.carried
        some = f.ne(left, 0)
        if lanes > 1:
            some = f.intrinsic("vector.reduce.or", some, returns="i1", overload=(some.type,))
        loop.test(some)
        odd = f.ne(left & 1, 0)
        loop.yield_(f.select(odd, product * square, product), square * square, f.binary("lshr", left, 1))
    product = loop.results[0]
    if not call.dtype.signed:
        return product
    # The loop took a negative exponent for a large one of the same parity, which is right for 1 and -1.
    unit = f.binary("or", f.eq(x, 1), f.eq(x, -1))
    return f.select(f.binary("or", unit, f.compare("ge", y, 0)), product, 0)


def whole_power(x: Reg, n: int) -> Reg:
    """x ** n for n >= 1, by squaring: 2 log n multiplications at most."""
    if n == 1:
        return x
    half = whole_power(x, n // 2)
    return half * half * x if n % 2 else half * half


OPERATIONS: dict[str, Operation] = {"power": _power}
