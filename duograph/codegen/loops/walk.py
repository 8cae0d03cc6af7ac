"""The loops around the instructions of a nest, in their two forms: along the last axis, and across it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import TYPE_CHECKING

from .. import storage
from ..emitter import Function, Reg
from ..weights import COSTLY

if TYPE_CHECKING:
    pass

from .values import Values

UNROLLED = 4
"""How many times a total is kept where vectors run along a sum."""

MOST_UNROLLED = 16
"""Instructions up to which that is worth its code."""


class Walk(Values):
    """The code of one kernel, as it is written."""

    # The loops.

    def run(self, chunk: Reg) -> None:
        kernel, f, given = self.kernel, self.f, self.given
        rest, block = _divided(f, chunk, given.blocks)
        self.part, row_block = _divided(f, rest, given.row_blocks)
        if not kernel.axes:
            self.write(k for k, i in enumerate(self.instructions) if i.op == "store")
            return
        self.now = 0
        self.ahead(frozenset())
        self.prepare()
        if not kernel.streaming:
            self.rows(row_block, block)
            return
        with f.if_(self.aligned(), name="streaming", likely=True) as branch, self.scope():
            self.past_caches = True
            self.rows(row_block, block)
            self.past_caches = False
            f.drain()
        with branch.else_(), self.scope():
            self.rows(row_block, block)

    def rows(self, row_block: Reg, block: Reg) -> None:
        """The rows of one block."""
        f, kernel, given = self.f, self.kernel, self.given
        start = row_block * given.row_block
        stop = f.minimum(start + given.row_block, given.rows)
        outer = kernel.outer
        places = self.first_places(start)
        with f.loop(start, stop, carried=places, name="row") as loop:
            if len(outer) == 1:
                self.at[outer[0]] = loop.index
            for axis, place in zip(outer, loop.carried, strict=False):
                self.at[axis] = place
            with self.scope():
                self.across(block) if kernel.across else self.along(block)
            loop.yield_(*self.following_places(loop.carried))

    def ahead(self, axes: frozenset[int]) -> None:
        """Emit what inner loops will need and what these axes suffice for."""
        for k, i in enumerate(self.instructions):
            if i.op in ("store", "reduce") or k in self.memo or self.stage[k] > self.now:
                continue
            if self.needs[k] <= axes:
                if self.guarded[k] is False:
                    self.value(k)
            elif i.op == "load" and self.last in i.axes and frozenset(i.axes) - {self.last} <= axes:
                self.base(i, self.last)

    def first_places(self, start: Reg) -> list[Reg]:
        """Where the first row is on each outer axis; nothing where the row's number says so."""
        outer = self.kernel.outer
        if len(outer) < 2:
            return []
        f, places, rest = self.f, [], start
        for axis in reversed(outer[1:]):
            rest, place = _divided(f, rest, getattr(self.given, f"size_{axis}"))
            places.append(place)
        return [rest, *reversed(places)]

    def following_places(self, places: Sequence[Reg]) -> list[Reg]:
        """Where the next row is: one further on the last outer axis, with a carry."""
        f, found = self.f, []
        carry: Reg | None = None
        for axis, place in zip(reversed(self.kernel.outer), reversed(places), strict=False):
            following = place + 1 if carry is None else place + f.cast(carry, "i64")
            carry = f.compare("ge", following, getattr(self.given, f"size_{axis}"))
            found.append(f.select(carry, 0, following))
        return found[::-1]

    def inside(self, k: int) -> bool:
        """Whether a store belongs into the inner loops."""
        i = self.instructions[k]
        inner = frozenset(self.kernel.inner)
        return bool((self.needs[i.args[0]] | frozenset(i.axes)) & inner)

    def prepare(self) -> None:
        """Sort the work into stages, and find what is put down between them."""
        stores = [k for k, i in enumerate(self.instructions) if i.op == "store"]
        reduces = [k for k, i in enumerate(self.instructions) if i.op == "reduce"]
        inner = [k for k in stores if self.inside(k)]
        self.after = [k for k in stores if not self.inside(k)]
        count = max([self.stage[k] for k in reduces] + [self.stage[k] + 1 for k in inner], default=0)
        self.reduces = [[k for k in reduces if self.stage[k] == p + 1] for p in range(count)]
        self.stores = [[k for k in inner if self.stage[k] == p] for p in range(count)]
        self.scratch: dict[int, Reg] = {}
        if self.kernel.across or len(self.kernel.inner) != 1:
            return
        used: dict[int, int] = {}
        for p in range(count):
            seen: set[int] = set()
            stack = [self.instructions[k].args[0] for k in (*self.reduces[p], *self.stores[p])]
            while stack:
                k = stack.pop()
                if k not in seen and self.vector(k) and self.instructions[k].op != "reduce":
                    seen.add(k)
                    stack.extend(self.instructions[k].args)
            for k in seen:
                used[k] = used.get(k, 0) + 1
        for k, times in used.items():
            i = self.instructions[k]
            if times > 1 and i.op in COSTLY and i.dtype.category != "bool":
                f, type = self.f, storage.held(i.dtype)
                length = getattr(self.given, f"size_{self.last}") + self.kernel.lanes
                self.scratch[k] = f.emit(f"alloca {type}, {length}, align 64", "ptr", "scratch")

    def bounds(self, axis: int) -> tuple[Reg, Reg]:
        """Where an inner axis begins and ends here."""
        f, size = self.f, getattr(self.given, f"size_{axis}")
        if self.kernel.parted and axis == self.kernel.code.reduced.index(True):
            start = self.part * self.given.part
            return start, f.minimum(start + self.given.part, size)
        return f.const("i64", 0), size

    def nested(
        self,
        axes: Sequence[int],
        carried: list[Reg],
        leaf: Callable[[list[Reg]], list[Reg]],
        known: frozenset[int],
        reduces: Sequence[int] = (),
    ) -> list[Reg]:
        """Loops over axes, one in another, with totals that are carried through all of them."""
        if not axes:
            return leaf(carried)
        axis = axes[0]
        start, stop = self.bounds(axis)
        if axis == self.last:
            return self.vectors(start, stop, carried, leaf, reduces)
        with self.f.loop(start, stop, carried=carried, name="inner") as loop:
            self.at[axis] = loop.index
            with self.scope():
                self.ahead(known | {axis})
                loop.yield_(*self.nested(axes[1:], list(loop.carried), leaf, known | {axis}, reduces))
        return loop.results

    def vectors(
        self,
        start: Reg,
        stop: Reg,
        carried: list[Reg],
        leaf: Callable[[list[Reg]], list[Reg]],
        reduces: Sequence[int] = (),
    ) -> list[Reg]:
        """The last axis, vector by vector; those of the rest are masked. Totals of `reduces` are kept several times, so
        that one addition need not wait for the one before."""
        f, lanes = self.f, self.kernel.lanes
        if reduces and len(self.instructions) <= MOST_UNROLLED:
            wide = lanes * UNROLLED
            whole = start + f.binary("and", stop - start, -wide)
            copies = [carried, *([self.initial(k, lanes) for k in reduces] for _ in range(UNROLLED - 1))]
            with f.loop(start, whole, wide, carried=[total for copy in copies for total in copy], name="wide") as loop:
                found: list[Reg] = []
                for u in range(UNROLLED):
                    self.at[self.last] = loop.index + u * lanes
                    with self.scope():
                        found += leaf(list(loop.carried[u * len(reduces) : (u + 1) * len(reduces)]))
                loop.yield_(*found)
            totals = [loop.results[u * len(reduces) : (u + 1) * len(reduces)] for u in range(UNROLLED)]
            while len(totals) > 1:
                pairs = zip(totals[::2], totals[1::2], strict=True)
                totals = [[self.combined(*each) for each in zip(reduces, *pair, strict=True)] for pair in pairs]
            start, carried = whole, totals[0]
        whole = start + f.binary("and", stop - start, -lanes)
        with f.loop(start, whole, lanes, carried=carried, name="v") as loop:
            self.at[self.last] = loop.index
            with self.scope():
                loop.yield_(*leaf(list(loop.carried)))
        rest = stop - whole
        with f.if_(f.compare("gt", rest, 0), name="rest") as branch:
            self.at[self.last] = whole
            self.mask = f.lane_mask(rest, lanes)
            with self.scope():
                branch.yield_(*leaf(list(loop.results)))
            self.mask = None
        if not carried:
            return []
        with branch.else_():
            branch.yield_(*loop.results)
        return branch.results

    def along(self, block: Reg) -> None:
        """One row, stage by stage."""
        kernel, f = self.kernel, self.f
        outer = frozenset(kernel.outer)
        for p, (reduces, stores) in enumerate(zip(self.reduces, self.stores, strict=True)):
            self.now = p
            self.ahead(outer)
            down = frozenset(self.down)

            def leaf(
                totals: list[Reg], reduces: list[int] = reduces, stores: list[int] = stores, down: Set[int] = down
            ) -> list[Reg]:
                for k in down:
                    type = storage.held(self.instructions[k].dtype, kernel.lanes)
                    self.memo[k] = self.f.load(self.scratch_place(k), type)
                found = [self.accumulate(k, total) for k, total in zip(reduces, totals, strict=True)]
                self.write(stores)
                if self.now == 1:
                    self.ask_ahead()
                for k in self.scratch:
                    if k not in down and k in self.memo:
                        self.f.store(self.memo[k], self.scratch_place(k))
                        self.down.add(k)
                return found

            totals = [self.initial(k, kernel.lanes) for k in reduces]
            if any(kernel.code.reduced):
                totals = self.nested(kernel.inner, totals, leaf, outer, reduces)
            else:
                size = getattr(self.given, f"size_{self.last}")
                start = block * self.given.block
                totals = self.vectors(start, f.minimum(start + self.given.block, size), totals, leaf)
            for k, total in zip(reduces, totals, strict=True):
                self.memo[k] = self.folded(k, total)
        self.now = len(self.reduces)
        self.down.clear()
        self.write(self.after)

    def ask_ahead(self) -> None:
        """Ask for the place of the next row."""
        f = self.f
        for i in self.instructions:
            if i.op == "load" and i.number in self.kernel.ahead:
                step = getattr(self.given, f"x{i.number}_{self.kernel.outer[-1]}")
                place = f.gep(self.base(i, self.last), self.coordinate(self.last) + step, storage.stored(i.dtype))
                f.prefetch(place)

    def scratch_place(self, k: int) -> Reg:
        """Where a value that was put down for this row lies, for this vector."""
        return self.f.gep(self.scratch[k], self.coordinate(self.last), storage.held(self.instructions[k].dtype))

    def across(self, block: Reg) -> None:
        """The columns of one block, some vectors at a time."""
        kernel, f = self.kernel, self.f
        self.ahead(frozenset(kernel.outer))
        size = getattr(self.given, f"size_{self.last}")
        start = block * self.given.block
        stop = f.minimum(start + self.given.block, size)
        wide = kernel.width * kernel.lanes
        whole = start
        if kernel.width > 1:
            whole = start + f.binary("and", stop - start, -wide)
            with f.loop(start, whole, wide, name="columns") as loop, self.scope():
                self.columns(loop.index, kernel.width)

        def leaf(_: list[Reg]) -> list[Reg]:
            self.columns(self.coordinate(self.last), 1)
            return []

        self.vectors(whole, stop, [], leaf)

    def columns(self, first: Reg, width: int) -> None:
        """Some vectors down all rows."""
        kernel = self.kernel
        places = [first + w * kernel.lanes for w in range(width)]
        reduces = self.reduces[0] if self.reduces else []
        stores = self.stores[0] if self.stores else []
        totals = [self.initial(k, kernel.lanes) for k in reduces for _ in places]
        outer = frozenset(kernel.outer)
        self.now = 0
        columns = []  # what each vector's column knows for all rows
        for place in places:
            self.at[self.last] = place
            with self.scope():
                self.ahead(outer | {self.last})
                columns.append(self.memo)

        def leaf(totals: list[Reg]) -> list[Reg]:
            found = list(totals)
            rows = self.memo
            for w, place in enumerate(places):
                self.at[self.last] = place
                self.memo = {**columns[w], **rows}
                for r, k in enumerate(reduces):
                    found[r * width + w] = self.accumulate(k, totals[r * width + w])
                self.write(stores)
            self.memo = rows
            return found

        totals = self.nested(kernel.inner, totals, leaf, outer)
        self.now = 1
        for w, place in enumerate(places):
            self.at[self.last] = place
            with self.scope():
                for r, k in enumerate(reduces):
                    self.memo[k] = totals[r * width + w]
                self.write(self.after)

    def write(self, stores: Iterable[int]) -> None:
        """First everything is read and computed, then written: an operand may lie where a result goes."""
        stores = list(stores)
        for k in stores:
            self.value(self.instructions[k].args[0])
        for k in stores:
            self.store(k)


def _divided(f: Function, x: Reg, y: Reg) -> tuple[Reg, Reg]:
    """Quotient and remainder of numbers that are not negative."""
    quotient = f.binary("udiv", x, y)
    return quotient, x - quotient * y
