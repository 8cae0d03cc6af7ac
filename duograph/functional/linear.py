"""Contractions: matrix products, linear maps and outer products. Einstein sums have their own room, `einsum.py`."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axis
from .checks import check_argument, check_same_dtype, check_shape


@composite
def matmul(a: Node, b: Node) -> Node:
    """`[..., m, k] @ [..., k, n]`, batch axes broadcast; a 1-d operand is a row (left) or a column (right) vector."""
    check_same_dtype(a=a, b=b)
    check_shape(a.ndim > 0, "a", "at least 1 dimension", a)
    check_shape(b.ndim > 0, "b", "at least 1 dimension", b)
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    check_shape(
        a.shape[-1] == inner, "b", f"{a.shape[-1]} rows, to match the last axis of a of shape {list(a.shape)}", b
    )
    left = g.expand_dims(a, 0) if a.ndim == 1 else a
    right = g.expand_dims(b, 1) if b.ndim == 1 else b
    if right.ndim == 2 and left.ndim > 2:  # one large product instead of a batch of small ones
        flat = g.matmul(g.reshape(left, (math.prod(left.shape[:-1]), left.shape[-1])), right)
        product = g.reshape(flat, (*left.shape[:-1], right.shape[-1]))
    else:
        product = g.matmul(left, right)
    rows = () if a.ndim == 1 else product.shape[-2:-1]
    columns = () if b.ndim == 1 else product.shape[-1:]
    return g.reshape(product, (*product.shape[:-2], *rows, *columns))


@composite
def linear(x: Node, weight: Node, bias: Node | None = None) -> Node:
    """`x @ weight.T + bias`: `x` is `[..., in]`, `weight` `[out, in]` (or `[in]`), `bias` `[out]` (or `[]`)."""
    check_same_dtype(x=x, weight=weight, bias=bias)
    check_shape(weight.ndim in (1, 2), "weight", "[out, in] or [in]", weight)
    check_shape(
        x.ndim > 0 and x.shape[-1] == weight.shape[-1],
        "x",
        f"a last axis of {weight.shape[-1]}, the weight being {list(weight.shape)}",
        x,
    )
    out = weight.shape[:-1]
    result = matmul(x, g.permute(weight, tuple(range(weight.ndim))[::-1]))
    if bias is not None:
        check_shape(bias.shape in (out, (), (1,)), "bias", f"shape {list(out)}, the weight's outputs", bias)
        result = result + (bias if bias.ndim <= result.ndim else g.reshape(bias, ()))
    return result


@composite
def bilinear(x1: Node, x2: Node, weight: Node, bias: Node | None = None) -> Node:
    """`x1[..., i] * weight[o, i, j] * x2[..., j]` summed over i and j, plus `bias[o]`."""
    check_same_dtype(x1=x1, x2=x2, weight=weight, bias=bias)
    check_shape(weight.ndim == 3, "weight", "[out, in1, in2]", weight)
    out, in1, in2 = weight.shape
    check_shape(x1.ndim > 0 and x1.shape[-1] == in1, "x1", f"a last axis of {in1}", x1)
    check_shape(x2.shape == (*x1.shape[:-1], in2), "x2", f"shape {[*x1.shape[:-1], in2]}", x2)
    if bias is not None:
        check_shape(bias.shape == (out,), "bias", f"shape {[out]}", bias)
    batch = math.prod(x1.shape[:-1])
    rows = g.reshape(x1, (batch, in1))
    by_output = g.matmul(rows, g.reshape(g.permute(weight, (1, 0, 2)), (in1, out * in2)))
    products = g.reshape(by_output, (batch, out, in2)) * g.reshape(x2, (batch, 1, in2))
    result = g.reshape(g.sum(products, -1), (*x1.shape[:-1], out))
    return result if bias is None else result + bias


@composite
def outer(a: Node, b: Node) -> Node:
    """`a[i] * b[j]` for two vectors."""
    check_shape(a.ndim == 1, "a", "1 dimension", a)
    check_shape(b.ndim == 1, "b", "1 dimension", b)
    check_same_dtype(a=a, b=b)
    return g.expand_dims(a, 1) * b


@composite
def vecdot(a: Node, b: Node, *, axis: int = -1) -> Node:
    """The sum of `a * b` along an axis; the others broadcast."""
    check_same_dtype(a=a, b=b)
    axis = normalize_axis(axis, max(a.ndim, b.ndim)) - max(a.ndim, b.ndim)  # from the back: shapes align there
    for name, x in (("a", a), ("b", b)):
        check_shape(x.ndim >= -axis, name, f"an axis {axis}", x)
    check_shape(a.shape[axis] == b.shape[axis], "b", f"size {a.shape[axis]} along axis {axis}, as a has", b)
    return g.sum(a * b, axis)


@composite
def tensordot(a: Node, b: Node, *, axes: int | tuple[tuple[int, ...], tuple[int, ...]] = 2) -> Node:
    """The sum of products over pairs of axes: the last of `a` with the first of `b` where `axes` is a number."""
    check_same_dtype(a=a, b=b)
    if isinstance(axes, int):
        check_argument(0 <= axes <= min(a.ndim, b.ndim), "axes", f"0 to {min(a.ndim, b.ndim)}", axes)
        of_a, of_b = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        of_a = tuple(normalize_axis(k, a.ndim) for k in axes[0])
        of_b = tuple(normalize_axis(k, b.ndim) for k in axes[1])
        check_argument(len(of_a) == len(of_b), "axes", "as many axes of b as of a", axes)
    summed = tuple(a.shape[k] for k in of_a)
    check_shape(
        tuple(b.shape[k] for k in of_b) == summed, "b", f"sizes {list(summed)} along axes {list(of_b)}, as a has", b
    )
    free_a = tuple(k for k in range(a.ndim) if k not in of_a)
    free_b = tuple(k for k in range(b.ndim) if k not in of_b)
    outside = (*(a.shape[k] for k in free_a), *(b.shape[k] for k in free_b))
    inner = math.prod(summed)
    left = g.reshape(g.permute(a, (*free_a, *of_a)), (math.prod(a.shape[k] for k in free_a), inner))
    right = g.reshape(g.permute(b, (*of_b, *free_b)), (inner, math.prod(b.shape[k] for k in free_b)))
    return g.reshape(g.matmul(left, right), outside)


@composite
def kron(a: Node, b: Node) -> Node:
    """The Kronecker product: each element of `a` times the whole of `b`."""
    check_same_dtype(a=a, b=b)
    ndim = max(a.ndim, b.ndim)
    sizes_a = (1,) * (ndim - a.ndim) + a.shape
    sizes_b = (1,) * (ndim - b.ndim) + b.shape
    spread_a = g.reshape(a, tuple(s for size in sizes_a for s in (size, 1)))
    spread_b = g.reshape(b, tuple(s for size in sizes_b for s in (1, size)))
    return g.reshape(spread_a * spread_b, tuple(m * n for m, n in zip(sizes_a, sizes_b, strict=True)))


@composite
def cross(a: Node, b: Node, *, axis: int = -1) -> Node:
    """The cross product of 3-vectors along an axis; the other axes broadcast."""
    check_same_dtype(a=a, b=b)
    axis = normalize_axis(axis, max(a.ndim, b.ndim)) - max(a.ndim, b.ndim)
    for name, x in (("a", a), ("b", b)):
        check_shape(x.ndim >= -axis and x.shape[axis] == 3, name, f"size 3 along axis {axis}", x)
    a1, a2, a3 = (g.narrow(a, axis, k, 1) for k in range(3))
    b1, b2, b3 = (g.narrow(b, axis, k, 1) for k in range(3))
    return g.concatenate((a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1), axis)


@composite
def diagonal(x: Node, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The elements where the indices along `axis1` and `axis2` differ by `offset`, as the last axis."""
    axis1, axis2 = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    check_argument(axis1 != axis2, "axis2", f"another axis than axis1 = {axis1}", axis2)
    rows, columns = x.shape[axis1], x.shape[axis2]
    down, right = max(-offset, 0), max(offset, 0)
    length = max(min(rows - down, columns - right), 0)
    rest = tuple(k for k in range(x.ndim) if k not in (axis1, axis2))
    x = g.permute(x, (*rest, axis1, axis2))
    lead = x.shape[:-2]
    if not length:
        return g.slice(g.reshape(x, (*lead, rows * columns)), (0,) * (len(lead) + 1), (*lead, 0))
    square = g.narrow(g.narrow(x, -2, down, length), -1, right, length)
    # in row-major order the diagonal's elements are length + 1 apart
    flat = g.reshape(square, (*lead, length * length))
    return g.slice(flat, (0,) * flat.ndim, flat.shape, (1,) * len(lead) + (length + 1,))


