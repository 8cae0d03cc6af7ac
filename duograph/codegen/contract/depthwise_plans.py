"""Plans of depthwise convolutions in all three directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ...graph.sizes import by_hint, hint
from .. import types
from ..halves import computed
from ..plan import Plan, Pointer, ceil_div
from .depthwise import Depthwise, DepthwiseGradient
from .epilogue import Epilogue
from .geometry import Axis, Geometry, Weight, forward_walk, window_slots
from .machine import Machine
from .outer import AddParts
from .pack import Source, plan_packing
from .tile import MAX_ROWS, RegisterTile

BLOCK_WORK = 1 << 17
"""Multiply-adds in a chunk: some 10 us of work."""

MOST_CHUNKS = 256

OVERHEAD = 6
"""What a tile takes beside its multiplications for each tap of the other axes, in the time of one of them."""

MOST_PARTS = 32

MOST_TAPS = 12
"""Taps on the last axis whose sums fit in registers, whatever the machine."""


def plan_depthwise(
    machine: Machine,
    g: Geometry,
    walks: Sequence[Sequence[Axis]],
    a: str,
    b: Source,
    c: str,
    size: tuple[int, ...],
    result: tuple[int, ...],
    epilogue: Epilogue | None,
) -> Plan:
    """The forward direction or the input gradient: images of `size` to images of size `result`."""
    element, channels = computed(a), g.channels
    lanes = machine.vector_bytes // types.size(element)
    vectors = _vectors(channels, lanes, 2 if machine.vector_registers >= 32 else 1)
    panel = RegisterTile(element, lanes, 1, vectors, machine.fma, machine.half)
    weights = Source(b.element, k=0, n=b.inner, tap=b.tap, start=b.start)  # each group has one channel
    packing, packed = plan_packing(panel, weights, n=channels, k=1, taps=g.taps, batch=(1, 1))
    ahead = g.axes > 1 and hint(prod(size[1:]) * channels) * types.size(a) >= machine.l1 // 2
    streaming = machine.streaming and hint(g.images * prod(result) * channels) * types.size(c) >= machine.l3
    steps = []
    for walk in walks:
        units = g.images * (walk[0].places if g.axes > 1 else 1)
        each = prod(axis.places for axis in (walk[1:] or walk)) * prod(max(1, axis.taps) for axis in walk) * channels
        if not units * each:
            continue
        block = max(1, BLOCK_WORK // each, ceil_div(units, MOST_CHUNKS))
        last = walk[-1]
        tile = replace(panel, rows=_places(machine, vectors, last))
        kernel = Depthwise(
            a, computed(b.element), c, tile, g.axes, last.taps, last.place, last.tap, ahead, streaming, epilogue
        )
        steps.append(
            kernel.step(
                chunks=ceil_div(units, block),
                a=Pointer("a"),
                b=Pointer("packed"),
                c=Pointer("c"),
                n=channels,
                c_row=channels,
                all_taps=g.taps,
                units=units,
                block=block,
                **window_slots(g, walk, size, result, channels),
            )
        )
    return Plan(tuple(steps), packing, packed)


def _vectors(channels: int, lanes: int, most: int) -> int:
    """As many vectors of channels as fit them best."""
    return min(range(most, 0, -1), key=lambda v: ceil_div(channels, v * lanes) * v)


@by_hint
def _places(machine: Machine, vectors: int, axis: Axis) -> int:
    """As many places of an axis as take least in all, if there are registers for their sums beside the weights."""
    most = max(1, (machine.vector_registers - 2) // vectors - axis.taps - 1)

    def cost(places: int) -> float:
        pixels = min((places - 1) * axis.place + (axis.taps - 1) * axis.tap + 1, places * axis.taps)
        return ceil_div(axis.places, places) * (max(places * axis.taps, pixels + axis.taps) + OVERHEAD)

    return min(range(min(MAX_ROWS, most), 0, -1), key=cost)


def plan_depthwise_gradient(
    machine: Machine, g: Geometry, x: str, dy: str, dw: Weight, epilogue: Epilogue | None
) -> Plan:
    """The weight gradient."""
    element, channels, taps = computed(x), g.channels, g.kernel[-1]
    lanes = machine.vector_bytes // types.size(element)
    most = max(1, min(4 if machine.vector_registers >= 32 else 2, (machine.vector_registers - 2) // (taps + 1)))
    vectors = _vectors(channels, lanes, most)
    tile = RegisterTile(element, lanes, taps, vectors, machine.fma, machine.half)
    tiles = ceil_div(channels, tile.columns)
    kept_tap = tiles * tile.columns
    units = g.images * (g.places[0] if g.axes > 1 else 1)
    each = prod(g.places[1:] or g.places) * g.taps * tile.columns
    parts = max(1, min(MOST_PARTS, units, units * each // BLOCK_WORK, ceil_div(MOST_CHUNKS, tiles)))
    block = ceil_div(max(1, units), parts)
    parts = ceil_div(max(1, units), block)
    kept: dict[str, Pointer | int] = {
        "sums": Pointer("workspace"),
        "kept_tap": kept_tap,
        "kept_part": kept_tap * g.taps,
    }
    sums = DepthwiseGradient(x, dy, tile, g.axes).step(
        chunks=parts * tiles,
        a=Pointer("a"),
        b=Pointer("b"),
        n=channels,
        b_row=channels,
        n_tiles=tiles,
        units=units,
        block=block,
        **kept,
        **window_slots(g, forward_walk(g), g.size, g.places, channels),
    )
    optional = {} if dw.output == 1 else {"c_column": dw.output}
    row = RegisterTile(element, lanes, 1, vectors, machine.fma, machine.half)
    total = AddParts(dw.element, row, dw.output == 1, epilogue=epilogue).step(
        chunks=tiles,
        c=Pointer("c"),
        m=1,
        m_block=1,
        m_blocks=1,
        n=channels,
        batch=1,
        inner=1,
        c_outer=0,
        c_inner=0,
        c_tap=dw.tap,
        c_row=0,
        column_inner=0,
        kept_batch=0,
        parts=parts,
        taps=g.taps,
        n_tiles=tiles,
        **kept,
        **optional,
    )
    return Plan((sums, total), workspace=parts * kept_tap * g.taps * types.size(element))
