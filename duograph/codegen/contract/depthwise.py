"""Depthwise convolutions: each channel by itself, vectors over channels.

    c[pixel, ch] = sum over taps t of a[shown(pixel, t), ch] * b[t, ch]

There is no sum over channels, so there is little to compute and much to read. A kernel works on a few neighbouring
pixels and a block of channels at a time and walks the taps that show the image; pixels near the border of the last axis
are taken one by one, with fewer taps. The weight gradient keeps the sums of one row of taps in registers while it walks
over the pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from .. import types
from ..emitter import Function, Reg
from ..plan import Kernel, letter
from .epilogue import Epilogue
from .product import AXES
from .tile import RegisterTile, Target, multiply_add, store


@dataclass(frozen=True)
class Span:
    """One axis at one place: the pixel that tap 0 shows, and the taps from `low` to `high - 1` that show the image."""

    pixel: Reg
    low: Reg
    high: Reg


def span(f: Function, given: SimpleNamespace, x: str, place: Reg) -> Span:
    """What a place on axis `x` sees, by the slots of `WindowRows`."""
    tap, taps, size = (getattr(given, f"{slot}_{x}") for slot in ("tap", "taps", "size"))
    pixel = place * getattr(given, f"place_{x}") + getattr(given, f"first_{x}")
    low = f.binary("udiv", f.maximum(0 - pixel, 0) + tap - 1, tap)
    high = f.minimum(f.binary("udiv", f.maximum(size - pixel, 0) + tap - 1, tap), taps)
    return Span(pixel, low, high)


def interior(f: Function, given: SimpleNamespace, x: str) -> tuple[Reg, Reg]:
    """The places on axis `x`, from the first to before the second, where every tap shows the image."""
    slots = ("places", "place", "first", "tap", "taps", "size")
    places, place, first, tap, taps, size = (getattr(given, f"{slot}_{x}") for slot in slots)
    low = f.minimum(f.binary("udiv", f.maximum(0 - first, 0) + place - 1, place), places)
    room = f.maximum(size - first - (taps - 1) * tap, 0)
    return low, f.minimum(f.binary("udiv", room + place - 1, place), places)


def unit_slots(axes: str) -> dict[str, str]:
    """The slots of a walk over windows: those of `WindowRows`, and the units of a chunk.

    A unit is one place on the first axis of one image; on a single axis, an image.
    """
    each = ("places", "place", "first", "tap", "taps", "size", "a", "row", "b")
    names = ["units", "block", "a_image", "row_image", "row_first", "b_first"]
    return dict.fromkeys([*names, *(f"{slot}_{x}" for x in axes for slot in each)], "i64")


@dataclass(frozen=True)
class Depthwise(Kernel):
    """The forward direction and the input gradient.

    A tile is some neighbouring places of the last axis and some vectors of channels. For each tap of the other axes it
    goes over the pixels that its places see, and adds each to all sums that it belongs to: so it is loaded once.

    `b` is packed in panels of the tile's columns. A chunk is `block` units and all their channels.

    Attributes:
        tile: Places and channels that are worked on at once.
        taps, place, tap: On the last axis, how many taps there are, and how many pixels lie between two places and
            between two taps.
        ahead: Whether the following line of the image is asked for, because it comes from memory.
        streaming: Whether the result goes past the caches where its vectors are aligned.
    """

    a: str
    b: str
    c: str
    tile: RegisterTile
    axes: int
    taps: int
    place: int
    tap: int
    ahead: bool = False
    streaming: bool = False
    epilogue: Epilogue | None = None

    @property
    def title(self) -> str:
        return f"depthwise{self.axes}d_{letter(self.a)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = dict.fromkeys(("n", "c_row", "all_taps"), "i64")
        return dict.fromkeys(("a", "b", "c"), "ptr") | sizes | unit_slots(AXES[-self.axes :])

    @property
    def reach(self) -> int:
        """Pixels on the last axis from the first that a tile sees to the last."""
        return (self.tile.rows - 1) * self.place + (self.taps - 1) * self.tap

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        names = AXES[-self.axes :]
        start = chunk * given.block
        rows = getattr(given, f"places_{names[0]}") if self.axes > 1 else f.const("i64", 1)
        with f.loop(start, f.minimum(start + given.block, given.units), name="unit") as unit:
            image, place = f.binary("udiv", unit.index, rows), f.binary("urem", unit.index, rows)
            a, row = image * given.a_image, image * given.row_image + given.row_first
            self._outer_axes(f, given, names, place, [], a, row)
        if self.streaming:
            f.drain()

    def _outer_axes(
        self, f: Function, given: SimpleNamespace, axes: str, place: Reg, spans: list[Span], a: Reg, row: Reg
    ) -> None:
        """Loops over the places of all axes but the last."""
        if len(axes) == 1:
            self._line(f, given, spans, a, row)
            return
        x, rest = axes[0], axes[1:]
        here = span(f, given, x, place)
        a = a + here.pixel * getattr(given, f"a_{x}")
        row = row + place * getattr(given, f"row_{x}")
        if len(rest) == 1:
            self._line(f, given, [*spans, here], a, row)
            return
        with f.loop(0, getattr(given, f"places_{rest[0]}"), name=rest[0]) as loop:
            self._outer_axes(f, given, rest, loop.index, [*spans, here], a, row)

    def _line(self, f: Function, given: SimpleNamespace, spans: list[Span], a: Reg, row: Reg) -> None:
        """All places of the last axis and, for some of them after another, all channels: as they lie in memory."""
        tile = self.tile
        with f.loop(0, given.places_w, tile.rows, name="place") as line:
            place = line.index
            pixel = place * self.place + given.first_w
            inside = f.compare("ge", pixel, 0) & f.compare("le", pixel + self.reach, given.size_w - 1)
            whole = f.select(inside, given.n - f.binary("urem", given.n, tile.columns), 0)
            with f.loop(0, whole, tile.columns, name="n") as across:
                self._tile(f, given, spans, a, row, place, pixel, across.index, border=False)
            with f.loop(whole, given.n, tile.columns, name="n") as across:
                self._tile(f, given, spans, a, row, place, pixel, across.index, border=True)

    def _tile(
        self,
        f: Function,
        given: SimpleNamespace,
        spans: list[Span],
        a: Reg,
        row: Reg,
        place: Reg,
        pixel: Reg,
        n: Reg,
        *,
        border: bool,
    ) -> None:
        """The places from `place` on, and a panel of channels.

        Args:
            pixel: What the first tap shows at the first place.
            border: Whether the tile may overshoot the image or the channels.
        """
        tile = self.tile
        columns = f.minimum(given.n - n, tile.columns) if border else f.const("i64", tile.columns)
        masks = [f.lane_mask(columns - j * tile.lanes, tile.lanes) for j in range(tile.vectors)] if border else None
        source = f.gep(f.gep(given.a, a + n, self.a), pixel * given.a_w, self.a)
        weights = f.gep(given.b, n * given.all_taps, self.b)
        shown = [f.compare("ult", pixel + at, given.size_w) for at in range(self.reach + 1)] if border else None
        sums = self._sums(f, given, spans, source, weights, masks, shown)

        def number(i: Reg | int) -> Reg:
            return row + f.add(place, i) * given.row_w

        to = Target(
            pointer=given.c,
            element=self.c,
            offset=lambda i: number(i) * given.c_row,
            row=number,
            column=n,
            column_step=1,
            rows=f.minimum(given.places_w - place, tile.rows),
            columns=columns,
            streaming=self.streaming,
        )
        store(f, tile, sums, to, self.epilogue, given)

    def _sums(
        self,
        f: Function,
        given: SimpleNamespace,
        spans: Sequence[Span],
        a: Reg,
        b: Reg,
        masks: Sequence[Reg] | None,
        shown: Sequence[Reg] | None,
    ) -> list[Reg]:
        """The tile's sums, where `shown` pixels of a line are in the image; None if all are."""
        tile = self.tile
        nothing = f.table("nothing", "i8", [0] * (tile.columns * 8)) if shown else None

        def walk(axes: str, spans: Sequence[Span], sums: list[Reg], a: Reg, tap: Reg) -> list[Reg]:
            if len(axes) == 1:
                return line(sums, a, tap)
            x = axes[0]
            step = getattr(given, f"tap_{x}") * getattr(given, f"a_{x}")
            if self.ahead and len(axes) == 2:
                self._ask_ahead(f, given, f.gep(a, spans[0].high * step, self.a))
            with f.loop(spans[0].low, spans[0].high, 1, sums, name=f"tap.{x}") as loop:
                here = f.gep(a, loop.index * step, self.a)
                number = tap + loop.index * getattr(given, f"b_{x}")
                loop.yield_(*walk(axes[1:], spans[1:], list(loop.carried), here, number))
            return loop.results

        def line(sums: list[Reg], a: Reg, tap: Reg) -> list[Reg]:
            """The taps of the last axis."""
            factors = []
            for t in range(self.taps):
                weights = f.gep(b, (tap + given.b_w * t) * tile.columns, self.b)
                places = [f.gep(weights, j, tile.vector) for j in range(tile.vectors)]
                factors.append([f.load(place, tile.vector, align=64) for place in places])
            for at in range(self.reach + 1):
                sees = [(i, t) for i in range(tile.rows) for t in range(self.taps)]
                uses = [(i, t) for i, t in sees if i * self.place + t * self.tap == at]
                if not uses:
                    continue
                pixel = f.gep(a, given.a_w * at, self.a)
                if shown and nothing:
                    pixel = f.select(shown[at], pixel, nothing)
                for j in range(tile.vectors):
                    place = f.gep(pixel, j * tile.lanes, self.a)
                    value = tile.load(f, place, self.a, mask=masks[j] if masks else None)
                    for i, t in uses:
                        k = i * tile.vectors + j
                        sums[k] = multiply_add(f, tile.fma, value, factors[t][j], sums[k])
            return sums

        zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
        return walk(AXES[-self.axes :], spans, zeros, a, given.b_first)

    def _ask_ahead(self, f: Function, given: SimpleNamespace, line: Reg) -> None:
        """Ask for the pixels of the line after the last that the places see."""
        for at in range(self.tile.rows * self.place):
            pixel = f.gep(line, given.a_w * at, self.a)
            for byte in range(0, self.tile.columns * types.size(self.a), 64):
                f.prefetch(f.gep(pixel, byte, "i8"))


