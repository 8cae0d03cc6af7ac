"""Packing: the right operand of a product laid out in the order in which it is read.

    packed[batch, panel, t, k, j] = source[batch, t, k, panel * width + j]

A panel is as wide as a register tile, so that a kernel reads it from end to end. A weight is packed once per update;
what changes in every call is packed where that pays: where its columns are not contiguous, or where it is read by many
rows. Half-precision numbers are widened on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from ...graph.sizes import hint
from .. import types
from ..emitter import Function, Reg
from ..halves import computed, read
from ..plan import Kernel, Pointer, Step, ceil_div, letter
from .tile import RegisterTile, divide

BLOCK = 128
"""Values of `k` that one chunk packs: some 10 us of work."""


Unit = Literal["k", "k and taps", "n", "none"]

Line = Callable[[Reg, Reg], tuple[Reg, Reg]]


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
        unit: Along which index the source is contiguous; `"k and taps"` where a tap's neighbour is the next one.
    """

    element: str
    width: int
    lanes: int
    half: bool
    unit: Unit

    @property
    def title(self) -> str:
        return f"pack_{letter(self.element)}_{self.width}_by_{self.unit.replace(' ', '_')}"

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
        packed = f.gep(given.packed, panel_start, to)

        def line(k: Reg, tap: Reg) -> tuple[Reg, Reg]:
            """Where the first column of a line of the panel comes from and goes to."""
            here = f.gep(source, k * given.by_k + tap * given.by_tap + column * given.by_n, self.element)
            return here, f.gep(packed, (tap * given.k + k) * self.width, to)

        if self.unit == "k":
            with f.loop(0, given.taps, name="tap") as tap:
                squares = start + f.binary("and", stop - start, -self.lanes)
                with f.loop(start, squares, self.lanes, name="k") as k:
                    here, there = line(k.index, tap.index)
                    self._transpose(f, given, column, here, there, lambda there: f.gep(there, self.width, to))
                with f.loop(squares, stop, name="k") as k:
                    self._element_by_element(f, given, column, *line(k.index, tap.index))
        elif self.unit == "k and taps":
            start, stop = start * given.taps, stop * given.taps
            squares = start + f.binary("and", stop - start, -self.lanes)
            self._transpose_with_taps(f, given, column, start, squares, line)
            with f.loop(squares, stop, name="element") as element:
                self._element_by_element(f, given, column, *line(*divide(f, element.index, given.taps)))
        else:  # neighbouring taps are neighbours in memory, or no worse than neighbouring `k`
            with f.loop(start, stop, name="k") as k, f.loop(0, given.taps, name="tap") as tap:
                if self.unit == "n":
                    self._copy(f, given, column, *line(k.index, tap.index))
                else:
                    self._element_by_element(f, given, column, *line(k.index, tap.index))

    def _load(self, f: Function, place: Reg, lanes: int, mask: Reg | None = None) -> Reg:
        return read(f, place, self.element, lanes, native=self.half, mask=mask)

    def _store(self, f: Function, value: Reg, place: Reg) -> None:
        f.store(value, place, align=types.size(value.type) * self.lanes)

    def _copy(self, f: Function, given: SimpleNamespace, column: Reg, here: Reg, there: Reg) -> None:
        for j in range(self.width // self.lanes):
            mask = f.lane_mask(given.n - column - j * self.lanes, self.lanes)
            value = self._load(f, f.gep(here, j * self.lanes, self.element), self.lanes, mask)
            self._store(f, value, f.gep(there, j * self.lanes, computed(self.element)))

    def _transpose(
        self,
        f: Function,
        given: SimpleNamespace,
        column: Reg,
        here: Reg,
        there: Reg,
        following: Callable[[Reg], Reg],
    ) -> None:
        """As many lines as lanes, in squares that are turned in registers. Columns past the last repeat it: nobody
        looks.

        Args:
            following: Where the next line goes, from where one goes.
        """
        to, last = computed(self.element), given.n - 1 - column
        with f.loop(0, self.width, self.lanes, name="column") as across:
            rows = [f.minimum(across.index + i, last) * given.by_n for i in range(self.lanes)]
            square = [self._load(f, f.gep(here, row, self.element), self.lanes) for row in rows]
            place = f.gep(there, across.index, to)
            for value in transposed(f, square):
                self._store(f, value, place)
                place = following(place)

    def _transpose_with_taps(
        self, f: Function, given: SimpleNamespace, column: Reg, start: Reg, stop: Reg, line: Line
    ) -> None:
        """Squares along `k` and, within each `k`, its taps: a line's neighbour is the next tap's, or the first tap's of
        the next `k`."""
        to = computed(self.element)
        tap_step, k_step = given.k * self.width, self.width - (given.taps - 1) * given.k * self.width
        with f.loop(start, stop, self.lanes, name="element") as element:
            k, tap = divide(f, element.index, given.taps)
            here, there = line(k, tap)

            def following(place: Reg) -> Reg:
                nonlocal tap
                more = tap + 1 < given.taps
                tap = f.select(more, tap + 1, 0)
                return f.gep(place, f.select(more, tap_step, k_step), to)

            self._transpose(f, given, column, here, there, following)

    def _element_by_element(self, f: Function, given: SimpleNamespace, column: Reg, here: Reg, there: Reg) -> None:
        to, last = computed(self.element), given.n - 1 - column
        whole = f.binary("and", f.minimum(last + 1, self.width), -self.lanes)
        with f.loop(0, whole, self.lanes, name="column") as across:
            source, target = f.gep(here, across.index * given.by_n, self.element), f.gep(there, across.index, to)
            for i in range(self.lanes):
                value = self._load(f, f.gep(source, given.by_n * i, self.element), 1)
                f.store(value, f.gep(target, i, to))
        with f.loop(whole, self.width, name="column") as across:
            value = self._load(f, f.gep(here, f.minimum(across.index, last) * given.by_n, self.element), 1)
            f.store(value, f.gep(there, across.index, to))


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
    unit: Unit = "none"
    if source.n == 1:
        unit = "n"
    elif source.k == 1:
        unit = "k"
    elif source.tap == 1 and source.k == taps:
        unit = "k and taps"
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
    if source.n != 1 or hint(m) >= PACKED_ROWS:
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
