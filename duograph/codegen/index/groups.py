"""`put` by groups: the updates of one row are found first, and then taken together.

    head[row]   the first update that goes to the row, or -1
    next[i]     the update after update i that goes to the same row, or -1

One chunk makes these lists, from the last index to the first, and many walk over the rows. So indices are read once,
each row of the result once, and a chunk may be any part of the result. Where only the last update counts, `head` is
that one, and there is no `next`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

from ...graph.dtype import DType, float32, int32
from .. import storage, types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div, round_up
from .common import Indices, Update, Vector, cut, fill, sweep

_ALIGN = 64
_NUMBER = "i32"
"""The type of an update's number in the lists."""

MOST_UPDATES = 1 << 31
"""Updates that have a number."""

_At = Callable[[Reg], Reg]
"""From an update's number to something of it."""


@dataclass(frozen=True)
class Group(Kernel):
    """The lists, in one chunk.

    Attributes:
        last: Whether only the last update of a row counts.
    """

    index_dtype: DType
    last: bool
    vector: Vector

    @property
    def title(self) -> str:
        return f"group_{self.index_dtype.name}{'_last' if self.last else ''}"

    @property
    def slots(self) -> Mapping[str, str]:
        return dict.fromkeys(("indices", "head", "next", "error"), "ptr") | dict.fromkeys(("size", "count"), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        fill(f, given.head, given.size, _NUMBER, -1, self.vector)
        source = Indices(self.index_dtype, given.indices, given.size, given.error)
        with f.loop(0, given.count, name="turn") as turn:
            i = turn.index if self.last else given.count - 1 - turn.index
            raw, place = source.place(f, i)
            with f.if_(f.compare("ult", place, given.size), likely=True) as branch:
                head = f.gep(given.head, place, _NUMBER)
                if not self.last:
                    f.store(f.load(head, _NUMBER), f.gep(given.next, i, _NUMBER))
                f.store(f.cast(i, _NUMBER), head)
            with branch.else_():
                source.refuse(f, raw)


@dataclass(frozen=True)
class PutGroups(Kernel):
    """A chunk is `block` outer positions, `rows` rows and `columns` columns.

    16-bit floats of a row with several updates are added up, or multiplied, in a row of floats that the chunk has in
    `sums`.
    """

    update: Update
    vector: Vector

    @property
    def title(self) -> str:
        return f"put_groups_{self.update.title}_{self.vector.lanes}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("outer", "size", "inner", "count", "block", "columns", "column_blocks", "rows", "row_blocks")
        return dict.fromkeys(("c", "updates", "head", "next", "sums"), "ptr") | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        rest, across = f.binary("udiv", chunk, given.column_blocks), f.binary("urem", chunk, given.column_blocks)
        part, down = f.binary("udiv", rest, given.row_blocks), f.binary("urem", rest, given.row_blocks)
        start, column, first = part * given.block, across * given.columns, down * given.rows
        stop, last = f.minimum(start + given.block, given.outer), f.minimum(first + given.rows, given.size)
        columns = f.minimum(given.columns, given.inner - column)
        c, updates, head, following, sums = f.distinct(given.c, given.updates, given.head, given.next, given.sums)
        sums = f.gep(sums, chunk * given.columns, "float")
        with f.loop(start, stop, name="outer") as outer:
            here = self.update.at(f, c, outer.index * given.size * given.inner + column)
            there = self.update.at(f, updates, outer.index * given.count * given.inner + column)

            def source(i: Reg) -> Reg:
                return self.update.at(f, there, f.cast(i, "i64") * given.inner)

            def after(i: Reg) -> Reg:
                return f.load(f.gep(following, f.cast(i, "i64"), _NUMBER), _NUMBER)

            with f.loop(first, last, name="row") as row:
                i = f.load(f.gep(head, row.index, _NUMBER), _NUMBER)
                with f.if_(f.compare("ge", i, 0), name="any"):
                    target = self.update.at(f, here, row.index * given.inner)
                    if self.update.mode == "set":
                        self.update.row(f, target, source(i), columns, self.vector)
                    elif not self.update.is_rounded:
                        with f.while_([i], names=["i"]) as each:
                            (i,) = each.carried
                            each.test(f.compare("ge", i, 0))
                            then = after(i)
                            self.update.row(f, target, source(i), columns, self.vector)
                            each.yield_(then)
                    else:
                        second = after(i)
                        with f.if_(second < 0, name="one") as branch:
                            self.update.row(f, target, source(i), columns, self.vector)
                        with branch.else_():
                            self._in_floats(f, target, i, source, after, columns, sums)

    def _in_floats(self, f: Function, target: Reg, i: Reg, source: _At, after: _At, columns: Reg, sums: Reg) -> None:
        """A row of 16-bit floats and all its updates."""
        update, native = self.update, self.update.half

        def widen(indices: Sequence[Reg], lanes: int, mask: Reg | None) -> None:
            for j in indices:
                value = storage.read(f, update.at(f, target, j), update.dtype, lanes, native=native, mask=mask)
                f.store(value, f.gep(sums, j, "float"), mask=mask)

        def narrow(indices: Sequence[Reg], lanes: int, mask: Reg | None) -> None:
            for j in indices:
                value = f.load(f.gep(sums, j, "float"), types.vector("float", lanes), mask=mask)
                storage.write(f, value, update.at(f, target, j), update.dtype, native=native, mask=mask)

        sweep(f, columns, self.vector, widen)
        with f.while_([i], names=["i"]) as each:
            (i,) = each.carried
            each.test(f.compare("ge", i, 0))
            then = after(i)
            replace(update, into=float32).row(f, sums, source(i), columns, self.vector)
            each.yield_(then)
        sweep(f, columns, self.vector, narrow)


def plan_groups(
    machine: Machine,
    update: Update,
    index_dtype: DType,
    *,
    outer: int,
    size: int,
    inner: int,
    count: int,
    chunks: int,
    piece: int,
) -> Plan:
    """The plan of `put` by groups; see `put.plan_put`.

    Args:
        chunks: How many there should be.
        piece: Bytes of a row that a chunk has at least.
    """
    vector, last = Vector.of(machine, update.dtype, inner), update.mode == "set"
    block, outer_blocks = cut(outer, chunks)
    unit = round_up(max(1, piece // update.dtype.itemsize), vector.lanes)
    units, column_blocks = cut(ceil_div(inner, unit), chunks // outer_blocks)
    rows, row_blocks = cut(size, chunks // (outer_blocks * column_blocks))
    columns, chunks = min(units * unit, round_up(inner, _ALIGN)), outer_blocks * column_blocks * row_blocks
    number = types.size(_NUMBER)
    following = round_up(size * number, _ALIGN)
    sums = following + (0 if last else round_up(count * number, _ALIGN))
    end = sums + (chunks * columns * types.size("float") if update.is_rounded else 0)
    head, after = Pointer("workspace"), Pointer("workspace", following)
    group = Group(index_dtype, last, Vector.of(machine, int32, size)).step(
        chunks=1, indices=Pointer("indices"), head=head, next=after, error=Pointer("error"), size=size, count=count
    )
    put = PutGroups(update, vector).step(
        chunks=chunks,
        c=Pointer("c"),
        updates=Pointer("updates"),
        head=head,
        next=after,
        sums=Pointer("workspace", sums),
        outer=outer,
        size=size,
        inner=inner,
        count=count,
        block=block,
        columns=columns,
        column_blocks=column_blocks,
        rows=rows,
        row_blocks=row_blocks,
    )
    return Plan((group, put), workspace=round_up(end, _ALIGN))
