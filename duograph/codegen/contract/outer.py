"""Sums of outer products: products whose left operand is walked along its columns.

    c[t, m, n] = sum over k of a[k, t, m] * b[k, n]

A matrix product with a transposed left operand has one tap `t`. The weight gradient of a convolution has a tap for each
element of the window, and `k` walks over the pixels of all images: where the window shows the border there is nothing
to add, so each tap has its own range of pixels, and no work is lost.

The sum is long and the result is small. So `k` is walked in blocks that fit the second cache, all tiles of the result
for each block; between blocks a tile's sums are kept in memory as they were in registers. Where the result has too few
tiles for many threads, or reading the operands once for every few tiles would cost too much, the sum is cut into
parts, each with its own sums, which `AddParts` adds in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal, Protocol

from ..emitter import Function, Reg
from ..plan import Kernel, letter
from .epilogue import Epilogue
from .product import AXES
from .tile import Left, RegisterTile, Right, Target, accumulate, divide, store


class Run(Protocol):
    """Adds a run of outer products to a tile's sums."""

    def __call__(
        self, sums: Sequence[Reg], a: Reg, b: Reg, length: Reg | int, shown: Reg | None = None, /
    ) -> list[Reg]:
        """The sums with `length` outer products added, the first at the offsets `a` and `b`.

        Args:
            shown: Where taps are rows: the pixel on the last axis that the first of them shows. Rows whose tap shows
                the border are taken as zeros. None where all show the image.
        """
        ...


class Depth(Protocol):
    """What the sum runs over. It is counted in units: what blocks and parts are made of."""

    @property
    def title(self) -> str: ...

    @property
    def slots(self) -> Mapping[str, str]: ...

    @property
    def joined(self) -> bool:
        """Whether the taps of the last axis are rows of the result, `given.channels` rows each."""
        ...

    def a_step(self, given: SimpleNamespace) -> Reg:
        """Elements from one term to the next within a run, in `a`."""
        ...

    def begin(self, f: Function, given: SimpleNamespace, tap: Reg, b_step: Reg) -> Walk:
        """The terms of one tap; in `b`, those of a run lie `b_step` elements apart."""
        ...


class Walk(Protocol):
    """The terms of one tap's sums."""

    def sums(self, f: Function, run: Run, sums: Sequence[Reg], start: Reg, stop: Reg) -> list[Reg]:
        """The sums with the terms of the units `start` to `stop - 1` added."""
        ...


