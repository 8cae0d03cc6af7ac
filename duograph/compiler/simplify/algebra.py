"""Rules of arithmetic and logic. All are exact, for NaN, infinities and the sign of zero too unless another is said.

Identities that hold only for real numbers have no place here: x * 0 is not 0 for an infinite x, nor is x - x.
"""

from __future__ import annotations

import math

import numpy as np

from ...graph.dtype import DType, bool_
from ...graph.node import Node, Number, constant
from .rewriter import CONSTANT, Rewriter, number

_COMMUTATIVE = (
    "add", "multiply", "maximum", "minimum", "equal", "not_equal", "bitwise_and", "bitwise_or", "bitwise_xor",
)  # fmt: skip


def _broadcast(rewriter: Rewriter, x: Node, node: Node) -> Node:
    return rewriter.broadcast_to(x, node.shape)


def _is_negative_zero(value: Number | None) -> bool:
    return value == 0 and isinstance(value, float) and math.copysign(1, value) < 0


def _negated(node: Node) -> Node | None:
    """The `x` of a node -x."""
    return node.inputs[0] if node.op.name == "negative" else None


# commutative operations


def order_operands(rewriter: Rewriter, node: Node) -> Node | None:
    """f(c, x) = f(x, c): constants stand second. f(y, x) is f(x, y) where that is computed already."""
    x, y = node.inputs
    if y.op is CONSTANT:
        return None
    if x.op is CONSTANT:
        return rewriter.remake(node, y, x)
    if x is y:
        return None
    name = node.op.name
    twin = rewriter.pairs.get((name, y, x))
    if twin is None:
        rewriter.pairs[name, x, y] = node
    return twin


# arithmetic


def add_zero(_: Rewriter, node: Node) -> Node | None:
    """x + 0 = x for integers, x + -0.0 = x for floats. x + 0.0 = x where x is a sum of products, whose zeros have no
    sign that one could rely on."""
    x, y = node.inputs
    value = number(y)
    if value != 0 or value is None:
        return None
    if not node.dtype.is_floating_point or _is_negative_zero(value):
        return x
    return x if x.op.kind == "contraction" or x.op.name == "sum" else None


def add_negative(rewriter: Rewriter, node: Node) -> Node | None:
    """x + -y = x - y."""
    x, y = node.inputs
    other = _negated(y)
    if other is not None:
        return rewriter.make("subtract", x, other)
    other = _negated(x)
    return rewriter.make("subtract", y, other) if other is not None else None


def subtract_zero(rewriter: Rewriter, node: Node) -> Node | None:
    """x - 0 = x; 0 - x = -x for integers, -0.0 - x = -x for floats."""
    x, y = node.inputs
    if number(y) == 0 and not _is_negative_zero(number(y)):
        return x
    value = number(x)
    if value == 0 and value is not None and (not node.dtype.is_floating_point or _is_negative_zero(value)):
        return rewriter.make("negative", y)
    return None


def subtract_negative(rewriter: Rewriter, node: Node) -> Node | None:
    """x - -y = x + y."""
    x, y = node.inputs
    other = _negated(y)
    return rewriter.make("add", x, other) if other is not None else None


def subtract_itself(rewriter: Rewriter, node: Node) -> Node | None:
    """x - x = 0 and x ^ x = 0 for integers."""
    x, y = node.inputs
    if x is not y or node.dtype.is_floating_point or not rewriter.can_drop(x):
        return None
    return rewriter.full(node.shape, 0, node.dtype)


def multiply_constant(rewriter: Rewriter, node: Node) -> Node | None:
    """x * 1 = x, x * -1 = -x, and x * 0 = 0 for integers."""
    x, y = node.inputs
    value = number(y)
    if value is None:
        return None
    if value == 1:
        return x
    if value == -1:
        return rewriter.make("negative", x)
    if value == 0 and not node.dtype.is_floating_point and rewriter.can_drop(x):
        return rewriter.full(node.shape, 0, node.dtype)
    return None


def multiply_negatives(rewriter: Rewriter, node: Node) -> Node | None:
    """-x * -y = x * y, -x * c = x * -c for floats; so with quotients."""
    x, y = node.inputs
    first, second = _negated(x), _negated(y)
    if first is None or not node.dtype.is_floating_point:
        return None
    if second is not None:
        return rewriter.remake(node, first, second)
    value = number(y)
    return rewriter.remake(node, first, constant(-value, node.dtype)) if value is not None else None


def divide_constant(rewriter: Rewriter, node: Node) -> Node | None:
    """x / c = x * (1 / c) where c is a power of two, since both round the same number."""
    x, y = node.inputs
    value = number(y)
    if not value or not math.isfinite(value) or math.frexp(abs(value))[0] != 0.5:
        return None
    with np.errstate(all="ignore"):
        inverse = node.dtype.numpy.type(1) / node.dtype.numpy.type(value)
    if not np.isfinite(inverse) or float(inverse) * float(value) != 1:
        return None
    return rewriter.make("multiply", x, constant(float(inverse), node.dtype))


