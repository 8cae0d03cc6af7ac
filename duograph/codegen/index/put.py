"""The primitive `put`: rows of updates that go to the rows that indices name.

Directly, every chunk reads all the indices and has some columns of some outer positions to itself. Where there is more
to do than that, or where updates of 16-bit floats must not be rounded one by one, the updates are grouped by rows
first: see `groups.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ...graph.dtype import DType
from ...graph.sizes import hint
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div, round_up
from .common import Indices, Update, Vector, chunks_for, cut
from .groups import MOST_UPDATES, plan_groups

_COLUMN_BYTES = 1024
"""Of a row, what a chunk has to itself at least. Shorter pieces of rows would come slowly from memory."""

_GROUPED_ROW_BYTES = 32
"""Bytes of a row from which grouping may pay: a shorter one is written as quickly as it is put into a group."""

_ROW_COST = 32
"""Bytes of updates that could be moved in the time that grouping takes for each row of the result."""


@dataclass(frozen=True)
class Put(Kernel):
    """A chunk is `block` outer positions and `columns` columns."""

    update: Update
    index_dtype: DType
    vector: Vector

    @property
    def title(self) -> str:
        return f"put_{self.update.title}_{self.vector.lanes}_by_{self.index_dtype.name}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("outer", "size", "inner", "count", "block", "columns", "column_blocks")
        return dict.fromkeys(("c", "indices", "updates", "error"), "ptr") | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        part, across = f.binary("udiv", chunk, given.column_blocks), f.binary("urem", chunk, given.column_blocks)
        start, column = part * given.block, across * given.columns
        stop = f.minimum(start + given.block, given.outer)
        columns = f.minimum(given.columns, given.inner - column)
        c, indices, updates = f.distinct(given.c, given.indices, given.updates)
        source = Indices(self.index_dtype, indices, given.size, given.error)
        with f.loop(start, stop, name="outer") as outer:
            here = self.update.at(f, c, outer.index * given.size * given.inner + column)
            there = self.update.at(f, updates, outer.index * given.count * given.inner + column)
            with f.loop(0, given.count, name="i") as i:
                raw, place = source.place(f, i.index)
                with f.if_(f.compare("ult", place, given.size), likely=True) as branch:
                    target = self.update.at(f, here, place * given.inner)
                    self.update.row(f, target, self.update.at(f, there, i.index * given.inner), columns, self.vector)
                with branch.else_():
                    source.refuse(f, raw)


def plan_put(
    machine: Machine,
    dtype: DType,
    index_dtype: DType,
    *,
    outer: int,
    size: int,
    inner: int,
    count: int,
    mode: str,
) -> Plan:
    """The primitive `put`, in place.

    Roles: `"c"`, `[outer, size, inner]`, which holds x and gets the result; `"indices"` `[count]`; `"updates"`
    `[outer, count, inner]`; `"error"`, see `Failure`. Updates whose index is out of range are left out and one of these
    indices is reported.

    16-bit floats are combined in float and rounded once, when all the updates of an element are in.
    """
    update = Update.of(mode, dtype, machine.half)
    if not outer * count * inner:
        return Plan()
    row_bytes = inner * dtype.itemsize
    wanted = chunks_for(2 * outer * count * row_bytes)
    long = hint(size * _ROW_COST) <= hint(count * row_bytes)
    grouped = hint(wanted) > 1 and hint(row_bytes) >= _GROUPED_ROW_BYTES and long
    if (grouped or update.is_rounded) and size and count < MOST_UPDATES:
        return plan_groups(
            machine, update, index_dtype, outer=outer, size=size, inner=inner, count=count, chunks=wanted,
            piece=_COLUMN_BYTES,
        )  # fmt: skip
    vector = Vector.of(machine, dtype, inner)
    block, chunks = cut(outer, wanted)
    piece = round_up(max(1, _COLUMN_BYTES // dtype.itemsize), vector.lanes)
    columns, column_blocks = cut(ceil_div(inner, piece), wanted // chunks)
    step = Put(update, index_dtype, vector).step(
        chunks=chunks * column_blocks,
        c=Pointer("c"),
        indices=Pointer("indices"),
        updates=Pointer("updates"),
        error=Pointer("error"),
        outer=outer,
        size=size,
        inner=inner,
        count=count,
        block=block,
        columns=columns * piece,
        column_blocks=column_blocks,
    )
    return Plan((step,))
