"""Elementwise operations of one input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType, bool_, complex64, float32, float64, int32, int64
from ..errors import ArgumentError, DTypeError
from ..node import Node, Primitive, Sample, Shape, register
from . import special
from .rules import gives, same_dtype, same_shape, zero_gradient
from .samples import integers, unary_samples, uniform

Derivative = Callable[[Node, Node], Node]

_FLOAT = same_dtype("float")
_INEXACT = same_dtype("float complex")
_NUMERIC = same_dtype("int float complex")


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
        wirtinger=True,
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


def _absolute_dtype(x: DType) -> DType:
    return _NUMERIC(x).to_real()


def _absolute_gradient(node: Node, dy: Node) -> Sequence[Node]:
    (x,) = node.inputs
    return (lang.cast(dy, x.dtype) * lang.sign(x),)


def _sign_gradient(node: Node, dy: Node) -> Sequence[Node | None]:
    """Of z / |z|: what of the cotangent stands across z, over |z|; a real sign is constant."""
    (x,) = node.inputs
    if not x.dtype.is_complex:
        return (None,)
    along = lang.real(dy * lang.conjugate(node))
    across = (dy - node * lang.cast(along, x.dtype)) / lang.cast(lang.absolute(x), x.dtype)
    return (lang.select(lang.equal(x, 0), 0, across),)


for _name, _meaning, _rule, _result in (
    ("absolute", np.absolute, _absolute_gradient, _absolute_dtype),
    ("sign", np.sign, _sign_gradient, _NUMERIC),
):
    register(
        Primitive(
            name=_name, exact=True, wirtinger=True, kind="elementwise", arity=1, shape=same_shape, dtype=_result,
            evaluate=_meaning, gradient=_rule, samples=_MIXED,
            torch=lambda torch, x, _name="abs" if _name == "absolute" else "sgn": getattr(torch, _name)(x),
        )
    )  # fmt: skip
_unary("exp", np.exp, lambda x, y: y, _MIXED, dtype=_INEXACT)
_unary("expm1", np.expm1, lambda x, y: y + 1, _MIXED, dtype=_INEXACT)
_unary("log", np.log, lambda x, y: 1 / x, _POSITIVE, dtype=_INEXACT)
_unary("log1p", np.log1p, lambda x, y: 1 / (x + 1), unary_samples(-0.9, 9), dtype=_INEXACT)
_unary("sqrt", np.sqrt, lambda x, y: 0.5 / y, _POSITIVE, exact=True, dtype=_INEXACT)
_unary(
    "rsqrt",
    lambda x: np.reciprocal(np.sqrt(x)),
    lambda x, y: y * y * y * -0.5,
    _POSITIVE,
    dtype=_INEXACT,
)
_unary("sin", np.sin, lambda x, y: lang.cos(x), _MIXED, dtype=_INEXACT)
_unary("cos", np.cos, lambda x, y: -lang.sin(x), _MIXED, dtype=_INEXACT)
_unary("tan", np.tan, lambda x, y: y * y + 1, unary_samples(-1.3, 1.3), dtype=_INEXACT)
_unary("asin", np.arcsin, lambda x, y: lang.rsqrt(1 - x * x), _INSIDE, dtype=_INEXACT)
_unary("acos", np.arccos, lambda x, y: -lang.rsqrt(1 - x * x), _INSIDE, dtype=_INEXACT)
_unary("atan", np.arctan, lambda x, y: 1 / (x * x + 1), _MIXED, dtype=_INEXACT)
_unary("sinh", np.sinh, lambda x, y: lang.cosh(x), _MIXED, dtype=_INEXACT)
_unary("cosh", np.cosh, lambda x, y: lang.sinh(x), _MIXED, dtype=_INEXACT)
_unary("tanh", np.tanh, lambda x, y: 1 - y * y, _MIXED, dtype=_INEXACT)
_unary("asinh", np.arcsinh, lambda x, y: lang.rsqrt(x * x + 1), _MIXED, dtype=_INEXACT)
# sqrt(x - 1) sqrt(x + 1) keeps the digits that x² - 1 loses near 1
_unary(
    "acosh",
    np.arccosh,
    lambda x, y: lang.rsqrt(x - 1) * lang.rsqrt(x + 1),
    unary_samples(1.1, 9),
    dtype=_INEXACT,
)
_unary("atanh", np.arctanh, lambda x, y: 1 / (1 - x * x), _INSIDE, dtype=_INEXACT)
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


def _cast(x: np.ndarray, *, dtype: DType) -> np.ndarray:
    if x.dtype.kind == "c" and not dtype.is_complex and dtype is not bool_:
        x = x.real
    return x.astype(dtype.numpy)


# A complex number loses its imaginary part. A float outside the range of an integer dtype casts to some unspecified
# value, as in C.
register(
    Primitive(
        name="cast",
        exact=True,
        wirtinger=True,
        kind="elementwise",
        arity=1,
        attributes=("dtype",),
        shape=same_shape,
        dtype=lambda x, *, dtype: dtype,
        evaluate=_cast,
        gradient=lambda node, dy: (lang.cast(dy, node.inputs[0].dtype),),
        torch=lambda torch, x, *, dtype: x.to(getattr(torch, dtype.name)),
        samples=lambda: [
            *unary_samples(0.1, 3.1, dtype=int32)(),
            *unary_samples(-2.7, 3.1, dtype=float64)(),
            Sample((integers(-1, 2, 3, 4),), {"dtype": bool_}),
            Sample((integers(-9, 90, 3, 4),), {"dtype": float32}),
            *unary_samples(-2.7, 3.1, dtype=complex64)(),
            Sample((uniform(-2, 3, 3, 4) - 1j,), {"dtype": float64}),
            Sample((uniform(-2, 3, 3, 4) * 0 + np.array([0, 1, 1j, 0]),), {"dtype": bool_}),
        ],
    )
)


def _bitcast_dtype(x: DType, *, dtype: DType) -> DType:
    if x.itemsize != dtype.itemsize or dtype is bool_ or x.is_complex or dtype.is_complex:
        raise DTypeError(
            f"bitcast: expected real numbers other than bool, of {x.itemsize} bytes as {x.name}. Received: {dtype.name}"
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
