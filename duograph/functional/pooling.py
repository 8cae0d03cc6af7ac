"""Pooling over the last axes: as many as the kernel or the output size has entries."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.node import Node
from .checks import check_argument, check_floating, check_integral, check_shape, per_axis, widened

Sizes = tuple[int, ...]


@composite
def max_pool(
    x: Node,
    *,
    kernel_size: Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Node | tuple[Node, Node]:
    """The largest element in each window; with `return_indices` also its flat position in the spatial axes (int64).

    `stride` is the kernel's size where None. `ceil_mode` keeps a last window that overhangs the end.
    """
    geometry = _geometry(x, kernel_size, stride, padding, dilation, ceil_mode)
    result = g.window("window_max", x, **geometry)
    return (result, g.window("window_argmax", x, **geometry)) if return_indices else result


@composite
@widened
def avg_pool(
    x: Node,
    *,
    kernel_size: Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of each window, whose divisor counts the padding or not; or its sum by `divisor_override`."""
    check_floating(x=x)
    check_argument(divisor_override != 0, "divisor_override", "a number other than 0", divisor_override)
    geometry = _geometry(x, kernel_size, stride, padding, 1, ceil_mode)
    total = g.window("window_sum", x, **geometry)
    if divisor_override is not None:
        return total / divisor_override
    n = len(kernel_size)
    lows = per_axis("padding", padding, n)
    divisor: Node | int = 1
    for axis in range(-n, 0):
        low, kernel, step = lows[axis], kernel_size[axis], geometry["stride"][axis]
        margin = low if count_include_pad else 0  # how far beyond the data elements count
        size, places = x.shape[axis], total.shape[axis]
        if low <= margin and (places - 1) * step - low + kernel <= size + margin:  # all windows are full
            divisor = divisor * kernel
            continue
        start = g.iota(places, x.dtype) * step - low
        count = g.minimum(start + kernel, size + margin) - g.maximum(start, -margin)
        divisor = g.reshape(count, (places,) + (1,) * (-1 - axis)) * divisor
    return total / divisor


@composite
def lp_pool(
    x: Node,
    *,
    norm_type: float,
    kernel_size: Sizes,
    stride: int | Sizes | None = None,
    ceil_mode: bool = False,
) -> Node:
    """The sum of powers of each window, to the power `1 / norm_type`; an overhanging window counts as a whole one."""
    mean = avg_pool(g.power(x, norm_type), kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)
    return g.power(g.sign(mean) * g.absolute(mean) * math.prod(kernel_size), 1.0 / norm_type)


@composite
def adaptive_avg_pool(x: Node, *, output_size: tuple[int | None, ...]) -> Node:
    """The mean over a grid of `output_size` windows that together cover the axis; None keeps an axis as it is."""
    sizes = _output_sizes(x, output_size)
    kernel = _even_windows(x, sizes)
    if kernel is not None:
        return avg_pool(x, kernel_size=kernel)
    return _uneven_means(x, sizes)


@composite
def adaptive_max_pool(
    x: Node, *, output_size: tuple[int | None, ...], return_indices: bool = False
) -> Node | tuple[Node, Node]:
    """The largest element of each of `output_size` windows that cover the axis; with indices as in `max_pool`."""
    sizes = _output_sizes(x, output_size)
    kernel = _even_windows(x, sizes)
    if kernel is not None:
        return max_pool(x, kernel_size=kernel, return_indices=return_indices)
    n = len(sizes)
    lead = x.ndim - n
    places, inside = _windows(x, sizes)
    seen = _gathered(x, places)
    lowest = -math.inf if x.dtype.is_floating_point else int(-(2 ** (8 * x.dtype.itemsize - 1))) * x.dtype.signed
    chosen = g.argmax(g.select(inside, seen, lowest), -1)
    chosen = g.expand_dims(chosen, -1)
    result = g.reshape(g.take_along(seen, chosen, -1), chosen.shape[:-1])
    if not return_indices:
        return result
    flat = _flat_positions(x.shape[lead:], places, sizes)
    flat = g.broadcast_to(flat, (*x.shape[:lead], *flat.shape))
    return result, g.reshape(g.take_along(flat, chosen, -1), result.shape)


@composite
def max_unpool(x: Node, indices: Node, *, output_size: Sizes) -> Node:
    """Zeros of spatial sizes `output_size` with the elements of `x` at flat positions `indices`, as of `max_pool`."""
    n = len(output_size)
    check_integral(indices=indices)
    check_shape(x.ndim >= n, "x", f"at least {n} dimensions", x)
    check_shape(indices.shape == x.shape, "indices", f"the shape of x, {list(x.shape)}", indices)
    lead = x.shape[: x.ndim - n]
    flat = (*lead, math.prod(x.shape[len(lead) :]))
    zeros = g.full((*lead, math.prod(output_size)), 0, x.dtype)
    written = g.put_along(zeros, g.reshape(indices, flat), g.reshape(x, flat), -1)
    return g.reshape(written, (*lead, *output_size))


