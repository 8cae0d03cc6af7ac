"""Products whose left operand is walked along its rows: matmul, and convolutions as a sum over the window's taps.

    c[m, n] = sum over taps t and k of a[row(m, t), k] * b[t, k, n]

A matrix product has one tap. A convolution's row is the pixel that tap `t` of the window shows for the result's pixel
`m`: its channels lie together in memory, so rows are read where they stand and nothing is copied. Where the window
hangs over the border the row is one of zeros; a tap that shows nothing but border to the whole tile is skipped.

The input gradient of a convolution is such a sum too. With stride s, input pixel i got something from tap r if
i + padding - r * dilation is a multiple of s, so the pixels of one residue (mod s) see the same taps, evenly spaced: a
window again, with stride 1. `convolution.py` makes a step of each residue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Protocol

from .. import types
from ..emitter import Function, Reg, vector
from ..plan import Kernel, letter
from .epilogue import Epilogue
from .tile import MAX_ROWS, Left, RegisterTile, Right, Target, accumulate, ask_ahead, divide, store

Run = Callable[[Sequence[Reg], Left, Reg | int, Reg], list[Reg]]
"""`run(sums, left, tap, length)`: the sums with those of a tap added, whose number in `b` is `tap` and which has
`length` terms; as many as several taps have if their terms follow one another in both operands."""


class Rows(Protocol):
    """Where the rows of the left operand and of the result lie."""

    @property
    def title(self) -> str: ...

    @property
    def slots(self) -> Mapping[str, str]: ...

    def begin(
        self, f: Function, given: SimpleNamespace, tile: RegisterTile, a: Reg, start: Reg, count: Reg
    ) -> TileRows:
        """The rows `start` to `start + count - 1`, which are all the tile's rows or fewer."""
        ...


class TileRows(Protocol):
    """The rows of one tile."""

    def sums(self, f: Function, element: str, run: Run, zeros: list[Reg]) -> list[Reg]:
        """The tile's sums: all its runs, one after another."""
        ...

    def row(self, i: Reg | int) -> Reg:
        """The number in the result of the tile's row `i`."""
        ...


@dataclass(frozen=True)
class Product(Kernel):
    """The kernel.

    Attributes:
        a, b, c: Element types of the operands and of the result.
        panels: `b` is packed (see `pack.py`): as many columns as a tile has lie together for all taps and `k`, padded
            with zeros. Otherwise its rows are contiguous.
        contiguous: The result's columns are contiguous.
        ahead: Whether a tile's place in the result and the epilogue's operands are asked for before it is summed, since
            they are in no near cache. The result's columns are contiguous then.
    """

    a: str
    b: str
    c: str
    tile: RegisterTile
    rows: Rows
    panels: bool
    contiguous: bool = True
    ahead: bool = False
    epilogue: Epilogue | None = field(default=None)

    @property
    def title(self) -> str:
        return f"{self.rows.title}_{letter(self.a)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        pointers = dict.fromkeys(("a", "b", "c"), "ptr")
        sizes = ("m", "n", "k", "b_step", "b_tap", "c_row", "m_block", "m_blocks", "n_block", "n_blocks", "inner")
        strides = ("a_outer", "a_inner", "b_outer", "b_inner", "c_outer", "c_inner", "row_outer", "column_inner")
        optional = () if self.contiguous else ("c_column",)
        return pointers | dict.fromkeys((*sizes, *strides, *optional), "i64") | dict(self.rows.slots)

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile = self.tile
        batch, block = divide(f, chunk, given.m_blocks * given.n_blocks)
        outer, inner = divide(f, batch, given.inner)
        n_index, m_index = divide(f, block, given.m_blocks)
        a = f.gep(given.a, outer * given.a_outer + inner * given.a_inner, self.a)
        b = f.gep(given.b, outer * given.b_outer + inner * given.b_inner, self.b)
        c_start = outer * given.c_outer + inner * given.c_inner
        first_row, first_column = outer * given.row_outer, inner * given.column_inner
        m_start, n_start = m_index * given.m_block, n_index * given.n_block
        m_end = f.minimum(m_start + given.m_block, given.m)
        n_end = f.minimum(n_start + given.n_block, given.n)
        b_step = f.const("i64", tile.columns) if self.panels else given.b_step
        with f.loop(n_start, n_end, tile.columns, name="n") as across:
            n = across.index
            columns = f.minimum(given.n - n, tile.columns)
            if self.panels:  # `b_step` is what one panel takes for each column
                panel, masks, edge, align = f.gep(b, n * given.b_step, self.b), None, None, 64
            else:
                panel, align = f.gep(b, n, self.b), None
                masks = [f.lane_mask(columns - j * tile.lanes, tile.lanes) for j in range(tile.vectors)]
                edge = columns < tile.columns
            with f.loop(m_start, m_end, tile.rows, name="m") as down:
                m = down.index
                count = f.minimum(given.m - m, tile.rows)
                rows = self.rows.begin(f, given, tile, a, m, count)

                def run(sums: Sequence[Reg], left: Left, tap: Reg | int, length: Reg) -> list[Reg]:
                    start = f.gep(panel, f.mul(given.b_tap, tap), self.b)
                    right = Right(self.b, start, b_step, align, masks)
                    return accumulate(f, tile, sums, length, left, right, edge)

                def row(i: Reg | int) -> Reg:
                    return first_row + rows.row(i)

                to = Target(
                    pointer=given.c,
                    element=self.c,
                    offset=lambda i: row(i) * given.c_row + c_start,
                    row=row,
                    column=first_column + n,
                    column_step=1 if self.contiguous else given.c_column,
                    rows=count,
                    columns=columns,
                )
                if self.ahead:
                    ask_ahead(f, tile, to, self.epilogue, given)
                zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
                sums = rows.sums(f, self.a, run, zeros)
                store(f, tile, sums, to, self.epilogue, given)


