"""Convolutions of images with few channels, such as a network's first.

A sum has so few terms that finding out where a tile's rows look, tap by tap, would take as long as the sum. So a chunk
copies the lines of the image that one line of the result sees into memory of its thread, one after another, with the
border around them as zeros. There a place sees the taps of a line as one run, whose length is known when the code is
written, and neighbouring places see runs that lie evenly spaced: no tap is left to test, and few addresses to compute.

    lines[tap of the outer axes, pixel, channel]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from types import SimpleNamespace
from typing import ClassVar

from ...graph.sizes import hint, sized
from .. import types
from ..emitter import Function, Reg
from ..halves import computed, read
from ..plan import Kernel, Plan, Pointer, ceil_div, letter, round_up
from .cut import MOST_CHUNKS, SMALLEST_CHUNK, asks_ahead, terms
from .epilogue import Epilogue
from .geometry import Geometry, seen_slots
from .machine import Machine
from .pack import Source, plan_packing
from .product import AXES
from .tile import Left, RegisterTile, Right, Target, add_terms, ask_ahead, choose, divide, store

MOST_CHANNELS = 8
"""Channels up to which an image's lines are copied."""

LONGEST_UNROLLED = 12
"""Terms that are written out one after another."""

FEWEST_LINES = 16
"""Lines of the result from which there are chunks enough, since a chunk is some lines."""


@dataclass(frozen=True)
class FewChannels(Kernel):
    """The kernel. `b` is packed.

    Attributes:
        a, b, c: Element types of the operands and of the result.
        axes: Spatial axes.
        run: Terms of a line's taps.
        ahead: Whether the next tile's place in the result and the epilogue's operands there are asked for while one is
            summed, since they are in no near cache.
    """

    a: str
    b: str
    c: str
    tile: RegisterTile
    axes: int
    run: int
    ahead: bool = False
    epilogue: Epilogue | None = None
    threaded: ClassVar[bool] = True

    @property
    def title(self) -> str:
        return f"few_channels{self.axes}d_{letter(self.a)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        pointers = dict.fromkeys(("a", "b", "c", "scratch"), "ptr")
        sizes = ("n", "lines", "block", "places", "taps", "low", "size", "width", "advance", "a_image")
        each = ("places", "place", "first", "tap", "taps", "size", "a")
        return pointers | dict.fromkeys((*sizes, *(f"{slot}_{x}" for x in self.outer for slot in each)), "i64")

    @property
    def outer(self) -> str:
        """The axes but for the last, by their letters."""
        return AXES[-self.axes : -1]

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile = self.tile
        with f.loop(0, given.taps * given.width, tile.lanes, name="border") as all:
            f.store(f.zero(tile.vector), f.gep(given.scratch, all.index, tile.element), align=self._align)
        start = chunk * given.block
        with f.loop(start, f.minimum(start + given.block, given.lines), name="line") as line:
            self._copy(f, given, line.index)
            with f.loop(0, given.n, tile.columns, name="n") as across:
                panel = f.gep(given.b, across.index * given.taps * self.run, self.b)
                with f.loop(0, given.places, tile.rows, name="place") as down:
                    self._tile(f, given, panel, line.index * given.places, down.index, across.index)

    @property
    def _align(self) -> int:
        return types.size(self.tile.element) * self.tile.lanes

    @property
    def _unrolled(self) -> int:
        """So many terms are written out that a run is a number of times as many."""
        return max(count for count in range(1, LONGEST_UNROLLED + 1) if self.run % count == 0)

    def _copy(self, f: Function, given: SimpleNamespace, line: Reg) -> None:
        """The lines that a line of the result sees."""
        image, places = line, {}
        for x in reversed(self.outer):
            image, places[x] = divide(f, image, getattr(given, f"places_{x}"))
        to = f.gep(given.scratch, given.low, self.tile.element)

        def walk(axes: str, source: Reg, inside: Reg, number: Reg) -> None:
            if not axes:
                there = f.gep(to, number * given.width, self.tile.element)
                with f.if_(inside, name="inside", likely=True) as branch:
                    self._copy_line(f, given, source, there)
                with branch.else_():
                    self._copy_line(f, given, None, there)
                return
            x, slot = axes[0], {name: getattr(given, f"{name}_{axes[0]}") for name in ("place", "first", "tap", "taps")}
            first = places[x] * slot["place"] + slot["first"]
            with f.loop(0, slot["taps"], name=f"tap.{x}") as tap:
                pixel = first + tap.index * slot["tap"]
                here = f.gep(source, pixel * getattr(given, f"a_{x}"), self.a)
                seen = inside & f.compare("ult", pixel, getattr(given, f"size_{x}"))
                walk(axes[1:], here, seen, number * slot["taps"] + tap.index)

        walk(self.outer, f.gep(given.a, image * given.a_image, self.a), f.const("i1", True), f.const("i64", 0))

    def _copy_line(self, f: Function, given: SimpleNamespace, source: Reg | None, to: Reg) -> None:
        """One line, or zeros."""
        tile = self.tile

        def copy(at: Reg, mask: Reg | None = None) -> None:
            value = f.zero(tile.vector)
            if source is not None:
                value = read(f, f.gep(source, at, self.a), self.a, tile.lanes, native=tile.half, mask=mask)
            f.store(value, f.gep(to, at, tile.element), mask=mask)

        whole = f.binary("and", given.size, -tile.lanes)
        with f.loop(0, whole, tile.lanes, name="copied") as loop:
            copy(loop.index)
        with f.if_(f.compare("lt", whole, given.size), name="rest"):
            copy(whole, f.lane_mask(given.size - whole, tile.lanes))

    def _tile(self, f: Function, given: SimpleNamespace, panel: Reg, line: Reg, place: Reg, n: Reg) -> None:
        """A tile of the result. Rows past the last see more zeros, or what nobody asks for."""
        tile = self.tile

        def row(i: Reg | int) -> Reg:
            return line + f.add(place, i)

        to = Target(
            pointer=given.c,
            element=self.c,
            offset=lambda i: row(i) * given.n,
            row=row,
            column=n,
            column_step=1,
            rows=f.minimum(given.places - place, tile.rows),
            columns=f.minimum(given.n - n, tile.columns),
        )
        if self.ahead:
            following = replace(to, row=lambda i: row(i + tile.rows), offset=lambda i: row(i + tile.rows) * given.n)
            ask_ahead(f, tile, following, self.epilogue, given)
        first = f.gep(given.scratch, place * given.advance, tile.element)
        zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
        with f.loop(0, given.taps, 1, zeros, name="tap") as tap:
            line_of_tap = f.gep(first, tap.index * given.width, tile.element)
            rows = [f.gep(line_of_tap, given.advance * i, tile.element) for i in range(tile.rows)]
            b = f.gep(panel, tap.index * (self.run * tile.columns), self.b)
            left, right = Left(tile.element, rows), Right(self.b, b, tile.columns, self._align)
            with f.loop(0, self.run, self._unrolled, tap.carried, name="k") as k:
                k.yield_(*add_terms(f, tile, k.carried, k.index, self._unrolled, left, right))
            tap.yield_(*k.results)

        store(f, tile, tap.results, to, self.epilogue, given)


