"""What each place of a sliding window sees, axis by axis, as a table.

A place on an axis sees `count` elements: `first`, `first + step`, `first + 2 * step`, ... Seen from the result, both
directions of a window are of this form. A window at place `q` sees the elements `q * stride - padding + k * dilation`
that exist. In the gradient, an element `p` sees the places `q` whose window saw it:

    q * stride = p + padding - k * dilation

With g = gcd(stride, dilation), that asks for `p + padding` to be a multiple of g and for `k` to be of one residue
modulo stride / g, and each further `k` of it brings `q` back by dilation / g.

Dividing takes long, and the same few places are seen again and again. So a table holds, for each axis and place, the
first element times its distance in the flat index, and the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd, prod
from types import SimpleNamespace

from ...graph.primitives.spatial import Padding, Sizes, slid_sizes
from ...graph.sizes import sized
from ..emitter import Function, Reg
from ..plan import Kernel, Pointer, Step, round_up

ENTRY = 2
"""Numbers of a place in the table."""


@dataclass(frozen=True)
class Windows:
    """Windows that slide over the spatial axes of `[lead, *size, channels]`; see `graph/primitives/window.py`."""

    lead: int
    channels: int
    size: Sizes
    window: Sizes
    stride: Sizes
    padding: Padding
    dilation: Sizes

    @property
    def axes(self) -> int:
        """How many axes the window slides over."""
        return len(self.size)

    @property
    def places(self) -> Sizes:
        """How many places it takes on each."""
        return slid_sizes(self.size, self.window, self.stride, self.padding, self.dilation)


@dataclass(frozen=True)
class Reach:
    """A direction of `Windows`: who sees, who is seen, and how.

    Attributes:
        seers, seen: Sizes of the result and of the operand.
        steps: On each axis, from one element seen to the next.
        inside: On the last axis, the places from the first to before the second which see all elements that any sees.
        advance: On the last axis, how far the first element seen moves from one place inside to the next; 0 where that
            is not always the same.
        taps: How many elements a place sees, on average.
        step: What makes the table.
    """

    seers: Sizes
    seen: Sizes
    steps: Sizes
    inside: tuple[int, int]
    advance: int
    taps: int
    step: Step

    @property
    def offsets(self) -> Sizes:
        """Bytes from the table's start to the part of each axis."""
        return tuple(sum(self.seers[:axis]) * ENTRY * 8 for axis in range(len(self.seers)))

    @property
    def bytes(self) -> int:
        """Of the table, which the step writes to the start of the workspace."""
        return round_up(sum(self.seers) * ENTRY * 8, 64)


def distances(size: Sizes) -> Sizes:
    """From one element to the next on each axis, in the flat index of all."""
    return tuple(prod(size[axis + 1 :]) for axis in range(len(size)))


def forward(w: Windows) -> Reach:
    """Places of the window see elements."""
    (stride, (low, _), dilation, taps, size), places = _last(w), w.places[-1]
    inside = _inside(stride, low, dilation, taps, size, places)
    return Reach(
        w.places, w.size, w.dilation, inside, stride, prod(w.window), _table(w, w.places, w.size, turned=False)
    )


