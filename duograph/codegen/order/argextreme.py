"""Where along an axis the extreme stands: argmax and argmin.

Three ways to walk:

- `across`: lanes are the columns behind the axis.
- `along`: on the last axis, lanes lie along the row: each finds the extreme of every so many elements, and at last the
  lanes are compared.
- `rows`: on the last axis, where rows are too short for that, lanes are rows, filled element by element.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from ...graph.dtype import DType
from .. import storage, types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer
from .columns import MOST_VECTORS, SLOTS, Columns, cut, each_unit, fitting
from .extremes import beats, least, ordered, position_type

Way = Literal["across", "along", "rows"]


@dataclass(frozen=True)
class ArgExtreme(Kernel):
    """The kernel.

    Attributes:
        columns: Columns, elements of a row, or rows that are worked on at once.
        position: The integer that positions are kept in.
        half: Whether the processor converts half precision.
    """

    dtype: DType
    largest: bool
    way: Way
    columns: Columns
    position: str
    half: bool

    @property
    def title(self) -> str:
        name = "argmax" if self.largest else "argmin"
        return f"{name}_{self.dtype.name}_{self.way}_{self.columns.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"a": "ptr", "c": "ptr"} | dict.fromkeys(SLOTS, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        if self.way == "along":
            one = Columns(1, 1, masks=False)  # a row is a unit with one column
            each_unit(f, given, chunk, one, lambda outer, *_: self._row(f, given, outer))
        else:
            each_unit(f, given, chunk, self.columns, lambda *where: self._columns(f, given, *where))

    def _load(self, f: Function, place: Reg, lanes: int, mask: Reg | None = None) -> Reg:
        return storage.read(f, place, self.dtype, lanes, native=self.half, mask=mask)

    def _columns(
        self, f: Function, given: SimpleNamespace, outer: Reg, column: Reg, lanes: int, vectors: int, mask: Reg | None
    ) -> None:
        element = storage.stored(self.dtype)
        if self.way == "rows":
            first_place, step, apart = column * given.size, f.const("i64", 1), given.size
        else:
            first_place, step, apart = outer * given.size * given.inner + column, given.inner, None
        lowest = least(f, self.dtype, lanes, self.largest)
        none = f.zero(types.vector(self.position, lanes))
        first = [f.gep(given.a, first_place, element), none, *[lowest] * vectors, *[none] * vectors]
        with f.loop(0, given.size, 1, first, name="k", at_least_once=True) as loop:
            place, here, *kept = loop.carried
            if apart is not None and lanes > 1:
                seen = [self._gather(f, place, lanes, apart)]
            else:
                seen = [self._load(f, f.gep(place, j * lanes, element), lanes, mask) for j in range(vectors)]
            found = self._join(f, kept[:vectors], kept[vectors:], seen, [here] * vectors)
            loop.yield_(f.gep(place, step, element), here + 1, *found)
        for j, position in enumerate(loop.results[2 + vectors :]):
            to = f.gep(given.c, outer * given.inner + column + j * lanes, "i64")
            f.store(f.cast(position, "i64"), to, align=8, mask=mask)

    def _gather(self, f: Function, place: Reg, lanes: int, apart: Reg) -> Reg:
        found = f.poison(storage.held(self.dtype, lanes))
        for lane in range(lanes):
            at = f.gep(place, apart * lane, storage.stored(self.dtype))
            found = f.insert(found, self._load(f, at, 1), lane)
        return found

    def _row(self, f: Function, given: SimpleNamespace, outer: Reg) -> None:
        element, lanes, vectors = storage.stored(self.dtype), self.columns.lanes, self.columns.vectors
        row = f.gep(given.a, outer * given.size, element)
        best = [least(f, self.dtype, lanes, self.largest)] * vectors
        # A lane where nothing beats the least element has that in its first place.
        first = [f.iota(types.vector(self.position, lanes)) if lanes > 1 else f.zero(self.position)]
        first += [first[0] + j * lanes for j in range(1, vectors)]
        done: Reg | int = 0
        kept = [*best, *first]
        if vectors > 1:
            whole = f.binary("and", given.size, -lanes * vectors)
            with f.loop(0, whole, lanes * vectors, [*first, *kept], name="k") as loop:
                here, kept = list(loop.carried[:vectors]), loop.carried[vectors:]
                place = f.gep(row, loop.index, element)
                seen = [self._load(f, f.gep(place, j * lanes, element), lanes) for j in range(vectors)]
                found = self._join(f, kept[:vectors], kept[vectors:], seen, here)
                loop.yield_(*(x + lanes * vectors for x in here), *found)
            pairs = list(zip(loop.results[vectors : 2 * vectors], loop.results[2 * vectors :], strict=True))
            while len(pairs) > 1:
                pairs = [self._earlier(f, x, y) for x, y in zip(pairs[::2], pairs[1::2], strict=True)]
            kept, done = list(pairs[0]), whole
        if lanes > 1:
            whole = f.binary("and", given.size, -lanes)
            start = f.splat(f.cast(f.operand(done, "i64"), self.position), lanes) + first[0]
            with f.loop(done, whole, lanes, [start, *kept], name="k") as loop:
                now, value, position = loop.carried
                seen = [self._load(f, f.gep(row, loop.index, element), lanes)]
                loop.yield_(now + lanes, *self._join(f, [value], [position], seen, [now]))
            pair, done = (loop.results[1], loop.results[2]), whole
            while lanes > 1:
                lanes //= 2
                pair = self._earlier(f, *(tuple(_half(f, x, lanes, part) for x in pair) for part in (0, 1)))
            kept = list(pair)
        with f.loop(done, given.size, 1, kept, name="k") as loop:
            seen, here = [self._load(f, f.gep(row, loop.index, element), 1)], [f.cast(loop.index, self.position)]
            loop.yield_(*self._join(f, loop.carried[:1], loop.carried[1:], seen, here))
        f.store(f.cast(loop.results[1], "i64"), f.gep(given.c, outer, "i64"), align=8)

    def _join(self, f: Function, best: list[Reg], at: list[Reg], seen: list[Reg], here: list[Reg]) -> list[Reg]:
        """The extremes, and then their positions, with elements that come later."""
        better = [beats(f, self.dtype, y, x, self.largest) for x, y in zip(best, seen, strict=True)]
        values = [f.select(to, y, x) for to, x, y in zip(better, best, seen, strict=True)]
        return values + [f.select(to, y, x) for to, x, y in zip(better, at, here, strict=True)]

    def _earlier(self, f: Function, x: tuple[Reg, ...], y: tuple[Reg, ...]) -> tuple[Reg, Reg]:
        """The more extreme of two values with positions; the one that stands earlier if they are equal."""
        equal = f.invert(beats(f, self.dtype, x[0], y[0], self.largest)) & (y[1] < x[1])
        take = beats(f, self.dtype, y[0], x[0], self.largest) | equal
        return f.select(take, y[0], x[0]), f.select(take, y[1], x[1])


def _half(f: Function, x: Reg, lanes: int, part: int) -> Reg:
    if lanes == 1:
        return f.extract(x, part)
    return f.shuffle(x, None, range(part * lanes, (part + 1) * lanes))


def plan_argextreme(machine: Machine, dtype: DType, *, outer: int, size: int, inner: int, largest: bool) -> Plan:
    """The primitives `argmax` and, if not `largest`, `argmin`.

    `"a"` is `[outer, size, inner]` with a size of at least 1, `"c"` `[outer, inner]`, int64: the first position of the
    extreme. A NaN is more extreme than any number.
    """
    if not outer * size * inner:
        return Plan()
    dtype = ordered(dtype)
    position = position_type(dtype, size)
    widest = max(types.size(storage.held(dtype)), types.size(position))
    full = machine.vector_bytes // widest
    one = Columns(1, 1, masks=False)
    way: Way
    if inner > 1:
        way, columns = "across", fitting(machine, widest, inner)
        chunks, slots = cut(columns, outer=outer, size=size, inner=inner)
    elif size >= 2 * full:
        way, columns = "along", Columns(full, MOST_VECTORS if size >= 2 * MOST_VECTORS * full else 1, masks=False)
        chunks, slots = cut(one, outer=outer, size=size, inner=1)
    else:
        way, columns = "rows", Columns(full, 1, masks=False) if outer >= full else one
        chunks, slots = cut(columns, outer=1, size=size, inner=outer)
    kernel = ArgExtreme(dtype, largest, way, columns, position, machine.half)
    return Plan(steps=(kernel.step(chunks=chunks, a=Pointer("a"), c=Pointer("c"), **slots),))
