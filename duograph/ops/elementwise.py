"""Elementwise functions under PyTorch's names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph.composite import Composite, composite
from ..graph.dtype import bool_
from ..graph.errors import ArgumentError, DTypeError, ShapeError
from ..graph.node import PRIMITIVES as P
from ..graph.node import Node
from ..tensor.core import Tensor, apply, cast, method, operand, promoted, result_type, to_float
from ..tensor.operators import less_equal_reversed, less_reversed, power
from .define import binary, function, into, unary

for _name, _op in {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "rsqrt": "rsqrt",
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "erf": "erf", "erfinv": "erfinv", "lgamma": "lgamma", "digamma": "digamma",
}.items():  # fmt: skip
    unary(_name, P[_op], f"`{_name}` of every element; integers become floats.", to_float)
for _name, _long in {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
}.items():  # fmt: skip
    unary(_name, P[_name], f"Inverse {_name[1:]} of every element; integers become floats.", to_float, _long)

unary("neg", P["negative"], "Minus every element.", None, "negative")
unary("bitwise_not", P["bitwise_not"], "Every bit turned over; `not` for bools.")


def _float_only(op: Any) -> Composite:
    """`op` on floats; integers are whole already, and complex numbers refused."""

    def body(x: Node) -> Node:
        return g.apply(op, x) if x.dtype.differentiable else g.apply("copy", x)

    body.__name__ = op
    return composite(body)


for _name in ("floor", "ceil", "trunc"):
    unary(
        _name,
        _float_only(_name),
        f"Every element made whole by {_name}.",
        None,
        *(("fix",) if _name == "trunc" else ()),
    )


@composite
def round_decimals(x: Node, *, decimals: int) -> Node:
    """Half to even, at a decimal place."""
    if not x.dtype.differentiable:
        return g.apply("copy", x)
    scale = 10.0 ** abs(decimals)
    return g.round(x * scale) / scale if decimals > 0 else g.round(x / scale) * scale if decimals else g.round(x)


@function(in_place=True)
def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """Every element rounded half to even, at `decimals` places."""
    return into(out, apply(round_decimals, (input,), (("decimals", int(decimals)),)))


@composite
def absolute(x: Node) -> Node:
    """|x|."""
    return x if x.dtype is bool_ or not x.dtype.signed else g.absolute(x)


def _of(name: str, doc: str, body: Any, to: Any = None, *aliases: str, keeps_result: bool = False) -> None:
    body.__name__ = name
    unary(name, Composite(body, keeps_result), doc, to, *aliases)


unary("abs", absolute, "The absolute value of every element.", None, "absolute")
_of("exp2", "2 to the power of every element.", lambda x: g.exp(x * math.log(2.0)), to_float, keeps_result=True)
_of("log2", "The base-2 logarithm.", lambda x: g.log(x) * (1.0 / math.log(2.0)), to_float)
_of("log10", "The base-10 logarithm.", lambda x: g.log(x) * (1.0 / math.log(10.0)), to_float)
_of(
    "square",
    "Every element times itself; bools count as 0 and 1.",
    lambda x: x * x,
    lambda dtype: dtypes.int64 if dtype is bool_ else dtype,
)
_of("reciprocal", "1 / x.", lambda x: 1.0 / x, to_float, keeps_result=True)
_of("sigmoid", "1 / (1 + exp(-x)).", lambda x: sigmoid_stable(x), to_float, "expit", keeps_result=True)
_of("frac", "What `trunc` leaves.", lambda x: x - g.trunc(x))
_of("erfc", "1 - erf(x).", lambda x: 1.0 - g.erf(x), to_float)
_of("deg2rad", "Degrees to radians.", lambda x: x * (math.pi / 180), to_float)
_of("rad2deg", "Radians to degrees.", lambda x: x * (180 / math.pi), to_float)
_of("logical_not", "True where an element is zero.", lambda x: g.equal(x, 0) if x.dtype is not bool_ else ~x)
_of("positive", "The tensor itself.", lambda x: g.apply("copy", x))
_of("isnan", "True where an element is NaN.", lambda x: g.not_equal(x, x))
_of("sign", "-1, 0 or 1 by the sign of every element; 0 of NaN.", lambda x: _sign(x, "sign"))
_of("sgn", "x / |x|: -1 or 1 of real numbers; 0 at 0 and of a real NaN.", lambda x: _sign(x, "sgn"))
_of("signbit", "True where the sign bit is set.", lambda x: _signbit(x))
_of("relu", "max(x, 0).", lambda x: g.select(x <= 0, 0, x), keeps_result=True)
_of("isinf", "True where an element is infinite.", lambda x: _infinite(x))
_of("isfinite", "True where an element is neither infinite nor NaN.", lambda x: ~(_infinite(x) | g.not_equal(x, x)))
_of(
    "isposinf",
    "True where an element is +infinity.",
    lambda x: g.equal(x, math.inf) if _ordered(x, "isposinf").dtype.is_floating_point else _never(x),
)
_of(
    "isneginf",
    "True where an element is -infinity.",
    lambda x: g.equal(x, -math.inf) if _ordered(x, "isneginf").dtype.is_floating_point else _never(x),
)


def sigmoid_stable(x: Node) -> Node:
    """Through tanh, which neither overflows nor loses digits: sigmoid(x) = (1 + tanh(x / 2)) / 2."""
    return g.tanh(x * 0.5) * 0.5 + 0.5


def _ordered(x: Node, name: str) -> Node:
    if x.dtype.is_complex:
        raise DTypeError(f"{name}: input: expected numbers that have an order. Received: {x.dtype.name}")
    return x


def _sign(x: Node, name: str) -> Node:
    if x.dtype.is_complex and name == "sgn":
        return g.sign(x)
    if not _ordered(x, name).dtype.is_floating_point:
        return g.apply("copy", x) if x.dtype is bool_ else g.sign(x)
    return g.select(g.not_equal(x, x), 0, g.sign(x))


def _never(x: Node) -> Node:
    return g.full(x.shape, False, bool_)


def _infinite(x: Node) -> Node:
    if x.dtype.is_complex:
        return _infinite(g.real(x)) | _infinite(g.imag(x))
    return g.equal(g.absolute(x), math.inf) if x.dtype.is_floating_point else _never(x)


def _signbit(x: Node) -> Node:
    if not _ordered(x, "signbit").dtype.is_floating_point:
        return x < 0 if x.dtype.signed else _never(x)
    return g.apply("copysign", g.full(x.shape, 1, x.dtype), x) < 0


for _name, _operation, _doc, _to, *_aliases in (
    ("maximum", P["maximum"], "The larger of two elements; NaN wins.", None),
    ("minimum", P["minimum"], "The smaller of two elements; NaN wins.", None),
    ("atan2", P["atan2"], "The angle of the point (other, input).", to_float, "arctan2"),
    ("fmod", P["fmod"], "Remainder with the sign of the dividend.", None),
    ("remainder", P["remainder"], "Remainder with the sign of the divisor.", None),
    ("floor_divide", P["floor_divide"], "The quotient, rounded down.", None),
    ("gcd", P["gcd"], "The greatest common divisor of whole numbers.", None),
    ("eq", P["equal"], "True where equal.", None),
    ("ne", P["not_equal"], "True where different.", None, "not_equal"),
    ("lt", P["less"], "True where less.", None, "less"),
    ("le", P["less_equal"], "True where less or equal.", None, "less_equal"),
    ("gt", less_reversed, "True where greater.", None, "greater"),
    ("ge", less_equal_reversed, "True where greater or equal.", None, "greater_equal"),
    ("bitwise_and", P["bitwise_and"], "Bits set in both.", None),
    ("bitwise_or", P["bitwise_or"], "Bits set in one.", None),
    ("bitwise_xor", P["bitwise_xor"], "Bits set in just one.", None),
    ("bitwise_left_shift", P["shift_left"], "Bits moved up.", None),
    ("bitwise_right_shift", P["shift_right"], "Bits moved down, keeping the sign.", None),
    ("nextafter", P["nextafter"], "The next number from input towards other.", None),
    ("copysign", P["copysign"], "The magnitude of input with the sign of other.", to_float),
):
    binary(_name, _operation, _doc, _to, *_aliases)


def _of_two(name: str, doc: str, body: Any, to: Any = None, *aliases: str) -> None:
    body.__name__ = name
    binary(name, composite(body), doc, to, *aliases)


def _truth(x: Node) -> Node:
    return x if x.dtype is bool_ else g.not_equal(x, 0)


_of_two("logical_and", "True where both are nonzero.", lambda x, y: _truth(x) & _truth(y))
_of_two("logical_or", "True where one is nonzero.", lambda x, y: _truth(x) | _truth(y))
_of_two("logical_xor", "True where just one is nonzero.", lambda x, y: _truth(x) ^ _truth(y))
_of_two("fmax", "The larger; a number wins over NaN.", lambda x, y: _ignoring_nan(g.maximum, x, y))
_of_two("fmin", "The smaller; a number wins over NaN.", lambda x, y: _ignoring_nan(g.minimum, x, y))
_of_two("lcm", "The least common multiple of whole numbers.", lambda x, y: _lcm(x, y))
_of_two("hypot", "sqrt(x² + y²).", lambda x, y: g.sqrt(x * x + y * y), to_float)
_of_two("logaddexp", "log(exp(x) + exp(y)).", lambda x, y: logaddexp_stable(x, y), to_float)
_of_two("xlogy", "x log(y), 0 where x is 0.", lambda x, y: _xlogy(x, y), to_float)
_of_two(
    "heaviside", "0, other or 1 by the sign of input.", lambda x, y: g.select(g.equal(x, 0), y, g.cast(x > 0, x.dtype))
)


def _ignoring_nan(best: Any, x: Node, y: Node) -> Node:
    if not x.dtype.is_floating_point:
        return best(x, y)
    return g.select(g.not_equal(x, x), y, g.select(g.not_equal(y, y), x, best(x, y)))


def logaddexp_stable(x: Node, y: Node) -> Node:
    """Scaled by the larger of the two, so that nothing overflows."""
    if x.dtype.is_complex:  # the larger one keeps its phase, whole turns included
        first = g.real(y) <= g.real(x)
        large, small = g.select(first, x, y), g.select(first, y, x)
        none = g.equal(g.real(large), -math.inf)
        return g.select(none, large, large + g.log1p(g.exp(small - g.select(none, 0, large))))
    top = g.stop_gradient(g.maximum(x, y))
    top = g.select(g.equal(g.absolute(top), math.inf), 0.0, top)
    return g.log(g.exp(x - top) + g.exp(y - top)) + top


def _xlogy(x: Node, y: Node) -> Node:
    zero = g.equal(x, 0) & g.equal(y, y)
    return g.select(zero, 0, x * g.log(g.select(zero, 1, y)))


def _lcm(x: Node, y: Node) -> Node:
    multiple = g.floor_divide(x, g.select(g.equal(x, 0) & g.equal(y, 0), 1, g.apply("gcd", x, y))) * y
    return absolute(multiple)


def _scaled(name: str, sign: int) -> Any:
    def body(input: Any, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
        if type(alpha) is not int or alpha != 1:  # a tensor is not read
            if dtypes.of_number(alpha).rank > max(1, result_type(input, other).rank):
                raise ArgumentError(
                    f"{name}: alpha: expected an integer for integers, and a real number for real numbers. "
                    f"Received: {alpha}"
                )
            other = multiply(other, alpha)
        return into(out, promoted(P["add" if sign > 0 else "subtract"], input, other))

    body.__name__ = name
    body.__doc__ = f"`input {'+' if sign > 0 else '-'} alpha * other`."
    return body


def _multiply_any(name: str) -> Any:
    def body(input: Any, other: Any, *, out: Tensor | None = None) -> Any:
        if not isinstance(input, Tensor) and not isinstance(other, Tensor):
            return input * other
        return into(out, promoted(P["multiply"], input, other))

    body.__name__ = name
    body.__doc__ = "The product, element by element."
    return body


multiply = _multiply_any("mul")
function("multiply", in_place=True)(multiply)
function("mul", in_place=True)(multiply)
add = function("add", in_place=True)(_scaled("add", 1))
sub = function("subtract", in_place=True)(_scaled("sub", -1))
function("sub", in_place=True)(sub)


@composite
def _divided(x: Node, y: Node, *, rounding: str) -> Node:
    if rounding == "floor":
        return g.floor_divide(x, y)
    if x.dtype.differentiable:
        return g.trunc(x / y)
    down = g.floor_divide(x, y)
    inexact = g.not_equal(down * y, x) & ((x < 0) ^ (y < 0))
    return g.select(inexact, down + 1, down)


@function("divide", "true_divide", in_place=True)
def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """`input / other`; rounded towards zero with rounding_mode "trunc", down with "floor"."""
    if rounding_mode is None:
        return into(out, promoted(P["divide"], input, other, to=to_float))
    if rounding_mode not in ("trunc", "floor"):
        raise ArgumentError(f"div: rounding_mode: expected None, 'trunc' or 'floor'. Received: {rounding_mode!r}")
    return into(out, promoted(_divided, input, other, attributes=(("rounding", rounding_mode),)))


@function(in_place=True)
def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """`input ** exponent`."""
    return into(out, power(input, exponent))


@function("clip", in_place=True)
def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Every element brought into [min, max]; NaN stays."""
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max must be given")
    bounds = [b for b in (min, max) if b is not None]
    dtype = result_type(input, *bounds)
    result = cast(input, dtype)
    if min is not None and max is not None:
        result = apply(_clamp, (result, operand(min, dtype), operand(max, dtype)))
    elif min is not None:
        result = apply(_clamp_low, (result, operand(min, dtype)))
    else:
        result = apply(_clamp_high, (result, operand(max, dtype)))
    return into(out, result)