@dataclass(frozen=True)
class MatrixRows:
    """Row `m` starts at `m * a_row`.

    Attributes:
        unit: The elements of a row are contiguous, else `a_step` apart.
        ahead: The rows follow one another in memory, and a tile asks for those of the next one.
    """

    unit: bool = True
    ahead: bool = False

    @property
    def title(self) -> str:
        return "matmul"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"a_row": "i64"} | ({} if self.unit else {"a_step": "i64"})

    def begin(
        self, f: Function, given: SimpleNamespace, tile: RegisterTile, a: Reg, start: Reg, count: Reg
    ) -> TileRows:
        return _MatrixTile(self, f, given, tile, a, start, count)


class _MatrixTile:
    def __init__(
        self, kind: MatrixRows, f: Function, given: SimpleNamespace, tile: RegisterTile, a: Reg, start: Reg, count: Reg
    ) -> None:
        self.f, self.start = f, start
        self.offsets = [(start + f.minimum(count - 1, i)) * given.a_row for i in range(tile.rows)]
        self.a, self.step, self.length = a, 1 if kind.unit else given.a_step, given.k
        self.next = (start + tile.rows) * given.a_row if kind.ahead else None

    def sums(self, f: Function, element: str, run: Run, zeros: list[Reg]) -> list[Reg]:
        ahead = f.gep(self.a, self.next, element) if self.next is not None else None
        left = Left(element, [f.gep(self.a, offset, element) for offset in self.offsets], self.step, ahead=ahead)
        return run(zeros, left, 0, self.length)

    def row(self, i: Reg | int) -> Reg:
        return self.f.add(self.start, i)


AXES = "dhw"
"""The names of up to three spatial axes; two are `hw` and one is `w`."""


@dataclass(frozen=True)
class WindowRows:
    """Row `m` at tap `t` is a pixel of `a`, an image [*size, channels] after another.

    The result's pixel has a place `q` on each axis x. It sees the pixel `q * place_x + first_x + t * tap_x` of `a`,
    which exists if that is in `range(size_x)`. Its number is `row_first` plus `q * row_x` for each axis plus its image
    times `row_image`. The tap's number in `b` is `b_first` plus `t * b_x` for each axis.

    `joined` is 1, or the number of taps on the last axis where the terms of all of them follow one another in both
    operands: a tile that sees them all inside the image takes them as one run.

    Attributes:
        axes: Spatial axes, 1 to 3.
        images_inner: Neighbouring rows are the same place in neighbouring images, so that the border is at the same tap
            for all rows of a tile and taps that show it are skipped: for small images.
        zeros: Bytes of the row of zeros: at least a run's.
    """

    axes: int
    images_inner: bool
    zeros: int

    @property
    def title(self) -> str:
        return f"window{self.axes}d"

    @property
    def names(self) -> str:
        """The axes, by their letters."""
        return AXES[-self.axes :]

    @property
    def slots(self) -> Mapping[str, str]:
        each = ("places", "place", "first", "tap", "taps", "size", "a", "row", "b")
        names = ["images", "a_image", "row_image", "row_first", "b_first", "joined"]
        return dict.fromkeys([*names, *(f"{slot}_{x}" for x in self.names for slot in each)], "i64")

    def begin(
        self, f: Function, given: SimpleNamespace, tile: RegisterTile, a: Reg, start: Reg, count: Reg
    ) -> TileRows:
        return _WindowTile(self, f, given, a, start, count, tile.rows)


