"""Python's operators on tensors, and their in-place forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dialect import spoken
from ..graph.dtype import DType
from ..graph.errors import DTypeError
from ..graph.node import PRIMITIVES as P
from ..graph.node import Node
from .core import OPERANDS, RANKS, Tensor, apply, binary, cast, method, promoted, result_type, to_float
from .views import assign


@composite
def less_reversed(x: Node, y: Node) -> Node:
    """`x > y`."""
    return g.less(y, x)


@composite
def less_equal_reversed(x: Node, y: Node) -> Node:
    """`x >= y`."""
    return g.less_equal(y, x)


def _operator(name: str, op: Any, to: Callable[[DType], DType] | None = None) -> None:
    """Define `name`, its reflection and its in-place form."""

    def forward(self: Tensor, other: Any) -> Any:
        return binary(op, self, other, to)

    def reflected(self: Tensor, other: Any) -> Any:
        return binary(op, other, self, to)

    def in_place(self: Tensor, other: Any) -> Any:
        result = binary(op, self, other, to)
        return result if result is NotImplemented or spoken() is not None else update(self, result)

    method(forward, f"__{name}__")
    method(reflected, f"__r{name}__")
    method(in_place, f"__i{name}__")


def _comparison(name: str, op: Any) -> None:
    def compare(self: Tensor, other: Any) -> Any:
        return binary(op, self, other)

    method(compare, f"__{name}__")


def update(tensor: Tensor, result: Tensor) -> Tensor:
    """Write `result` into `tensor` in place: cast to its dtype, broadcast to its shape.

    Raises DTypeError where the result is of a stronger category (a float into an integer tensor).
    """
    dtype = tensor._value.dtype
    if result._value.dtype.rank > dtype.rank:
        raise DTypeError(f"in-place: a result of {result.dtype.name} cannot be written into a tensor of {dtype.name}")
    writer = result._value.origin
    result = cast(result, dtype)
    if result._value.shape != tensor._value.shape and len(result._value.shape) <= len(tensor._value.shape):
        result = apply(P["broadcast_to"], (result,), (("shape", tensor._value.shape),))
    return assign(tensor, result._value, writer)


for _name, _op in {
    "add": "add", "sub": "subtract", "mul": "multiply", "floordiv": "floor_divide", "mod": "remainder",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "shift_left", "rshift": "shift_right",
}.items():  # fmt: skip
    _operator(_name, P[_op])
_operator("truediv", P["divide"], to_float)
for _name, _compared in {
    "eq": P["equal"], "ne": P["not_equal"], "lt": P["less"], "le": P["less_equal"],
    "gt": less_reversed, "ge": less_equal_reversed,
}.items():  # fmt: skip
    _comparison(_name, _compared)


def power(base: Any, exponent: Any) -> Tensor:
    """`base ** exponent`; small whole numbers become products, whose gradients are exact everywhere."""
    if isinstance(exponent, int | float) and not isinstance(exponent, bool) and isinstance(base, Tensor):
        dtype = result_type(base, exponent)
        base = cast(base, dtype)
        if exponent == int(exponent) if abs(exponent) < 2**31 else False:
            if 0 <= exponent <= 4:
                return apply(integer_power, (base,), (("exponent", int(exponent)),))
            if dtype.category == "int" and exponent < 0:
                raise DTypeError(
                    "integers to negative integer powers are not allowed: cast to a floating point dtype first"
                )
        if exponent == 0.5 and dtype.differentiable:
            return apply(P["sqrt"], (base,))
    return promoted(P["power"], base, exponent)


@composite
def integer_power(x: Node, *, exponent: int) -> Node:
    """`x ** exponent` by products."""
    result = g.full(x.shape, 1, x.dtype)
    for k in range(exponent):
        result = x if k == 0 else result * x
    return result


@method
def __pow__(self: Tensor, exponent: Any) -> Any:
    if RANKS.get(type(exponent), 4) > self._value.dtype.rank and (dialect := spoken()) is not None:
        return dialect.operate(P["power"], self, exponent)
    return power(self, exponent) if isinstance(exponent, OPERANDS) else NotImplemented


@method
def __rpow__(self: Tensor, base: Any) -> Any:
    return binary(P["power"], base, self)


@method
def __ipow__(self: Tensor, exponent: Any) -> Any:
    if (dialect := spoken()) is not None:
        return dialect.operate(P["power"], self, exponent)
    return update(self, power(self, exponent)) if isinstance(exponent, OPERANDS) else NotImplemented


@method
def __neg__(self: Tensor) -> Tensor:
    return apply(P["negative"], (self,))


@method
def __pos__(self: Tensor) -> Tensor:
    return self


@method
def __abs__(self: Tensor) -> Tensor:
    return apply(P["absolute"], (self,))


@method
def __invert__(self: Tensor) -> Tensor:
    return apply(P["bitwise_not"], (self,))
