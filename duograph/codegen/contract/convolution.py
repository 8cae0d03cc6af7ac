"""Plans of convolutions and of their input gradients. Activations are [N, *size, C], contiguous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ...graph.sizes import is_size
from .. import types
from ..halves import computed
from ..plan import Plan, Pointer
from .cut import asks_ahead, split
from .depthwise_plans import MOST_TAPS, plan_depthwise
from .epilogue import Epilogue
from .few_channels import plan_few_channels, suits_few_channels
from .geometry import Axis, Geometry, Weight, backward_walks, forward_walk, views, window_slots
from .machine import Machine
from .matmul import Matrix, plan_matmul
from .pack import Source, right_operand
from .pack_pairs import PAIR, multiplies_pairs, right_pairs
from .product import Product, WindowRows
from .tile import MAX_ROWS, choose
from .winograd import plan_winograd, suits_winograd


def plan_convolution(
    machine: Machine, geometry: Geometry, x: str, w: Weight, y: str, epilogue: Epilogue | None = None
) -> Plan:
    """The convolution of role `"a"` [N, *size, C] of element type `x` with role `"b"`, to role `"c"` [N, *places, O] of
    type `y`."""
    g = geometry
    if x == w.element == "float" and suits_winograd(machine, g):
        return plan_winograd(machine, g, x, w, y, epilogue)
    inputs, outputs = g.channels // g.groups, g.filters // g.groups
    source = Source(w.element, tap=w.tap, k=w.input, n=w.output, inner=outputs * w.output)
    if not multiplies_pairs(machine, x, w.element) and suits_few_channels(machine, g, x):
        return plan_few_channels(machine, g, x, source, y, epilogue)
    return _plan(machine, g, [forward_walk(g)], x, source, y, inputs, outputs, g.size, g.places, epilogue)


def plan_input_gradient(
    machine: Machine, geometry: Geometry, dy: str, w: Weight, dx: str, epilogue: Epilogue | None = None
) -> Plan:
    """The gradient of the input, role `"c"` [N, *size, C], from that of the output, role `"a"` [N, *places, O], and the
    weight, role `"b"`: the transposed convolution."""
    g = geometry
    if dy == w.element == "float" and suits_winograd(machine, g, backward=True):
        return plan_winograd(machine, g, dy, w, dx, epilogue, backward=True)
    inputs, outputs = g.channels // g.groups, g.filters // g.groups
    source = Source(
        w.element, tap=-w.tap, k=w.output, n=w.input, inner=outputs * w.output, start=(g.taps - 1) * w.tap
    )  # from its last tap to its first, so that pixels are read forwards
    return _plan(machine, g, backward_walks(g), dy, source, dx, outputs, inputs, g.places, g.size, epilogue)


def _plan(
    machine: Machine,
    g: Geometry,
    walks: Sequence[Sequence[Axis]],
    a: str,
    b: Source,
    c: str,
    k: int,
    n: int,
    size: tuple[int, ...],
    result: tuple[int, ...],
    epilogue: Epilogue | None,
) -> Plan:
    """Sums over `k` channels of images of `size`, for `n` channels of images of size `result`, in each group."""
    if not (g.images and n and prod(result)):
        return Plan()
    pixels, batch = g.images * prod(result), (1, g.groups)
    if g.is_matmul:
        return plan_matmul(
            machine,
            Matrix(a, k * g.groups, 1, inner=k),
            Matrix(b.element, b.k, b.n, inner=b.inner),
            Matrix(c, n * g.groups, 1, inner=n),
            m=pixels,
            n=n,
            k=k,
            batch=batch,
            epilogue=epilogue,
        )
    if g.is_depthwise and g.kernel[-1] <= MOST_TAPS:
        return plan_depthwise(machine, g, walks, a, b, c, size, result, epilogue)
    together = _images_together(g, walks, size)
    tile = choose(machine, computed(a), together if together > 1 else pixels, n)
    if multiplies_pairs(machine, a, b.element) and k % 2 == 0:
        tile, a = replace(tile, pairs=True), PAIR
        right = right_pairs(tile, b, n=n, k=k, taps=g.taps, batch=batch)
        k //= 2
    else:
        right = right_operand(tile, b, m=pixels, n=n, k=k, taps=g.taps, batch=batch)
    runs = [_joined(walk[-1], k, g.groups, right.follow) for walk in walks]
    zeros = max(4096, 1 << (max(runs) * k * types.size(a) - 1).bit_length())
    kernel = Product(
        a,
        right.element,
        c,
        tile,
        WindowRows(g.axes, together > 1, zeros),
        right.packed > 0,
        True,
        asks_ahead(machine, epilogue, c, pixels * n * g.groups, k * g.taps),
        epilogue,
    )
    channels = k * g.groups
    images, outer = (together, g.images // together) if together > 1 else (g.images, 1)
    steps = []
    for walk, joined in zip(walks, runs, strict=True):
        m = images * prod(axis.places for axis in walk)
        if not m:
            continue
        values: dict[str, Pointer | int] = {
            "a": Pointer("a"),
            "a_outer": images * prod(size) * channels,
            "a_inner": k,
            "c": Pointer("c"),
            "c_row": n * g.groups,
            "c_outer": 0,
            "c_inner": 0,
            "row_outer": images * prod(result),
            "column_inner": n,
            "images": images,
            "joined": joined,
            "b_tap": right.tap,
        }
        values |= window_slots(g, walk, size, result, channels)
        terms = k * prod(axis.taps for axis in walk)
        blocks = split(machine, tile, m, n, terms, outer * g.groups, epilogue)
        steps.append(
            kernel.step(chunks=blocks.pop("chunks"), m=m, n=n, k=k, inner=g.groups, **blocks, **right.slots, **values)
        )
    return Plan(tuple(steps), right.packing, right.packed)


def _joined(axis: Axis, k: int, groups: int, follow: bool) -> int:
    """How many taps on the last axis can be one run: all, or 1."""
    together = follow and groups == 1 and axis.tap == 1 and axis.b == 1 and axis.taps * k <= LONGEST_JOINED
    return max(1, axis.taps) if together else 1


LONGEST_JOINED = 1024
"""Terms in a run from which there is nothing to gain by joining it to the next."""

BORDER = 0.04
"""The share of border in what the window shows from which tiles span images, so that it can be skipped."""


def _images_together(g: Geometry, walks: Sequence[Sequence[Axis]], size: tuple[int, ...]) -> int:
    """How many images' pixels of one place are neighbouring rows; 1 where an image's pixels are."""
    seen, shown = views(walks, size)
    if seen >= (1 - BORDER) * shown:
        return 1
    if is_size(g.images):  # how many divide them is not known
        return 1
    count = max(count for count in range(1, MAX_ROWS + 1) if g.images % count == 0)
    return count if count >= MAX_ROWS // 2 else 1