@dataclass(frozen=True)
class Outer(Kernel):
    """The kernel.

    Attributes:
        a, b, c: Element types of the operands and of the result.
        panels: `b` is packed (see `pack.py`). Otherwise its rows are contiguous.
        contiguous: The result's columns are contiguous.
        sums: What becomes of them: `"stored"` as the result at the end of a chunk's only block; `"kept"` in the
            workspace from block to block and stored after the last; or left in the workspace as one of several
            `"parts"`.
    """

    a: str
    b: str
    c: str
    tile: RegisterTile
    depth: Depth
    panels: bool
    contiguous: bool
    sums: Literal["stored", "kept", "parts"]
    epilogue: Epilogue | None = None

    @property
    def title(self) -> str:
        return f"{self.depth.title}_{letter(self.a)}_{self.tile.title}_{self.sums}"

    @property
    def slots(self) -> Mapping[str, str]:
        pointers = dict.fromkeys(("a", "b", *result_pointers(self.sums)), "ptr")
        sizes = (
            "units",
            "part",
            "block",
            "taps",
            "tap_block",
            "tap_blocks",
            "m_block",
            "m_blocks",
            "n_block",
            "n_blocks",
            "m_every",
            "n_every",
        )
        strides = ("a_outer", "a_inner", "b_outer", "b_inner", "b_step")
        names = (*result_sizes(self.sums, self.contiguous, self.joined), *sizes, *strides)
        return pointers | dict.fromkeys(names, "i64") | dict(self.depth.slots)

    @property
    def joined(self) -> bool:
        """See `Depth`."""
        return self.depth.joined

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile = self.tile
        rest, number = divide(f, chunk, given.m_blocks * given.n_blocks)
        m_index = f.binary("urem", f.binary("udiv", number, given.m_every), given.m_blocks)
        n_index = f.binary("urem", f.binary("udiv", number, given.n_every), given.n_blocks)
        rest, tap_index = divide(f, rest, given.tap_blocks)
        part, batch = divide(f, rest, given.batch)
        outer, inner = divide(f, batch, given.inner)
        a = f.gep(given.a, outer * given.a_outer + inner * given.a_inner, self.a)
        b = f.gep(given.b, outer * given.b_outer + inner * given.b_inner, self.b)
        b_step = f.const("i64", tile.columns) if self.panels else given.b_step
        result = Result(self, f, given, part, batch)
        start = part * given.part
        stop = f.minimum(start + given.part, given.units)
        taps, ms, ns = (
            (index * size, f.minimum(index * size + size, whole))
            for index, size, whole in (
                (tap_index, given.tap_block, given.taps),
                (m_index, given.m_block, given.m),
                (n_index, given.n_block, given.n),
            )
        )
        with f.loop(0, 1 if self.sums == "stored" else f.maximum(stop - start, 1), given.block, name="block") as block:
            here = start + block.index
            until = f.minimum(here + given.block, stop)
            first, last = f.eq(block.index, 0), f.compare("ge", here + given.block, stop)
            with f.loop(*taps, name="tap") as tap:
                walk = self.depth.begin(f, given, tap.index, b_step)
                with f.loop(*ns, tile.columns, name="n") as across, f.loop(*ms, tile.rows, name="m") as down:
                    place = result.tile(tap.index, down.index, across.index)
                    run = self._run(f, given, a, b, b_step, place)
                    sums = place.kept(first) if self.sums != "stored" else place.nothing()
                    sums = walk.sums(f, run, sums, here, until)
                    if self.sums == "stored":
                        place.store(sums)
                    elif self.sums == "parts":
                        place.keep(sums)
                    else:
                        with f.if_(last, name="last") as branch:
                            place.store(sums)
                        with branch.else_():
                            place.keep(sums)

    def _run(self, f: Function, given: SimpleNamespace, a: Reg, b: Reg, b_step: Reg, place: Place) -> Run:
        tile = self.tile
        a_step = self.depth.a_step(given)
        edge = place.rows < tile.rows
        masks = None
        if self.panels:  # `b_step` is what one panel takes for each column
            b = f.gep(b, place.n * given.b_step, self.b)
        else:
            b = f.gep(b, place.n, self.b)
            masks = [f.lane_mask(place.columns - j * tile.lanes, tile.lanes) for j in range(tile.vectors)]
            edge = edge | (place.columns < tile.columns)
        a = f.gep(a, place.m, self.a)
        clamped = [f.minimum(place.rows - 1, i) for i in range(tile.rows)]

        taps = [f.binary("udiv", place.m + i, given.channels) for i in clamped] if self.joined else []

        def run(
            sums: Sequence[Reg], a_offset: Reg, b_offset: Reg, length: Reg | int, shown: Reg | None = None
        ) -> list[Reg]:
            column = f.gep(a, a_offset, self.a)
            rows, edge_rows = ([f.gep(column, i, self.a) for i in these] for these in (range(tile.rows), clamped))
            right = Right(self.b, f.gep(b, b_offset, self.b), b_step, 64 if self.panels else None, masks)
            if shown is None:
                return accumulate(f, tile, sums, length, Left(self.a, rows, a_step, edge_rows), right, edge)
            inside = [f.compare("ult", shown + tap, given.size_w) for tap in taps]
            nothing = f.table("nothing", "i64", [0])
            rows = [f.select(here, row, nothing) for here, row in zip(inside, edge_rows, strict=True)]
            return accumulate(f, tile, sums, length, Left(self.a, rows, a_step), right, True)

        return run


def result_pointers(sums: str) -> tuple[str, ...]:
    """The pointers that `Result` needs."""
    return {"stored": ("c",), "kept": ("c", "sums"), "parts": ("sums",), "added": ("c", "sums")}[sums]


