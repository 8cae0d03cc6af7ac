"""Filters transformed for `winograd.py`, in the order in which its products read them.

    packed[panel, component, channel, column] = (G g G^T)[component], g the taps from `channel` to the panel's `column`

A panel is as wide as a register tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from .. import types
from ..emitter import Function, Reg
from ..plan import Kernel, Pointer, Step, ceil_div, letter
from . import filtering
from .filtering import COMPONENTS
from .geometry import Weight
from .machine import Machine
from .pack import transposed
from .tile import RegisterTile, divide

BLOCK = 32
"""Channels that one chunk packs: some 10 us of work."""

SIDE = 3
TAPS = SIDE * SIDE


@dataclass(frozen=True)
class PackFilters(Kernel):
    """The kernel.

    Attributes:
        element: Of the filters.
        taps: A filter's taps lie together. Otherwise the columns do, or nothing does.
        columns: The columns lie together.
        turned: The taps are taken from the last to the first.
        streaming: What is packed goes past the caches.
    """

    element: str
    width: int
    lanes: int
    taps: bool
    columns: bool
    turned: bool
    streaming: bool

    @property
    def title(self) -> str:
        return f"pack_filters_{letter(self.element)}_{self.width}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("n", "k", "blocks", "by_k", "by_n", "by_tap")
        return {"source": "ptr", "packed": "ptr"} | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        panel, block = divide(f, chunk, given.blocks)
        start = block * BLOCK
        stop = f.minimum(start + BLOCK, given.k)
        first = panel * self.width
        to = f.gep(given.packed, first * given.k * COMPONENTS, self.element)
        component = given.k * self.width
        align = types.size(self.element) * self.lanes
        with f.loop(0, self.width, self.lanes, name="column") as across, f.loop(start, stop, name="k") as k:
            column = first + across.index
            source = f.gep(given.source, k.index * given.by_k, self.element)
            taps = self._taps(f, given, source, column)
            if self.turned:
                taps.reverse()
            target = f.gep(to, k.index * self.width + across.index, self.element)
            rows = filtering.filter(f, [taps[i : i + SIDE] for i in range(0, TAPS, SIDE)])
            for number, value in enumerate(value for row in rows for value in row):
                f.store(value, f.gep(target, component * number, self.element), align=align, streaming=self.streaming)

    def _taps(self, f: Function, given: SimpleNamespace, source: Reg, column: Reg) -> list[Reg]:
        """Each tap of as many columns as lanes. What stands in columns past the last does not matter."""
        vector, left = types.vector(self.element, self.lanes), given.n - column
        if self.columns:
            mask = f.lane_mask(left, self.lanes)
            place = f.gep(source, column, self.element)
            return [f.load(f.gep(place, given.by_tap * t, self.element), vector, mask=mask) for t in range(TAPS)]
        columns = [f.minimum(column + i, given.n - 1) * given.by_n for i in range(self.lanes)]
        places = [f.gep(source, distance, self.element) for distance in columns]
        found: list[Reg] = []
        if self.taps:  # squares of columns by taps, turned in registers
            for tap in range(0, TAPS, self.lanes):
                count = min(self.lanes, TAPS - tap)
                mask = f.values(types.like(vector, "i1"), [lane < count for lane in range(self.lanes)])
                whole = None if count == self.lanes else mask
                square = [f.load(f.gep(place, tap, self.element), vector, mask=whole) for place in places]
                found += transposed(f, square)[:count]
            return found
        for tap in range(TAPS):
            value = f.poison(vector)
            for lane, place in enumerate(places):
                there = f.gep(place, given.by_tap * tap, self.element)
                value = f.insert(value, f.load(there, self.element), lane)
            found.append(value)
        return found


def plan_filters(
    machine: Machine, tile: RegisterTile, w: Weight, *, channels: int, filters: int, turned: bool
) -> tuple[tuple[Step, ...], int]:
    """The step that packs role `"b"` into role `"packed"`, and the bytes of the latter.

    Args:
        channels, filters: What is summed, and the columns.
        turned: For the input gradient: columns are the weight's input channels, and taps are taken from the last on.
    """
    by_k, by_n = (w.output, w.input) if turned else (w.input, w.output)
    panels, blocks = ceil_div(filters, tile.columns), ceil_div(channels, BLOCK)
    size = panels * tile.columns * channels * COMPONENTS * types.size(tile.element)
    if not size:
        return (), 0
    step = PackFilters(
        tile.element, tile.columns, tile.lanes, w.tap == 1, by_n == 1, turned, size > machine.l3 // 4
    ).step(
        chunks=panels * blocks,
        source=Pointer("b"),
        packed=Pointer("packed"),
        n=filters,
        k=channels,
        blocks=blocks,
        by_k=by_k,
        by_n=by_n,
        by_tap=w.tap,
    )
    return (step,), size
