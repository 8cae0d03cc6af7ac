"""Functions made of other functions: they record nothing of their own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from ..functional.distance import cdist as pair_distances
from ..graph import dtype as dtypes
from ..graph.errors import ArgumentError, DTypeError, ShapeError
from ..graph.primitives.rules import normalize_axis
from ..tensor.core import Tensor, apply, cast, get_default_dtype, operand, result_type, to_float
from .complex import complex_
from .creation import full
from .define import FUNCTIONS, function
from .elementwise import pow, where
from .joining import cat, stack
from .manipulation import narrow, select, tensor_split


@function(in_place=True)
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), 1 at 0."""
    x = cast(input, to_float(input.dtype)) * math.pi
    at_zero = x == 0
    safe = x.masked_fill(at_zero, 1)
    return where(at_zero, 1 - x * x / 6, safe.sin() / safe)  # the parabola gives 0 its derivatives


@function(in_place=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), of x brought into [eps, 1 - eps] if eps is given."""
    x = cast(input, to_float(input.dtype))
    x = x if eps is None else x.clamp(eps, 1 - eps)
    return (x / (1 - x)).log()


@function(in_place=True)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """`input * 2**other`."""
    return input * pow(2.0, other)


@function()
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2**x + 2**y)."""
    ln2 = math.log(2.0)
    return FUNCTIONS["logaddexp"](input * ln2, other * ln2) / ln2


@function()
def float_power(input: Any, exponent: Any) -> Tensor:
    """`input ** exponent` in float64, or in complex128 where one of them is complex."""
    dtype = dtypes.complex128 if result_type(input, exponent).is_complex else dtypes.float64
    base = operand(input, dtype) if isinstance(input, Tensor) else input
    return pow(base, operand(exponent, dtype) if isinstance(exponent, Tensor) else exponent * 1.0)


@function()
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`other - alpha * input`."""
    return other - (input if alpha == 1 else input * alpha)


@function(is_method=False)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norm distances between rows of `[..., n, d]` and rows of `[..., m, d]`: `[..., n, m]`."""
    return apply(pair_distances, (x1, x2), (("p", float(p)),))