def result_sizes(sums: str, contiguous: bool, joined: bool) -> tuple[str, ...]:
    """The sizes and strides that `Result` needs."""
    return (
        *("m", "n", "batch", "inner", "c_outer", "c_inner", "c_tap", "c_row", "column_inner"),
        *(() if contiguous else ("c_column",)),
        *(("channels", "c_last") if joined else ()),
        *(() if sums == "stored" else ("kept_part", "kept_batch", "kept_tap")),
    )


class Result:
    """One batch entry of the result, and of the workspace, which keeps tiles: [part, batch, tap, n, m]."""

    def __init__(self, kernel: Outer | AddParts, f: Function, given: SimpleNamespace, part: Reg, batch: Reg) -> None:
        self.kernel, self.f, self.given = kernel, f, given
        outer, inner = divide(f, batch, given.inner)
        self.start = outer * given.c_outer + inner * given.c_inner
        self.column = inner * given.column_inner
        if kernel.sums != "stored":
            self.kept = part * given.kept_part + batch * given.kept_batch

    def tile(self, tap: Reg, m: Reg, n: Reg) -> Place:
        """The tile at row `m` and column `n`."""
        return Place(self, tap, m, n)


class Place:
    """A tile of the result."""

    def __init__(self, result: Result, tap: Reg, m: Reg, n: Reg) -> None:
        f, given, shape = result.f, result.given, result.kernel.tile
        self.result, self.shape, self.tap, self.m, self.n = result, shape, tap, m, n
        self.rows = f.minimum(given.m - m, shape.rows)
        self.columns = f.minimum(given.n - n, shape.columns)

    def nothing(self) -> list[Reg]:
        """Sums of no terms."""
        return [self.result.f.zero(self.shape.vector)] * (self.shape.rows * self.shape.vectors)

    def kept(self, first: Reg | None) -> list[Reg]:
        """The sums kept in the workspace; none, if this is the first block."""
        f = self.result.f
        if first is None:
            return self._load(0)
        with f.if_(first, name="first") as branch:
            branch.yield_(*self.nothing())
        with branch.else_():
            branch.yield_(*self._load(0))
        return branch.results

    def added(self, sums: Sequence[Reg], part: Reg) -> list[Reg]:
        """The sums and those of a part further on."""
        f = self.result.f
        return [f.add(x, y) for x, y in zip(sums, self._load(part * self.result.given.kept_part), strict=True)]

    def _load(self, offset: Reg | int) -> list[Reg]:
        f, shape = self.result.f, self.shape
        start = f.gep(self._address(), offset, shape.element)
        places = [f.gep(start, i, shape.vector) for i in range(shape.rows * shape.vectors)]
        return [f.load(place, shape.vector, align=64) for place in places]

    def keep(self, sums: Sequence[Reg]) -> None:
        """Keep the sums in the workspace."""
        f, start = self.result.f, self._address()
        for i, value in enumerate(sums):
            f.store(value, f.gep(start, i, self.shape.vector), align=64)

    def _address(self) -> Reg:
        f, given, shape = self.result.f, self.result.given, self.shape
        tiles = f.binary("udiv", given.m + (shape.rows - 1), shape.rows)
        row, column = f.binary("udiv", self.m, shape.rows), f.binary("udiv", self.n, shape.columns)
        number = (column * tiles + row) * (shape.rows * shape.columns)
        return f.gep(given.sums, self.result.kept + self.tap * given.kept_tap + number, shape.element)

    def store(self, sums: Sequence[Reg]) -> None:
        """Store the sums as the result."""
        result, f, given, kernel = self.result, self.result.f, self.result.given, self.result.kernel

        def row(i: Reg | int) -> Reg:
            return f.add(self.m, i)

        start = result.start + self.tap * given.c_tap

        def offset(i: Reg | int) -> Reg:
            if not kernel.joined:
                return row(i) * given.c_row + start
            tap, channel = divide(f, row(i), given.channels)
            return tap * given.c_last + channel * given.c_row + start

        to = Target(
            pointer=given.c,
            element=kernel.c,
            offset=offset,
            row=row,
            column=result.column + self.n,
            column_step=1 if kernel.contiguous else given.c_column,
            rows=self.rows,
            columns=self.columns,
        )
        store(f, self.shape, sums, to, kernel.epilogue, given)


