"""Means, variances, norms, quantiles; softmax and its kin; sums of products."""

from __future__ import annotations

import math
from typing import Any

from ..functional import activation
from ..functional.einsum import einsum as einsum_op
from ..functional.linear import cross as cross_op
from ..functional.linear import kron as kron_op
from ..functional.linear import tensordot as tensordot_op
from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph.composite import composite
from ..graph.errors import ArgumentError, DTypeError
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axis
from ..graph.scan import scan
from ..tensor.core import Tensor, apply, cast, get_default_dtype, operand, promoted, result_type
from .define import axes_of, function, into
from .elementwise import logaddexp_stable
from .joining import cat
from .manipulation import narrow


@composite
def variance(x: Node, *, axes: tuple[int, ...], correction: float, keepdims: bool, root: bool) -> tuple[Node, Node]:
    """Variance (or its root) and mean over axes; the sum of squares is divided by the count less `correction`."""
    wide = g.cast(x, dtypes.float32) if x.dtype.is_half else x
    middle = g.mean(wide, axes, keepdims=True)
    away = wide - middle
    spread = g.sum(g.real(away * g.conjugate(away)), axes, keepdims) / float(max(g.count(x, axes) - correction, 0.0))
    kept = middle if keepdims else g.reshape(middle, spread.shape)
    return g.cast(g.sqrt(spread) if root else spread, x.dtype.to_real()), g.cast(kept, x.dtype)


def _variance(name: str, input: Tensor, dim: Any, unbiased: Any, correction: Any, keepdim: bool, root: bool) -> Any:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if not input.dtype.differentiable:
        raise DTypeError(f"{name}: expected a floating point or complex dtype. Received: {input.dtype.name}")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    attributes = (
        ("axes", axes_of(dim, input.ndim)),
        ("correction", float(correction)),
        ("keepdims", bool(keepdim)),
        ("root", root),
    )
    return apply(variance, (input,), attributes)


