"""Special functions of tensors under the names of `torch.special`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..functional import special
from ..graph.dtype import int64
from ..graph.errors import ArgumentError
from ..graph.node import PRIMITIVES as P
from ..tensor.core import Tensor, apply, cast, get_default_dtype, operand, promoted, to_float
from .define import FUNCTIONS, function, into
from .elementwise import where

SPECIAL: dict[str, Callable[..., Any]] = {}
"""The functions of this room by their names in `torch.special`."""


def _unary(name: str, op: Any, doc: str, **attributes: Any) -> Callable[..., Tensor]:
    def body(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        return into(out, apply(op, (cast(input, to_float(input.dtype)),), tuple(attributes.items())))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = doc
    SPECIAL[name] = body
    return body


_unary("erfcx", special.erfcx, "exp(x²) erfc(x).")
_unary("ndtr", special.ndtr, "The distribution function of the normal distribution.")
_unary("log_ndtr", special.log_ndtr, "The logarithm of the distribution function of the normal distribution.")
_unary("ndtri", special.ndtri, "The quantiles of the normal distribution.")
_unary("entr", special.entr, "-x log x.")
_unary("airy_ai", special.airy_ai, "Airy's function Ai.")
_unary("spherical_bessel_j0", special.spherical_bessel_j0, "sin(x) / x.")
for _kind in ("j0", "j1", "y0", "y1"):
    _unary(f"bessel_{_kind}", special.bessel, f"Bessel's function {_kind.upper()}.", kind=_kind)
for _order in (0, 1):
    for _name, _scaled in ((f"modified_bessel_i{_order}", False), (f"i{_order}", False), (f"i{_order}e", True)):
        _doc = f"The modified Bessel function I{_order}{', times exp(-|x|)' if _scaled else ''}."
        _unary(_name, special.bessel_i, _doc, order=_order, scaled=_scaled)
    for _name, _scaled in ((f"modified_bessel_k{_order}", False), (f"scaled_modified_bessel_k{_order}", True)):
        _doc = f"The modified Bessel function K{_order}{', times exp(x)' if _scaled else ''}."
        _unary(_name, special.bessel_k, _doc, order=_order, scaled=_scaled)

function(in_place=True)(SPECIAL["i0"])


def _binary(name: str, op: Any, doc: str) -> None:
    def body(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        return into(out, promoted(op, input, other, to=to_float))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = doc
    SPECIAL[name] = body


_binary("xlog1py", special.xlog1py, "x log(1 + y), 0 where x is 0.")
_binary("zeta", special.zeta, "Hurwitz' function, the sum of (k + q)^-x over k >= 0.")


@function(in_place=True)
def polygamma(n: Any, input: Any) -> Tensor:
    """The n-th derivative of digamma; the order stands first, but the method is `x.polygamma(n)`."""
    order, x = (input, n) if isinstance(n, Tensor) else (n, input)
    if order < 0:
        raise ArgumentError(f"polygamma: n: expected at least 0. Received: {order}")
    x = cast(x, to_float(x.dtype))
    return x.digamma() if not order else apply(P["polygamma"], (x,), (("order", int(order)),))


@function("multigammaln", in_place=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p."""
    if p < 1:
        raise ArgumentError(f"mvlgamma: p: expected at least 1. Received: {p}")
    x = cast(input, to_float(input.dtype))
    total = (x - (p - 1) / 2).lgamma()
    for k in range(p - 1):
        total = total + (x - k / 2).lgamma()
    return total + p * (p - 1) / 4 * math.log(math.pi)


def _polynomial(name: str, doc: str, first: Any, step: Any) -> None:
    """A family of orthogonal polynomials: p(0) = 1, p(1) = first(x), p(k + 1) = step(k, x, p(k), p(k - 1))."""

    def body(input: Any, n: Any, *, out: Tensor | None = None) -> Tensor:
        like = next((t for t in (input, n) if isinstance(t, Tensor)), None)
        if like is None:
            raise TypeError(f"{name}: expected a tensor. Received: {type(input).__name__} and {type(n).__name__}")
        dtype = input.dtype if isinstance(input, Tensor) else n.dtype
        if isinstance(n, Tensor) and isinstance(input, Tensor) and n.dtype.is_floating_point:
            dtype = dtype if dtype.is_floating_point and dtype.itemsize >= n.dtype.itemsize else n.dtype
        x = operand(input, dtype if dtype.is_floating_point else get_default_dtype())
        degrees = cast(n, int64) if isinstance(n, Tensor) else operand(int(n), int64)
        most = int(np.max(degrees._array(), initial=0))
        if most > 10_000:
            raise ArgumentError(f"{name}: n: expected at most 10000. Received: {most}")
        before, now = x * 0 + 1, first(x)
        result = where(degrees == 0, before, before * 0)
        for k in range(1, most + 1):
            result = where(degrees == k, now, result)
            if k < most:
                before, now = now, step(k, x, now, before)
        return into(out, result)

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"{doc} of degree n, which is observed; 0 for n < 0."
    SPECIAL[name] = body


def _chebyshev(k: int, x: Tensor, now: Tensor, before: Tensor) -> Tensor:
    return 2 * x * now - before


def _shifted(k: int, x: Tensor, now: Tensor, before: Tensor) -> Tensor:
    return (4 * x - 2) * now - before


for _letter, _first in {
    "t": lambda x: x, "u": lambda x: 2 * x, "v": lambda x: 2 * x - 1, "w": lambda x: 2 * x + 1,
}.items():  # fmt: skip
    _title = f"Chebyshev's polynomial of kind {_letter.upper()}"
    _polynomial(f"chebyshev_polynomial_{_letter}", _title, _first, _chebyshev)
    _polynomial(
        f"shifted_chebyshev_polynomial_{_letter}", f"{_title} in 2x - 1", lambda x, at=_first: at(2 * x - 1), _shifted
    )
_polynomial("hermite_polynomial_h", "Hermite's polynomial H", lambda x: 2 * x,
            lambda k, x, now, before: 2 * x * now - 2 * k * before)  # fmt: skip
_polynomial("hermite_polynomial_he", "Hermite's polynomial He", lambda x: x,
            lambda k, x, now, before: x * now - k * before)  # fmt: skip
_polynomial("laguerre_polynomial_l", "Laguerre's polynomial", lambda x: 1 - x,
            lambda k, x, now, before: ((2 * k + 1 - x) * now - k * before) / (k + 1))  # fmt: skip
_polynomial("legendre_polynomial_p", "Legendre's polynomial", lambda x: x,
            lambda k, x, now, before: ((2 * k + 1) * x * now - k * before) / (k + 1))  # fmt: skip

SPECIAL["polygamma"] = polygamma
SPECIAL["multigammaln"] = mvlgamma
for _name, _theirs in {
    "expit": "sigmoid", "psi": "digamma", "gammaln": "lgamma", "logit": "logit", "erf": "erf", "erfc": "erfc",
    "erfinv": "erfinv", "exp2": "exp2", "expm1": "expm1", "log1p": "log1p", "digamma": "digamma", "sinc": "sinc",
    "round": "round", "softmax": "softmax", "log_softmax": "log_softmax", "logsumexp": "logsumexp", "xlogy": "xlogy",
    "gammainc": "igamma", "gammaincc": "igammac",
}.items():  # fmt: skip
    SPECIAL[_name] = FUNCTIONS[_theirs]
