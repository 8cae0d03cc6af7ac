"""Python's operators on tensors, and their in-place forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.composite import composite
from ..graph.dtype import DType
from ..graph.errors import DTypeError, ShapeError
from ..graph.lines import user_line
from ..graph.node import PRIMITIVES, Node
from ..graph import language as g
from .core import Tensor, apply, cast, is_operand, promoted, result_type, to_float
from .views import assign

P = PRIMITIVES


@composite
def less_reversed(x: Node, y: Node) -> Node:
    """`x > y`."""
    return g.less(y, x)


@composite
def less_equal_reversed(x: Node, y: Node) -> Node:
    """`x >= y`."""
    return g.less_equal(y, x)


@composite
def matmul(x: Node, y: Node) -> Node:
    """The matrix product with NumPy's rules: 1-d operands are a row on the left and a column on the right, batch axes
    broadcast. Raises ShapeError where the inner sizes differ."""
    if not x.ndim or not y.ndim:
        raise ShapeError(f"matmul: expected at least one axis on both sides. Received: shapes {x.shape} and {y.shape}")
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul: expected the last size of the left operand to equal the {'second to last' if y.ndim > 1 else 'only'} "
            f"size of the right one. Received: shapes {x.shape} and {y.shape}"
        )
    rows, columns = x.ndim > 1, y.ndim > 1
    a = x if rows else g.expand_dims(x, 0)
    b = y if columns else g.expand_dims(y, 1)
    if a.ndim > 2 and b.ndim == 2:  # one large product instead of many small ones
        result = g.reshape(g.matmul(g.reshape(a, (-1, a.shape[-1])) if a.size else g.reshape(a, (a.size // max(a.shape[-1], 1), a.shape[-1])), b), (*a.shape[:-1], b.shape[-1]))
    else:
        result = g.matmul(a, b)
    shape = result.shape
    if not columns:
        shape = shape[:-1]
    if not rows:
        shape = (*shape[: len(shape) - 1 - columns], *shape[len(shape) - columns :])
    return g.reshape(result, shape)


def _binary(name: str, op: Any, to: Callable[[DType], DType] | None = None) -> None:
    """Define `name`, its reflection and its in-place form."""

    def forward(self: Tensor, other: Any) -> Any:
        return promoted(op, self, other, to=to) if is_operand(other) else NotImplemented

    def reflected(self: Tensor, other: Any) -> Any:
        return promoted(op, other, self, to=to) if is_operand(other) else NotImplemented

    def in_place(self: Tensor, other: Any) -> Any:
        return update(self, promoted(op, self, other, to=to)) if is_operand(other) else NotImplemented

    setattr(Tensor, f"__{name}__", forward)
    setattr(Tensor, f"__r{name}__", reflected)
    setattr(Tensor, f"__i{name}__", in_place)


def update(tensor: Tensor, result: Tensor) -> Tensor:
    """Write `result` into `tensor` in place: cast to its dtype, broadcast to its shape.

    Raises DTypeError where the result is of a stronger category (a float into an integer tensor).
    """
    from ..graph.dtype import CATEGORIES

    dtype = tensor._value.dtype
    if CATEGORIES.index(result._value.dtype.category) > CATEGORIES.index(dtype.category):
        raise DTypeError(f"in-place: a result of {result.dtype.name} cannot be written into a tensor of {dtype.name}").located(
            user_line()
        )
    writer = result._value.origin
    result = cast(result, dtype)
    if result._value.shape != tensor._value.shape and len(result._value.shape) <= len(tensor._value.shape):
        result = apply(P["broadcast_to"], (result,), (("shape", tensor._value.shape),))
    return assign(tensor, result._value, writer)


def _define() -> None:
    """Called once the table of primitives is filled."""
    for name, op in (
        ("add", "add"), ("sub", "subtract"), ("mul", "multiply"), ("floordiv", "floor_divide"), ("mod", "remainder"),
        ("and", "bitwise_and"), ("or", "bitwise_or"), ("xor", "bitwise_xor"),
        ("lshift", "shift_left"), ("rshift", "shift_right"),
    ):  # fmt: skip
        _binary(name, P[op])
    _binary("truediv", P["divide"], to_float)
    for name, op in (
        ("eq", P["equal"]), ("ne", P["not_equal"]), ("lt", P["less"]), ("le", P["less_equal"]),
        ("gt", less_reversed), ("ge", less_equal_reversed),
    ):  # fmt: skip
        _comparison(name, op)


def _comparison(name: str, op: Any) -> None:
    def compare(self: Tensor, other: Any) -> Any:
        return promoted(op, self, other) if is_operand(other) else NotImplemented

    setattr(Tensor, f"__{name}__", compare)


_hash = Tensor.__hash__
_define()
Tensor.__hash__ = _hash  # type: ignore[method-assign]


def power(base: Any, exponent: Any) -> Tensor:
    """`base ** exponent`; small whole numbers become products, whose gradients are exact everywhere."""
    if isinstance(exponent, int | float) and not isinstance(exponent, bool) and isinstance(base, Tensor):
        dtype = result_type(base, exponent)
        base = cast(base, dtype)
        if exponent == int(exponent) if abs(exponent) < 2**31 else False:
            if 0 <= exponent <= 4:
                return apply(integer_power, (base,), (("exponent", int(exponent)),))
            if dtype.category == "int" and exponent < 0:
                raise DTypeError("integers to negative integer powers are not allowed: cast to a floating point dtype first")
        if exponent == 0.5 and dtype.is_floating_point:
            return apply(P["sqrt"], (base,))
    return promoted(P["power"], base, exponent)


@composite
def integer_power(x: Node, *, exponent: int) -> Node:
    """`x ** exponent` by products."""
    result = g.full(x.shape, 1, x.dtype)
    for k in range(exponent):
        result = x if k == 0 else result * x
    return result


def _pow(self: Tensor, other: Any) -> Any:
    return power(self, other) if is_operand(other) else NotImplemented


def _matmul(self: Tensor, other: Any) -> Any:
    return promoted(matmul, self, other) if isinstance(other, Tensor | np.ndarray) else NotImplemented


def _bitwise_not(self: Tensor) -> Tensor:
    return apply(P["bitwise_not"], (self,))


Tensor.__pow__ = _pow  # type: ignore[attr-defined]
Tensor.__rpow__ = lambda self, other: promoted(P["power"], other, self) if is_operand(other) else NotImplemented  # type: ignore[attr-defined]
Tensor.__ipow__ = lambda self, other: update(self, power(self, other)) if is_operand(other) else NotImplemented  # type: ignore[attr-defined]
Tensor.__matmul__ = _matmul  # type: ignore[attr-defined]
Tensor.__rmatmul__ = lambda self, other: promoted(matmul, other, self) if isinstance(other, Tensor | np.ndarray) else NotImplemented  # type: ignore[attr-defined]
Tensor.__neg__ = lambda self: apply(P["negative"], (self,))  # type: ignore[attr-defined]
Tensor.__pos__ = lambda self: self  # type: ignore[attr-defined]
Tensor.__abs__ = lambda self: apply(P["absolute"], (self,))  # type: ignore[attr-defined]
Tensor.__invert__ = _bitwise_not  # type: ignore[attr-defined]