@dataclass(frozen=True)
class AddParts(Kernel):
    """Adds the parts of the sums in their order and stores them as the result. A chunk is some rows of tiles of one
    column, and all their taps, which may be neighbours in the result."""

    c: str
    tile: RegisterTile
    contiguous: bool
    joined: bool = False
    epilogue: Epilogue | None = None
    sums: Literal["added"] = "added"

    @property
    def title(self) -> str:
        return f"add_parts_{letter(self.tile.element)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("parts", "taps", "m_block", "m_blocks", "n_tiles")
        names = (*result_sizes(self.sums, self.contiguous, self.joined), *sizes)
        return dict.fromkeys(result_pointers(self.sums), "ptr") | dict.fromkeys(names, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        rest, block = divide(f, chunk, given.m_blocks)
        batch, column = divide(f, rest, given.n_tiles)
        result = Result(self, f, given, f.const("i64", 0), batch)
        start = block * given.m_block
        stop = f.minimum(start + given.m_block, given.m)
        with f.loop(start, stop, self.tile.rows, name="m") as down, f.loop(0, given.taps, name="tap") as tap:
            place = result.tile(tap.index, down.index, column * self.tile.columns)
            with f.loop(1, given.parts, 1, place.kept(None), name="part") as part:
                part.yield_(*place.added(part.carried, part.index))
            place.store(part.results)


@dataclass(frozen=True)
class MatrixDepth:
    """The rows of two matrices: `a_step` and `b_step` are their strides, and a unit is a row."""

    @property
    def title(self) -> str:
        return "outer"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"a_step": "i64"}

    @property
    def joined(self) -> bool:
        return False

    def a_step(self, given: SimpleNamespace) -> Reg:
        return given.a_step

    def begin(self, f: Function, given: SimpleNamespace, tap: Reg, b_step: Reg) -> Walk:
        return _MatrixWalk(given.a_step, b_step)


class _MatrixWalk:
    def __init__(self, a_step: Reg, b_step: Reg) -> None:
        self.a_step, self.b_step = a_step, b_step

    def sums(self, f: Function, run: Run, sums: Sequence[Reg], start: Reg, stop: Reg) -> list[Reg]:
        return run(sums, start * self.a_step, start * self.b_step, stop - start)


@dataclass(frozen=True)
class WindowDepth:
    """The pixels of the result of a convolution, in `b`, and what tap `t` of the window shows there, in `a`.

    The slots are those of `WindowRows`: place `q` on axis x shows the pixel `q * place_x + first_x + t_x * tap_x`, if
    that is in `range(size_x)`. A unit is one place on the first axis of one image; on a single axis, an image.

    Attributes:
        joined: The taps of the last axis are rows of the result: where there are few channels, and neighbouring taps
            show neighbouring elements.
        swapped: The image is `b` and the convolution's result is `a`. The slots `a_x` still are the image's strides.
    """

    axes: int
    joined: bool = False
    swapped: bool = False

    @property
    def title(self) -> str:
        return f"window{self.axes}d_{'swapped_' if self.swapped else ''}{'joined_' if self.joined else ''}outer"

    @property
    def names(self) -> str:
        """The axes, by their letters."""
        return AXES[-self.axes :]

    @property
    def slots(self) -> Mapping[str, str]:
        each = ("places", "place", "first", "tap", "taps", "size", "a", "b")
        return dict.fromkeys(["a_image", "b_image", *(f"{slot}_{x}" for x in self.names for slot in each)], "i64")

    def a_step(self, given: SimpleNamespace) -> Reg:
        return given.b_w if self.swapped else given.place_w * given.a_w

    def begin(self, f: Function, given: SimpleNamespace, tap: Reg, b_step: Reg) -> Walk:
        return _WindowWalk(self, f, given, tap)