@dataclass(frozen=True)
class _Lines:
    """What a chunk copies: so many lines, of as many elements each, a multiple of the tile's lanes."""

    tile: RegisterTile
    taps: int
    width: int

    @classmethod
    def of(cls, machine: Machine, g: Geometry, a: str) -> _Lines:
        tile = choose(machine, computed(a), g.places[-1], g.filters)
        seen = (round_up(g.places[-1], tile.rows) - 1) * g.stride[-1] + g.kernel[-1]
        width = _larger(seen, g.padding[-1][0] + g.size[-1]) * g.channels
        return cls(tile, prod(g.kernel[:-1]), round_up(width, tile.lanes))

    @property
    def bytes(self) -> int:
        return self.taps * self.width * types.size(self.tile.element)


def suits_few_channels(machine: Machine, g: Geometry, a: str) -> bool:
    """Whether `plan_few_channels` can do a convolution and is faster than looking for each tap's pixels."""
    few = g.groups == 1 and g.channels <= MOST_CHANNELS and not g.is_matmul
    plain = g.dilation[-1] == 1 and g.padding[-1][0] >= 0 and g.places[-1] > 1
    lines = hint(g.images * prod(g.places[:-1]))
    return few and plain and lines >= FEWEST_LINES and hint(_Lines.of(machine, g, a).bytes) <= machine.l2 // 4


@sized
def _larger(a: int, b: int) -> int:
    return max(a, b)


@sized
def _block(lines: int, work: int) -> int:
    """Lines in a chunk; all of them take so much work."""
    return ceil_div(lines, max(1, min(MOST_CHUNKS, work // SMALLEST_CHUNK)))


def plan_few_channels(
    machine: Machine, g: Geometry, a: str, b: Source, c: str, epilogue: Epilogue | None = None
) -> Plan:
    """The convolution of role `"a"` [N, *size, C] of element type `a` with role `"b"`, to role `"c"` [N, *places, O] of
    type `c`."""
    copied = _Lines.of(machine, g, a)
    tile = copied.tile
    packing, packed = plan_packing(tile, b, n=g.filters, k=g.channels, taps=g.taps, batch=(1, 1))
    lines = g.images * prod(g.places[:-1])
    work = lines * g.places[-1] * g.filters * terms(g.channels * g.taps, epilogue)
    block = _block(lines, work)
    ahead = asks_ahead(machine, epilogue, c, lines * g.places[-1] * g.filters, g.channels * g.taps)
    kernel = FewChannels(a, computed(b.element), c, tile, g.axes, g.kernel[-1] * g.channels, ahead, epilogue)
    values: dict[str, Pointer | int] = {
        "a": Pointer("a"),
        "b": Pointer("packed"),
        "c": Pointer("c"),
        "scratch": Pointer("scratch"),
        "n": g.filters,
        "lines": lines,
        "block": block,
        "places": g.places[-1],
        "taps": copied.taps,
        "low": g.padding[-1][0] * g.channels,
        "size": g.size[-1] * g.channels,
        "width": copied.width,
        "advance": g.stride[-1] * g.channels,
        "a_image": prod(g.size) * g.channels,
        **seen_slots(g, kernel.outer),
    }
    step = kernel.step(chunks=ceil_div(lines, block), **values)
    return Plan((step,), packing, packed, scratch=round_up(copied.bytes, 64))