@function(is_method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element of each vector, one a row; of one vector, itself."""
    if len(tensors) == 1:
        return tensors[0]
    places = itertools.product(*(range(t.shape[0]) for t in tensors))
    columns = list(zip(*places, strict=True)) or [()] * len(tensors)
    chosen = [t[t.new_tensor(list(at), dtype=dtypes.int64)] for t, at in zip(tensors, columns, strict=True)]
    return stack(chosen, -1)


@function()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All combinations of r elements of a vector, one a row."""
    if input.ndim != 1 or r < 0:
        raise ArgumentError(f"combinations: expected a vector and r >= 0. Received: {input.ndim} dimensions, r={r}")
    if not r:
        return input.new_empty((0,))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = [at for row in choose(range(input.shape[0]), r) for at in row]
    return input[input.new_tensor(rows, dtype=dtypes.int64)].reshape(-1, r)


@function(is_method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices one after the other along a diagonal, zeros beside them. Vectors count as rows."""
    for t in tensors:
        if t.ndim > 2:
            raise ShapeError(f"block_diag: expected at most 2 dimensions. Received: shape {tuple(t.shape)}")
    blocks = [t.reshape((1,) * (2 - t.ndim) + tuple(t.shape)) for t in tensors]
    dtype = result_type(*(t.dtype for t in tensors))
    width, before, rows = sum(b.shape[1] for b in blocks), 0, []
    for b in blocks:
        after = width - before - b.shape[1]
        sides = [b.new_zeros((b.shape[0], size), dtype=dtype) for size in (before, after)]
        rows.append(cat([sides[0], cast(b, dtype), sides[1]], 1))
        before += b.shape[1]
    return cat(rows, 0)


@function("trapz", is_method=False)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral along an axis by the trapezoidal rule, over places x or steps of dx."""
    return _trapezoids(y, x, dx, dim).sum(dim)


@function(is_method=False)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Running integrals along an axis by the trapezoidal rule, over places x or steps of dx."""
    return _trapezoids(y, x, dx, dim).cumsum(dim)


def _trapezoids(y: Tensor, x: Tensor | None, dx: float, dim: int) -> Tensor:
    axis = normalize_axis(dim, y.ndim)
    size = max(y.shape[axis] - 1, 0)
    middle = (narrow(y, axis, 1, size) + narrow(y, axis, 0, size)) / 2 if y.shape[axis] else y / 2
    if x is None:
        return middle * dx
    if x.ndim == 1:
        return middle * x.diff().reshape([-1 if k == axis else 1 for k in range(y.ndim)])
    return middle * x.diff(dim=axis - y.ndim)


@function()
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Quantiles of what is not NaN; see `quantile`."""
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ArgumentError(f"nanquantile: interpolation: not known. Received: {interpolation!r}")
    if isinstance(q, Tensor) and q.ndim:
        return stack([nanquantile(input, each, dim, keepdim, interpolation=interpolation) for each in q.unbind()])
    flat = input.reshape(-1) if dim is None or not input.ndim else input
    axis = 0 if dim is None else normalize_axis(dim, flat.ndim)
    ordered = flat.sort(axis).values  # NaN comes last
    count = (flat == flat).sum(axis, keepdim=True)
    place = cast(count - 1, input.dtype).clamp(min=0) * q
    if interpolation in ("lower", "higher", "nearest"):
        place = {"lower": place.floor, "higher": place.ceil, "nearest": place.round}[interpolation]()
    low, high = (ordered.gather(axis, cast(end, dtypes.int64)) for end in (place.floor(), place.ceil()))
    weight = place - place.floor()
    result = low + (high - low) * ((weight != 0) * 0.5 if interpolation == "midpoint" else weight)
    if dim is None or not input.ndim:
        return result.reshape([1] * input.ndim if keepdim else [])
    return result if keepdim else result.squeeze(axis)


@function()
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariance matrix of variables (rows) over observations (columns)."""
    if input.ndim > 2:
        raise ShapeError(f"cov: expected at most 2 dimensions. Received: shape {tuple(input.shape)}")
    if input.dtype is dtypes.bool_:
        raise DTypeError("cov: expected numbers. Received: bool")
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        if given.ndim > 1 or given.numel() != (input.shape[-1] if input.ndim else 1):
            raise ShapeError(f"cov: {name}: expected one for each observation. Received: shape {tuple(given.shape)}")
        if given.dtype.is_floating_point == (name == "fweights"):
            kind = "whole" if name == "fweights" else "floating point"
            raise DTypeError(f"cov: {name}: expected {kind} numbers. Received: {given.dtype.name}")
        if bool((given < 0).any()):
            raise ArgumentError(f"cov: {name}: expected numbers of at least 0")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    x = cast(x, to_float(x.dtype))
    weights = fweights
    if aweights is not None:
        weights = aweights if fweights is None else fweights * aweights
    if weights is None:
        away = x - x.mean(1, keepdim=True)
        result = away @ away.H / max(x.shape[1] - correction, 0)
    else:
        total = weights.sum()
        lost = correction if aweights is None else correction * (weights * aweights).sum() / total
        away = x - (x * weights).sum(1, keepdim=True) / total
        result = (away * weights) @ away.H / (total - lost).clamp(min=0)
    return result.squeeze()


@function()
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation of variables (rows) over observations (columns)."""
    matrix = cov(input)
    if not matrix.ndim:
        return matrix / matrix
    spread = matrix.diagonal().sqrt()
    result = matrix / spread.unsqueeze(1) / spread.unsqueeze(0)
    if result.is_complex():
        return complex_(result.real.clamp(-1, 1), result.imag.clamp(-1, 1))
    return result.clamp(-1, 1)


def _split_evenly(name: str, axis_of: Any, least: int) -> None:
    def body(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
        if input.ndim < least:
            raise ShapeError(f"{name}: expected at least {least} dimensions. Received: shape {tuple(input.shape)}")
        axis = axis_of(input)
        sections = indices_or_sections
        if isinstance(sections, int) and (sections <= 0 or input.shape[axis] % sections):
            raise ArgumentError(
                f"{name}: expected a divisor of {input.shape[axis]}, the size of axis {axis}. "
                f"Received: {indices_or_sections}"
            )
        return tensor_split(input, indices_or_sections, axis)

    body.__name__ = name
    body.__doc__ = "Parts of equal size, or parts that begin at the places given; see `tensor_split`."
    function(also=dict.fromkeys(("indices", "sections"), "indices_or_sections"))(body)


_split_evenly("hsplit", lambda x: 0 if x.ndim == 1 else 1, 1)
_split_evenly("vsplit", lambda x: 0, 2)
_split_evenly("dsplit", lambda x: 2, 3)


@function()
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with `src` written at one index of an axis."""
    return _written(input, src, lambda x: select(x, dim, index))


@function()
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy with `src` written at a slice of an axis."""
    at = (slice(None),) * normalize_axis(dim, input.ndim) + (slice(start, end, step),)
    return _written(input, src, lambda x: x[at])


@function()
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with `src` written on a diagonal."""
    return _written(input, src, lambda x: x.diagonal(offset, dim1, dim2))


def _written(input: Tensor, src: Tensor, view: Any) -> Tensor:
    copy = input.clone()
    place = view(copy)
    if place.shape != src.shape:
        raise ShapeError(f"expected a source of shape {tuple(place.shape)}. Received: {tuple(src.shape)}")
    place.copy_(src)
    return copy


@function(is_method=False)
def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of one number, of the default float dtype unless given."""
    dtype = get_default_dtype() if dtype is None else dtype
    return full((), s, dtype=dtype, device=device, requires_grad=requires_grad)
