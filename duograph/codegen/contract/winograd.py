"""Convolutions with 3x3 windows by Winograd's minimal filtering: 16 multiplications in place of 36.

The result is cut into squares of 2x2 pixels. What a square sees of the image is a piece of 4x4, which is transformed
(see `filtering.py`); then each of its 16 components is multiplied, over all channels, with the same component of the
transformed filters, and what that gives is transformed back. So the convolution is 16 products of matrices [squares,
channels] x [channels, filters].

Nothing transformed goes to memory but the filters. A chunk takes a block of squares, whose transformed pieces stay in
the second cache, in memory of its thread:

    pieces[component, square, channel]         all squares of the block, all channels
    products[component, square, column]        some squares, as many columns as a register tile has

Each of the 16 products is summed in registers over all channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import SimpleNamespace
from typing import ClassVar

from .. import types
from ..emitter import Function, Reg
from ..halves import computed
from ..plan import Kernel, Plan, Pointer, ceil_div, letter, round_up
from . import filtering
from .epilogue import Epilogue, Tile
from .filtering import COMPONENTS, PIECE, RESULT
from .geometry import Geometry, Weight
from .machine import Machine
from .pack_filters import plan_filters
from .pieces import Images, Squares, Transformed, transform
from .tile import Left, RegisterTile, Right, accumulate, choose, divide

LINE = 64
"""Bytes of a cache line."""


@dataclass(frozen=True)
class Winograd(Kernel):
    """The kernel.

    Attributes:
        c: Element type of the result; all else is of the type that the tile sums.
    """

    c: str
    tile: RegisterTile
    epilogue: Epilogue | None = field(default=None)
    threaded: ClassVar[bool] = True

    @property
    def title(self) -> str:
        return f"winograd_{letter(self.tile.element)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        pointers = dict.fromkeys(("a", "b", "c", "scratch"), "ptr")
        blocks = ("squares", "block", "blocks", "n", "n_block", "n_blocks", "part", "channels")
        axes = (f"{slot}_{x}" for slot in ("squares", "size", "first", "places") for x in "hw")
        memory = ("piece_row", "piece_component", "border", "products", "product")
        return pointers | dict.fromkeys((*blocks, *axes, *memory), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile, element = self.tile, self.tile.element
        n_index, block = divide(f, chunk, given.blocks)
        start = block * given.block
        count = f.minimum(given.squares - start, given.block)
        squares = Squares(given.squares_h, given.squares_w)
        images = Images(given.a, given.size_h, given.size_w, given.channels, given.first_h, given.first_w)
        border = f.gep(given.scratch, given.border, "i8")
        pieces = Transformed(given.scratch, given.piece_row, given.piece_component, border)
        transform(
            f, tile, PIECE, filtering.piece, squares, start, count, images, 0, given.channels, pieces
        )
        products = f.gep(given.scratch, given.products, "i8")
        n_start = n_index * given.n_block
        n_end = f.minimum(n_start + given.n_block, given.n)
        with f.loop(n_start, n_end, tile.columns, name="n") as across, f.loop(0, count, given.part, name="part") as part:
            first = part.index
            last = f.minimum(first + given.part, count)
            self._multiply(f, given, across.index, first, last, products)
            with squares.walk(f, start + first, last - first) as (number, image, y, x):
                source = f.gep(products, number * tile.columns, element)
                self._finish(f, given, image, y, x, source, across.index)

    def _multiply(self, f: Function, given: SimpleNamespace, n: Reg, first: Reg, last: Reg, products: Reg) -> None:
        """All products of some squares, in as many columns as a tile has. Rows past the last are multiplied too; nobody
        looks."""
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        panels = f.gep(given.b, n * given.channels * COMPONENTS, element)
        with f.loop(0, COMPONENTS, name="component") as component:
            panel = f.gep(panels, component.index * given.channels * tile.columns, element)
            pieces = f.gep(given.scratch, component.index * given.piece_component, element)
            target = f.gep(products, component.index * given.product, element)
            with f.loop(first, last, tile.rows, name="square") as down:
                start = f.gep(pieces, down.index * given.piece_row, element)
                rows = [f.gep(start, given.piece_row * i, element) for i in range(tile.rows)]
                zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
                right = Right(element, panel, tile.columns, align)
                sums = accumulate(f, tile, zeros, given.channels, Left(element, rows), right)
                place = f.gep(target, (down.index - first) * tile.columns, element)
                for at, value in enumerate(sums):
                    f.store(value, f.gep(place, at, tile.vector), align=align)

    def _finish(
        self, f: Function, given: SimpleNamespace, image: Reg, y: Reg, x: Reg, source: Reg, n: Reg
    ) -> None:
        """The results of one square, in as many columns as a tile has."""
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        pixel = (image * given.places_h + y) * given.places_w + x
        below, beside = f.lt(y + 1, given.places_h), f.lt(x + 1, given.places_w)
        columns = f.minimum(given.n - n, tile.columns)
        with f.loop(0, columns, tile.lanes, name="column") as across:
            column = across.index
            place = f.gep(source, column, element)
            places = [f.gep(place, given.product * k, element) for k in range(COMPONENTS)]
            products = [f.load(place, tile.vector, align=align) for place in places]
            values = filtering.result(f, [products[k : k + PIECE] for k in range(0, COMPONENTS, PIECE)])
            flat = [value for row in values for value in row]
            whole = below & beside & f.compare("le", column + tile.lanes, columns)
            with f.if_(whole, name="whole", likely=True) as branch:
                rows = [pixel + given.places_w * i + j for i in range(RESULT) for j in range(RESULT)]
                self._write(f, given, flat, rows, n + column, None)
            with branch.else_():  # from a copy on the stack, so that the epilogue is there only once more
                kept = f.stack(tile.vector, len(flat), align=align, name="edge")
                for at, value in enumerate(flat):
                    f.store(value, f.gep(kept, at, tile.vector), align=align)
                mask = f.lane_mask(columns - column, tile.lanes)
                down, right = (f.cast(exists, "i64") + 1 for exists in (below, beside))
                with f.loop(0, down, name="edge.row") as i, f.loop(0, right, name="edge.pixel") as j:
                    value = f.load(f.gep(kept, i.index * RESULT + j.index, tile.vector), tile.vector, align=align)
                    row = pixel + i.index * given.places_w + j.index
                    self._write(f, given, [value], [row], n + column, mask)

    def _write(
        self, f: Function, given: SimpleNamespace, values: Sequence[Reg], rows: list[Reg], column: Reg, mask: Reg | None
    ) -> None:
        offsets = [row * given.n for row in rows]
        piece = Tile(f, [[value] for value in values], rows, [column], offsets, [mask], 1, self.tile.half, given)
        results = self.epilogue.emit(piece) if self.epilogue else piece.values
        for at, row in enumerate(results):
            piece.store(row[0], given.c, self.c, at, 0)


def plan_winograd(
    machine: Machine,
    geometry: Geometry,
    x: str,
    w: Weight,
    y: str,
    epilogue: Epilogue | None = None,
    *,
    backward: bool = False,
) -> Plan:
    """The convolution of role `"a"` [N, H, W, C] with role `"b"`, to role `"c"` [N, *places, O]; or, backward, the
    gradient of its input, role `"c"`, from that of its output, role `"a"`: a convolution with the window turned round
    and the channels exchanged."""
    g = geometry
    size, places, padding = g.size, g.places, [low for low, _ in g.padding]
    k, n = g.channels, g.filters
    if backward:
        size, places, padding = places, size, [kernel - 1 - low for kernel, low in zip(g.kernel, padding, strict=True)]
        k, n = n, k
    if not (g.images and n and prod(places)):
        return Plan()
    tile = choose(machine, computed(x), None, n)
    across = [ceil_div(extent, RESULT) for extent in places]
    squares = g.images * prod(across)
    cut = _cut(machine, tile, squares, k, n)
    item = types.size(tile.element)
    line = LINE // item
    # What lies powers of two apart falls into one set of the first cache, so rows and components lie a line further.
    row = round_up(k, line) + line
    component = round_up(cut.block, tile.rows) * row + line
    product = round_up(cut.part, tile.rows) * tile.columns + line
    border = COMPONENTS * component * item
    products = border + row * item
    packing, packed = plan_filters(tile, w, channels=k, filters=n, turned=backward)
    step = Winograd(y, tile, epilogue).step(
        chunks=ceil_div(squares, cut.block) * ceil_div(n, cut.n_block),
        a=Pointer("a"),
        b=Pointer("packed"),
        c=Pointer("c"),
        scratch=Pointer("scratch"),
        squares=squares,
        block=cut.block,
        blocks=ceil_div(squares, cut.block),
        n=n,
        n_block=cut.n_block,
        n_blocks=ceil_div(n, cut.n_block),
        part=cut.part,
        channels=k,
        piece_row=row,
        piece_component=component,
        border=border,
        products=products,
        product=product,
        **_axes("squares", across),
        **_axes("size", size),
        **_axes("first", [-low for low in padding]),
        **_axes("places", places),
    )
    return Plan((step,), packing, packed, scratch=round_up(products + COMPONENTS * product * item, LINE))


def _axes(slot: str, values: Sequence[int]) -> dict[str, int]:
    return {f"{slot}_{x}": value for x, value in zip("hw", values, strict=True)}


@dataclass(frozen=True)
class _Cut:
    """Squares in a chunk, columns in a chunk, and squares whose products are transformed back together."""

    block: int
    n_block: int
    part: int


def _cut(machine: Machine, tile: RegisterTile, squares: int, k: int, n: int) -> _Cut:
    import os
    rows = tile.rows
    block = int(os.environ.get("WB", 0)) or 48
    part = int(os.environ.get("WP", 0)) or block
    nb = int(os.environ.get("WN", 0)) or n
    return _Cut(round_up(block, rows), round_up(nb, tile.columns), round_up(part, rows))