@dataclass(frozen=True)
class DepthwiseGradient(Kernel):
    """The weight gradient: `a` is the input and `b` the output's gradient. The sums are left in the workspace, in parts
    of `block` units: [part, tap, channel], for `outer.AddParts` to add.

    Attributes:
        tile: Its rows are the taps on the last axis, whose sums are kept in registers.
        zeros: Bytes of a row of zeros, which stands for pixels that are not in the image: a tile's columns at least.
    """

    a: str
    b: str
    tile: RegisterTile
    axes: int

    @property
    def title(self) -> str:
        return f"depthwise{self.axes}d_gradient_{letter(self.a)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        names = ("n", "b_row", "kept_part", "kept_tap", "n_tiles")
        return dict.fromkeys(("a", "b", "sums"), "ptr") | dict.fromkeys(names, "i64") | unit_slots(AXES[-self.axes :])

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile = self.tile
        part, column = f.binary("udiv", chunk, given.n_tiles), f.binary("urem", chunk, given.n_tiles)
        n = column * tile.columns
        columns = given.n - n
        start = part * given.block
        stop = f.minimum(start + given.block, given.units)
        with f.if_(f.compare("ge", columns, tile.columns), name="full", likely=True) as branch:
            self._taps(f, given, part, n, start, stop, None)
        with branch.else_():
            masks = [f.lane_mask(columns - j * tile.lanes, tile.lanes) for j in range(tile.vectors)]
            self._taps(f, given, part, n, start, stop, masks)

    def _taps(
        self, f: Function, given: SimpleNamespace, part: Reg, n: Reg, start: Reg, stop: Reg, masks: list[Reg] | None
    ) -> None:
        """Every tap of the axes but the last, which is all in registers."""
        tile, outer = self.tile, AXES[-self.axes : -1]
        kept = f.gep(given.sums, part * given.kept_part + n, tile.element)

        def walk(axes: str, shifts: dict[str, Reg], tap: Reg) -> None:
            if axes:
                x = axes[0]
                with f.loop(0, getattr(given, f"taps_{x}"), name=f"tap.{x}") as loop:
                    shift = getattr(given, f"first_{x}") + loop.index * getattr(given, f"tap_{x}")
                    walk(axes[1:], {**shifts, x: shift}, tap + loop.index * getattr(given, f"b_{x}"))
                return
            sums = self._units(f, given, shifts, n, start, stop, masks)
            for i in range(tile.rows):
                row = f.gep(kept, (tap + i) * given.kept_tap, tile.element)
                for j in range(tile.vectors):
                    f.store(sums[i * tile.vectors + j], f.gep(row, j, tile.vector), align=64)

        walk(outer, {}, f.const("i64", 0))

    def _units(
        self,
        f: Function,
        given: SimpleNamespace,
        shifts: dict[str, Reg],
        n: Reg,
        start: Reg,
        stop: Reg,
        masks: list[Reg] | None,
    ) -> list[Reg]:
        """The sums over the units for one tap of the outer axes."""
        outer = AXES[-self.axes : -1]
        zeros = [f.zero(self.tile.vector)] * (self.tile.rows * self.tile.vectors)
        rows = getattr(given, f"places_{outer[0]}") if outer else f.const("i64", 1)

        def walk(axes: str, place: Reg, sums: list[Reg], a: Reg, row: Reg) -> list[Reg]:
            if not axes:
                return self._line(f, given, sums, f.gep(given.a, a + n, self.a), row, n, masks)
            x, rest = axes[0], axes[1:]
            pixel = place * getattr(given, f"place_{x}") + shifts[x]
            with f.if_(f.compare("ult", pixel, getattr(given, f"size_{x}")), name="inside", likely=True) as branch:
                here, number = a + pixel * getattr(given, f"a_{x}"), row + place * getattr(given, f"row_{x}")
                if not rest:
                    found = walk("", place, sums, here, number)
                else:
                    with f.loop(0, getattr(given, f"places_{rest[0]}"), 1, sums, name=rest[0]) as loop:
                        loop.yield_(*walk(rest, loop.index, list(loop.carried), here, number))
                    found = loop.results
                branch.yield_(*found)
            with branch.else_():
                branch.yield_(*sums)
            return branch.results

        with f.loop(start, stop, 1, zeros, name="unit") as unit:
            image, place = f.binary("udiv", unit.index, rows), f.binary("urem", unit.index, rows)
            a, row = image * given.a_image, image * given.row_image
            unit.yield_(*walk(outer, place, list(unit.carried), a, row))
        return unit.results

    def _line(
        self, f: Function, given: SimpleNamespace, sums: list[Reg], a: Reg, row: Reg, n: Reg, masks: list[Reg] | None
    ) -> list[Reg]:
        """The sums with all places of the last axis added."""
        low, high = interior(f, given, AXES[-1])
        nothing = f.table("nothing", "i8", [0] * (self.tile.columns * 8))

        def pixels(sums: list[Reg], start: Reg | int, stop: Reg, border: bool) -> list[Reg]:
            with f.loop(start, stop, 1, sums, name="place") as loop:
                pixel = loop.index * given.place_w + given.first_w
                b = f.gep(f.gep(given.b, (row + loop.index) * given.b_row, self.b), n, self.b)
                factors = self._vectors(f, b, self.b, masks)
                sums = list(loop.carried)
                for i in range(self.tile.rows):
                    shown = pixel + given.tap_w * i
                    source = f.gep(a, shown * given.a_w, self.a)
                    if border:
                        source = f.select(f.compare("ult", shown, given.size_w), source, nothing)
                    for j, value in enumerate(self._vectors(f, source, self.a, masks)):
                        at = i * self.tile.vectors + j
                        sums[at] = multiply_add(f, self.tile.fma, value, factors[j], sums[at])
                loop.yield_(*sums)
            return loop.results

        sums = pixels(sums, 0, low, True)
        sums = pixels(sums, low, high, False)
        return pixels(sums, f.maximum(low, high), given.places_w, True)

    def _vectors(self, f: Function, place: Reg, element: str, masks: list[Reg] | None) -> list[Reg]:
        places = [f.gep(place, j * self.tile.lanes, element) for j in range(self.tile.vectors)]
        return [self.tile.load(f, place, element, mask=masks[j] if masks else None) for j, place in enumerate(places)]
