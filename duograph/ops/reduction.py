"""Reductions and running totals."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..graph import dtype as dtypes
from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import bool_, int64
from ..graph.errors import AxisError, DTypeError
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axis
from ..tensor.core import Tensor, apply, cast
from .define import axes_of, function, into
from .results import RANKED, result


@result("aminmax")
class Extremes(NamedTuple):
    """What `aminmax` gives."""

    min: Tensor
    max: Tensor


@composite
def total(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.sum(x, axes, keepdims)


@composite
def product(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.prod(x, axes, keepdims)


@composite
def average(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.mean(x, axes, keepdims)


@composite
def largest(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.max(x, axes, keepdims)


@composite
def smallest(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.min(x, axes, keepdims)


@composite
def exists(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.any(x if x.dtype is bool_ else g.not_equal(x, 0), axes, keepdims)


@composite
def holds(x: Node, *, axes: tuple[int, ...], keepdims: bool) -> Node:
    return g.all(x if x.dtype is bool_ else g.not_equal(x, 0), axes, keepdims)


def reduce(op: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Record a reduction over `dim` (None: all axes)."""
    attributes = (("axes", axes_of(dim, len(input._value.shape))), ("keepdims", bool(keepdim)))
    return apply(op, (input,), attributes)


def _summable(input: Tensor, dtype: Any) -> Tensor:
    """Sums of bools and integers are int64."""
    if dtype is not None:
        return cast(input, dtypes.dtype(dtype))
    return input if input._value.dtype.differentiable else cast(input, int64)


@function()
def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """The sum over axes `dim` (all if None). Integers add up in int64."""
    return into(out, reduce(total, _summable(input, dtype), dim, keepdim))


@function()
def prod(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """The product over an axis (all if None). Integers multiply in int64."""
    if dtype is not None and dtypes.dtype(dtype) is dtypes.bool_:
        return into(out, all(input, dim, keepdim))
    return into(out, reduce(product, _summable(input, dtype), dim, keepdim))


@function()
def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """The mean over axes `dim` (all if None). Raises DTypeError for integers without `dtype=`."""
    if dtype is not None:
        input = cast(input, dtypes.dtype(dtype))
    if not input.dtype.differentiable:
        raise DTypeError(
            f"mean: expected floating point or complex numbers. Received: {input.dtype.name}; use x.float()"
        )
    return into(out, reduce(average, input, dim, keepdim))


@function()
def amax(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The largest element over axes; the gradient is shared evenly by ties."""
    return into(out, reduce(largest, input, dim, keepdim))


@function()
def amin(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The smallest element over axes; the gradient is shared evenly by ties."""
    return into(out, reduce(smallest, input, dim, keepdim))


@function()
def aminmax(
    input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: tuple[Tensor, Tensor] | None = None
) -> Any:
    """The smallest and the largest element. Raises DTypeError for an `out` of another dtype."""
    for given in out or ():
        if given.dtype is not input.dtype:
            raise DTypeError(f"aminmax: out: expected {input.dtype.name}. Received: {given.dtype.name}")
    low, high = out or (None, None)
    return Extremes(amin(input, dim, keepdim, out=low), amax(input, dim, keepdim, out=high))


@composite
def extreme_along(x: Node, *, axis: int, keepdims: bool, largest: bool) -> tuple[Node, Node]:
    """Values and first indices of the extremes along an axis; the gradient goes to the chosen element."""
    if not x.ndim:
        return g.apply("copy", x), g.full((), 0, int64)
    numbers = g.cast(x, dtypes.uint8) if x.dtype is bool_ else x
    where = g.argmax(numbers, axis) if largest else g.argmin(numbers, axis)
    where = g.expand_dims(where, axis) if where.ndim < x.ndim else where
    values = g.take_along(x, where, axis)
    if not keepdims:
        shape = (*x.shape[:axis], *x.shape[axis + 1 :])
        values, where = g.reshape(values, shape), g.reshape(where, shape)
    return values, where


def _extreme(input: Tensor, dim: Any, keepdim: bool, largest_: bool, out: Any) -> Any:
    name = "max" if largest_ else "min"
    if dim is None:
        return into(out, reduce(largest if largest_ else smallest, input, None, False))
    if isinstance(dim, Tensor):
        from .define import FUNCTIONS

        return into(out, FUNCTIONS["maximum" if largest_ else "minimum"](input, dim))
    axis = normalize_axis(dim, input.ndim)
    if input.ndim and not input.shape[axis]:
        raise AxisError(f"{name}: expected a nonempty axis {dim} to reduce. Received: shape {input.shape}")
    attributes = (("axis", axis), ("keepdims", bool(keepdim)), ("largest", largest_))
    found = apply(extreme_along, (input,), attributes)
    return RANKED[name](*(into(o, r) for o, r in zip(out or (None, None), found, strict=True)))


@function()
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None, out: Any = None) -> Any:
    """The largest element; with `dim`, values and indices along it; with a second tensor, the larger of the two."""
    return _extreme(input, other if other is not None else dim, keepdim, True, out)


@function()
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None, out: Any = None) -> Any:
    """The smallest element; with `dim`, values and indices along it; with a second tensor, the smaller of the two."""
    return _extreme(input, other if other is not None else dim, keepdim, False, out)


