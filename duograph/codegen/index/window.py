"""The gradient of a maximum over windows: each element of `dy` goes to the place that its window's maximum came from.

Two ways, both over images `[*spatial, channels]`:

- *By windows*, in vectors over channels. A place's positions are compared with each pixel its window shows, and `dy` is
  written there where they agree. Windows that do not overlap write each pixel once and read none; others add, in the
  order of places. Pixels that no window shows are cleared before.
- *By elements*: the image is cleared, and each element of `dy` added where its position says. For few channels, and
  for windows so large that comparing takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace

from ...graph.dtype import SIGNED_BY_SIZE, DType
from ...graph.primitives.spatial import Padding, Sizes, slid_sizes
from .. import storage, types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div, round_up
from .common import Update, Vector, chunks_for, cut, fill, sweep

_AXIS = ("places", "stride", "low", "size", "taps", "dilation")
_VECTORS = 4  # that are worked on at once


@dataclass(frozen=True)
class WindowMaxGradient(Kernel):
    """A chunk is `block` images, or some columns, which are channels, of as many.

    Attributes:
        update: How an element joins its pixel: `"set"` where windows do not overlap.
        clears: Whether there are zeros to be written first.
        by_elements: See above.
    """

    update: Update
    vector: Vector
    axes: int
    clears: bool
    by_elements: bool

    @property
    def title(self) -> str:
        way = "elements" if self.by_elements else "windows"
        return f"window_max_gradient{self.axes}d_by_{way}_{self.update.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ("images", "block", "pixels", "places", "channels", "columns", "column_blocks")
        axes = (f"{name}_{x}" for x in range(self.axes) for name in _AXIS)
        return dict.fromkeys(("c", "a", "b"), "ptr") | dict.fromkeys((*sizes, *axes), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        part, across = f.binary("udiv", chunk, given.column_blocks), f.binary("urem", chunk, given.column_blocks)
        column = across * given.columns
        columns = f.minimum(given.columns, given.channels - column)
        start = part * given.block
        c, a, b = f.distinct(given.c, given.a, given.b)
        with f.loop(start, f.minimum(start + given.block, given.images), name="image") as image:
            result = self.update.at(f, c, image.index * given.pixels * given.channels + column)
            first = image.index * given.places * given.channels + column
            dy, positions = self.update.at(f, a, first), f.gep(b, first, "i64")
            if self.clears:
                self._clear(f, given, result, columns)
            if self.by_elements:
                self._elements(f, given, result, dy, positions, columns)
            else:
                self._windows(f, given, result, dy, positions, columns)

    def _clear(self, f: Function, given: SimpleNamespace, result: Reg, columns: Reg) -> None:
        """The whole image at once, or a pixel's columns after the other."""
        whole = f.eq(given.column_blocks, 1)
        width = f.select(whole, given.pixels * given.channels, columns)
        with f.loop(0, f.select(whole, 1, given.pixels), name="cleared") as row:
            line = self.update.at(f, result, row.index * given.channels)
            fill(f, line, width, f"i{8 * self.update.dtype.itemsize}", 0, self.vector)

    def _elements(
        self, f: Function, given: SimpleNamespace, result: Reg, dy: Reg, positions: Reg, columns: Reg
    ) -> None:
        with f.loop(0, given.places, name="place") as place:
            line = place.index * given.channels
            with f.loop(0, columns, name="column") as column:
                at = line + column.index
                position = f.load(f.gep(positions, at, "i64"), "i64")
                with f.if_(f.compare("ult", position, given.pixels), likely=True):
                    target = self.update.at(f, result, position * given.channels + column.index)
                    self.update.emit(f, [target], [self.update.at(f, dy, at)], 1, None)

    def _windows(self, f: Function, given: SimpleNamespace, result: Reg, dy: Reg, positions: Reg, columns: Reg) -> None:
        def walk(x: int, place: Reg | int, origins: Sequence[Reg]) -> None:
            """Loops over the places."""
            if x == self.axes:
                line = f.mul(place, given.channels)
                sources = self.update.at(f, dy, line), f.gep(positions, line, "i64")
                self._window(f, given, origins, result, *sources, columns)
                return
            places, stride, low = (getattr(given, f"{name}_{x}") for name in ("places", "stride", "low"))
            with f.loop(0, places, name=f"place{x}") as loop:
                walk(x + 1, f.add(places * place, loop.index), [*origins, loop.index * stride - low])

        walk(0, 0, [])

    def _window(
        self,
        f: Function,
        given: SimpleNamespace,
        origins: Sequence[Reg],
        result: Reg,
        dy: Reg,
        positions: Reg,
        columns: Reg,
    ) -> None:
        """One place. Positions are compared in as many bits as an element has, if that is enough to tell the pixels of
        a window apart, as 32 are."""
        update = self.update
        word = "i64" if update.dtype.itemsize == 8 else "i32"

        def work(indices: Sequence[Reg], lanes: int, mask: Reg | None) -> None:
            value = [
                storage.read(f, update.at(f, dy, j), update.dtype, lanes, native=update.half, mask=mask)
                for j in indices
            ]
            wanted = [
                f.cast(f.load(f.gep(positions, j, "i64"), types.vector("i64", lanes), mask=mask), word) for j in indices
            ]

            def pixel(number: Reg) -> None:
                here = f.splat(f.cast(number, word), lanes)
                line = update.at(f, result, number * given.channels)
                targets = [update.at(f, line, j) for j in indices]
                chosen = [f.eq(w, here) for w in wanted]
                if update.mode == "set":
                    written = [f.select(at, v, 0) for at, v in zip(chosen, value, strict=True)]
                else:
                    old = [
                        storage.read(f, target, update.dtype, lanes, native=update.half, mask=mask)
                        for target in targets
                    ]
                    written = [f.select(at, o + v, o) for at, v, o in zip(chosen, value, old, strict=True)]
                for w, target in zip(written, targets, strict=True):
                    storage.write(f, w, target, update.dtype, native=update.half, mask=mask)

            self._taps(f, given, origins, pixel)

        sweep(f, columns, self.vector, work, _VECTORS)

    def _taps(self, f: Function, given: SimpleNamespace, origins: Sequence[Reg], work: Callable[[Reg], None]) -> None:
        """`work` on the number of each pixel that the window shows."""

        def walk(x: int, number: Reg | int) -> None:
            if x == self.axes:
                assert isinstance(number, Reg)
                work(number)
                return
            taps, dilation, size = (getattr(given, f"{name}_{x}") for name in ("taps", "dilation", "size"))
            with f.loop(0, taps, name=f"tap{x}", at_least_once=True) as tap:
                at = origins[x] + tap.index * dilation
                with f.if_(f.compare("ult", at, size), name="shown", likely=True):
                    walk(x + 1, f.add(size * number, at))

        walk(0, 0)


