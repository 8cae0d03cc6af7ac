"""The last step of a weight gradient whose taps lie together in memory, as PyTorch's [O, I, *kernel] do.

It does what `AddParts` does, and writes a filter's taps as vectors: squares of taps by columns are turned in registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
            mask = f.lane_mask(columns - across.index, tile.lanes)
            whole = f.compare("le", across.index + tile.lanes, columns)
            with f.if_(whole, name="whole", likely=True):
                self._store(f, given, self._finished(f, given, taps, m, first, None), m, first)
            with f.if_(f.invert(whole), name="edge", likely=False):
                taps = self._finished(f, given, taps, m, first, mask)
                self._store_some(f, given, taps, m, first, columns - across.index)

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

    def _finished(
        self, f: Function, given: SimpleNamespace, taps: Sequence[Reg], m: Reg, n: Reg, mask: Reg | None
    ) -> list[Reg]:
        """What the epilogue makes of the sums."""
        if self.epilogue is None:
            return list(taps)
        found = []
        for tap, value in enumerate(taps):
            offset = m * given.c_row + tap
            piece = Tile(f, [[value]], [m], [n], [offset], [mask], given.c_column, self.tile.half, given)
            found.append(f.cast(self.epilogue.emit(piece)[0][0], self.tile.element))
        return found

    def _store(self, f: Function, given: SimpleNamespace, taps: Sequence[Reg], m: Reg, n: Reg) -> None:
        """Columns of vectors, as many as lanes."""
        tile, element = self.tile, self.tile.element
        target = f.gep(given.c, m * given.c_row + n * given.c_column, element)
        places = [f.gep(target, given.c_column * lane, element) for lane in range(tile.lanes)]
        for tap in range(0, self.taps, tile.lanes):
            some = list(taps[tap : tap + tile.lanes])
            count = len(some)
            if count == 1:
                for lane, place in enumerate(places):
                    f.store(f.extract(some[0], lane), f.gep(place, tap, element))
                continue
            mask = f.values(types.like(tile.vector, "i1"), [lane < count for lane in range(tile.lanes)])
            square = transposed(f, some + [f.poison(tile.vector)] * (tile.lanes - count))
            for value, place in zip(square, places, strict=True):
                f.store(value, f.gep(place, tap, element), mask=mask if count < tile.lanes else None)

    def _store_some(
        self, f: Function, given: SimpleNamespace, taps: Sequence[Reg], m: Reg, n: Reg, columns: Reg
    ) -> None:
        """Fewer columns than lanes, element by element."""
        tile, element = self.tile, self.tile.element
        kept = f.stack(tile.vector, len(taps), align=types.size(element) * tile.lanes, name="edge")
        for at, value in enumerate(taps):
            f.store(value, f.gep(kept, at, tile.vector))
        target = f.gep(given.c, m * given.c_row + n * given.c_column, element)
        with f.loop(0, columns, name="column") as column, f.loop(0, self.taps, name="tap") as tap:
            value = f.load(f.gep(kept, tap.index * tile.lanes + column.index, element), element)
            f.store(value, f.gep(target, column.index * given.c_column + tap.index, element))
