"""Extremes and sums over sliding windows: pooling, and the gradient of its sum.

    c[lead, place, channel] = extreme or sum of a[lead, element, channel] over the elements that the place sees

Operands are `[lead, *spatial, channels]`, contiguous; `reach.py` tells what a place sees. Vectors run over channels.
Where there is one channel, they run over neighbouring places of the last axis, if the elements that those see are one
or two apart: towards the borders, places are taken one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from types import SimpleNamespace
from typing import Literal

from ...graph.dtype import DType
from ...graph.primitives.spatial import Padding, Sizes
from ...graph.sizes import sized
from .. import storage, types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div
from .columns import Columns, fitting
from .extremes import beats, extreme, least, ordered, position_type
from .reach import ENTRY, Reach, Windows, backward, distances, forward

WORK = 1 << 16
"""Elements that one chunk looks at: some 10 us of work."""


@dataclass(frozen=True)
class Window(Kernel):
    """The kernel. A unit is a segment of places of the last axis, and a chunk is `block` units.

    Attributes:
        advance: 0 if lanes are channels; else they are places of the last axis, and this is the distance of what they
            see.
        position: The integer that positions are kept in, where they are asked for.
        half: Whether the processor converts half precision.
    """

    operation: Literal["max", "sum"]
    dtype: DType
    axes: int
    columns: Columns
    advance: int
    values: bool
    position: str
    half: bool

    @property
    def title(self) -> str:
        what = self.operation if self.values else "argmax"
        along = f"places_by_{self.advance}" if self.advance else "channels"
        return f"window_{what}_{self.axes}d_{self.dtype.name}_{self.columns.lanes * self.columns.vectors}_{along}"

    @property
    def slots(self) -> Mapping[str, str]:
        pointers = ["a", "c"] if self.values else ["a"]
        pointers += ["positions"] if self.position else []
        pointers += [f"table_{axis}" for axis in range(self.axes)]
        sizes = ["units", "block", "segments", "segment", "channels", "elements", "low", "high"]
        sizes += [f"{slot}_{axis}" for axis in range(self.axes) for slot in ("places", "step")]
        return dict.fromkeys(pointers, "ptr") | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        start = chunk * given.block
        with f.loop(start, f.minimum(start + given.block, given.units), name="unit") as unit:
            line, segment = _divide(f, unit.index, given.segments)
            first, rest = f.const("i64", 0), line
            counts: list[Reg] = []
            for axis in reversed(range(self.axes - 1)):
                rest, place = _divide(f, rest, getattr(given, f"places_{axis}"))
                seen, count = self._sight(f, given, axis, place)
                first, counts = first + seen, [count, *counts]
            places = getattr(given, f"places_{self.axes - 1}")
            begin = segment * given.segment
            here = SimpleNamespace(
                a=f.gep(given.a, rest * given.elements * given.channels, self._stored),
                first=first,
                counts=counts,
                row=line * places,
                begin=begin,
                end=f.minimum(begin + given.segment, places),
            )
            if self.advance:
                self._places(f, given, here)
            else:
                with f.loop(here.begin, here.end, name="place") as loop:
                    self._channels(f, given, here, loop.index)

    @property
    def _stored(self) -> str:
        return storage.stored(self.dtype)

    def _sight(self, f: Function, given: SimpleNamespace, axis: int, place: Reg) -> tuple[Reg, Reg]:
        """The first element that a place on the axis sees, and how many it sees."""
        entry = f.gep(getattr(given, f"table_{axis}"), place * ENTRY, "i64")
        return f.load(entry, "i64", align=8), f.load(f.gep(entry, 1, "i64"), "i64", align=8)

    # Where lanes are channels.

    def _channels(self, f: Function, given: SimpleNamespace, here: SimpleNamespace, place: Reg) -> None:
        seen, count = self._sight(f, given, self.axes - 1, place)
        first, counts = here.first + seen, [*here.counts, count]
        row = (here.row + place) * given.channels

        def work(channel: Reg, lanes: int, vectors: int, mask: Reg | None) -> None:
            def load(position: Reg, j: int) -> Reg:
                at = f.gep(here.a, position * given.channels + (channel + j * lanes), self._stored)
                return storage.read(f, at, self.dtype, lanes, native=self.half, mask=mask)

            found = self._seen(f, given, first, counts, load, lanes, vectors)
            for j, (value, position) in enumerate(found):
                self._write(f, given, row + channel + j * lanes, value, position, mask)

        self.columns.each(f, 0, given.channels, work)

    # Where lanes are places.

    def _places(self, f: Function, given: SimpleNamespace, here: SimpleNamespace) -> None:
        lanes, last = self.columns.lanes, self.axes - 1
        low, high = f.maximum(given.low, here.begin), f.minimum(given.high, here.end)
        fits = f.compare("ge", high - low, lanes)

        def work(place: Reg, lanes: int, load: Callable[[Reg, int], Reg]) -> None:
            seen, count = self._sight(f, given, last, place)
            ((value, position),) = self._seen(f, given, here.first + seen, [*here.counts, count], load, lanes, 1)
            if position is not None and lanes > 1:
                apart = [lane * self.advance for lane in range(lanes)]
                position = position + f.values(position.type, apart)
            self._write(f, given, here.row + place, value, position, None)

        def one(position: Reg, j: int) -> Reg:
            return storage.read(f, f.gep(here.a, position, self._stored), self.dtype, native=self.half)

        def many(position: Reg, j: int) -> Reg:
            if self.advance == 1:
                return storage.read(f, f.gep(here.a, position, self._stored), self.dtype, lanes, native=self.half)
            # Every other element: the second half's vector begins one early and so ends with the last that is seen.
            starts = (f.gep(here.a, position + begin, self._stored) for begin in (0, lanes - 1))
            front, back = (storage.read(f, start, self.dtype, lanes, native=self.half) for start in starts)
            picked = [*range(0, lanes, 2), *range(lanes + 1, 2 * lanes, 2)]
            return f.shuffle(front, back, picked)

        with f.while_([here.begin], name="line", names=["place"]) as line:
            (place,) = line.carried
            line.test(place < here.end)
            inside = f.compare("ge", place, low) & (place < high) & fits
            with f.if_(inside, name="inside", likely=True) as branch:
                place_of_all = f.minimum(place, high - lanes)  # the last ones overlap those before
                work(place_of_all, lanes, many)
                branch.yield_(place_of_all + lanes)
            with branch.else_():
                work(place, 1, one)
                branch.yield_(place + 1)
            line.yield_(*branch.results)

    # What a place sees, and what becomes of it.

    def _seen(
        self,
        f: Function,
        given: SimpleNamespace,
        first: Reg,
        counts: Sequence[Reg],
        load: Callable[[Reg, int], Reg],
        lanes: int,
        vectors: int,
    ) -> list[tuple[Reg, Reg | None]]:
        """The value, and the position if it is asked for, in each vector.

        Args:
            load: Vector `j` of the element at a position.
        """
        if self.operation == "max":
            start = [least(f, self.dtype, lanes, largest=True)] * vectors
        else:
            start = [f.zero(storage.held(self.dtype, lanes))] * vectors
        if self.position:
            start += [f.splat(f.cast(first, self.position), lanes)] * vectors

        def walk(axis: int, position: Reg, carried: list[Reg]) -> list[Reg]:
            if axis == self.axes:
                return self._join(f, position, [load(position, j) for j in range(vectors)], carried)
            step = getattr(given, f"step_{axis}")
            # An extreme has an element to be, so a maximum's window sees one at least.
            certain = self.operation == "max"
            with f.loop(0, counts[axis], 1, carried, name=f"tap_{axis}", at_least_once=certain) as loop:
                loop.yield_(*walk(axis + 1, position + loop.index * step, list(loop.carried)))
            return loop.results

        found = walk(0, first, start)
        return [(found[j], found[vectors + j] if self.position else None) for j in range(vectors)]

    def _join(self, f: Function, position: Reg, seen: list[Reg], carried: list[Reg]) -> list[Reg]:
        best, kept = carried[: len(seen)], carried[len(seen) :]
        if self.operation == "sum":
            return [f.add(x, y) for x, y in zip(best, seen, strict=True)]
        if not self.position:
            return [extreme(f, self.dtype, x, y, largest=True) for x, y in zip(best, seen, strict=True)]
        here = f.splat(f.cast(position, self.position), types.lanes(seen[0].type))
        better = [beats(f, self.dtype, y, x, largest=True) for x, y in zip(best, seen, strict=True)]
        best = [f.select(to, y, x) for to, x, y in zip(better, best, seen, strict=True)]
        return best + [f.select(to, here, x) for to, x in zip(better, kept, strict=True)]

    def _write(
        self, f: Function, given: SimpleNamespace, at: Reg, value: Reg, position: Reg | None, mask: Reg | None
    ) -> None:
        if self.values:
            storage.write(f, value, f.gep(given.c, at, self._stored), self.dtype, native=self.half, mask=mask)
        if position is not None:
            f.store(f.cast(position, "i64"), f.gep(given.positions, at, "i64"), align=8, mask=mask)


def _divide(f: Function, x: Reg, by: Reg) -> tuple[Reg, Reg]:
    """Quotient and remainder of two numbers that are not negative."""
    quotient = f.binary("udiv", x, by)
    return quotient, x - quotient * by


def plan_window_max(
    machine: Machine,
    dtype: DType,
    *,
    lead: int,
    channels: int,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    values: bool,
    positions: bool,
) -> Plan:
    """The primitives `window_max` and `window_argmax`, in one pass if both are asked for.

    `"a"` is `[lead, *size, channels]`. `values` makes `"c"`, `[lead, *places, channels]`; `positions` makes
    `"positions"` of that shape: int64, the flat position of the maximum in the spatial axes, the first of several. A
    NaN is above all; padding never wins. Every window must hold an element.
    """
    w = Windows(lead, channels, size, window, stride, padding, dilation)
    dtype = ordered(dtype)
    position = position_type(dtype, prod(size)) if positions else ""
    return _plan(machine, "max", dtype, w, forward(w), values=values, position=position)


def plan_window_sum(
    machine: Machine,
    dtype: DType,
    *,
    lead: int,
    channels: int,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Plan:
    """The primitive `window_sum`: `"a"` `[lead, *size, channels]`, `"c"` `[lead, *places, channels]`.

    Half-precision numbers are summed in float32.
    """
    w = Windows(lead, channels, size, window, stride, padding, dilation)
    return _plan(machine, "sum", dtype, w, forward(w), values=True, position="")


def plan_window_sum_gradient(
    machine: Machine,
    dtype: DType,
    *,
    lead: int,
    channels: int,
    size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Plan:
    """The primitive `window_sum_gradient`: from `"a"`, `[lead, *places, channels]`, `"c"`, `[lead, *size, channels]`.

    Each element of the result is the sum, in float32 for half precision, of what the windows that saw it have in `"a"`.
    """
    w = Windows(lead, channels, size, window, stride, padding, dilation)
    return _plan(machine, "sum", dtype, w, backward(w), values=True, position="")


@sized
def _cut(last: int, lanes: int, work: int) -> tuple[int, int, int]:
    """Places of a segment of a line that has `last`, the segments of a line, and those of a chunk; `work` is that of a
    place."""
    segment = min(last, max(4 * lanes, WORK // work))
    return segment, ceil_div(last, segment), max(1, WORK // (work * segment))


def _plan(
    machine: Machine,
    operation: Literal["max", "sum"],
    dtype: DType,
    w: Windows,
    reach: Reach,
    *,
    values: bool,
    position: str,
) -> Plan:
    lines, last = w.lead * prod(reach.seers[:-1]), reach.seers[-1]
    if not lines * last * w.channels or not (values or position):
        return Plan()
    widest = max(types.size(storage.held(dtype)), types.size(position) if position else 1)
    columns, advance = fitting(machine, widest, w.channels), 0
    room = reach.inside[1] - reach.inside[0]
    if w.channels == 1 and reach.advance in (1, 2) and room > 1:
        columns, advance = replace(fitting(machine, widest, room), vectors=1), reach.advance
    work = w.channels * reach.taps
    segment, segments, block = _cut(last, columns.lanes, work)
    kernel = Window(operation, dtype, w.axes, columns, advance, values, position, machine.half)
    slots: dict[str, int | Pointer] = {"a": Pointer("a")}
    slots |= {"c": Pointer("c")} if values else {}
    slots |= {"positions": Pointer("positions")} if position else {}
    for axis, distance in enumerate(distances(reach.seen)):
        slots[f"table_{axis}"] = Pointer("workspace", reach.offsets[axis])
        slots[f"places_{axis}"] = reach.seers[axis]
        slots[f"step_{axis}"] = reach.steps[axis] * distance
    step = kernel.step(
        chunks=ceil_div(lines * segments, block),
        units=lines * segments,
        block=block,
        segments=segments,
        segment=segment,
        channels=w.channels,
        elements=prod(reach.seen),
        low=reach.inside[0],
        high=reach.inside[1],
        **slots,
    )
    return Plan(steps=(reach.step, step), workspace=reach.bytes)
