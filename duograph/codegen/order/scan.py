"""Running sums, products and extremes along an axis.

Three ways to walk, by what is contiguous:

- `across`: vectors over the columns behind the axis, element after element.
- `along`: on the last axis, a vector of the row at a time. Within the vector, each lane is joined with the lane 1, 2,
  4, ... places earlier (Hillis and Steele, 1986); then all are joined with what came before the vector. So a row waits
  for one operation per vector, where one element at a time waits for one per element.
- `rows`: on the last axis, element after element, in several rows at once, each of which waits for its own sums only.

Joined in another order, a product of floating-point numbers may overflow on a way that the right order does not take:
0 * (1e30 * 1e30) is NaN. So products of these are never taken `along`; a sum does this only within 16 elements that
together come to the limit of their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from ...graph.dtype import DType
from ...graph.errors import ArgumentError
from .. import storage, types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer
from .columns import SLOTS, Columns, cut, each_unit, fitting
from .extremes import extreme, least, ordered

OPERATIONS = ("cumsum", "cumprod", "cummax", "cummin")

ROWS = 8
"""Rows that are walked at once: enough to hide how long an operation takes."""

MOST_LANES = 16
"""Of a vector along a row: with more, the steps within the vector outweigh what is saved."""


@dataclass(frozen=True)
class Scan(Kernel):
    """The kernel.

    Attributes:
        columns: Columns, elements of a row, or rows that are worked on at once.
        half: Whether the processor converts half precision.
    """

    dtype: DType
    operation: str
    reverse: bool
    way: Literal["across", "along", "rows"]
    columns: Columns
    half: bool

    @property
    def title(self) -> str:
        turned = "_reverse" if self.reverse else ""
        return f"{self.operation}{turned}_{self.dtype.name}_{self.way}_{self.columns.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"a": "ptr", "c": "ptr"} | dict.fromkeys(SLOTS, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        a, c = f.distinct(given.a, given.c)
        size, inner, element = given.size, given.inner, storage.stored(self.dtype)
        if self.way == "along":
            one = Columns(1, 1, masks=False)  # a row is a unit with one column
            each_unit(f, given, chunk, one, lambda row, *_: self._row(f, a, c, row * size, size))
        elif self.way == "rows":

            def several(outer: Reg, row: Reg, lanes: int, vectors: int, mask: Reg | None) -> None:
                starts = [(row + j) * size for j in range(lanes)]
                self._walk(f, [[f.gep(x, start, element) for start in starts] for x in (a, c)], size, 1, 1, None)

            each_unit(f, given, chunk, self.columns, several)
        else:

            def columns(outer: Reg, column: Reg, lanes: int, vectors: int, mask: Reg | None) -> None:
                starts = [outer * size * inner + column + j * lanes for j in range(vectors)]
                places = [[f.gep(x, start, element) for start in starts] for x in (a, c)]
                self._walk(f, places, size, inner, lanes, mask)

            each_unit(f, given, chunk, self.columns, columns)

    def _walk(
        self, f: Function, places: list[list[Reg]], size: Reg, step: Reg | int, lanes: int, mask: Reg | None
    ) -> None:
        """Element after element.

        Args:
            places: Where several walks begin, in the operand and in the result.
            step: From one element to the next.
        """
        sources, targets = places
        element = storage.stored(self.dtype)
        with f.loop(0, size, 1, [self._neutral(f, lanes)] * len(sources), name="k") as loop:
            at = f.mul(size - 1 - loop.index if self.reverse else loop.index, step)
            totals = []
            for source, total in zip(sources, loop.carried, strict=True):
                totals.append(self._join(f, total, self._read(f, f.gep(source, at, element), lanes, mask)))
            for target, total in zip(targets, totals, strict=True):
                self._write(f, total, f.gep(target, at, element), mask)
            loop.yield_(*totals)

    def _row(self, f: Function, a: Reg, c: Reg, start: Reg, size: Reg) -> None:
        """A vector after another, and what is left one by one."""
        lanes, element = self.columns.lanes, storage.stored(self.dtype)
        source, target = (f.gep(x, start, element) for x in (a, c))
        neutral = self._neutral(f, lanes)
        whole = f.binary("and", size, -lanes)
        last = 0 if self.reverse else lanes - 1
        with f.loop(0, whole, lanes, [neutral], name="k") as loop:
            (before,) = loop.carried
            at = size - lanes - loop.index if self.reverse else loop.index
            value = self._read(f, f.gep(source, at, element), lanes)
            distance = 1
            while distance < lanes:
                value = self._join(f, self._earlier(f, value, neutral, distance), value)
                distance *= 2
            self._write(f, self._join(f, before, value), f.gep(target, at, element))
            loop.yield_(self._join(f, before, f.shuffle(value, None, [last] * lanes)))
        (before,) = loop.results
        with f.loop(whole, size, 1, [f.extract(before, 0)], name="rest") as rest:
            at = size - 1 - rest.index if self.reverse else rest.index
            total = self._join(f, rest.carried[0], self._read(f, f.gep(source, at, element), 1))
            self._write(f, total, f.gep(target, at, element))
            rest.yield_(total)

    def _earlier(self, f: Function, value: Reg, neutral: Reg, distance: int) -> Reg:
        """In each lane the one that is `distance` earlier; the neutral element where there is none."""
        lanes = types.lanes(value.type)
        if self.reverse:
            return f.shuffle(value, neutral, range(distance, lanes + distance))
        return f.shuffle(neutral, value, range(lanes - distance, 2 * lanes - distance))

    def _join(self, f: Function, before: Reg, value: Reg) -> Reg:
        if self.operation == "cumsum":
            return f.add(before, value)
        if self.operation == "cumprod":
            return f.mul(before, value)
        return extreme(f, self.dtype, before, value, self.operation == "cummax")

    def _neutral(self, f: Function, lanes: int) -> Reg:
        type = storage.held(self.dtype, lanes)
        if self.operation == "cumsum":
            return f.const(type, -0.0 if self.dtype.is_floating_point else 0)  # which leaves a -0.0 as it is
        if self.operation == "cumprod":
            return f.const(type, 1)
        return least(f, self.dtype, lanes, self.operation == "cummax")

    def _read(self, f: Function, place: Reg, lanes: int, mask: Reg | None = None) -> Reg:
        return storage.read(f, place, self.dtype, lanes, native=self.half, mask=mask)

    def _write(self, f: Function, value: Reg, place: Reg, mask: Reg | None = None) -> None:
        storage.write(f, value, place, self.dtype, native=self.half, mask=mask)


def plan_scan(
    machine: Machine, dtype: DType, *, outer: int, size: int, inner: int, operation: str, reverse: bool
) -> Plan:
    """The primitives `cumsum`, `cumprod`, `cummax` and `cummin`: `"c"`, like `"a"`, is `[outer, size, inner]`.

    Half-precision numbers are joined in float32, and each is rounded where it is stored. A NaN stays the extreme.
    Raises ArgumentError for another operation.
    """
    if operation not in OPERATIONS:
        raise ArgumentError(f"expected an operation of {', '.join(OPERATIONS)}. Received: {operation!r}")
    if not outer * size * inner:
        return Plan()
    dtype = ordered(dtype)
    bytes = types.size(storage.held(dtype))
    lanes = min(MOST_LANES, machine.vector_bytes // bytes)
    one = Columns(1, 1, masks=False)
    way: Literal["across", "along", "rows"]
    if inner > 1:
        way, columns = "across", fitting(machine, bytes, inner)
        chunks, slots = cut(columns, outer=outer, size=size, inner=inner)
    elif lanes >= 4 and size >= 2 * lanes and not (operation == "cumprod" and dtype.is_floating_point):
        way, columns = "along", Columns(lanes, 1, masks=False)
        chunks, slots = cut(one, outer=outer, size=size, inner=1)
    else:  # rows are what lanes are elsewhere
        way, columns = "rows", Columns(ROWS, 1, masks=False) if outer >= ROWS else one
        chunks, slots = cut(columns, outer=1, size=size, inner=outer)
    kernel = Scan(dtype, operation, reverse, way, columns, machine.half)
    return Plan(steps=(kernel.step(chunks=chunks, a=Pointer("a"), c=Pointer("c"), **slots),))
