"""Pieces of images, transformed component by component into memory of a thread: see `winograd.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .. import types
from ..emitter import Function, Reg
from .filtering import RESULT
from .tile import RegisterTile, divide

Transform = Callable[[Function, Sequence[Sequence[Reg]]], list[list[Reg]]]


@dataclass(frozen=True)
class Squares:
    """The squares of the results of all images, row by row, image by image."""

    across_h: Reg
    across_w: Reg

    @contextmanager
    def walk(self, f: Function, start: Reg, count: Reg) -> Iterator[tuple[Reg, Reg, Reg, Reg]]:
        """A loop over some squares: the number from the start on, the image, and the square's first row and column."""
        rest, x = divide(f, start, self.across_w)
        image, y = divide(f, rest, self.across_h)
        with f.loop(0, count, 1, [image, y, x], name="square", names=["image", "y", "x"]) as loop:
            image, y, x = loop.carried
            yield loop.index, image, y * RESULT, x * RESULT
            x = x + 1
            row = f.eq(x, self.across_w)
            y = f.select(row, y + 1, y)
            last = f.eq(y, self.across_h)
            loop.yield_(f.select(last, image + 1, image), f.select(last, 0, y), f.select(row, 0, x))

    def address(self, f: Function, number: Reg, images: Images, element: str) -> Reg:
        """Where the first pixel stands that a square sees."""
        rest, x = divide(f, number, self.across_w)
        image, y = divide(f, rest, self.across_h)
        return images.address(f, image, y * RESULT, x * RESULT, element)


@dataclass(frozen=True)
class Images:
    """Images [size_h, size_w, channels], one after another. A square at (y, x) sees the pixels from
    (y + first_h, x + first_w) on."""

    pointer: Reg
    size_h: Reg
    size_w: Reg
    channels: Reg
    first_h: Reg | int = 0
    first_w: Reg | int = 0

    def address(self, f: Function, image: Reg, y: Reg, x: Reg, element: str) -> Reg:
        """Where the first pixel stands that a square at (y, x) sees."""
        y, x = f.add(y, self.first_h), f.add(x, self.first_w)
        return f.gep(self.pointer, ((image * self.size_h + y) * self.size_w + x) * self.channels, element)


@dataclass(frozen=True)
class Transformed:
    """Where transformed pieces go: [component, square, channel].

    Attributes:
        row, component: Elements from one square to the next, and from one component to the next.
        border: Where zeros stand in place of pixels beyond the border: as many as a square has channels.
    """

    pointer: Reg
    row: Reg
    component: Reg
    border: Reg


def transform(
    f: Function,
    tile: RegisterTile,
    extent: int,
    function: Transform,
    squares: Squares,
    start: Reg,
    count: Reg,
    images: Images,
    channel: Reg | int,
    channels: Reg,
    to: Transformed,
) -> None:
    """Transform what some squares see.

    Args:
        extent: Rows and columns of a piece.
        channel, channels: The first channel, and how many.
    """
    element, align = tile.element, types.size(tile.element) * tile.lanes
    whole = f.binary("and", channels, -tile.lanes)
    with f.loop(0, channels, tile.lanes, name="channel") as loop:
        f.store(f.zero(tile.vector), f.gep(to.border, loop.index, element), align=align)

    def piece(pointers: Sequence[Sequence[Reg]], at: Reg, target: Reg, mask: Reg | None = None) -> None:
        values = [[f.load(f.gep(p, at, element), tile.vector, mask=mask) for p in row] for row in pointers]
        flat = [value for row in function(f, values) for value in row]
        place = f.gep(target, at, element)
        for number, value in enumerate(flat):
            f.store(value, f.gep(place, to.component * number, element), align=align)

    line = images.size_w * images.channels
    with squares.walk(f, start, count) as (number, image, y, x):
        first = f.gep(images.address(f, image, y, x, element), channel, element)
        y, x = f.add(y, images.first_h), f.add(x, images.first_w)
        rows = [f.gep(first, line * i, element) for i in range(extent)]
        pointers = [[f.gep(row, images.channels * j, element) for j in range(extent)] for row in rows]
        target = f.gep(to.pointer, number * to.row, element)
        inside = _within(f, y, extent, images.size_h) & _within(f, x, extent, images.size_w)
        with f.if_(inside, name="inside"), f.loop(0, whole, tile.lanes, name="channel") as loop:
            piece(pointers, loop.index, target)
        down = [f.compare("ult", y + i, images.size_h) for i in range(extent)]
        across = [f.compare("ult", x + j, images.size_w) for j in range(extent)]
        pointers = [
            [f.select(down[i] & across[j], pointer, to.border) for j, pointer in enumerate(row)]
            for i, row in enumerate(pointers)
        ]
        with f.loop(f.select(inside, whole, 0), whole, tile.lanes, name="channel") as loop:
            piece(pointers, loop.index, target)
        with f.if_(f.compare("lt", whole, channels), name="rest"):
            piece(pointers, whole, target, f.lane_mask(channels - whole, tile.lanes))


def _within(f: Function, start: Reg, extent: int, size: Reg) -> Reg:
    """Whether some places in a row are all in `range(size)`."""
    return f.compare("ge", start, 0) & f.compare("le", start + extent, size)