@composite
def _clamp(x: Node, low: Node, high: Node) -> Node:
    """The gradient passes where the element is inside, bounds included."""
    inside = _inside(x, low=low, high=high)
    return g.select(inside, x, g.minimum(g.maximum(x, low), high))


@composite
def _clamp_low(x: Node, low: Node) -> Node:
    return g.select(_inside(x, low=low), x, g.maximum(x, low))


@composite
def _clamp_high(x: Node, high: Node) -> Node:
    return g.select(_inside(x, high=high), x, g.minimum(x, high))


def _inside(x: Node, low: Node | None = None, high: Node | None = None) -> Node:
    inside = g.equal(x, x) if x.dtype.is_floating_point else g.full(x.shape, True, bool_)
    nan = ~inside if x.dtype.is_floating_point else None
    if low is not None:
        inside = inside & (low <= x)
    if high is not None:
        inside = inside & (x <= high)
    return inside if nan is None else inside | nan


@function(in_place=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Every element at least `min`."""
    return clamp(input, min=min)


@function(in_place=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Every element at most `max`."""
    return clamp(input, max=max)


@function(is_method=False)
def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Tensor | None = None) -> Any:
    """`input` where the condition holds, else `other`; with the condition alone, the indices where it holds."""
    if input is None and other is None:
        from .sorting import nonzero

        return nonzero(condition, as_tuple=True)
    dtype = result_type(input, other)
    condition = condition if condition.dtype is bool_ else cast(condition, bool_)
    return into(out, apply(P["select"], (condition, operand(input, dtype), operand(other, dtype))))


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    return where(condition, self, other)