@composite
def diag_embed(x: Node, *, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Node:
    """Matrices of zeros with the last axis of `x` on the diagonal `offset`."""
    check_shape(x.ndim > 0, "x", "at least 1 dimension", x)
    axis1, axis2 = normalize_axis(axis1, x.ndim + 1), normalize_axis(axis2, x.ndim + 1)
    check_argument(axis1 != axis2, "axis2", f"another axis than axis1 = {axis1}", axis2)
    length, lead = x.shape[-1], x.shape[:-1]
    size = length + abs(offset)
    # spread by size zeros between neighbours, a row-major diagonal is read off: elements stand size + 1 apart
    first = offset if offset >= 0 else -offset * size
    flat = size * size
    used = first + (length - 1) * (size + 1) + 1 if length else 0
    around = (0,) * len(lead)
    if length:
        spread = g.pad(x, (*around, first), (*around, flat - used), (*around, size))
    else:
        spread = g.full((*lead, flat), 0, x.dtype)
    matrix = g.reshape(spread, (*lead, size, size))
    rest = iter(range(len(lead)))
    places = {axis1: len(lead), axis2: len(lead) + 1}
    return g.permute(matrix, tuple(places[k] if k in places else next(rest) for k in range(x.ndim + 1)))


@composite
def trace(x: Node, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The sum of a diagonal."""
    return g.sum(diagonal(x, offset=offset, axis1=axis1, axis2=axis2), -1)


@composite
def tril(x: Node, *, offset: int = 0) -> Node:
    """The last two axes with zeros above the diagonal `offset`."""
    return g.select(_below(x, offset), x, 0)


@composite
def triu(x: Node, *, offset: int = 0) -> Node:
    """The last two axes with zeros below the diagonal `offset`."""
    return g.select(_below(x, offset - 1), 0, x)


def _below(x: Node, offset: int) -> Node:
    """Where the column is at most the row plus `offset`."""
    check_shape(x.ndim >= 2, "x", "at least 2 dimensions", x)
    return band(x.shape[-2], x.shape[-1], offset)


def band(rows: int, columns: int, offset: int) -> Node:
    """A bool matrix: true where the column is at most the row plus `offset`."""
    row = g.expand_dims(g.iota(rows, int64), 1)
    return g.iota(columns, int64) <= row + offset
