"""Elementwise operations of one input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, bool_, float32, float64, int32, int64
from ..errors import ArgumentError, DTypeError
from ..node import Node, Primitive, Sample, Shape, register
from . import special
from .rules import gives, same_dtype, same_shape, zero_gradient
from .samples import integers, unary_samples, uniform

Derivative = Callable[[Node, Node], Node]

_FLOAT = same_dtype("float")
_NUMERIC = same_dtype("int float")


def _unary(
    name: str,
    evaluate: Callable[..., np.ndarray],
    derivative: Derivative | None,
    samples: Callable[[], Iterable[Sample]],
    *,
    dtype: Callable[..., DType] = _FLOAT,
    torch: Callable[..., Any] | None = None,
    attributes: tuple[str, ...] = (),
    shape: Callable[..., Shape] = same_shape,
    moves_bits: bool = False,
    exact: bool = False,
) -> None:
    """Enter one record. `derivative` gives dy/dx from the nodes x and y; without it the derivative is zero."""

    def gradient(node: Node, dy: Node) -> Sequence[Node | None]:
        assert derivative is not None
        return (dy * derivative(node.inputs[0], node),)

    register(
        Primitive(
            name=name,
            kind="elementwise",
            arity=1,
            attributes=attributes,
            shape=shape,
            dtype=dtype,
            evaluate=evaluate,
            gradient=gradient if derivative else zero_gradient,
            torch=torch or (lambda torch, x: getattr(torch, name)(x)),
            samples=samples,
            moves_bits=moves_bits,
            exact=exact,
        )
    )


_MIXED = unary_samples(-2.7, 3.1)
_POSITIVE = unary_samples(0.05, 9)
_INSIDE = unary_samples(-0.95, 0.95)

register(
    Primitive(
        name="negative",
        exact=True,
        kind="elementwise",
        arity=1,
        shape=same_shape,
        dtype=_NUMERIC,
        evaluate=np.negative,
        gradient=lambda node, dy: (-dy,),
        torch=lambda torch, x: -x,
        samples=_MIXED,
    )
)
_unary("absolute", np.absolute, lambda x, y: lang.sign(x), _MIXED, dtype=_NUMERIC, exact=True)
_unary("sign", np.sign, None, _MIXED, dtype=_NUMERIC, exact=True)
_unary("exp", np.exp, lambda x, y: y, _MIXED)
_unary("expm1", np.expm1, lambda x, y: y + 1, _MIXED)
_unary("log", np.log, lambda x, y: 1 / x, _POSITIVE)
_unary("log1p", np.log1p, lambda x, y: 1 / (x + 1), unary_samples(-0.9, 9))
_unary("sqrt", np.sqrt, lambda x, y: 0.5 / y, _POSITIVE, exact=True)
_unary(
    "rsqrt",
    lambda x: np.reciprocal(np.sqrt(x)),
    lambda x, y: y * y * y * -0.5,
    _POSITIVE,
)
_unary("sin", np.sin, lambda x, y: lang.cos(x), _MIXED)
_unary("cos", np.cos, lambda x, y: -lang.sin(x), _MIXED)
_unary("tan", np.tan, lambda x, y: y * y + 1, unary_samples(-1.3, 1.3))
_unary("asin", np.arcsin, lambda x, y: lang.rsqrt(1 - x * x), _INSIDE)
_unary("acos", np.arccos, lambda x, y: -lang.rsqrt(1 - x * x), _INSIDE)
_unary("atan", np.arctan, lambda x, y: 1 / (x * x + 1), _MIXED)
_unary("sinh", np.sinh, lambda x, y: lang.cosh(x), _MIXED)
_unary("cosh", np.cosh, lambda x, y: lang.sinh(x), _MIXED)
_unary("tanh", np.tanh, lambda x, y: 1 - y * y, _MIXED)
_unary("asinh", np.arcsinh, lambda x, y: lang.rsqrt(x * x + 1), _MIXED)
# sqrt(x - 1) sqrt(x + 1) keeps the digits that x² - 1 loses near 1
_unary(
    "acosh",
    np.arccosh,
    lambda x, y: lang.rsqrt(x - 1) * lang.rsqrt(x + 1),
    unary_samples(1.1, 9),
)
_unary("atanh", np.arctanh, lambda x, y: 1 / (1 - x * x), _INSIDE)
_unary(
    "erf",
    special.erf,
    lambda x, y: lang.exp(-(x * x)) * (2 / math.sqrt(math.pi)),
    _MIXED,
)
_unary(
    "erfinv",
    special.erfinv,
    lambda x, y: lang.exp(y * y) * (math.sqrt(math.pi) / 2),
    _INSIDE,
)
_unary("lgamma", special.lgamma, lambda x, y: lang.digamma(x), _POSITIVE)
_unary("digamma", special.digamma, lambda x, y: lang.polygamma(x, 1), _POSITIVE)
_unary("floor", np.floor, None, _MIXED, exact=True)
_unary("ceil", np.ceil, None, _MIXED, exact=True)
_unary("round", np.rint, None, _MIXED, exact=True)
_unary("trunc", np.trunc, None, _MIXED, exact=True)
_unary(
    "is_nan",
    np.isnan,
    None,
    _MIXED,
    dtype=gives(bool_, "float"),
    torch=lambda torch, x: torch.isnan(x),
    exact=True,
)
_unary(
    "bitwise_not",
    np.invert,
    None,
    lambda: [Sample((integers(-9, 90, 3, 5),)), Sample((integers(0, 2, 4) > 0,))],
    dtype=same_dtype("bool int"),
)
_unary(
    "stop_gradient",
    lambda x: x,
    None,
    _MIXED,
    dtype=same_dtype(),
    torch=lambda _, x: x.detach(),
    moves_bits=True,
)


def _polygamma_shape(x: Shape, *, order: int) -> Shape:
    if order < 1:
        raise ArgumentError(f"polygamma: expected an order of at least 1 (digamma is order 0). Received: {order}")
    return x


_unary(
    "polygamma",
    lambda x, order: special.polygamma(order, x),
    lambda x, y: lang.polygamma(x, y["order"] + 1),
    lambda: [*unary_samples(0.3, 9, order=1)(), *unary_samples(0.3, 9, order=3)()],
    attributes=("order",),
    shape=_polygamma_shape,
    torch=lambda torch, x, order: torch.polygamma(order, x),
)


register(
    Primitive(
        name="copy",
        kind="elementwise",
        arity=1,
        shape=same_shape,
        dtype=same_dtype(),
        evaluate=np.copy,
        gradient=lambda node, dy: (dy,),
        torch=lambda torch, x: x.clone(),
        samples=_MIXED,
        moves_bits=True,
    )
)

# A float outside the range of an integer dtype casts to some unspecified value, as in C.
register(
    Primitive(
        name="cast",
        exact=True,
        kind="elementwise",
        arity=1,
        attributes=("dtype",),
        shape=same_shape,
        dtype=lambda x, *, dtype: dtype,
        evaluate=lambda x, *, dtype: x.astype(dtype.numpy),
        gradient=lambda node, dy: (lang.cast(dy, node.inputs[0].dtype),),
        torch=lambda torch, x, *, dtype: x.to(getattr(torch, dtype.name)),
        samples=lambda: [
            *unary_samples(0.1, 3.1, dtype=int32)(),
            *unary_samples(-2.7, 3.1, dtype=float64)(),
            Sample((integers(-1, 2, 3, 4),), {"dtype": bool_}),
            Sample((integers(-9, 90, 3, 4),), {"dtype": float32}),
        ],
    )
)


def _bitcast_dtype(x: DType, *, dtype: DType) -> DType:
    if x.itemsize != dtype.itemsize or dtype is bool_:
        raise DTypeError(
            f"bitcast: expected a dtype, other than bool, of {x.itemsize} bytes as {x.name}. Received: {dtype.name}"
        )
    return dtype


register(
    Primitive(
        name="bitcast",
        kind="elementwise",
        arity=1,
        attributes=("dtype",),
        shape=same_shape,
        dtype=_bitcast_dtype,
        evaluate=lambda x, *, dtype: x.view(dtype.numpy),
        torch=lambda torch, x, *, dtype: x.view(getattr(torch, dtype.name)),
        samples=lambda: [
            Sample((uniform(-2, 3, 3, 4),), {"dtype": int64}),
            Sample((integers(0, 2**52, 5),), {"dtype": float64}),
            Sample((integers(0, 9, 2).reshape(1, 2)[0, 0],), {"dtype": float64}),
        ],
        moves_bits=True,
    )
)
