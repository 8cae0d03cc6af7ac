"""Elementwise operations of two inputs, and the three of `select`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, bool_
from ..errors import ArgumentError, DTypeError
from ..node import Node, Primitive, Sample, register
from .rules import broadcast_shapes, gives, ordered, same_dtype, same_shape, to_bool, zero_gradient
from .samples import binary_samples, integer_pairs, integers, uniform

_NUMERIC = same_dtype("int float complex")
_INEXACT = same_dtype("float complex")
_ORDERED = same_dtype("int float")
_FLOAT = same_dtype("float")
_LOGIC = same_dtype("bool int")
_COMPARED = gives(bool_, "bool int float")
_UNTIED = binary_samples()


def _binary(
    name: str,
    evaluate: Callable[..., np.ndarray],
    gradient: Callable[[Node, Node], Sequence[Node | None]] | None,
    samples: Callable[[], Iterable[Sample]] = _UNTIED,
    *,
    dtype: Callable[..., DType] = _NUMERIC,
    torch: Callable[..., Any] | None = None,
    exact: bool = False,
    wirtinger: bool = False,
) -> None:
    register(
        Primitive(
            name=name,
            kind="elementwise",
            arity=2,
            shape=same_shape,
            dtype=dtype,
            evaluate=evaluate,
            gradient=gradient,
            torch=torch or (lambda torch, x, y: getattr(torch, name)(x, y)),
            samples=samples,
            exact=exact,
            wirtinger=wirtinger,
        )
    )


def _by_integer(ufunc: np.ufunc) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A division that refuses an integer zero, which has no quotient."""

    def evaluate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if y.dtype.kind in "iu" and np.broadcast(x, y).size and not y.all():
            raise ArgumentError(f"{ufunc.__name__}: integer division by zero")
        return ufunc(x, y)

    return evaluate


