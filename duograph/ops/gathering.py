"""Reading and writing at indices: gather, scatter, index_select, masks."""

from __future__ import annotations

from typing import Any

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import bool_, int64
from ..graph.errors import ArgumentError, DTypeError, ShapeError
from ..graph.node import Node
from ..graph.primitives.rules import broadcast_shapes, normalize_axis
from ..tensor.core import Tensor, apply, cast, method, operand
from ..tensor.operators import update
from .define import function, into
from .manipulation import expand


@composite
def read_along(x: Node, indices: Node, *, axis: int) -> Node:
    """`x[indices[i, j], j]` for axis 0, with checks of rank and sizes."""
    if x.ndim + indices.ndim < 2:  # a number counts as a vector of one
        return g.reshape(g.take_along(g.reshape(x, (-1,)), g.reshape(indices, (-1,)), 0), indices.shape)
    if not indices.size:
        return g.full(indices.shape, 0, x.dtype)
    if x.ndim != indices.ndim:
        raise ShapeError(
            f"gather: expected an index of {x.ndim} dimensions. Received: shapes {x.shape} and {indices.shape}"
        )
    return g.take_along(x, indices, axis)


def _index(name: str, index: Tensor) -> Tensor:
    if index.dtype.category != "int":
        raise DTypeError(f"{name}: expected an index of int64. Received: {index.dtype.name}")
    return cast(index, int64)


@function()
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """`result[i][j] = input[index[i][j]][j]` (for dim 0)."""
    attributes = (("axis", normalize_axis(dim, input.ndim)),)
    if out is not None and out.dtype is not input.dtype:
        raise DTypeError(f"gather: out: expected {input.dtype.name}. Received: {out.dtype.name}")
    return into(out, apply(read_along, (input, _index("gather", index)), attributes), input, index)


@function()
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As `gather`, with shapes broadcast; flat without `dim`."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    axis = normalize_axis(dim, input.ndim)
    rest = [
        broadcast_shapes((a,), (b,))[0]
        for k, (a, b) in enumerate(zip(input.shape, indices.shape, strict=True))
        if k != axis
    ]
    x, places = (expand(t, (*rest[:axis], t.shape[axis], *rest[axis:])) for t in (input, indices))
    return gather(x, axis, places)


@composite
def write_along(x: Node, indices: Node, updates: Node, *, axis: int, mode: str) -> Node:
    """`x[indices[i, j], j]` replaced by, or combined with, `updates[i, j]` (axis 0)."""
    if not x.ndim:
        one = (1,)
        return g.reshape(g.put_along(g.reshape(x, one), g.reshape(indices, one), g.reshape(updates, one), 0, mode), ())
    if x.ndim != indices.ndim:
        raise ShapeError(
            f"scatter: expected an index of {x.ndim} dimensions. Received: shapes {x.shape} and {indices.shape}"
        )
    if updates.shape != indices.shape:
        if any(i > u for i, u in zip(indices.shape, updates.shape, strict=True)):
            raise ShapeError(
                f"scatter: expected src at least as large as index {indices.shape}. Received: {updates.shape}"
            )
        updates = g.slice(updates, (0,) * updates.ndim, indices.shape)
    return g.put_along(x, indices, updates, axis, mode)


