"""Register tiles: which shape, how they are summed, and how they are stored."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from ...graph.sizes import by_hint
from .. import types
from ..emitter import Function, Reg, vector
from ..halves import read
from ..plan import ceil_div
from .epilogue import Epilogue, Tile
from .machine import Machine

MAX_ROWS = 8
"""Rows of a tile each have a pointer, and a general-purpose register to hold it. More also collide in the first cache,
which has 8 ways, where rows lie a power of two apart."""


LINE = 64
"""Bytes of a cache line."""

LONG = 16
"""Instructions that an epilogue may have for an element to be unrolled for all of a tile."""


@dataclass(frozen=True)
class RegisterTile:
    """A piece of the result that is summed in registers: `rows` by `vectors` accumulators.

    Attributes:
        element: The type that is summed.
        unroll: Steps along the sum between two tests for its end.
        pairs: An element of the operands is two neighbouring terms of bfloat16: see `pack_pairs.py`.
    """

    element: str
    lanes: int
    rows: int
    vectors: int
    fma: bool
    half: bool
    unroll: int = 4
    pairs: bool = False

    def load(
        self, f: Function, pointer: Reg, element: str, *, align: int | None = None, mask: Reg | None = None
    ) -> Reg:
        """A vector of an operand, in the type that is summed."""
        return read(f, pointer, element, self.lanes, native=self.half, align=align, mask=mask)

    @property
    def vector(self) -> str:
        """The type of one accumulator."""
        return vector(self.element, self.lanes)

    @property
    def columns(self) -> int:
        """Elements in a row."""
        return self.lanes * self.vectors

    @property
    def title(self) -> str:
        """Rows x columns."""
        return f"{self.rows}x{self.columns}" + "_in_pairs" * self.pairs

    def cost(self, rows: int | None, columns: int) -> float:
        """What an element of a result of this shape costs, where 1 is as fast as can be multiplied.

        A tile of R rows and V vectors loads R numbers and V vectors for R * V multiplications, so large ones are best,
        as far as the registers reach and the result is not overshot: work beyond its edge is lost. Fewer than 8
        accumulators wait for one another.
        """
        overshot = ceil_div(columns, self.columns) * self.columns / max(1, columns)
        if rows:
            overshot *= ceil_div(rows, self.rows) * self.rows / rows
        waiting = max(1.0, 8 / (self.rows * self.vectors))
        return overshot * waiting * (1 + 0.15 / self.vectors + 0.3 / self.rows)


@by_hint
@functools.lru_cache(1024)
def choose(machine: Machine, element: str, rows: int | None, columns: int) -> RegisterTile:
    """The tile for a result of this shape; `rows` is None where it is not known or large."""
    most = min(8, machine.vector_registers - 3)
    shapes = [
        (r, v)
        for v in range(1, most + 1)
        for r in range(1, min(MAX_ROWS, (machine.vector_registers - v - 2) // v, rows or MAX_ROWS) + 1)
    ]
    lanes = machine.vector_bytes // types.size(element)
    tiles = [RegisterTile(element, lanes, r, v, machine.fma, machine.half) for r, v in shapes]
    return min(tiles, key=lambda tile: (tile.cost(rows, columns), tile.vectors))


@dataclass(frozen=True)
class Left:
    """The operand that is broadcast: one element for each row of the tile at each step of the sum.

    Attributes:
        rows: Where each row of the tile starts.
        step: Elements between two steps of the sum.
        edge_rows: Where the rows of a tile start that may overshoot the result: readable places. None if `rows` are.
        ahead: What will be read next, as much as the rows have, in one piece: asked for while this is summed.
    """

    element: str
    rows: Sequence[Reg]
    step: Reg | int = 1
    edge_rows: Sequence[Reg] | None = None
    ahead: Reg | None = None


@dataclass(frozen=True)
class Right:
    """The operand in vectors: a row of the tile's columns at each step of the sum.

    Attributes:
        step: Elements between two steps of the sum.
        align: Bytes that every vector is aligned to, where that is more than an element.
        edge_masks: The lanes that may be read, in a tile that may overshoot the result. None if all may.
    """

    element: str
    start: Reg
    step: Reg | int
    align: int | None = None
    edge_masks: Sequence[Reg] | None = None


def accumulate(
    f: Function,
    tile: RegisterTile,
    sums: Sequence[Reg],
    length: Reg | int,
    left: Left,
    right: Right,
    edge: Reg | bool | None = None,
) -> list[Reg]:
    """The sums with `left[i, k] * right[k, j]` added for `k` in `range(length)`, in this order.

    Args:
        edge: Whether the tile overshoots the result, so that only `edge_rows` and lanes in `edge_masks` may be read.
            None where it makes no difference.
    """
    if not isinstance(length, Reg):
        length = f.const("i64", length)
    sums = list(sums)
    whole: Reg | int = 0
    if tile.unroll > 1 and edge is not True:
        whole = f.binary("and", length, -tile.unroll)
        if isinstance(edge, Reg):
            whole = f.select(edge, 0, whole)
        with f.loop(0, whole, tile.unroll, sums, name="k") as loop:
            if left.ahead is not None:
                size = types.size(left.element) * tile.rows
                ask(f, f.gep(left.ahead, loop.index * size, "i8"), size * tile.unroll)
            loop.yield_(*add_terms(f, tile, loop.carried, loop.index, tile.unroll, left, right))
        sums = loop.results
    with f.loop(whole, length, 1, sums, name="rest") as loop:
        loop.yield_(*add_terms(f, tile, loop.carried, loop.index, 1, left, right, edge=True))
    return loop.results


def add_terms(
    f: Function,
    tile: RegisterTile,
    sums: Sequence[Reg],
    k: Reg,
    count: int,
    left: Left,
    right: Right,
    *,
    edge: bool = False,
) -> list[Reg]:
    """The sums with the terms from `k` on added, `count` of them, without a loop.

    Args:
        edge: Whether only `edge_rows` and lanes in `edge_masks` may be read.
    """
    sums = list(sums)
    rows, masks = (left.edge_rows or left.rows, right.edge_masks) if edge else (left.rows, None)
    across, along = f.mul(k, right.step), f.mul(k, left.step)
    starts = [f.gep(row, along, left.element) for row in rows]
    start = f.gep(right.start, across, right.element)
    for step in range(count):
        here = f.gep(start, _times(f, right.step, step), right.element)
        columns = []
        for j in range(tile.vectors):
            place = f.gep(here, j * tile.lanes, right.element)
            mask = masks[j] if masks else None
            columns.append(tile.load(f, place, right.element, align=right.align, mask=mask))
        for i, row in enumerate(starts):
            place = f.gep(row, _times(f, left.step, step), left.element)
            align = 2 if tile.pairs else None
            factor = f.splat(read(f, place, left.element, native=tile.half, align=align), tile.lanes)
            for j, column in enumerate(columns, i * tile.vectors):
                add = multiply_add_pairs if tile.pairs else multiply_add
                sums[j] = add(f, tile.fma, factor, column, sums[j])
    return sums


def _times(f: Function, stride: Reg | int, count: int) -> Reg | int:
    return f.mul(stride, count) if isinstance(stride, Reg) else stride * count


def multiply_add(f: Function, fma: bool, x: Reg, y: Reg, z: Reg) -> Reg:
    """x * y + z, with one rounding where the machine can."""
    if fma and types.is_float(z.type):
        return f.fma(x, y, z)
    return f.add(f.mul(x, y), z)


def multiply_add_pairs(f: Function, fma: bool, x: Reg, y: Reg, z: Reg) -> Reg:
    """x[0] * y[0] + x[1] * y[1] + z, lane by lane, for pairs of bfloat16 in lanes of 32 bits."""
    halves = vector("bfloat", 2 * types.lanes(z.type))
    name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * types.lanes(z.type)}"
    callee = f.module.declare(name, z.type, [z.type, halves, halves])
    return f.call(callee, z, f.bitcast(x, halves), f.bitcast(y, halves), name="pairs")


@dataclass(frozen=True)
class Target:
    """Where a tile belongs in the result.

    Attributes:
        pointer: The result's element 0.
        element: The type it is stored as.
        offset: For row `i` of the tile, a Python number or an `i64`, where the result's row starts, in elements.
        row: The same row's number.
        column: The tile's first column.
        column_step: Elements between two columns; the number 1 where they are contiguous.
        rows, columns: How much of the tile the result has room for.
        streaming: Whether whole tiles go past the caches where the result's vectors are aligned. Its columns are
            contiguous then.
    """

    pointer: Reg
    element: str
    offset: Callable[[Reg | int], Reg]
    row: Callable[[Reg | int], Reg]
    column: Reg
    column_step: Reg | int
    rows: Reg
    columns: Reg
    streaming: bool = False


def ask(f: Function, start: Reg, size: int, *, write: bool = False) -> None:
    """Ask the caches for so many bytes."""
    for byte in range(0, size, LINE):
        f.prefetch(f.gep(start, byte, "i8"), write=write)


def ask_ahead(f: Function, tile: RegisterTile, to: Target, epilogue: Epilogue | None, given: SimpleNamespace) -> None:
    """Ask for a tile's place in the result, and for what the epilogue will read for it."""
    rows = [to.row(i) for i in range(tile.rows)]
    offsets = [to.offset(i) for i in range(tile.rows)]
    piece = Tile(f, [], rows, [to.column], offsets, [None], to.column_step, tile.half, given)
    for i in range(tile.rows):
        ask(f, piece.address(to.pointer, to.element, i, 0), tile.columns * types.size(to.element), write=True)
    for start, element in epilogue.reads(piece) if epilogue else ():
        ask(f, start, tile.columns * types.size(element))