def backward(w: Windows) -> Reach:
    """Elements see the places of the window."""
    stride, (low, _), dilation, taps, size = _last(w)
    steps = tuple(-(d // _common(s, d)[0]) for d, s in zip(w.dilation, w.stride, strict=True))
    inside = _seen_inside(low, dilation, taps, size, w.places[-1])
    advance = 1 if stride == 1 else 0
    taps = max(1, prod(w.window) * prod(w.places) // max(1, prod(w.size)))
    return Reach(w.size, w.places, steps, inside, advance, taps, _table(w, w.size, w.places, turned=True))


@sized
def _inside(stride: int, low: int, dilation: int, taps: int, size: int, places: int) -> tuple[int, int]:
    """The places whose windows hang over neither end."""
    room = size - 1 - (taps - 1) * dilation + low
    return min(-(-low // stride), places), max(0, min(room // stride + 1, places))


@sized
def _seen_inside(low: int, dilation: int, taps: int, size: int, places: int) -> tuple[int, int]:
    """The elements that all taps see."""
    return max(0, min((taps - 1) * dilation - low, size)), max(0, min(places - low, size))


def _last(w: Windows) -> tuple[int, tuple[int, int], int, int, int]:
    """The geometry of the last axis."""
    return w.stride[-1], w.padding[-1], w.dilation[-1], w.window[-1], w.size[-1]


def _table(w: Windows, seers: Sizes, seen: Sizes, *, turned: bool) -> Step:
    values: dict[str, int | Pointer] = {"table": Pointer("workspace")}
    for axis, distance in enumerate(distances(seen)):
        stride, dilation = w.stride[axis], w.dilation[axis]
        common, inverse = _common(stride, dilation)
        slots = {
            "seers": seers[axis],
            "seen": seen[axis],
            "distance": distance,
            "taps": w.window[axis],
            "padding": w.padding[axis][0],
            "stride": stride,
            "dilation": dilation,
            "common": common,
            "inverse": inverse,
        }
        values |= {f"{name}_{axis}": value for name, value in slots.items() if name in _SLOTS[turned]}
    return Table(w.axes, turned).step(chunks=1, **values)


@sized
def _common(stride: int, dilation: int) -> tuple[int, int]:
    """The greatest common divisor, and the inverse of the dilation among strides, both divided by it."""
    common = gcd(stride, dilation)
    period = stride // common
    return common, pow(dilation // common, -1, period) if period > 1 else 0


_FORWARD = ("seers", "seen", "distance", "taps", "padding", "stride", "dilation")
_SLOTS = {False: _FORWARD, True: (*_FORWARD, "common", "inverse")}


@dataclass(frozen=True)
class Table(Kernel):
    """The kernel that makes the table, in one chunk.

    Attributes:
        turned: Whether it is the elements that see the window's places.
    """

    axes: int
    turned: bool

    @property
    def title(self) -> str:
        return f"window_table_{self.axes}d{'_turned' if self.turned else ''}"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"table": "ptr"} | {f"{name}_{axis}": "i64" for axis in range(self.axes) for name in _SLOTS[self.turned]}

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        table = given.table
        for axis in range(self.axes):
            one = SimpleNamespace(**{name: getattr(given, f"{name}_{axis}") for name in _SLOTS[self.turned]})
            with f.loop(0, one.seers, name="place") as loop:
                first, count = (self._turned if self.turned else self._forward)(f, one, loop.index)
                entry = f.gep(table, loop.index * ENTRY, "i64")
                f.store(first * one.distance, entry, align=8)
                f.store(f.maximum(count, 0), f.gep(entry, 1, "i64"), align=8)
            table = f.gep(table, one.seers * ENTRY, "i64")

    def _forward(self, f: Function, one: SimpleNamespace, place: Reg) -> tuple[Reg, Reg]:
        start = place * one.stride - one.padding
        low = _up(f, 0 - start, one.dilation)
        return start + low * one.dilation, f.minimum(_up(f, one.seen - start, one.dilation), one.taps) - low

    def _turned(self, f: Function, one: SimpleNamespace, element: Reg) -> tuple[Reg, Reg]:
        start = element + one.padding
        back, period = (f.binary("udiv", x, one.common) for x in (one.dilation, one.stride))
        residue = f.binary("urem", f.binary("urem", f.binary("udiv", start, one.common), period) * one.inverse, period)
        place = f.binary("sdiv", start - residue * one.dilation, one.stride)  # without a remainder, where any tap fits
        low = _up(f, place - (one.seen - 1), back)
        high = f.minimum(_up(f, place + 1, back), _up(f, one.taps - residue, period))
        count = f.select(f.eq(f.binary("urem", start, one.common), 0), high - low, 0)
        return place - low * back, count


def _up(f: Function, x: Reg, by: Reg) -> Reg:
    """x / y rounded up, or 0 if x is negative."""
    return f.binary("udiv", f.maximum(x, 0) + by - 1, by)