def negative_of_negative(_: Rewriter, node: Node) -> Node | None:
    """-(-x) = x, and ~(~x) = x."""
    (x,) = node.inputs
    return x.inputs[0] if x.op is node.op else None


def negative_of_product(rewriter: Rewriter, node: Node) -> Node | None:
    """-(x * c) = x * -c for floats."""
    (x,) = node.inputs
    if x.op.name != "multiply" or not node.dtype.is_floating_point:
        return None
    value = number(x.inputs[1])
    return None if value is None else rewriter.make("multiply", x.inputs[0], constant(-value, node.dtype))


def same_operands(_: Rewriter, node: Node) -> Node | None:
    """max(x, x) = min(x, x) = x & x = x | x = x."""
    x, y = node.inputs
    return x if x is y else None


def extreme_of_infinity(_: Rewriter, node: Node) -> Node | None:
    """max(x, -inf) = x and min(x, inf) = x."""
    x, y = node.inputs
    return x if number(y) == (-math.inf if node.op.name == "maximum" else math.inf) else None


def absolute_of_negative(rewriter: Rewriter, node: Node) -> Node | None:
    """|-x| = ||x|| = |x|."""
    (x,) = node.inputs
    if x.op is node.op:
        return x
    inner = _negated(x)
    return rewriter.make("absolute", inner) if inner is not None and node.dtype.signed else None


def rounded_already(_: Rewriter, node: Node) -> Node | None:
    """floor(floor(x)) = floor(x), and so with any other pair of roundings."""
    (x,) = node.inputs
    return x if x.op.name in _ROUNDINGS else None


_ROUNDINGS = ("floor", "ceil", "round", "trunc")


def shift_by_zero(_: Rewriter, node: Node) -> Node | None:
    """x << 0 = x >> 0 = x."""
    x, y = node.inputs
    return x if number(y) == 0 else None


def whole_divisor(_: Rewriter, node: Node) -> Node | None:
    """x // 1 = x for integers, and x ** 1 = x."""
    x, y = node.inputs
    integral = not node.dtype.is_floating_point
    return x if number(y) == 1 and (integral or node.op.name == "power") else None


# logic


def logic_constant(rewriter: Rewriter, node: Node) -> Node | None:
    """x & 1... = x, x | 0 = x, x ^ 0 = x; x & 0 = 0, x | 1... = 1...; x ^ 1... = ~x."""
    x, y = node.inputs
    value = number(y)
    if value is None:
        return None
    name, ones = node.op.name, _all_ones(node.dtype)
    if value == (ones if name == "bitwise_and" else 0):
        return x
    if name == "bitwise_xor":
        return rewriter.make("bitwise_not", x) if value == ones else None
    if value == (0 if name == "bitwise_and" else ones) and rewriter.can_drop(x):
        return rewriter.full(node.shape, value, node.dtype)
    return None


def _all_ones(dtype: DType) -> Number:
    if dtype is bool_:
        return True
    return -1 if dtype.signed else int(np.iinfo(dtype.numpy).max)


def not_of_comparison(rewriter: Rewriter, node: Node) -> Node | None:
    """~(x == y) = (x != y), ~(x != y) = (x == y), and ~(x < y) = (y <= x) for what has no NaN."""
    (x,) = node.inputs
    name = x.op.name
    if name in _OPPOSITE:
        return rewriter.make(_OPPOSITE[name], *x.inputs)
    if name in _REVERSED and not x.inputs[0].dtype.is_floating_point:
        return rewriter.make(_REVERSED[name], *reversed(x.inputs))
    return None


_OPPOSITE = {"equal": "not_equal", "not_equal": "equal"}
_REVERSED = {"less": "less_equal", "less_equal": "less"}


def compare_itself(rewriter: Rewriter, node: Node) -> Node | None:
    """x < x is false; x == x and x <= x are true, x != x is false for what has no NaN."""
    x, y = node.inputs
    if x is not y:
        return None
    name = node.op.name
    if (name != "less" and x.dtype.is_floating_point) or not rewriter.can_drop(x):
        return None
    return rewriter.full(node.shape, name in ("equal", "less_equal"), bool_)


def compare_with_truth(rewriter: Rewriter, node: Node) -> Node | None:
    """(x == true) = x and (x == false) = ~x for booleans."""
    x, y = node.inputs
    value = number(y)
    if value is None or x.dtype is not bool_:
        return None
    return x if bool(value) is (node.op.name == "equal") else rewriter.make("bitwise_not", x)


# select


def select_constant(rewriter: Rewriter, node: Node) -> Node | None:
    """select(true, x, y) = x, select(false, x, y) = y."""
    condition, x, y = node.inputs
    value = number(condition)
    if value is None:
        return None
    chosen, other = (x, y) if value else (y, x)
    return _broadcast(rewriter, chosen, node) if rewriter.can_drop(other) else None


def select_same(rewriter: Rewriter, node: Node) -> Node | None:
    """select(c, x, x) = x."""
    condition, x, y = node.inputs
    return _broadcast(rewriter, x, node) if x is y and rewriter.can_drop(condition) else None