def _power(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind != "i" or not (negative := y < 0).any():
        return np.power(x, y)
    # An integer to a negative power is 1 / x**-y cut to an integer: 0 unless x is 1 or -1.
    inverse = np.where(np.abs(x) == 1, np.power(x, np.abs(y)), 0)
    return np.where(negative, inverse, np.power(x, np.where(negative, 0, y))).astype(x.dtype)


def _power_gradient(node: Node, dy: Node) -> Sequence[Node]:
    x, y = node.inputs
    # x ** 0 is 1 for every x, also where x ** -1 is infinite
    dx = lang.select(lang.equal(y, 0), 0, y * lang.power(x, y - 1))
    # 0 ** y is 0 for every y > 0, where log x is infinite
    flat = lang.equal(x, 0) & (lang.real(y) >= 0)
    return dy * dx, dy * lang.select(flat, 0, node * lang.log(x))


def _choice_gradient(
    loses: Callable[[Node, Node], Node],
) -> Callable[[Node, Node], Sequence[Node]]:
    """The cotangent goes to the input that was chosen, half to each at a tie."""

    def gradient(node: Node, dy: Node) -> Sequence[Node]:
        x, y = node.inputs
        shared = lang.select(lang.equal(x, y), dy * 0.5, dy)
        return lang.select(loses(x, y), 0, shared), lang.select(loses(y, x), 0, shared)

    return gradient


def _atan2_gradient(node: Node, dy: Node) -> Sequence[Node]:
    y, x = node.inputs
    square = x * x + y * y
    scale = lang.select(lang.equal(square, 0), 0, dy / square)
    return scale * x, -(scale * y)


def _copysign_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    x, _ = node.inputs
    return lang.select(lang.equal(x, 0), 0, dy * lang.sign(x) * lang.sign(node)), None


def _divide_gradient(node: Node, dy: Node) -> Sequence[Node]:
    x, y = node.inputs
    dx = dy / y
    return dx, -(dx * x / y)  # not by the quotient, which users may overwrite


_binary("add", np.add, lambda node, dy: (dy, dy), dtype=same_dtype(), exact=True, wirtinger=True)
_binary("subtract", np.subtract, lambda node, dy: (dy, -dy), exact=True, wirtinger=True)
_binary(
    "multiply",
    np.multiply,
    lambda node, dy: (dy * node.inputs[1], dy * node.inputs[0]),
    dtype=same_dtype(),
    exact=True,
)
_binary(
    "divide",
    np.divide,
    _divide_gradient,
    binary_samples((-3, 3), (0.3, 4)),
    dtype=_INEXACT,
    exact=True,
)
_binary(
    "floor_divide",
    _by_integer(np.floor_divide),
    zero_gradient,
    binary_samples((-9, 9.3), (1.1, 4)),
    dtype=_ORDERED,
)
_binary(
    "remainder",
    _by_integer(np.remainder),
    lambda node, dy: (dy, -(dy * lang.floor(node.inputs[0] / node.inputs[1]))),
    binary_samples((-9, 9.3), (1.1, 4)),
    dtype=_ORDERED,
)
_binary(
    "fmod",
    _by_integer(np.fmod),
    lambda node, dy: (dy, -(dy * lang.trunc(node.inputs[0] / node.inputs[1]))),
    binary_samples((-9, 9.3), (1.1, 4)),
    dtype=_ORDERED,
)
_binary(
    "power",
    _power,
    _power_gradient,
    binary_samples((0.2, 3), (-2, 3)),
    torch=lambda torch, x, y: torch.pow(x, y),
)
_binary("gcd", np.gcd, None, integer_pairs(-60, 60), dtype=same_dtype("int"))
_binary("maximum", np.maximum, _choice_gradient(lambda x, y: x < y), dtype=ordered, exact=True)
_binary("minimum", np.minimum, _choice_gradient(lambda x, y: y < x), dtype=ordered, exact=True)
_binary(
    "atan2",
    np.arctan2,
    _atan2_gradient,
    binary_samples((-3, 3.1), (-2, 4)),
    dtype=_FLOAT,
)
_binary(
    "copysign",
    np.copysign,
    _copysign_gradient,
    binary_samples((-3, 3.1), (-2, 4)),
    dtype=_FLOAT,
    exact=True,
)
_binary(
    "equal", np.equal, None, integer_pairs(-3, 9), dtype=to_bool, torch=lambda torch, x, y: torch.eq(x, y), exact=True
)
_binary(
    "not_equal",
    np.not_equal,
    None,
    integer_pairs(-3, 9),
    dtype=to_bool,
    torch=lambda torch, x, y: torch.ne(x, y),
    exact=True,
)
_binary(
    "less", np.less, None, integer_pairs(-3, 9), dtype=_COMPARED, torch=lambda torch, x, y: torch.lt(x, y), exact=True
)
_binary(
    "less_equal",
    np.less_equal,
    None,
    integer_pairs(-3, 9),
    dtype=_COMPARED,
    torch=lambda torch, x, y: torch.le(x, y),
    exact=True,
)
_binary("bitwise_and", np.bitwise_and, None, integer_pairs(-3, 90), dtype=_LOGIC)
_binary("bitwise_or", np.bitwise_or, None, integer_pairs(-3, 90), dtype=_LOGIC)
_binary("bitwise_xor", np.bitwise_xor, None, integer_pairs(-3, 90), dtype=_LOGIC)
_SHIFT = same_dtype("int")
_binary(
    "shift_left",
    np.left_shift,
    None,
    integer_pairs(0, 9),
    dtype=_SHIFT,
    torch=lambda torch, x, y: torch.bitwise_left_shift(x, y),
)
_binary(
    "shift_right",
    np.right_shift,
    None,
    integer_pairs(0, 9),
    dtype=_SHIFT,
    torch=lambda torch, x, y: torch.bitwise_right_shift(x, y),
)


def _nextafter_bits(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The neighbour of `x` in the direction of `y`, for the 16-bit floats that NumPy's function does not know.

    The bit patterns of floats of one sign are ordered as their magnitudes.
    """
    x, y = np.broadcast_arrays(x, y)
    bits, top = x.view(np.uint16), np.uint16(0x8000)
    away = np.where(np.signbit(x), y < x, y > x)
    step = bits + np.where(away, 1, -1).astype(np.uint16)
    smallest = (np.where(np.signbit(y), top, 0) | 1).astype(np.uint16)
    result = np.where(x == y, y.view(np.uint16), np.where(bits & ~top == 0, smallest, step)).view(x.dtype)
    return np.where(np.isnan(x) | np.isnan(y), x + y, result)


register(
    Primitive(
        name="nextafter",
        exact=True,
        kind="elementwise",
        arity=2,
        shape=same_shape,
        dtype=_FLOAT,
        evaluate=lambda x, y: _nextafter_bits(x, y) if x.dtype.itemsize == 2 else np.nextafter(x, y),
        gradient=None,
        torch=lambda torch, x, y: torch.nextafter(x, y),
        samples=_UNTIED,
        moves_bits=True,
    )
)


def _select_dtype(condition: DType, x: DType, y: DType) -> DType:
    if condition is not bool_:
        raise DTypeError(f"select: expected a bool condition. Received: {condition.name}")
    return same_dtype()(x, y)


def _select_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    condition = node.inputs[0]
    return None, lang.select(condition, dy, 0), lang.select(condition, 0, dy)


def _select_samples() -> list[Sample]:
    shapes: list[Any] = [
        ((), (), ()),
        ((3, 5), (3, 5), (3, 5)),
        ((5,), (3, 1), ()),
        ((2, 1, 3), (), (4, 3)),
        ((0,), (0,), ()),
    ]
    return [Sample((integers(0, 2, *c) > 0, uniform(-1, 2, *a), uniform(-2, 1, *b))) for c, a, b in shapes]


register(
    Primitive(
        name="select",
        exact=True,
        kind="elementwise",
        arity=3,
        shape=broadcast_shapes,
        dtype=_select_dtype,
        evaluate=np.where,
        gradient=_select_gradient,
        torch=lambda torch, condition, x, y: torch.where(condition, x, y),
        samples=_select_samples,
        moves_bits=True,
    )
)