_MODES = {"add": "add", "multiply": "multiply", "sum": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


def _scatter(name: str, input: Tensor, dim: int, index: Tensor, src: Any, mode: str) -> Tensor:
    index = _index(name, index)
    if not isinstance(src, Tensor):
        src = expand(operand(src, input.dtype), tuple(index.shape))
    elif src.dtype is not input.dtype:
        raise DTypeError(f"{name}: expected src of {input.dtype.name}, as input. Received: {src.dtype.name}")
    elif src.ndim != index.ndim:
        raise ShapeError(f"{name}: expected src of {index.ndim} dimensions, as index. Received: {src.ndim}")
    attributes = (("axis", normalize_axis(dim, input.ndim)), ("mode", mode))
    return apply(write_along, (input, index, src), attributes)


@function(in_place=True)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """`result[index[i][j]][j] = src[i][j]` (for dim 0); with `reduce`, "add" or "multiply" instead of replacing."""
    if reduce is not None and reduce not in ("add", "multiply"):
        raise ArgumentError(f"scatter: reduce: expected 'add' or 'multiply'. Received: {reduce!r}")
    return _scatter("scatter", input, dim, index, value if src is None else src, "set" if reduce is None else reduce)


@function(in_place=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`result[index[i][j]][j] += src[i][j]` (for dim 0)."""
    return _scatter("scatter_add", input, dim, index, src, "add")


@composite
def combined_along(x: Node, indices: Node, updates: Node, *, axis: int, mode: str, include_self: bool) -> Node:
    """scatter_reduce: sum, prod, amax, amin or mean of what lands on an element."""
    if not x.ndim:
        x, indices, updates = (g.reshape(t, (1,)) for t in (x, indices, updates))
        return g.reshape(combined_along(x, indices, updates, axis=0, mode=mode, include_self=include_self), ())
    updates = g.slice(updates, (0,) * updates.ndim, indices.shape)
    ones = g.full(indices.shape, 1, x.dtype)
    zeros = g.full(x.shape, 0, x.dtype)
    hit = g.put_along(zeros, indices, ones, axis, "add")
    start = x
    if not include_self:
        neutral = {"prod": 1, "sum": 0, "mean": 0}
        if mode in neutral:
            start = g.select(g.equal(hit, 0), x, neutral[mode])
        else:
            start = g.put_along(x, indices, updates, axis, "set")
    if mode == "mean":
        total = g.put_along(start, indices, updates, axis, "add")
        count = g.maximum(hit + (1 if include_self else 0), 1)
        return total / count if x.dtype.is_floating_point else g.floor_divide(total, count)
    return g.put_along(start, indices, updates, axis, _MODES[mode])


@function(in_place=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Elements of `input` combined with those of `src` that land on them: sum, prod, mean, amax or amin."""
    reduce = {"max": "amax", "min": "amin"}.get(reduce, reduce)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError(f"scatter_reduce: expected sum, prod, mean, amax or amin. Received: {reduce!r}")
    attributes = (("axis", normalize_axis(dim, input.ndim)), ("mode", reduce), ("include_self", bool(include_self)))
    return apply(combined_along, (input, _index("scatter_reduce", index), src), attributes)


@function(in_place=True)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Places `index` of an axis combined with those of `source`: prod, mean, amax or amin."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ArgumentError(f"index_reduce: reduce: expected prod, mean, amax or amin. Received: {reduce!r}")
    axis = normalize_axis(dim, input.ndim)
    along = [-1 if k == axis else 1 for k in range(max(source.ndim, 1))]
    where = expand(_index("index_reduce", index).reshape(along), tuple(source.shape) or (1,))
    where = where if source.ndim else where.reshape(())
    attributes = (("axis", axis), ("mode", reduce), ("include_self", bool(include_self)))
    return apply(combined_along, (input, where, source), attributes)


@composite
def read_at(x: Node, indices: Node, *, axis: int) -> Node:
    if indices.ndim > 1:
        raise ShapeError(f"index_select: expected a vector of indices. Received: shape {indices.shape}")
    if not x.ndim:
        return g.reshape(g.take(g.reshape(x, (1,)), g.reshape(indices, (1,)), 0), ())
    return g.take(x, g.reshape(indices, (indices.size,)), axis)


@function()
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The places `index` of an axis, in that order."""
    attributes = (("axis", normalize_axis(dim, input.ndim)),)
    return into(out, apply(read_at, (input, _index("index_select", index)), attributes), input, index)


@composite
def write_at(x: Node, indices: Node, updates: Node, *, axis: int, mode: str) -> Node:
    if not x.ndim:
        return g.reshape(g.put(g.reshape(x, (1,)), g.reshape(indices, (1,)), g.reshape(updates, (1,)), 0, mode), ())
    shape = (*x.shape[:axis], indices.size, *x.shape[axis + 1 :])
    return g.put(x, g.reshape(indices, (indices.size,)), g.broadcast_to(updates, shape), axis, mode)


def _write_at(name: str, input: Tensor, dim: int, index: Tensor, source: Any, mode: str) -> Tensor:
    updates = operand(source, input.dtype)
    attributes = (("axis", normalize_axis(dim, input.ndim)), ("mode", mode))
    return apply(write_at, (input, _index(name, index), updates), attributes)


@function(in_place=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """`source` added at places `index` of an axis. Raises ShapeError where its other axes are not those of `input`."""
    axis = normalize_axis(dim, input.ndim)
    if input.ndim and source.ndim:
        sizes, expected = list(source.shape), [*input.shape[:axis], index.numel(), *input.shape[axis + 1 :]]
        if sizes != expected:
            raise ShapeError(f"index_add: source: expected shape {tuple(expected)}. Received: {tuple(sizes)}")
    return _write_at("index_add", input, dim, index, source if alpha == 1 else source * alpha, "add")


@function(in_place=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`source` written at places `index` of an axis."""
    return _write_at("index_copy", input, dim, index, source, "set")


@function(in_place=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """One number written at places `index` of an axis."""
    return _write_at("index_fill", input, dim, index, value, "set")


@function(in_place=True)
def index_put(input: Tensor, indices: tuple[Tensor, ...], values: Tensor, accumulate: bool = False) -> Tensor:
    """`values` written (or added) at `input[indices]`."""
    from ..tensor.indexing import Parsed
    from ..tensor.indexing import scatter as write

    parsed = Parsed(input._value.shape, tuple(indices))
    attributes = (*parsed.attributes(), ("accumulate", bool(accumulate)))
    return apply(write, (input, operand(values, input.dtype), *parsed.indices), attributes)


@function()
def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements of the flat tensor."""
    flat = input.reshape(-1)
    return into(out, gather(flat, 0, index.reshape(-1)).reshape(tuple(index.shape)), input, index)


@function(in_place=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Elements of `source` written (or added) at places of the flat tensor."""
    mode = "add" if accumulate else "set"
    flat = _write_at("put", input.reshape(-1), 0, index.reshape(-1), source.reshape(-1), mode)
    return flat.reshape(tuple(input.shape))


@function()
def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where the mask holds, in a vector. The mask is observed: the shape depends on its content."""
    shape = broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    return into(out, expand(input, shape)[expand(cast(mask, bool_), shape)], input, mask)


@function(in_place=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with elements of `source`, in order, where the mask holds."""
    shape = broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    return apply(filled_in_order, (expand(input, shape), expand(mask, shape), cast(source, input.dtype)))


@composite
def filled_in_order(x: Node, mask: Node, source: Node) -> Node:
    flat = g.reshape(mask, (mask.size,))
    order = g.cumulative("cumsum", g.cast(flat, int64), 0) - 1
    order = g.minimum(g.maximum(order, 0), max(source.size - 1, 0))
    return g.select(mask, g.reshape(g.take(g.reshape(source, (source.size,)), order, 0), x.shape), x)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes `value`, in place."""
    made = operand(value, self.dtype)
    return update(self, expand(made, tuple(self.shape)) if self.ndim else made)


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0, in place."""
    return fill_(self, 0)


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements of `src` (broadcast, cast) written into this tensor."""
    from ..graph.node import PRIMITIVES
    from ..tensor.convert import as_tensor

    made = cast(src if isinstance(src, Tensor) else as_tensor(src), self.dtype)
    made = expand(made, tuple(self.shape)) if made.shape != self.shape else made
    return update(self, apply(PRIMITIVES["copy"], (made,)))


method(fill_, "fill_")
method(zero_, "zero_")
method(copy_, "copy_")