@composite
def place_of(x: Node, *, axis: int | None, keepdims: bool, largest: bool) -> Node:
    """The first index of the extreme, along an axis or in the flat tensor."""
    if x.dtype is bool_:
        x = g.cast(x, dtypes.uint8)
    flat = g.reshape(x, (-1,)) if axis is None or not x.ndim else x
    along = 0 if axis is None or not x.ndim else axis
    found = g.argmax(flat, along) if largest else g.argmin(flat, along)
    if keepdims:
        return g.reshape(found, tuple(1 if axis is None or k == axis else s for k, s in enumerate(x.shape)))
    return found


def _place(input: Tensor, dim: int | None, keepdim: bool, largest_: bool) -> Tensor:
    axis = None if dim is None else normalize_axis(dim, input.ndim)
    return apply(place_of, (input,), (("axis", axis), ("keepdims", bool(keepdim)), ("largest", largest_)))


@function()
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the (first) largest element along `dim`, or in the flat tensor."""
    return _place(input, dim, keepdim, True)


@function()
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the (first) smallest element along `dim`, or in the flat tensor."""
    return _place(input, dim, keepdim, False)


@function()
def any(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """True where some element is nonzero."""
    return into(out, _logical(exists, input, dim, keepdim))


@function()
def all(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """True where every element is nonzero."""
    return into(out, _logical(holds, input, dim, keepdim))


def _logical(op: Any, input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    result = reduce(op, input, dim, keepdim)
    return cast(result, dtypes.uint8) if input.dtype is dtypes.uint8 else result  # as PyTorch: uint8 stays uint8


@function()
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not zero."""
    return sum(input != 0, dim)


def _running(name: str, primitive: str, doc: str) -> Any:
    def body(input: Tensor, dim: int, *, dtype: Any = None, out: Tensor | None = None) -> Tensor:
        x = _summable(input, dtype)
        axis = normalize_axis(dim, x.ndim)
        return into(out, apply(running, (x,), (("kind", primitive), ("axis", axis))))

    body.__name__ = name
    body.__doc__ = doc
    return function(in_place=True)(body)


@composite
def running(x: Node, *, kind: str, axis: int) -> Node:
    """A running total; of a 0-d tensor, itself."""
    return g.cumulative(kind, x, axis) if x.ndim else g.apply("copy", x)


cumsum = _running("cumsum", "cumsum", "Running sums along an axis.")
cumprod = _running("cumprod", "cumprod", "Running products along an axis.")


@composite
def running_extreme(x: Node, *, kind: str, axis: int) -> tuple[Node, Node]:
    """Running extremes and the index each was last met at."""
    if not x.ndim:
        return g.apply("copy", x), g.full((), 0, int64)
    best = g.cumulative(kind, x, axis)
    place = g.reshape(g.iota(x.shape[axis], int64), tuple(-1 if k == axis else 1 for k in range(x.ndim)))
    is_new = g.equal(x, best) | g.not_equal(x, x)
    indices = g.cumulative("cummax", g.select(is_new, g.broadcast_to(place, x.shape), 0), axis)
    return g.take_along(x, indices, axis), indices


def _running_extreme(name: str) -> Any:
    def body(input: Tensor, dim: int) -> Any:
        axis = normalize_axis(dim, input.ndim)
        return RANKED[name](*apply(running_extreme, (input,), (("kind", name), ("axis", axis))))

    body.__name__ = name
    body.__doc__ = f"Running {'maxima' if name == 'cummax' else 'minima'} along an axis, and their indices."
    return function()(body)


cummax = _running_extreme("cummax")
cummin = _running_extreme("cummin")
