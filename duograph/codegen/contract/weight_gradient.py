"""Plans of the weight gradients of convolutions."""

from __future__ import annotations

from math import prod

from .. import types
from ..halves import computed
from ..plan import Plan, Pointer
from .cut import Kernels, Problem, outer_steps
from .depthwise_plans import MOST_TAPS, plan_depthwise_gradient
from .epilogue import Epilogue
from .geometry import Geometry, Weight, seen_slots
from .machine import Machine
from .outer import MatrixDepth, WindowDepth
from .product import AXES
from .tile import choose
from .winograd_gradient import plan_winograd_weight_gradient, suits_winograd_weight_gradient


def plan_weight_gradient(
    machine: Machine, geometry: Geometry, x: str, dy: str, dw: Weight, epilogue: Epilogue | None = None
) -> Plan:
    """The gradient of the weight, role `"c"`, from the input, role `"a"` [N, *size, C], and the gradient of the output,
    role `"b"` [N, *places, O]."""
    g = geometry
    m, n = g.channels // g.groups, g.filters // g.groups
    if not (m and n and g.taps):
        return Plan()
    if x == dy == "float" and suits_winograd_weight_gradient(machine, g):
        return plan_winograd_weight_gradient(machine, g, x, dy, dw, epilogue)
    if g.is_depthwise and g.kernel[-1] <= MOST_TAPS:
        return plan_depthwise_gradient(machine, g, x, dy, dw, epilogue)
    element = computed(x)
    joined = g.groups == 1 and g.channels <= FEW_CHANNELS and g.kernel[-1] > 1 and g.dilation[-1] == 1
    swapped = not joined and _swapping_pays(machine, element, m, n, dw)
    operands = [(x, g.channels, m), (dy, g.filters, n)]
    strides = [dw.input, dw.output]
    if swapped:
        operands.reverse()
        strides.reverse()
    (left, left_pixel, m), (right, right_pixel, n) = operands
    taps = g.taps
    values: dict[str, Pointer | int] = {
        "a": Pointer("b" if swapped else "a"),
        "a_outer": 0,
        "a_inner": m,
        "inner": g.groups,
        "b": Pointer("a" if swapped else "b"),
        "b_outer": 0,
        "b_inner": n,
        "c_outer": 0,
        "c_inner": m * strides[0] if swapped else 0,  # a group's filters are rows, or columns
        "c_tap": dw.tap,
        "c_row": strides[0],
        "column_inner": 0 if swapped else n,
    }
    if joined:
        taps //= g.kernel[-1]
        m *= g.kernel[-1]
        values |= {"channels": g.channels, "c_last": dw.tap, "c_tap": dw.tap * g.kernel[-1]}
    pixels = g.images * prod(g.places)
    depth: MatrixDepth | WindowDepth = MatrixDepth()
    if g.is_matmul:
        units, unit = pixels, 1
        values |= {"a_step": left_pixel, "b_step": right_pixel}
    else:
        units, unit = g.images * (g.places[0] if g.axes > 1 else 1), prod(g.places[1:] or g.places)
        depth = WindowDepth(g.axes, joined, swapped)
        values |= {"b_step": right_pixel * (g.stride[-1] if swapped else 1), **_window_slots(g)}
    image_bytes, result_bytes = g.images * prod(g.size) * g.channels // g.groups, pixels * g.filters // g.groups
    problem = Problem(
        m=m,
        n=n,
        units=units,
        unit=unit,
        taps=taps,
        batch=g.groups,
        a_bytes=(result_bytes if swapped else image_bytes) * types.size(left),
        b_bytes=(image_bytes if swapped else result_bytes) * types.size(right),
    )
    tile = choose(machine, element, m, n)
    kernels = Kernels(left, right, dw.element, tile, depth, False, strides[1], epilogue)
    steps, workspace = outer_steps(machine, problem, kernels, values)
    return Plan(steps, workspace=workspace)


FEW_CHANNELS = 8
"""Channels up to which the taps of the last axis are taken together, to fill a tile's rows."""


def _swapping_pays(machine: Machine, element: str, m: int, n: int, dw: Weight) -> bool:
    """Whether the filters are better as rows of the result than the channels are: where they fill the tiles better, or
    about as well and the weight's input channels lie together."""
    as_it_is, swapped = (choose(machine, element, *shape).cost(*shape) for shape in ((m, n), (n, m)))
    return swapped < as_it_is * (1.1 if dw.input == 1 and dw.output != 1 else 0.9)


def _window_slots(g: Geometry) -> dict[str, int]:
    axes = AXES[-g.axes :]
    slots = {"a_image": prod(g.size) * g.channels, "b_image": prod(g.places) * g.filters, **seen_slots(g, axes)}
    return slots | {f"b_{x}": prod(g.places[at + 1 :]) * g.filters for at, x in enumerate(axes)}