class _WindowTile:
    """Rows are worked out for all of a tile at once, in vectors of 8 lanes."""

    def __init__(
        self, kind: WindowRows, f: Function, given: SimpleNamespace, a: Reg, start: Reg, count: Reg, rows: int
    ) -> None:
        self.kind, self.f, self.given, self.a, self.count = kind, f, given, a, rows
        i32, i64 = vector("i32", MAX_ROWS), vector("i64", MAX_ROWS)
        last = f.cast(start + count - 1, "i32")
        left = f.minimum(f.splat(f.cast(start, "i32"), MAX_ROWS) + f.iota(i32), f.splat(last, MAX_ROWS))
        places: dict[str, Reg] = {}
        if kind.images_inner:
            left, image = self._divide(left, given.images)
        for x in reversed(kind.names[1:]):
            left, places[x] = self._divide(left, getattr(given, f"places_{x}"))
        if kind.images_inner:
            places[kind.names[0]] = left
        else:
            left, places[kind.names[0]] = self._divide(left, getattr(given, f"places_{kind.names[0]}"))
            image = left
        wide = f.cast(image, "i64")
        offset = wide * f.splat(given.a_image, MAX_ROWS)
        row = wide * f.splat(given.row_image, MAX_ROWS) + f.splat(given.row_first, MAX_ROWS)
        self.pixel: dict[str, Reg] = {}  # the pixel that tap 0 shows, on each axis
        for x in kind.names:
            each = {slot: getattr(given, f"{slot}_{x}") for slot in ("place", "first", "a", "row")}
            pixel = places[x] * f.splat(f.cast(each["place"], "i32"), MAX_ROWS)
            self.pixel[x] = pixel + f.splat(f.cast(each["first"], "i32"), MAX_ROWS)
            offset = offset + f.cast(self.pixel[x], "i64") * f.splat(each["a"], MAX_ROWS)
            row = row + f.cast(places[x], "i64") * f.splat(each["row"], MAX_ROWS)
        self.offset = offset
        self.numbers = f.stack(i64, align=64, name="rows")  # in memory, where a loop can index them
        f.store(row, self.numbers, align=64)
        self.number = row

    def _divide(self, x: Reg, by: Reg) -> tuple[Reg, Reg]:
        """Quotient and remainder, by way of `double`, which is exact for 32-bit integers: no CPU divides vectors of
        integers."""
        f = self.f
        quotient = f.fdiv(f.cast(x, "double"), f.splat(f.cast(by, "double"), MAX_ROWS))
        quotient = f.cast(quotient, "i32")
        return quotient, x - quotient * f.splat(f.cast(by, "i32"), MAX_ROWS)

    def sums(self, f: Function, element: str, run: Run, zeros: list[Reg]) -> list[Reg]:
        kind, given = self.kind, self.given
        size = types.size(element)
        address = f.emit(f"ptrtoint {self.a} to i64", "i64", "a.address")
        border = f.module.variable("zeros", f"i{8 * kind.zeros}")
        nothing = f.emit(f"ptrtoint ptr {border} to i64", "i64", "zeros.address")
        start = f.splat(address, MAX_ROWS) + self.offset * size
        everywhere = f.const(vector("i1", MAX_ROWS), True)
        last = kind.names[-1]
        ends = self._inside(last, f.const("i64", 0)) & self._inside(last, given.joined - 1)
        joined = f.compare("gt", given.joined, 1) & f.eq(f.bitcast(ends, f"i{MAX_ROWS}"), -1)
        length = f.select(joined, given.k * given.joined, given.k)

        def walk(axes: str, sums: list[Reg], start: Reg, inside: Reg, tap: Reg) -> list[Reg]:
            if not axes:
                return self._tap(f, element, run, sums, start, inside, nothing, tap, length)
            x, rest = axes[0], axes[1:]
            taps = getattr(given, f"taps_{x}")
            if x == last:
                taps = f.select(joined, 1, taps)
            with f.loop(0, taps, 1, sums, name=f"tap.{x}") as loop:
                here = inside & self._inside(x, loop.index)
                shift = loop.index * getattr(given, f"tap_{x}") * getattr(given, f"a_{x}")
                number = tap + loop.index * getattr(given, f"b_{x}")
                loop.yield_(*walk(rest, list(loop.carried), start + f.splat(shift * size, MAX_ROWS), here, number))
            return loop.results

        return walk(kind.names, zeros, start, everywhere, given.b_first)

    def _inside(self, x: str, tap: Reg) -> Reg:
        """For each row, whether a tap shows a pixel of the image, on one axis."""
        f = self.f
        pixel = self.pixel[x] + f.splat(f.cast(tap * getattr(self.given, f"tap_{x}"), "i32"), MAX_ROWS)
        return f.compare("ult", pixel, f.splat(f.cast(getattr(self.given, f"size_{x}"), "i32"), MAX_ROWS))

    def _tap(
        self,
        f: Function,
        element: str,
        run: Run,
        sums: list[Reg],
        start: Reg,
        inside: Reg,
        nothing: Reg,
        tap: Reg,
        length: Reg,
    ) -> list[Reg]:
        some = f.ne(f.bitcast(inside, f"i{MAX_ROWS}"), 0)
        with f.if_(some, name="inside", likely=True) as branch:
            where = f.select(inside, start, f.splat(nothing, MAX_ROWS))
            rows = [f.emit(f"inttoptr {f.extract(where, i)} to ptr", "ptr", "row") for i in range(self.count)]
            branch.yield_(*run(sums, Left(element, rows), tap, length))
        with branch.else_():
            branch.yield_(*sums)
        return branch.results

    def row(self, i: Reg | int) -> Reg:
        if isinstance(i, int):
            return self.f.extract(self.number, i)
        return self.f.load(self.f.gep(self.numbers, i, "i64"), "i64")