def plan_window_max_gradient(
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
    """The primitive `window_max_gradient` on `lead` images `[*spatial, channels]`, contiguous.

    Roles: `"c"`, the result `[lead, *size, channels]`, of which everything is written; `"a"`, dy
    `[lead, *places, channels]`; `"b"`, the positions, int64 of the same shape. An element whose position its window
    does not show, which `window_argmax` never gives, may be left out.

    16-bit floats are added in float and rounded at each addition, of which a pixel sees as many as windows show it.
    """
    places = slid_sizes(size, window, stride, padding, dilation)
    pixels, images = prod(size), lead if channels else 0
    if not images * pixels:
        return Plan()
    each = list(zip(size, window, stride, padding, dilation, places, strict=True))
    apart = all(step >= (taps - 1) * gap + 1 or count == 1 for _, taps, step, _, gap, count in each)
    tiled = apart and all(
        (gap == 1 or taps == 1) and (step == taps or count == 1) and low + s <= (count - 1) * step + taps
        for s, taps, step, (low, _), gap, count in each
    )
    vector = Vector.of(machine, dtype, pixels * channels)
    lanes = vector.lanes
    by_elements = channels < lanes // 2 or prod(window) > lanes
    if apart:
        update = Update.of("set", SIGNED_BY_SIZE[dtype.itemsize], machine.half)
    else:
        update = Update.of("add", dtype, machine.half)
    wanted = chunks_for(lead * channels * (pixels * dtype.itemsize + prod(places) * (dtype.itemsize + 8)))
    block, chunks = cut(images, wanted)
    columns, column_blocks = cut(ceil_div(channels, lanes * _VECTORS), wanted // chunks)
    columns = min(columns * lanes * _VECTORS, round_up(channels, lanes))
    axes = {
        f"{name}_{x}": value
        for x, (s, taps, step, (low, _), gap, count) in enumerate(each)
        for name, value in zip(_AXIS, (count, step, low, s, taps, gap), strict=True)
    }
    kernel = WindowMaxGradient(update, vector, len(size), by_elements or not tiled, by_elements)
    step = kernel.step(
        chunks=chunks * column_blocks,
        c=Pointer("c"),
        a=Pointer("a"),
        b=Pointer("b"),
        images=images,
        block=block,
        pixels=pixels,
        places=prod(places),
        channels=channels,
        columns=columns,
        column_blocks=column_blocks,
        **axes,
    )
    return Plan((step,))
