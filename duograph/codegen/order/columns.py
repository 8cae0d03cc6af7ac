"""Vectors over what is contiguous, while an axis is walked before it: `[outer, size, inner]`, lanes along `inner`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Pointer, ceil_div, round_up

MOST_VECTORS = 4
"""Vectors that are worked on at once."""

WORK = 1 << 15
"""Elements that one chunk reads: some 10 us of work."""

Work = Callable[[Reg, int, int, Reg | None], None]
"""What is done at a column with a number of lanes and vectors, under a mask or without one."""


@dataclass(frozen=True)
class Columns:
    """How many columns are worked on at once.

    Attributes:
        masks: Whether the processor has masks, for the last columns; else these are taken one by one.
    """

    lanes: int
    vectors: int
    masks: bool

    def each(self, f: Function, begin: Reg | int, end: Reg, work: Work) -> None:
        """Do the work for all columns from `begin` to before `end`."""
        count = self.lanes * self.vectors
        whole = f.add(begin, f.binary("and", f.sub(end, begin), -count))
        with f.loop(begin, whole, count, name="column") as loop:
            work(loop.index, self.lanes, self.vectors, None)
        if count == 1:
            return
        with f.loop(whole, end, self.lanes if self.masks else 1, name="rest") as loop:
            if self.masks and self.lanes > 1:
                work(loop.index, self.lanes, 1, f.lane_mask(end - loop.index, self.lanes))
            else:
                work(loop.index, 1, 1, None)

    @property
    def title(self) -> str:
        """Columns at once."""
        return f"{self.lanes * self.vectors}_columns"


def fitting(machine: Machine, widest: int, columns: int) -> Columns:
    """Full vectors of numbers of `widest` bytes, or a part of one where there are few columns."""
    masks = machine.vector_bytes == 64
    lanes = machine.vector_bytes // widest
    if columns >= lanes:
        return Columns(lanes, min(MOST_VECTORS, 1 << ((columns // lanes).bit_length() - 1)), masks)
    fit = 1 << (max(1, columns).bit_length() - 1)
    return Columns(fit if fit == columns or not masks else 2 * fit, 1, masks)


SLOTS = ("size", "inner", "units", "block", "blocks", "width")
"""The slots of `cut`: a unit is `width` columns of one of the outer indices, and a chunk is `block` units."""


def cut(columns: Columns, *, outer: int, size: int, inner: int) -> tuple[int, dict[str, Pointer | int]]:
    """The number of chunks, and the slots."""
    width = round_up(max(1, min(inner, WORK // max(1, size))), columns.lanes * columns.vectors)
    blocks = ceil_div(inner, width)
    units, block = outer * blocks, max(1, WORK // (max(1, size) * min(width, inner)))
    slots: dict[str, Pointer | int] = dict(zip(SLOTS, (size, inner, units, block, blocks, width), strict=True))
    return ceil_div(units, block), slots


def each_unit(
    f: Function,
    given: SimpleNamespace,
    chunk: Reg,
    columns: Columns,
    work: Callable[[Reg, Reg, int, int, Reg | None], None],
) -> None:
    """Do the work for all columns of a chunk; its first argument is the outer index."""
    start = chunk * given.block
    with f.loop(start, f.minimum(start + given.block, given.units), name="unit") as unit:
        outer = f.binary("udiv", unit.index, given.blocks)
        begin = (unit.index - outer * given.blocks) * given.width
        end = f.minimum(begin + given.width, given.inner)
        columns.each(f, begin, end, lambda column, *rest: work(outer, column, *rest))