@composite
def unfold(
    x: Node, *, kernel_size: Sizes, dilation: int | Sizes = 1, padding: int | Sizes = 0, stride: int | Sizes = 1
) -> Node:
    """The windows of `x [N, C, *size]` (or unbatched) as columns: `[N, C * prod(kernel), places]`."""
    n = len(kernel_size)
    check_shape(x.ndim in (n + 1, n + 2), "x", f"{n + 2} dimensions (or {n + 1}, unbatched)", x)
    pads = per_axis("padding", padding, n)
    steps, gaps = per_axis("stride", stride, n, 1), per_axis("dilation", dilation, n, 1)
    lead = x.ndim - n
    around = (0,) * lead
    y = g.pad(x, (*around, *pads), (*around, *pads))
    counts = _place_counts(y.shape[lead:], kernel_size, steps, gaps)
    for k in range(n):  # each axis becomes (within the window, place)
        y = g.take(y, _window_indices(kernel_size[k], counts[k], steps[k], gaps[k]), lead + 2 * k)
    order = (*range(lead), *range(lead, lead + 2 * n, 2), *range(lead + 1, lead + 2 * n, 2))
    columns = (x.shape[lead - 1] * math.prod(kernel_size), math.prod(counts))
    return g.reshape(g.permute(y, order), (*x.shape[: lead - 1], *columns))


