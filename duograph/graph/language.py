"""The graph language: functions on nodes, in which gradients and composites are written.

Axes may be negative; numbers beside nodes are constants of the nodes' dtype. Every function builds checked nodes.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

from .dtype import DType, int64
from .node import Node, Number, Shape, apply, constant
from .primitives.rules import broadcast_shapes, normalize_axes, normalize_axis

Axes = int | tuple[int, ...] | None


def full(shape: Shape, number: Number | complex, dtype: DType) -> Node:
    """A tensor of one number."""
    return broadcast_to(constant(number, dtype), shape)


def zeros_like(x: Node) -> Node:
    return full(x.shape, 0, x.dtype)


def broadcast_to(x: Node, shape: Shape) -> Node:
    return x if x.shape == tuple(shape) else apply("broadcast_to", x, shape=tuple(shape))


def reshape(x: Node, shape: Shape) -> Node:
    """`x` in another shape of the same size, row-major; one size may be -1."""
    shape = tuple(shape)
    if -1 in shape:
        rest = 1
        for size in shape:
            rest *= size if size != -1 else 1
        shape = tuple(x.size // builtins.max(rest, 1) if s == -1 else s for s in shape)
    return x if x.shape == shape else apply("reshape", x, shape=shape)


def permute(x: Node, axes: Sequence[int]) -> Node:
    order = tuple(normalize_axis(a, x.ndim) for a in axes)
    return x if order == tuple(range(x.ndim)) else apply("permute", x, axes=order)


def transpose(x: Node, a: int = -1, b: int = -2) -> Node:
    """`x` with two axes exchanged."""
    order = list(range(x.ndim))
    a, b = normalize_axis(a, x.ndim), normalize_axis(b, x.ndim)
    order[a], order[b] = order[b], order[a]
    return permute(x, order)


def expand_dims(x: Node, axes: Axes) -> Node:
    """`x` with axes of size 1 inserted so that they stand at `axes` of the result."""
    axes = (axes,) if isinstance(axes, int) else tuple(axes or ())
    places = normalize_axes(axes, x.ndim + len(axes))
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if k in places else next(sizes) for k in range(x.ndim + len(axes))))


def cast(x: Node, dtype: DType) -> Node:
    return x if x.dtype is dtype else apply("cast", x, dtype=dtype)


def sum(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    return _reduce("sum", x, axes, keepdims)


def prod(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    return _reduce("prod", x, axes, keepdims)


def max(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    return _reduce("max", x, axes, keepdims)


def min(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    return _reduce("min", x, axes, keepdims)


def any(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    return _reduce("any", x, axes, keepdims)


def all(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    return _reduce("all", x, axes, keepdims)


def _reduce(name: str, x: Node, axes: Axes, keepdims: bool) -> Node:
    found = normalize_axes(axes, x.ndim)
    result = apply(name, x, axes=found)
    if keepdims:
        result = reshape(result, tuple(1 if k in found else s for k, s in enumerate(x.shape)))
    return result


def count(x: Node, axes: Axes = None) -> int:
    """How many elements a reduction over `axes` takes in."""
    size = 1
    for axis in normalize_axes(axes, x.ndim):
        size *= x.shape[axis]
    return size


def mean(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    number = count(x, axes)
    total = sum(x, axes, keepdims)
    exact = type(number) is int and number and number & (number - 1) == 0  # then its reciprocal is
    return total * (1.0 / number) if exact else total / number


def sum_to(x: Node, shape: Shape) -> Node:
    """The adjoint of broadcasting `shape` to the shape of `x`: added axes are summed away."""
    if x.shape == shape:
        return x
    added = x.ndim - len(shape)
    axes = tuple(k for k in range(x.ndim) if k < added or (shape[k - added] == 1 and x.shape[k] != 1))
    return reshape(sum(x, axes), shape)


def select(condition: Node, x: Node | Number, y: Node | Number) -> Node:
    """`x` where the condition holds, else `y`; one of the two may be a number."""
    like = x if isinstance(x, Node) else y
    assert isinstance(like, Node)
    x, y = (v if isinstance(v, Node) else constant(v, like.dtype) for v in (x, y))
    return apply("select", condition, x, y)


def elementwise(name: str) -> Callable[..., Node]:
    """The function on nodes and numbers that applies the elementwise primitive called `name`."""

    def function(*operands: Node | Number) -> Node:
        return apply(name, *operands)

    function.__name__ = name
    return function


absolute, exp, expm1, log, log1p, sqrt, rsqrt = map(
    elementwise, ("absolute", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt")
)
sin, cos, tan, asin, acos, atan = map(elementwise, ("sin", "cos", "tan", "asin", "acos", "atan"))
sinh, cosh, tanh, asinh, acosh, atanh = map(elementwise, ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"))
erf, erfinv, lgamma, digamma = map(elementwise, ("erf", "erfinv", "lgamma", "digamma"))
sign, floor, ceil, round, trunc = map(elementwise, ("sign", "floor", "ceil", "round", "trunc"))
maximum, minimum, power, atan2 = map(elementwise, ("maximum", "minimum", "power", "atan2"))
floor_divide, remainder = map(elementwise, ("floor_divide", "remainder"))
equal, not_equal, less, less_equal = map(elementwise, ("equal", "not_equal", "less", "less_equal"))
stop_gradient = elementwise("stop_gradient")


def polygamma(x: Node, order: int) -> Node:
    """The derivative of digamma of this order, at least 1."""
    return apply("polygamma", x, order=order)


def join(re: Node, im: Node) -> Node:
    """re + i im."""
    return apply("complex", re, im)


def real(x: Node) -> Node:
    """The real part; real numbers as they are."""
    return apply("real", x) if x.dtype.is_complex else x


def imag(x: Node) -> Node:
    """The imaginary part; zero of real numbers."""
    return apply("imag", x) if x.dtype.is_complex else zeros_like(x)


def conjugate(x: Node) -> Node:
    """The complex conjugate; real numbers as they are."""
    if x.op.name == "conjugate":
        return x.inputs[0]
    return apply("conjugate", x) if x.dtype.is_complex else x


def adjoint(x: Node) -> Node:
    """The conjugate transpose of matrices."""
    return conjugate(transpose(x))


def fft(x: Node, axes: tuple[int, ...], inverse: bool = False) -> Node:
    """The Fourier transform along axes counted from the back, or the inverse times the number of elements."""
    return apply("fft", x, axes=axes, inverse=inverse)


def rfft(x: Node, axis: int) -> Node:
    """The first half of the Fourier transform of real numbers: the rest are its conjugates."""
    return apply("rfft", x, axis=axis)


def irfft(x: Node, axis: int, size: int) -> Node:
    """`size` times the real numbers whose transform has this first half."""
    return apply("irfft", x, axis=axis, size=size)


def matmul(a: Node, b: Node) -> Node:
    """`[..., m, k] @ [..., k, n]`, batch axes broadcast; both at least 2-d."""
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = broadcast_to(a, (*batch, *a.shape[-2:]))
    b = broadcast_to(b, (*batch, *b.shape[-2:]))
    return apply("matmul", a, b)


def solve(a: Node, b: Node) -> Node:
    """The X of `a X = b`: `[..., n, n]` and `[..., n, k]`, of one batch."""
    return apply("solve", a, b)


def eye(size: int, dtype: DType, batch: Shape = ()) -> Node:
    """Identity matrices `[*batch, size, size]`."""
    places = iota(size, int64)
    return broadcast_to(cast(equal(reshape(places, (size, 1)), places), dtype), (*batch, size, size))


def band(x: Node, low: int | None, high: int | None) -> Node:
    """The matrices `x` with zeros where the column less the row is below `low` or above `high` (None: no bound)."""
    rows, columns = reshape(iota(x.shape[-2], int64), (-1, 1)), iota(x.shape[-1], int64)
    distance = columns - rows
    if low is not None:
        x = select(distance >= low, x, 0)
    return x if high is None else select(distance <= high, x, 0)


def concatenate(xs: Sequence[Node], axis: int = 0) -> Node:
    return xs[0] if len(xs) == 1 else apply("concatenate", *xs, axis=normalize_axis(axis, xs[0].ndim))


def slice(
    x: Node,
    start: Sequence[int],
    stop: Sequence[int],
    step: Sequence[int] | None = None,
) -> Node:
    """`x[start:stop:step]` for every axis, normalised as `slice.indices` gives them (a stop of -1 under a negative
    step means "past the first element")."""
    step = tuple(step) if step is not None else (1,) * x.ndim
    start, stop = tuple(start), tuple(stop)
    if start == (0,) * x.ndim and stop == x.shape and step == (1,) * x.ndim:
        return x
    return apply("slice", x, start=start, stop=stop, step=step)


def narrow(x: Node, axis: int, start: int, length: int) -> Node:
    """`length` elements from `start` along one axis."""
    axis = normalize_axis(axis, x.ndim)
    starts, stops = [0] * x.ndim, list(x.shape)
    starts[axis], stops[axis] = start, start + length
    return slice(x, starts, stops)


def pad(
    x: Node,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int] | None = None,
    value: Node | Number = 0,
) -> Node:
    """`x` with `low` and `high` elements of `value` around each axis (negative: cut off) and `interior` between
    neighbours."""
    interior = tuple(interior) if interior is not None else (0,) * x.ndim
    if not (builtins.any(low) or builtins.any(high) or builtins.any(interior)):
        return x
    return apply("pad", x, value, low=tuple(low), high=tuple(high), interior=interior)


def flip(x: Node, axes: Axes) -> Node:
    found = normalize_axes(axes, x.ndim)
    start = [n - 1 if k in found else 0 for k, n in enumerate(x.shape)]
    stop = [-1 if k in found else n for k, n in enumerate(x.shape)]
    return slice(x, start, stop, [-1 if k in found else 1 for k in range(x.ndim)])


def iota(size: int, dtype: DType) -> Node:
    """0, 1, ..., size - 1."""
    return apply_source("iota", size=size, dtype=dtype)


def apply_source(name: str, **attributes: object) -> Node:
    """A primitive without inputs."""
    from .node import PRIMITIVES, make

    return make(PRIMITIVES[name], **attributes)


def take(x: Node, indices: Node, axis: int = 0) -> Node:
    """`x` at integer `indices` along `axis`; the axes of `indices` stand where `axis` was."""
    return apply("take", x, indices, axis=normalize_axis(axis, x.ndim))


def take_along(x: Node, indices: Node, axis: int) -> Node:
    """`result[i, j] = x[indices[i, j], j]` (for axis 0)."""
    return apply("take_along", x, indices, axis=normalize_axis(axis, x.ndim))


def put(x: Node, indices: Node, updates: Node, axis: int = 0, mode: str = "set") -> Node:
    """`x` with `updates` written ("set") or added ("add") at `indices` along `axis`: the adjoint of `take` for add."""
    return apply("put", x, indices, updates, axis=normalize_axis(axis, x.ndim), mode=mode)


def put_along(x: Node, indices: Node, updates: Node, axis: int, mode: str = "set") -> Node:
    """`x` with `updates` written or combined at `indices` as in `take_along`."""
    return apply("put_along", x, indices, updates, axis=normalize_axis(axis, x.ndim), mode=mode)


def argsort(x: Node, axis: int = -1, descending: bool = False) -> Node:
    """Indices that sort `x` along an axis; stable, NaNs last."""
    return apply("argsort", x, axis=normalize_axis(axis, x.ndim), descending=descending)


def argmax(x: Node, axis: int) -> Node:
    return apply("argmax", x, axis=normalize_axis(axis, x.ndim))


def argmin(x: Node, axis: int) -> Node:
    return apply("argmin", x, axis=normalize_axis(axis, x.ndim))


def cumulative(name: str, x: Node, axis: int, reverse: bool = False) -> Node:
    """A running "cumsum", "cumprod", "cummax" or "cummin" along an axis."""
    return apply(name, x, axis=normalize_axis(axis, x.ndim), reverse=reverse)


def convolution(
    x: Node,
    w: Node,
    *,
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int = 1,
) -> Node:
    """`x [N, C, *size]` correlated with `w [O, C / groups, *kernel]`, one, two or three dimensional."""
    return apply(
        "convolution",
        x,
        w,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


def convolution_input_gradient(dy: Node, w: Node, *, size: tuple[int, ...], **geometry: Any) -> Node:
    """The adjoint of `convolution` in `x`, whose spatial sizes are `size`: also the transposed convolution."""
    return apply("convolution_input_gradient", dy, w, size=size, **geometry)


def convolution_weight_gradient(x: Node, dy: Node, *, kernel: tuple[int, ...], **geometry: Any) -> Node:
    """The adjoint of `convolution` in `w`, whose spatial sizes are `kernel`."""
    return apply("convolution_weight_gradient", x, dy, kernel=kernel, **geometry)


def attention(
    query: Node, key: Node, value: Node, mask: Node | None = None, *, scale: float, is_causal: bool = False
) -> Node:
    """softmax(scale * query keyᵀ + mask) value: `[N, H, L, E]`, `[N, G, S, E]`, `[N, G, S, V]`, where G divides H; the
    mask, of bools or numbers, is `[N or 1, H or 1, L or 1, S]`."""
    masks = () if mask is None else (mask,)
    return apply("attention", query, key, value, *masks, is_causal=is_causal, scale=scale)


def window(name: str, x: Node, **geometry: Any) -> Node:
    """`window_max`, `window_argmax` or `window_sum` over the last axes: window, stride, padding, dilation."""
    return apply(name, x, **geometry)


def random_bits(seed: Node, offset: Node, shape: Shape) -> Node:
    """Random uint32 of a uint64 seed and a uint64 count of blocks of four to begin at."""
    return apply("random_bits", seed, offset, shape=tuple(shape))


def bitcast(x: Node, dtype: DType) -> Node:
    """The same bits as another dtype of the same size."""
    return x if x.dtype is dtype else apply("bitcast", x, dtype=dtype)
