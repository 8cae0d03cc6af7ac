"""Packing: the right operand of a product laid out in the order in which it is read.

    packed[batch, panel, t, k, j] = source[batch, t, k, panel * width + j]

A panel is as wide as a register tile, so that a kernel reads it from end to end. A weight is packed once per update;
what changes in every call is packed where that pays: where its columns are not contiguous, or where it is read by many
rows. Half-precision numbers are widened on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from .. import types
from ..emitter import Function, Reg
from ..halves import computed, read
from .plan import Kernel, Pointer, Step, ceil_div, letter
from .tile import RegisterTile, divide

BLOCK = 128
"""Values of `k` that one chunk packs: some 10 us of work."""


@dataclass(frozen=True)
class Source:
    """An operand as it lies in memory: element type, strides and where it starts, counted in elements."""

    element: str
    k: int
    n: int
    tap: int = 0
    outer: int = 0
    inner: int = 0
    start: int = 0


@dataclass(frozen=True)
class Pack(Kernel):
    """The kernel.

    Attributes:
        element: Of the source.
        width: Columns of a panel, a multiple of the lanes.
        half: Whether the processor converts half precision.
        unit: Along which index the source is contiguous.
    """

    element: str
    width: int
    lanes: int
    half: bool
    unit: Literal["k", "n", "none"]

    @property
    def title(self) -> str:
        return f"pack_{letter(self.element)}_{self.width}_by_{self.unit}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("n", "k", "taps", "panels", "blocks", "inner", "by_k", "by_n", "by_tap", "by_outer", "by_inner")
        return {"source": "ptr", "packed": "ptr"} | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        to = computed(self.element)
        batch, rest = divide(f, chunk, given.panels * given.blocks)
        panel, block = divide(f, rest, given.blocks)
        outer, inner = divide(f, batch, given.inner)
        column = panel * self.width
        source = f.gep(given.source, outer * given.by_outer + inner * given.by_inner, self.element)
        start = f.minimum(block * BLOCK, given.k)
        stop = f.minimum(start + BLOCK, given.k)
        panel_start = (batch * given.panels + panel) * given.taps * given.k * self.width
        with f.loop(0, given.taps, name="tap") as tap:
            origin = f.gep(source, tap.index * given.by_tap, self.element)
            packed = f.gep(given.packed, panel_start + tap.index * given.k * self.width, to)
            if self.unit == "n":
                self._copy(f, given, origin, packed, column, start, stop)
            elif self.unit == "k":
                squares = start + f.binary("and", stop - start, -self.lanes)
                self._transpose(f, given, origin, packed, column, start, squares)
                self._element_by_element(f, given, origin, packed, column, squares, stop)
            else:
                self._element_by_element(f, given, origin, packed, column, start, stop)

    def _load(self, f: Function, place: Reg, lanes: int, mask: Reg | None = None) -> Reg:
        return read(f, place, self.element, lanes, native=self.half, mask=mask)

    def _copy(
        self, f: Function, given: SimpleNamespace, origin: Reg, packed: Reg, column: Reg, start: Reg, stop: Reg
    ) -> None:
        to, lanes = computed(self.element), self.lanes
        masks = [f.lane_mask(given.n - column - j * lanes, lanes) for j in range(self.width // lanes)]
        with f.loop(start, stop, name="k") as k:
            here = f.gep(f.gep(origin, k.index * given.by_k, self.element), column, self.element)
            there = f.gep(packed, k.index * self.width, to)
            for j, mask in enumerate(masks):
                value = self._load(f, f.gep(here, j * lanes, self.element), lanes, mask)
                f.store(value, f.gep(there, j * lanes, to), align=types.size(to) * lanes)

    def _transpose(
        self, f: Function, given: SimpleNamespace, origin: Reg, packed: Reg, column: Reg, start: Reg, stop: Reg
    ) -> None:
        """Squares of as many `k` as lanes, turned in registers. Columns past the last repeat it: nobody looks."""
        to, lanes = computed(self.element), self.lanes
        with f.loop(0, self.width, lanes, name="column") as across:
            first = column + across.index
            rows = [f.gep(origin, f.minimum(first + i, given.n - 1) * given.by_n, self.element) for i in range(lanes)]
            there = f.gep(packed, across.index, to)
            with f.loop(start, stop, lanes, name="k") as k:
                square = [self._load(f, f.gep(row, k.index, self.element), lanes) for row in rows]
                square = transposed(f, square)
                for i, value in enumerate(square):
                    f.store(value, f.gep(there, (k.index + i) * self.width, to), align=types.size(to) * lanes)

    def _element_by_element(
        self, f: Function, given: SimpleNamespace, origin: Reg, packed: Reg, column: Reg, start: Reg, stop: Reg
    ) -> None:
        to = computed(self.element)
        with f.loop(start, stop, name="k") as k, f.loop(0, self.width, name="column") as across:
            place = k.index * given.by_k + f.minimum(column + across.index, given.n - 1) * given.by_n
            value = self._load(f, f.gep(origin, place, self.element), 1)
            f.store(value, f.gep(packed, k.index * self.width + across.index, to))


def transposed(f: Function, square: list[Reg]) -> list[Reg]:
    """A square of as many vectors as lanes, its rows become columns: blocks off the diagonal are exchanged, from single
    elements up to halves."""
    lanes = len(square)
    distance = 1
    while distance < lanes:
        for i in range(lanes):
            if not i & distance:
                x, y = square[i], square[i | distance]
                low = [lane if not lane & distance else lanes + lane - distance for lane in range(lanes)]
                high = [lane + distance if not lane & distance else lanes + lane for lane in range(lanes)]
                square[i], square[i | distance] = f.shuffle(x, y, low), f.shuffle(x, y, high)
        distance *= 2
    return square


def plan_packing(
    tile: RegisterTile, source: Source, *, n: int, k: int, taps: int, batch: tuple[int, int]
) -> tuple[tuple[Step, ...], int]:
    """The step that packs role `"b"` into role `"packed"`, if there is anything to pack, and the bytes of the latter.

    Args:
        tile: The tile that panels are as wide as.
        batch: Outer and inner batch sizes.
    """
    width = tile.columns
    panels, blocks = ceil_div(n, width), ceil_div(k, BLOCK)
    unit: Literal["k", "n", "none"] = "n" if source.n == 1 else "k" if source.k == 1 else "none"
    count = batch[0] * batch[1] * panels
    size = count * taps * k * width * types.size(computed(source.element))
    if not size:
        return (), 0
    step = Pack(source.element, width, tile.lanes, tile.half, unit).step(
        chunks=count * blocks,
        source=Pointer("b", source.start * types.size(source.element)),
        packed=Pointer("packed"),
        n=n,
        k=k,
        taps=taps,
        panels=panels,
        blocks=blocks,
        inner=batch[1],
        by_k=source.k,
        by_n=source.n,
        by_tap=source.tap,
        by_outer=source.outer,
        by_inner=source.inner,
    )
    return (step,), size


PACKED_ROWS = 96
"""Rows of a result from which packing a right operand pays whose rows are contiguous already."""


@dataclass(frozen=True)
class RightOperand:
    """The right operand as the kernel reads it, and what packs it.

    Attributes:
        slots: The values of the kernel's slots for it, but for `b_tap`.
        tap: Elements from one tap to the next.
        follow: Whether a tap's terms follow those of the one before.
        packed: Its bytes if it is packed, else 0.
    """

    element: str
    slots: dict[str, Pointer | int]
    tap: int
    follow: bool
    packing: tuple[Step, ...]
    packed: int


def right_operand(
    tile: RegisterTile, source: Source, *, m: int, n: int, k: int, taps: int, batch: tuple[int, int]
) -> RightOperand:
    """Packed where its rows are not contiguous, or where many rows of a result, `m`, read it; else as it is."""
    if source.n != 1 or m >= PACKED_ROWS:
        packing, packed = plan_packing(tile, source, n=n, k=k, taps=taps, batch=batch)
        if packed:
            size = taps * k * tile.columns * ceil_div(n, tile.columns)
            outer = size * batch[1] if batch[0] > 1 else 0
            slots: dict[str, Pointer | int] = {
                "b": Pointer("packed"),
                "b_step": taps * k,
                "b_outer": outer,
                "b_inner": size,
            }
            return RightOperand(computed(source.element), slots, k * tile.columns, True, packing, packed)
    start = Pointer("b", source.start * types.size(source.element))
    slots = {"b": start, "b_step": source.k, "b_outer": source.outer, "b_inner": source.inner}
    return RightOperand(source.element, slots, source.tap, source.tap == k * source.k, (), 0)