@composite
def fold(
    x: Node,
    *,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: int | Sizes = 1,
    padding: int | Sizes = 0,
    stride: int | Sizes = 1,
) -> Node:
    """The adjoint of `unfold`: columns `[N, C * prod(kernel), places]` added up where their windows were."""
    n = len(kernel_size)
    pads = per_axis("padding", padding, n)
    steps, gaps = per_axis("stride", stride, n, 1), per_axis("dilation", dilation, n, 1)
    wide = tuple(s + 2 * p for s, p in zip(output_size, pads, strict=True))
    counts = _place_counts(wide, kernel_size, steps, gaps)
    area = math.prod(kernel_size)
    check_shape(
        x.ndim in (2, 3) and x.shape[-1] == math.prod(counts) and x.shape[-2] % area == 0,
        "x",
        f"[N, a multiple of {area}, {math.prod(counts)}] for this output size, kernel, stride, padding and dilation",
        x,
    )
    lead = x.ndim - 1
    y = g.reshape(x, (*x.shape[:-2], x.shape[-2] // area, *kernel_size, *counts))
    y = g.permute(y, (*range(lead), *(lead + k + n * half for k in range(n) for half in (0, 1))))
    for k in range(n):  # (within the window, place) becomes one axis again
        zeros = g.full((*y.shape[: lead + k], wide[k], *y.shape[lead + k + 2 :]), 0, x.dtype)
        y = g.put(zeros, _window_indices(kernel_size[k], counts[k], steps[k], gaps[k]), y, lead + k, "add")
    around = (0,) * lead
    cut = tuple(-p for p in pads)
    return g.pad(y, (*around, *cut), (*around, *cut))


def _geometry(
    x: Node,
    kernel: Sizes,
    stride: int | Sizes | None,
    padding: int | Sizes,
    dilation: int | Sizes,
    ceil_mode: bool,
) -> dict[str, tuple]:
    """The attributes of a window over the last axes of `x`."""
    n = len(kernel)
    check_shape(x.ndim in (n + 1, n + 2), "x", f"{n + 2} dimensions (or {n + 1}, unbatched)", x)
    check_shape(0 not in x.shape[-n - 1 :], "x", "sizes of at least 1, the batch's aside", x)
    kernel = per_axis("kernel_size", kernel, n, 1)
    steps = kernel if stride is None or stride == () else per_axis("stride", stride, n, 1)
    lows, gaps = per_axis("padding", padding, n), per_axis("dilation", dilation, n, 1)
    extents = tuple(d * (k - 1) + 1 for d, k in zip(gaps, kernel, strict=True))
    check_argument(
        all(2 * low <= extent for low, extent in zip(lows, extents, strict=True)),
        "padding",
        f"at most half the window of extent {extents}",
        padding,
    )
    pairs = []
    for size, extent, step, low in zip(x.shape[-n:], extents, steps, lows, strict=True):
        room = size + 2 * low - extent
        check_shape(room >= 0, "x", f"spatial sizes, padding included, of at least the window's {extents}", x)
        if not ceil_mode:
            pairs.append((low, low))
            continue
        count = -(-room // step) + 1
        if (count - 1) * step >= size + low:  # a window must begin before the padding at the end
            count -= 1
        pairs.append((low, max((count - 1) * step + extent - size - low, 0)))
    return {"window": kernel, "stride": steps, "padding": tuple(pairs), "dilation": gaps}


def _place_counts(sizes: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Sizes:
    counts = tuple(
        (size - d * (k - 1) - 1) // s + 1 for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    )
    check_shape(
        all(c > 0 for c in counts), "x", f"sizes that hold a window of {kernel} with dilation {dilation}", sizes
    )
    return counts


def _window_indices(kernel: int, places: int, stride: int, dilation: int) -> Node:
    """`[kernel, places]`: where each element of each window lies along the padded axis."""
    return g.expand_dims(g.iota(kernel, int64) * dilation, 1) + g.iota(places, int64) * stride


def _output_sizes(x: Node, output_size: tuple[int | None, ...]) -> Sizes:
    n = len(output_size)
    check_shape(x.ndim in (n + 1, n + 2), "x", f"{n + 2} dimensions (or {n + 1}, unbatched)", x)
    sizes = tuple(s if o is None else o for s, o in zip(x.shape[-n:], output_size, strict=True))
    check_argument(all(s > 0 for s in sizes), "output_size", "numbers of at least 1, or None", output_size)
    return sizes


def _even_windows(x: Node, sizes: Sizes) -> Sizes | None:
    """The window that, moved by its own size, gives `sizes`; None where they do not divide those of `x`."""
    inner = x.shape[x.ndim - len(sizes) :]
    if any(s % o or not s for s, o in zip(inner, sizes, strict=True)):
        return None
    return tuple(s // o for s, o in zip(inner, sizes, strict=True))


def _bounds(size: int, out: int) -> tuple[Node, Node, int]:
    """Where the `out` windows of an axis start and end, and the length of the longest."""
    k = g.iota(out, int64)
    start = g.floor_divide(k * size, out)
    end = g.floor_divide((k + 1) * size + (out - 1), out)
    return start, end, max(-(-(i + 1) * size // out) - i * size // out for i in range(out))


@widened
def _uneven_means(x: Node, sizes: Sizes) -> Node:
    """A mean of means: the windows of several axes are products, so each axis is done for itself."""
    check_floating(x=x)
    for axis in range(x.ndim - len(sizes), x.ndim):
        size, out = x.shape[axis], sizes[axis - x.ndim]
        if size == out:
            continue
        start, end, longest = _bounds(size, out)
        place = g.expand_dims(start, 1) + g.iota(longest, int64)
        inside = place < g.expand_dims(end, 1)
        seen = g.take(x, g.minimum(place, size - 1), axis)
        after = (1,) * (x.ndim - axis - 1)
        total = g.sum(g.select(g.reshape(inside, (out, longest, *after)), seen, 0), axis + 1)
        x = total / g.reshape(g.cast(end - start, x.dtype), (out, *after))
    return x


def _windows(x: Node, sizes: Sizes) -> tuple[list[Node], Node]:
    """For each axis the places `[out, longest]` its windows see; and which of `[*sizes, elements]` are inside."""
    places, inside = [], None
    n = len(sizes)
    for k, (size, out) in enumerate(zip(x.shape[x.ndim - n :], sizes, strict=True)):
        start, end, longest = _bounds(size, out)
        place = g.expand_dims(start, 1) + g.iota(longest, int64)
        within = g.reshape(place < g.expand_dims(end, 1), _spread(k, n, out, longest))
        inside = within if inside is None else inside & within
        places.append(g.minimum(place, size - 1))
    assert inside is not None
    return places, g.reshape(inside, (*sizes, inside.size // math.prod(sizes)))


def _spread(k: int, n: int, out: int, longest: int) -> Sizes:
    """The shape that puts `[out, longest]` of axis k into `[*outs, *longests]`."""
    return tuple(out if j == k else longest if j == n + k else 1 for j in range(2 * n))


def _gathered(x: Node, places: list[Node]) -> Node:
    """`[*lead, *outs, elements]`: what each window sees."""
    n = len(places)
    lead = x.ndim - n
    for k, place in enumerate(places):
        x = g.take(x, place, lead + 2 * k)
    x = g.permute(x, (*range(lead), *range(lead, lead + 2 * n, 2), *range(lead + 1, lead + 2 * n, 2)))
    return g.reshape(x, (*x.shape[: lead + n], math.prod(x.shape[lead + n :])))


def _flat_positions(inner: Sizes, places: list[Node], sizes: Sizes) -> Node:
    """`[*sizes, elements]`: the row-major position in the spatial axes of what each window sees."""
    n = len(places)
    flat: Node | None = None
    for k, place in enumerate(places):
        part = g.reshape(place * math.prod(inner[k + 1 :]), _spread(k, n, *place.shape))
        flat = part if flat is None else flat + part
    assert flat is not None
    return g.reshape(flat, (*sizes, flat.size // math.prod(sizes)))