method(_where_method, "where")


@function(in_place=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`input` with `value` where `mask` holds."""
    if isinstance(value, Tensor) and value.ndim:
        raise ShapeError(f"masked_fill: value: expected a number or a 0-d tensor. Received: shape {tuple(value.shape)}")
    is_complex = value.dtype.is_complex if isinstance(value, Tensor) else isinstance(value, complex)
    if is_complex and not input.dtype.is_complex:
        raise DTypeError(f"masked_fill: value cannot be converted to type {input.dtype.name} without overflow")
    return apply(_fill_broadcast, (input, mask, operand(value, input.dtype)))


@composite
def _fill_broadcast(x: Node, mask: Node, value: Node) -> Node:
    return g.select(mask, value, x)


@function(in_place=True)
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN and infinities replaced by numbers: 0, the largest and the least of the dtype unless given."""
    if not input.dtype.differentiable:
        return apply(P["copy"], (input,))
    limits = np.finfo(np.float32) if input.dtype is dtypes.bfloat16 else np.finfo(input.dtype.numpy)
    top = float(limits.max) if input.dtype is not dtypes.bfloat16 else 3.3895313892515355e38
    given = (
        ("nan", nan or 0.0),
        ("high", top if posinf is None else posinf),
        ("low", -top if neginf is None else neginf),
    )
    return apply(_numbers_only, (input,), given)


@composite
def _numbers_only(x: Node, *, nan: float, high: float, low: float) -> Node:
    if x.dtype.is_complex:
        return g.join(*(_numbers_only(part, nan=nan, high=high, low=low) for part in (g.real(x), g.imag(x))))
    x = g.select(g.not_equal(x, x), nan, x)
    return g.select(g.equal(x, math.inf), high, g.select(g.equal(x, -math.inf), low, x))


@function(in_place=True)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """`input + weight * (end - input)`."""
    return input + weight * (end - input)


@function(in_place=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """`input + value * tensor1 * tensor2`."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


@function(in_place=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """`input + value * tensor1 / tensor2`."""
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


@function()
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """True where |input - other| <= atol + rtol * |other|."""
    if rtol < 0 or atol < 0:
        raise ArgumentError(f"isclose: expected tolerances of at least 0. Received: rtol={rtol}, atol={atol}")
    attributes = (("rtol", float(rtol)), ("atol", float(atol)), ("equal_nan", bool(equal_nan)))
    return promoted(_close, input, other, attributes=attributes)


@composite
def _close(x: Node, y: Node, *, rtol: float, atol: float, equal_nan: bool) -> Node:
    if not x.dtype.differentiable:
        x, y = g.cast(x, dtypes.float64), g.cast(y, dtypes.float64)
    finite = ~(_infinite(x) | _infinite(y))
    close = g.equal(x, y) | (finite & (g.absolute(x - y) <= atol + rtol * g.absolute(y)))
    if equal_nan:
        close = close | (g.not_equal(x, x) & g.not_equal(y, y))
    return close


@function()
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: see `isclose`."""
    return bool(isclose(input, other, rtol, atol, equal_nan)._array().all())


@function()
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape and the same elements."""
    return input.shape == other.shape and bool(np.array_equal(input._array(), other._array()))
