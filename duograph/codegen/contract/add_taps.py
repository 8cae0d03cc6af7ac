"""The last step of a weight gradient whose taps lie together in memory, as PyTorch's [O, I, *kernel] do.

It does what `AddParts` does, and writes a filter's taps as vectors: squares of taps by columns are turned in registers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

from .. import types
from ..emitter import Function, Reg
from ..plan import Kernel, letter
from .epilogue import Epilogue, Tile
from .pack import transposed
from .tile import RegisterTile, divide

MOST_TAPS = 32
"""Taps that are kept in registers, or near them."""


@dataclass(frozen=True)
class AddTaps(Kernel):
    """Adds the parts of the sums in their order, and stores them as the result, which is of the type that was summed. A
    chunk is some rows of tiles of one column, and all their taps."""

    tile: RegisterTile
    taps: int
    epilogue: Epilogue | None = None

    @property
    def title(self) -> str:
        return f"add_taps_{letter(self.tile.element)}_{self.tile.title}_{self.taps}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("m", "n", "parts", "kept_part", "kept_tap", "c_row", "c_column", "m_block", "m_blocks")
        return dict.fromkeys(("c", "sums"), "ptr") | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile, element = self.tile, self.tile.element
        column, block = divide(f, chunk, given.m_blocks)
        start = block * given.m_block
        stop = f.minimum(start + given.m_block, given.m)
        n = column * tile.columns
        # [part, tap, column of tiles, row of tiles, row, column]: the rows of one column follow one another
        rows = f.binary("udiv", given.m + (tile.rows - 1), tile.rows) * tile.rows
        source = f.gep(given.sums, column * rows * tile.columns, element)
        columns = f.minimum(given.n - n, tile.columns)
        with f.loop(0, columns, tile.lanes, name="n") as across, f.loop(start, stop, name="m") as down:
            m, first = down.index, n + across.index
            place = f.gep(source, m * tile.columns + across.index, element)
            taps = self._sums(f, given, place)
            whole = f.compare("le", across.index + tile.lanes, columns)
            with f.if_(whole, name="whole", likely=True) as branch:
                self._finish(f, given, taps, m, first)
            with branch.else_():
                self._finish_some(f, given, taps, m, first, columns - across.index)

    def _sums(self, f: Function, given: SimpleNamespace, place: Reg) -> list[Reg]:
        tile = self.tile
        align = types.size(tile.element) * tile.lanes

        def load(part: Reg | int) -> list[Reg]:
            here = f.gep(place, f.mul(given.kept_part, part), tile.element)
            places = [f.gep(here, given.kept_tap * tap, tile.element) for tap in range(self.taps)]
            return [f.load(place, tile.vector, align=align) for place in places]

        with f.loop(1, given.parts, 1, load(0), name="part") as part:
            part.yield_(*[f.add(x, y) for x, y in zip(part.carried, load(part.index), strict=True)])
        return part.results

    def _finish(self, f: Function, given: SimpleNamespace, taps: Sequence[Reg], m: Reg, n: Reg) -> None:
        """The epilogue and the result of as many columns as lanes."""
        start = m * given.c_row
        piece = Taps(
            f,
            values=[[value] for value in taps],
            rows=[m] * self.taps,
            columns=[n],
            offsets=[start + tap for tap in range(self.taps)],
            masks=[None],
            column_step=given.c_column,
            half=self.tile.half,
            given=given,
        )
        results = self.epilogue.emit(piece) if self.epilogue else piece.values
        for tap, row in enumerate(results):
            piece.store(row[0], given.c, self.tile.element, tap, 0)
        piece.flush()

    def _finish_some(
        self, f: Function, given: SimpleNamespace, taps: Sequence[Reg], m: Reg, n: Reg, columns: Reg
    ) -> None:
        """Fewer columns than lanes, element by element."""
        tile, element = self.tile, self.tile.element
        kept = f.stack(tile.vector, len(taps), align=types.size(element) * tile.lanes, name="edge")
        for at, value in enumerate(taps):
            f.store(value, f.gep(kept, at, tile.vector))
        with f.loop(0, columns, name="column") as column, f.loop(0, self.taps, name="tap") as tap:
            value = f.load(f.gep(kept, tap.index * tile.lanes + column.index, element), element)
            offset, step = m * given.c_row + tap.index, given.c_column
            piece = Tile(f, [[value]], [m], [n + column.index], [offset], [None], step, tile.half, given)
            results = self.epilogue.emit(piece) if self.epilogue else piece.values
            piece.store(results[0][0], given.c, element, 0, 0)


@dataclass(frozen=True)
class Taps(Tile):
    """All taps, a row each, of as many columns as there are lanes, in buffers where taps lie together. What is of the
    type that was summed is read and written as one vector for each column."""

    read: dict[str, list[Reg]] = field(default_factory=dict)
    written: dict[str, tuple[Reg, list[Reg]]] = field(default_factory=dict)

    def load(self, operand: str, element: str, i: int, j: int) -> Reg:
        if element != self._element:
            return super().load(operand, element, i, j)
        if operand not in self.read:
            self.read[operand] = self._load_all(getattr(self.given, operand))
        return self.read[operand][i]

    def store(self, value: Reg, pointer: Reg, element: str, i: int, j: int) -> None:
        if element != self._element:
            super().store(value, pointer, element, i, j)
            return
        _, values = self.written.setdefault(pointer.name, (pointer, []))
        values.append(self.f.cast(value, element))
        assert len(values) == i + 1, "taps are written in their order"

    def flush(self) -> None:
        """Write what was stored, when all has been read."""
        for pointer, values in self.written.values():
            self._store_all(pointer, values)

    @property
    def _element(self) -> str:
        return types.element(self.values[0][0].type)

    def _blocks(self, pointer: Reg) -> Iterator[tuple[int, int, Reg | None, list[Reg]]]:
        """Squares of taps by columns: the first tap, how many, which lanes those are, and where each column starts."""
        f, vector = self.f, self.values[0][0].type
        places = self._lanes(self.address(pointer, self._element, 0, 0), self._element)
        for tap in range(0, len(self.values), self.lanes):
            count = min(self.lanes, len(self.values) - tap)
            some = f.values(types.like(vector, "i1"), [lane < count for lane in range(self.lanes)])
            yield tap, count, some if count < self.lanes else None, [f.gep(p, tap, self._element) for p in places]

    def _load_all(self, pointer: Reg) -> list[Reg]:
        f, vector = self.f, self.values[0][0].type
        found: list[Reg] = []
        for _, count, mask, places in self._blocks(pointer):
            found += transposed(f, [f.load(place, vector, mask=mask) for place in places])[:count]
        return found

    def _store_all(self, pointer: Reg, values: Sequence[Reg]) -> None:
        f, vector = self.f, self.values[0][0].type
        for tap, count, mask, places in self._blocks(pointer):
            square = transposed(f, [*values[tap : tap + count], *[f.poison(vector)] * (self.lanes - count)])
            for value, place in zip(square, places, strict=True):
                f.store(value, place, mask=mask)