def store(
    f: Function, tile: RegisterTile, sums: Sequence[Reg], to: Target, epilogue: Epilogue | None, given: SimpleNamespace
) -> None:
    """Run the epilogue on the sums and write what lies within the result, and nothing else.

    A long epilogue goes through the tile row by row, from a copy on the stack: unrolled, it would need many times the
    registers there are, and compile for long.
    """

    def write(
        values: Sequence[Sequence[Reg]],
        i: Sequence[Reg | int],
        columns: list[Reg],
        masks: list[Reg | None],
        *,
        streaming: bool = False,
    ) -> None:
        piece = Tile(
            f,
            values,
            [to.row(r) for r in i],
            columns,
            [to.offset(r) for r in i],
            masks,
            to.column_step,
            tile.half,
            given,
        )
        results = epilogue.emit(piece) if epilogue else values
        if streaming and to.element == tile.element:
            stream(piece, results)
            return
        for at, row in enumerate(results):
            for j, value in enumerate(row):
                piece.store(value, to.pointer, to.element, at, j)

    def stream(piece: Tile, results: Sequence[Sequence[Reg]]) -> None:
        places = [piece.address(to.pointer, to.element, i, 0) for i in range(tile.rows)]
        odd = functools.reduce(Reg.__or__, [f.emit(f"ptrtoint {place} to i64", "i64", "address") for place in places])
        align = types.size(tile.vector)
        with f.if_(f.eq(odd & (align - 1), 0), name="aligned", likely=True) as branch:
            for place, row in zip(places, results, strict=True):
                for j, value in enumerate(row):
                    f.store(value, f.gep(place, j, tile.vector), align=align, streaming=True)
        with branch.else_():
            for place, row in zip(places, results, strict=True):
                for j, value in enumerate(row):
                    f.store(value, f.gep(place, j, tile.vector))

    def whole() -> None:
        values = [sums[i : i + tile.vectors] for i in range(0, len(sums), tile.vectors)]
        columns = [to.column + j * tile.lanes for j in range(tile.vectors)]
        write(values, range(tile.rows), columns, [None] * tile.vectors, streaming=to.streaming)

    def kept() -> Reg:
        """The sums on the stack."""
        place = f.stack(tile.vector, len(sums), align=types.size(tile.element) * tile.lanes, name="edge")
        for at, value in enumerate(sums):
            f.store(value, f.gep(place, at, tile.vector))
        return place

    def by_rows(place: Reg) -> None:
        columns = [to.column + j * tile.lanes for j in range(tile.vectors)]
        with f.loop(0, to.rows, name="row") as row:
            start = f.gep(place, row.index * tile.vectors, tile.vector)
            values = [f.load(f.gep(start, j, tile.vector), tile.vector) for j in range(tile.vectors)]
            write([values], [row.index], columns, [None] * tile.vectors)

    def in_pieces(place: Reg, lanes: int, columns: Reg | int, masked: bool) -> None:
        """So that a few instructions serve every shape of edge."""
        with f.loop(0, to.rows, name="edge.row") as row:
            from_row = f.gep(place, row.index * tile.columns, tile.element)
            with f.loop(0, columns, lanes, name="edge.column") as column:
                value = f.load(f.gep(from_row, column.index, tile.element), vector(tile.element, lanes))
                mask = f.lane_mask(to.columns - column.index, lanes) if masked else None
                write([[value]], [row.index], [to.column + column.index], [mask])

    contiguous = to.column_step == 1
    if contiguous and epilogue and epilogue.weight > LONG:
        place = kept()
        with f.if_(f.eq(to.columns, tile.columns), name="wide", likely=True) as branch:
            by_rows(place)
        with branch.else_():
            in_pieces(place, tile.lanes, to.columns, masked=True)
        return
    full = f.eq(to.rows, tile.rows) & f.eq(to.columns, tile.columns)
    with f.if_(full, name="whole", likely=True) as branch:
        if contiguous:
            whole()
        else:
            in_pieces(kept(), tile.lanes, tile.columns, masked=False)
    with branch.else_():
        in_pieces(kept(), tile.lanes if contiguous else 1, to.columns, masked=contiguous)


def divide(f: Function, x: Reg, by: Reg) -> tuple[Reg, Reg]:
    """Quotient and remainder of two numbers that are not negative."""
    return f.binary("udiv", x, by), f.binary("urem", x, by)