class _WindowWalk:
    """For each axis: the range of places where the tap shows a pixel, and how `a` and `b` are stepped through."""

    def __init__(self, kind: WindowDepth, f: Function, given: SimpleNamespace, tap: Reg) -> None:
        self.kind, self.given = kind, given
        self.low: dict[str, Reg] = {}
        self.high: dict[str, Reg] = {}
        self.a: dict[str, Reg] = {}
        self.b: dict[str, Reg] = {}
        self.start = f.const("i64", 0)  # where place 0 on all axes shows, in `a`
        for x in reversed(kind.names):
            slots = ("places", "place", "first", "tap", "taps", "size", "a", "b")
            places, place, first, step, taps, size, a, b = (getattr(given, f"{slot}_{x}") for slot in slots)
            shift, last = first, first  # what the first and the last tap show at place 0
            if kind.joined and x == kind.names[-1]:
                last = first + (taps - 1) * step
            else:
                tap, here = divide(f, tap, taps)
                shift = last = first + here * step
            self.low[x] = f.minimum(f.binary("udiv", f.maximum(0 - shift, 0) + place - 1, place), places)
            self.high[x] = f.minimum(f.binary("udiv", f.maximum(size - last, 0) + place - 1, place), places)
            self.a[x], self.b[x] = place * a, b
            self.start = self.start + shift * a

    def sums(self, f: Function, run: Run, sums: Sequence[Reg], start: Reg, stop: Reg) -> list[Reg]:
        given, names = self.given, self.kind.names
        if len(names) == 1:
            with f.loop(start, stop, 1, sums, name="image") as images:
                a, b = self._image(images.index)
                images.yield_(*self._line(f, run, images.carried, a, b))
            return images.results
        rows = getattr(given, f"places_{names[0]}")
        first = f.binary("udiv", start, rows)
        last = f.binary("udiv", stop + rows - 1, rows)
        with f.loop(first, last, 1, sums, name="image") as images:
            a, b = self._image(images.index)
            unit = images.index * rows
            low, high = f.maximum(start - unit, self.low[names[0]]), f.minimum(stop - unit, self.high[names[0]])
            images.yield_(*self._axis(f, run, images.carried, names, a, b, low, high))
        return images.results

    def _image(self, image: Reg) -> tuple[Reg, Reg]:
        return self.start + image * self.given.a_image, image * self.given.b_image

    def _axis(
        self, f: Function, run: Run, sums: Sequence[Reg], names: str, a: Reg, b: Reg, low: Reg, high: Reg
    ) -> list[Reg]:
        x, rest = names[0], names[1:]
        with f.loop(low, high, 1, sums, name=x) as loop:
            a, b = a + loop.index * self.a[x], b + loop.index * self.b[x]
            if len(rest) == 1:
                loop.yield_(*self._line(f, run, loop.carried, a, b))
            else:
                loop.yield_(*self._axis(f, run, loop.carried, rest, a, b, self.low[rest[0]], self.high[rest[0]]))
        return loop.results

    def _line(self, f: Function, run: Run, sums: Sequence[Reg], a: Reg, b: Reg) -> list[Reg]:
        """The places of the last axis."""
        x, given = self.kind.names[-1], self.given
        low, high = self.low[x], self.high[x]

        def at(place: Reg) -> tuple[Reg, Reg]:
            offsets = a + place * self.a[x], b + place * self.b[x]
            return offsets[::-1] if self.kind.swapped else offsets

        def border(sums: Sequence[Reg], start: Reg | int, stop: Reg) -> list[Reg]:
            with f.loop(start, stop, 1, sums, name="border") as loop:
                shown = given.first_w + loop.index * given.place_w
                loop.yield_(*run(loop.carried, *at(loop.index), 1, shown))
            return loop.results

        if self.kind.joined:
            sums = border(sums, 0, low)
        sums = run(sums, *at(low), f.maximum(high - low, 0))
        return border(sums, f.maximum(low, high), given.places_w) if self.kind.joined else sums