def select_inverse(rewriter: Rewriter, node: Node) -> Node | None:
    """select(~c, x, y) = select(c, y, x)."""
    condition, x, y = node.inputs
    return rewriter.make("select", condition.inputs[0], y, x) if condition.op.name == "bitwise_not" else None


def select_truth(rewriter: Rewriter, node: Node) -> Node | None:
    """select(c, true, false) = c, select(c, false, true) = ~c."""
    condition, x, y = node.inputs
    if node.dtype is not bool_ or x.op is not CONSTANT or y.op is not CONSTANT or number(x) == number(y):
        return None
    return condition if number(x) else rewriter.make("bitwise_not", condition)


def select_of_select(rewriter: Rewriter, node: Node) -> Node | None:
    """select(c, select(c, x, y), z) = select(c, x, z); so with the other side."""
    condition, x, y = node.inputs
    if x.op is node.op and x.inputs[0] is condition and rewriter.can_drop(x.inputs[2]):
        new = rewriter.make("select", condition, x.inputs[1], y)
    elif y.op is node.op and y.inputs[0] is condition and rewriter.can_drop(y.inputs[1]):
        new = rewriter.make("select", condition, x, y.inputs[2])
    else:
        return None
    return _broadcast(rewriter, new, node)


# casts


def cast_to_own_dtype(_: Rewriter, node: Node) -> Node | None:
    """cast(x) = x and bitcast(x) = x where the dtype is that of x."""
    return node.inputs[0] if node.inputs[0].dtype is node.dtype else None


def cast_of_cast(rewriter: Rewriter, node: Node) -> Node | None:
    """cast(cast(x)) = cast(x) where the inner cast loses nothing."""
    (x,) = node.inputs
    if x.op is not node.op or not _holds(x.dtype, x.inputs[0].dtype):
        return None
    return rewriter.make("cast", x.inputs[0], dtype=node.dtype)


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is one of `wide`."""
    if narrow is bool_ or wide is narrow:
        return True
    if wide.category == "int":
        if narrow.category != "int":
            return False
        inner, outer = np.iinfo(narrow.numpy), np.iinfo(wide.numpy)
        return bool(outer.min <= inner.min and inner.max <= outer.max)
    if wide.category == "float":
        bits = _SIGNIFICANT[wide.name]
        if narrow.category == "int":
            return narrow.itemsize * 8 <= bits
        return wide.itemsize > narrow.itemsize
    return False


_SIGNIFICANT = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


def bitcast_of_bitcast(rewriter: Rewriter, node: Node) -> Node | None:
    """bitcast(bitcast(x)) = bitcast(x)."""
    (x,) = node.inputs
    return rewriter.make("bitcast", x.inputs[0], dtype=node.dtype) if x.op is node.op else None


def cast_of_counter(rewriter: Rewriter, node: Node) -> Node | None:
    """cast(iota) = iota of the other dtype, where that has all its numbers."""
    (x,) = node.inputs
    if x.op.name != "iota" or node.dtype is bool_:
        return None
    size = x["size"]
    for dtype in (x.dtype, node.dtype):
        top = 2 ** _SIGNIFICANT[dtype.name] if dtype.is_floating_point else int(np.iinfo(dtype.numpy).max)
        if size - 1 > top:
            return None
    return rewriter.make("iota", size=size, dtype=node.dtype)


RULES = {
    "add": (order_operands, add_zero, add_negative),
    "subtract": (subtract_zero, subtract_negative, subtract_itself),
    "multiply": (order_operands, multiply_constant, multiply_negatives),
    "divide": (divide_constant, multiply_negatives),
    "negative": (negative_of_negative, negative_of_product),
    "maximum": (order_operands, same_operands, extreme_of_infinity),
    "minimum": (order_operands, same_operands, extreme_of_infinity),
    "absolute": (absolute_of_negative,),
    **dict.fromkeys(_ROUNDINGS, (rounded_already,)),
    "shift_left": (shift_by_zero,),
    "shift_right": (shift_by_zero,),
    "floor_divide": (whole_divisor,),
    "power": (whole_divisor,),
    "bitwise_and": (order_operands, logic_constant, same_operands),
    "bitwise_or": (order_operands, logic_constant, same_operands),
    "bitwise_xor": (order_operands, logic_constant, subtract_itself),
    "bitwise_not": (negative_of_negative, not_of_comparison),
    "equal": (order_operands, compare_with_truth, compare_itself),
    "not_equal": (order_operands, compare_with_truth, compare_itself),
    "less": (compare_itself,),
    "less_equal": (compare_itself,),
    "select": (select_constant, select_inverse, select_same, select_truth, select_of_select),
    "cast": (cast_to_own_dtype, cast_of_cast, cast_of_counter),
    "bitcast": (cast_to_own_dtype, bitcast_of_bitcast),
}

assert set(_COMMUTATIVE) == {name for name, rules in RULES.items() if order_operands in rules}
