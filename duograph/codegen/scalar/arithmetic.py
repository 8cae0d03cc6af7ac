"""Sums, products, comparisons, bits, choices, and the functions that the mathematics room has."""

from __future__ import annotations

import math as numbers

from .. import math, types
from ..operands import Reg
from .call import Call, Operation


def _add(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    return x | y if call.dtype.category == "bool" else f.add(x, y)


def _subtract(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    return f.sub(x, y)


def _multiply(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    return x & y if call.dtype.category == "bool" else f.mul(x, y)


def _divide(call: Call) -> Reg:
    f, (x, y) = call.f, call.args
    return f.fdiv(x, y)


def _negative(call: Call) -> Reg:
    return call.f.neg(call.args[0])


def _absolute(call: Call) -> Reg:
    """The least integer has no counterpart and stays, as in NumPy."""
    f, (x,) = call.f, call.args
    if call.dtype.category == "float":
        return f.intrinsic("fabs", x)
    if not call.dtype.signed:
        return x
    callee = f.module.declare(f"llvm.abs.{types.mangled(x.type)}", x.type, [x.type, "i1"])
    return f.call(callee, x, 0, name="abs")


def _sign(call: Call) -> Reg:
    """-1, 0 or 1; of either zero 0, of NaN NaN."""
    f, (x,) = call.f, call.args
    if call.dtype.category == "float":
        one = f.intrinsic("copysign", f.const(x.type, 1.0), x)
        return f.select(f.compare("one", x, 0.0), one, x + 0.0)
    if not call.dtype.signed:
        return f.cast(f.ne(x, 0), x.type, signed=False)
    return f.minimum(f.maximum(x, -1), 1)


# Choices.


def _maximum(call: Call) -> Reg:
    return _extreme(call, "max", "gt")


def _minimum(call: Call) -> Reg:
    return _extreme(call, "min", "lt")


def _extreme(call: Call, name: str, better: str) -> Reg:
    """NaN wins. Which of two equal zeros it is depends on the processor in NumPy, and is not promised here.

    `x better y ? x : y` is one instruction of x86, and right unless x alone is NaN; a constant is not.
    """
    f, (x, y) = call.f, call.args
    if call.dtype.category == "bool":
        return x | y if name == "max" else x & y
    if call.dtype.category == "int":
        return f.intrinsic(f"{'s' if call.dtype.signed else 'u'}{name}", x, y)
    if _is_number(y):
        x, y = y, x
    best = f.select(f.compare(better, x, y), x, y, name=name)
    return best if _is_number(x) else f.select(f.compare("uno", x, x), x, best, name=name)


def _is_number(x: Reg) -> bool:
    """Whether it is a constant other than NaN."""
    return x.literal is not None and not numbers.isnan(x.literal)


def _select(call: Call) -> Reg:
    f, (condition, x, y) = call.f, call.args
    return f.select(condition, x, y)


def _same(call: Call) -> Reg:
    return call.args[0]


# Comparisons.


def _comparison(relation: str) -> Operation:
    unsigned = {"lt": "ult", "le": "ule"}.get(relation, relation)

    def compare(call: Call) -> Reg:
        f, (x, y) = call.f, call.args
        return f.compare(relation if call.dtype.signed else unsigned, x, y)

    return compare


def _is_nan(call: Call) -> Reg:
    (x,) = call.args
    return call.f.compare("uno", x, x)


# Bits.


def _bitwise(operation: str) -> Operation:
    def combine(call: Call) -> Reg:
        f, (x, y) = call.f, call.args
        return f.binary(operation, x, y)

    return combine


def _bitwise_not(call: Call) -> Reg:
    return call.f.invert(call.args[0])


def _shift_left(call: Call) -> Reg:
    """0 once every bit is gone, and for a negative distance, as in NumPy."""
    f, (x, y) = call.f, call.args
    return f.select(f.compare("ult", y, types.bits(y.type)), x << y, 0)


def _shift_right(call: Call) -> Reg:
    """Only the sign is left once every bit is gone, and for a negative distance, as in NumPy."""
    f, (x, y) = call.f, call.args
    width = types.bits(y.type)
    if call.dtype.signed:
        return x >> f.intrinsic("umin", y, width - 1)
    return f.select(f.compare("ult", y, width), f.binary("lshr", x, y), 0)


# Functions.


def _mathematics(name: str) -> Operation:
    function = math.UNARY.get(name) or math.BINARY[name]
    return lambda call: function(call.f, *call.args)


def _intrinsic(name: str) -> Operation:
    return lambda call: call.f.intrinsic(name, *call.args)


OPERATIONS: dict[str, Operation] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": _negative,
    "absolute": _absolute,
    "sign": _sign,
    "maximum": _maximum,
    "minimum": _minimum,
    "select": _select,
    "copy": _same,
    "stop_gradient": _same,
    "equal": _comparison("eq"),
    "not_equal": _comparison("ne"),
    "less": _comparison("lt"),
    "less_equal": _comparison("le"),
    "is_nan": _is_nan,
    "bitwise_and": _bitwise("and"),
    "bitwise_or": _bitwise("or"),
    "bitwise_xor": _bitwise("xor"),
    "bitwise_not": _bitwise_not,
    "shift_left": _shift_left,
    "shift_right": _shift_right,
    "copysign": _intrinsic("copysign"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "trunc": _intrinsic("trunc"),
    "round": _intrinsic("rint"),
    **{name: _mathematics(name) for name in (*math.UNARY, "atan2")},
}