@function()
def var(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None,
        out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The variance over axes; divided by the count less `correction` (1 unless given)."""
    return into(out, _variance("var", input, dim, unbiased, correction, keepdim, False)[0])


@function()
def std(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None,
        out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The standard deviation over axes; see `var`."""
    return into(out, _variance("std", input, dim, unbiased, correction, keepdim, True)[0])


@function(is_method=False)
def var_mean(
    input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """Variance and mean."""
    return _variance("var_mean", input, dim, unbiased, correction, keepdim, False)


@function(is_method=False)
def std_mean(
    input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """Standard deviation and mean."""
    return _variance("std_mean", input, dim, unbiased, correction, keepdim, True)


@composite
def vector_norm(x: Node, *, order: float, axes: tuple[int, ...], keepdims: bool) -> Node:
    """The `order`-norm over axes. The gradient at zero is zero."""
    size = g.absolute(x)
    if order == math.inf:
        return g.max(size, axes, keepdims)
    if order == -math.inf:
        return g.min(size, axes, keepdims)
    if order == 0:
        return g.sum(g.cast(g.not_equal(x, 0), size.dtype), axes, keepdims)
    if order == 1:
        return g.sum(size, axes, keepdims)
    if order < 1:  # whose derivative at 0 is infinite
        at_zero = g.equal(x, 0)
        powers = g.select(at_zero, 0.0 if order > 0 else math.inf, g.power(g.select(at_zero, 1.0, size), order))
    else:
        powers = g.real(x * g.conjugate(x)) if order == 2 else g.power(size, order)
    total = g.sum(powers, axes, keepdims)
    zero = g.equal(total, 0)
    safe = g.select(zero, 1.0, total)
    return g.select(zero, 0.0 if order > 0 else total, g.sqrt(safe) if order == 2 else g.power(safe, 1.0 / order))


@function()
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
         out: Tensor | None = None) -> Tensor:  # fmt: skip
    """The p-norm over axes (all if None) taken as one vector; "fro" is 2."""
    if dtype is not None:
        input = cast(input, dtypes.dtype(dtype))
    if p == "nuc":
        from .norms import matrix_norm

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, out=out)
    if p not in ("fro", None) and not isinstance(p, int | float):
        raise ArgumentError(f"norm: p: expected a number or 'fro'. Received: {p!r}; see torch.linalg for others")
    order = 2.0 if p in ("fro", None) else float(p)
    attributes = (("order", order), ("axes", axes_of(dim, input.ndim)), ("keepdims", bool(keepdim)))
    return into(out, apply(vector_norm, (input,), attributes))


@function()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    return norm(input - other, p)


def _soft(name: str, op: Any, doc: str) -> Any:
    def body(input: Tensor, dim: int | None = None, dtype: Any = None, *, _stacklevel: int = 3) -> Tensor:
        if dtype is not None:
            input = cast(input, dtypes.dtype(dtype))
        if dim is None:  # PyTorch's implicit choice
            dim = 0 if input.ndim in (0, 1, 3) else 1
        return apply(op, (input,), (("axis", normalize_axis(dim, input.ndim)),))

    body.__name__ = name
    body.__doc__ = doc
    return function()(body)


softmax = _soft("softmax", activation.softmax, "exp(x) along an axis, over its sum.")
log_softmax = _soft("log_softmax", activation.log_softmax, "The logarithm of softmax, computed without overflow.")


@function()
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the sum of exponentials over axes, without overflow."""
    if not input.dtype.differentiable:
        input = cast(input, get_default_dtype())
    attributes = (("axis", axes_of(dim, input.ndim)), ("keepdims", bool(keepdim)))
    return into(out, apply(activation.logsumexp, (input,), attributes))


@function(is_method=False)
def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation, such as "bij,bjk->bik"."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    dtype = result_type(*operands)
    return apply(einsum_op, tuple(operand(x, dtype) for x in operands), (("equation", equation.replace(" ", "")),))


@function(is_method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over the last `dims` axes of `a` and the first of `b`, or over pairs of axes."""
    axes = dims if isinstance(dims, int) else tuple(tuple(int(k) for k in axis) for axis in dims)
    dtype = result_type(a, b)
    if not isinstance(axes, int):  # where one has size 1 the other is summed
        for i, j in zip(*axes, strict=True):
            if a.shape[i] != b.shape[j] and 1 in (a.shape[i], b.shape[j]):
                a = a.sum(i, True) if b.shape[j] == 1 else a
                b = b.sum(j, True) if a.shape[i] == 1 else b
    return apply(tensordot_op, (operand(a, dtype), operand(b, dtype)), (("axes", axes),))


@function()
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product."""
    return promoted(kron_op, input, other)


@function()
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of 3 along an axis."""
    if dim is None:
        dim = next((k for k, s in enumerate(input.shape) if s == 3), -1)
    dtype = result_type(input, other)
    return apply(cross_op, (operand(input, dtype), operand(other, dtype)), (("axis", dim),))


@function()
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of running sums of exponentials."""
    axis = normalize_axis(dim, input.ndim)
    return apply(running_logsumexp, (input,), (("axis", axis),))


def _next_logsumexp(before: Node, x: Node) -> tuple[tuple[Node], tuple[()]]:
    return (logaddexp_stable(x, before),), ()


@composite
def running_logsumexp(x: Node, *, axis: int) -> Node:
    """By doubling: after each step an element holds the sum over twice as many before it. Each sum is scaled by its
    own largest term, so that small beginnings before large numbers are kept."""
    if not x.ndim or not x.size:
        return g.apply("copy", x)
    if x.dtype.is_complex:  # whole turns of the phase are counted in order
        rows = g.permute(x, (axis, *(k for k in range(x.ndim) if k != axis)))
        first, rest = g.reshape(g.narrow(rows, 0, 0, 1), rows.shape[1:]), g.narrow(rows, 0, 1, rows.shape[0] - 1)
        states = scan(_next_logsumexp, (first,), (rest,)).states[0]
        return g.permute(states, (*range(1, axis + 1), 0, *range(axis + 1, x.ndim)))
    size, reach = x.shape[axis], 1
    while reach < size:
        rest = logaddexp_stable(g.narrow(x, axis, reach, size - reach), g.narrow(x, axis, 0, size - reach))
        x = g.concatenate((g.narrow(x, axis, 0, reach), rest), axis)
        reach *= 2
    return x


@function()
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of what is not NaN."""
    return _zeroed(input).sum(dim, keepdim, dtype=dtype)


@function()
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of what is not NaN."""
    there = cast(input == input, input.dtype)
    return nansum(input, dim, keepdim, dtype=dtype) / there.sum(dim, keepdim)


@composite
def without_nan(x: Node) -> Node:
    return g.select(g.not_equal(x, x), 0.0, x) if x.dtype.differentiable else g.apply("copy", x)


def _zeroed(input: Tensor) -> Tensor:
    return apply(without_nan, (input,))


@composite
def quantiles(x: Node, q: Node, *, axis: int, interpolation: str) -> Node:
    """Quantiles along an axis, those of each q in front; NaN where the slice has one."""
    ordered = g.take_along(x, g.argsort(x, axis), axis)
    size = x.shape[axis]
    place = q * float(size - 1)
    low = {"higher": g.ceil, "nearest": g.round}.get(interpolation, g.floor)(place)
    high = {"lower": g.floor, "nearest": g.round}.get(interpolation, g.ceil)(place)
    a, b = (g.take(ordered, g.cast(k, dtypes.int64), axis) for k in (low, high))
    weight = g.full(q.shape, 0.5, x.dtype) if interpolation == "midpoint" else place - low
    weight = g.select(g.equal(low, high), 0.0, weight)
    along = tuple(-1 if k == axis else 1 for k in range(x.ndim))
    result = a + (b - a) * g.reshape(weight, along)
    bad = g.any(g.not_equal(x, x), axis, keepdims=True)
    result = g.select(bad, math.nan, result)
    return g.permute(result, (axis, *(k for k in range(x.ndim) if k != axis)))


@function()
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Quantiles q (a number or a vector, from 0 to 1) along an axis, or of all elements."""
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ArgumentError(f"quantile: interpolation: not known. Received: {interpolation!r}")
    single = not isinstance(q, Tensor) or q.ndim == 0
    wanted = operand(q, input.dtype).reshape(-1)
    flat = input.reshape(-1) if dim is None or not input.ndim else input
    axis = 0 if dim is None else normalize_axis(dim, input.ndim)
    result = apply(quantiles, (flat, wanted), (("axis", axis), ("interpolation", interpolation)))
    if keepdim:
        shape = (1,) * input.ndim if dim is None else tuple(1 if k == axis else s for k, s in enumerate(input.shape))
        result = result.reshape((wanted.numel(), *shape))
    return result[0] if single else result


@function()
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along an axis, n times."""
    if n < 0:
        raise ArgumentError(f"diff: n: expected at least 0. Received: {n}")
    if not n:
        return input
    parts = [p for p in (prepend, input, append) if p is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        size = x.shape[dim]
        after, before = narrow(x, dim, 1, size - 1), narrow(x, dim, 0, size - 1)
        x = after ^ before if x.dtype is dtypes.bool_ else after - before
    return x
