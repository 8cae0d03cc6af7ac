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
from typing import ClassVar, NamedTuple

from ...graph.sizes import hinted, sized
from .. import types
from ..emitter import Function, Reg
from ..halves import computed
from ..plan import Kernel, Plan, Pointer, ceil_div, letter, round_up
from . import filtering
from .cut import MOST_CHUNKS, SMALLEST_CHUNK
from .epilogue import Epilogue, Tile
from .filtering import COMPONENTS, PIECE, RESULT
from .geometry import Geometry, Weight, backward_walks, forward_walk, views
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
        blocks = ("squares", "part", "parts", "block", "ahead", "n", "n_block", "channels")
        axes = (f"{slot}_{x}" for slot in ("squares", "size", "first", "places") for x in "hw")
        memory = ("piece_row", "piece_component", "border", "products", "product")
        return pointers | dict.fromkeys((*blocks, *axes, *memory), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile, element = self.tile, self.tile.element
        n_index, part = divide(f, chunk, given.parts)
        squares = Squares(given.squares_h, given.squares_w)
        images = Images(given.a, given.size_h, given.size_w, given.channels, given.first_h, given.first_w)
        border = f.gep(given.scratch, given.border, "i8")
        pieces = Transformed(given.scratch, given.piece_row, given.piece_component, border)
        n_start = n_index * given.n_block
        n_end = f.minimum(n_start + given.n_block, given.n)
        begin = part * given.part
        end = f.minimum(begin + given.part, given.squares)
        with f.loop(begin, end, given.block, name="block") as down:
            start = down.index
            count = f.minimum(end - start, given.block)
            transform(f, tile, PIECE, filtering.piece, squares, start, count, images, 0, given.channels, pieces)
            following = squares.address(f, start + count, images, element)
            following = f.gep(following, images.size_w * images.channels * (PIECE - RESULT), element)
            with f.loop(n_start, n_end, tile.columns, [following], name="n") as across:
                n = across.index
                across.yield_(self._multiply(f, given, squares, start, count, n, across.carried[0]))
                with squares.walk(f, start, count) as (number, image, y, x):
                    self._finish(f, given, number, image, y, x, n)

    def _multiply(
        self, f: Function, given: SimpleNamespace, squares: Squares, start: Reg, count: Reg, n: Reg, following: Reg
    ) -> Reg:
        """All products of some squares, in as many columns as a tile has. Rows past the last are multiplied too; nobody
        looks.

        Multiplying leaves the caches time: meanwhile they are asked for what will be written next, the results of these
        squares, and for what will be read next, the pixels that the following squares see. Both are about as much
        memory in one piece. This is `following`, and comes back as what is left to be asked for.
        """
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        panels = f.gep(given.b, n * given.channels * COMPONENTS, element)
        results = Images(given.c, given.places_h, given.places_w, given.n)
        result = f.gep(squares.address(f, start, results, element), n, element)
        pixels = ceil_div(tile.rows * RESULT * RESULT, COMPONENTS)  # of the result, for each tile of a product
        with f.loop(0, COMPONENTS, 1, [following, result], name="component") as component:
            panel = f.gep(panels, component.index * given.channels * tile.columns, element)
            pieces = f.gep(given.scratch, component.index * given.piece_component, element)
            products = f.gep(given.scratch, given.products, "i8")
            products = f.gep(products, component.index * given.product, element)
            with f.loop(0, count, tile.rows, component.carried, name="square") as down:
                following, result = down.carried
                with f.loop(0, given.ahead, name="ahead") as line:
                    f.prefetch(f.gep(following, line.index * LINE, "i8"))
                for _ in range(pixels):
                    for column in range(0, tile.columns * types.size(element), LINE):
                        f.prefetch(f.gep(result, column, "i8"), write=True)
                    result = f.gep(result, given.n, element)
                down.yield_(f.gep(following, given.ahead * LINE, "i8"), result)
                first = f.gep(pieces, down.index * given.piece_row, element)
                rows = [f.gep(first, given.piece_row * i, element) for i in range(tile.rows)]
                zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
                right = Right(element, panel, tile.columns, align)
                sums = accumulate(f, tile, zeros, given.channels, Left(element, rows), right)
                place = f.gep(products, down.index * tile.columns, element)
                for at, value in enumerate(sums):
                    f.store(value, f.gep(place, at, tile.vector), align=align)
            component.yield_(*down.results)
        return component.results[0]

    def _finish(self, f: Function, given: SimpleNamespace, number: Reg, image: Reg, y: Reg, x: Reg, n: Reg) -> None:
        """The results of one square, in as many columns as a tile has."""
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        pixel = (image * given.places_h + y) * given.places_w + x
        below, beside = f.lt(y + 1, given.places_h), f.lt(x + 1, given.places_w)
        source = f.gep(f.gep(given.scratch, given.products, "i8"), number * tile.columns, element)
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
    size, places, padding, k, n = _seen(g, backward)
    if not (g.images and n and prod(places)):
        return Plan()
    tile = choose(machine, computed(x), None, n)
    across = [ceil_div(extent, RESULT) for extent in places]
    squares = g.images * prod(across)
    cut = _cut(machine, tile, squares, k, n)
    parts, n_parts = ceil_div(squares, cut.part), ceil_div(n, cut.n_block)
    item = types.size(tile.element)
    line = LINE // item
    # What lies powers of two apart falls into one set of the first cache, so rows and components lie a line further.
    row = round_up(k, line) + line
    component = cut.block * row + line
    product = cut.block * tile.columns + line
    border = COMPONENTS * component * item
    products = border + row * item
    tiles = COMPONENTS * (cut.block // tile.rows) * (cut.n_block // tile.columns)
    packing, packed = plan_filters(machine, tile, w, channels=k, filters=n, turned=backward)
    sizes = {
        "squares": squares,
        "part": cut.part,
        "parts": parts,
        "block": cut.block,
        "ahead": ceil_div(cut.block * RESULT * RESULT * k * item, LINE * tiles),
        "n": n,
        "n_block": cut.n_block,
        "channels": k,
        "piece_row": row,
        "piece_component": component,
        "border": border,
        "products": products,
        "product": product,
    }
    for at, axis in enumerate("hw"):
        sizes |= {f"squares_{axis}": across[at], f"size_{axis}": size[at], f"first_{axis}": -padding[at]}
        sizes[f"places_{axis}"] = places[at]
    pointers = {"a": Pointer("a"), "b": Pointer("packed"), "c": Pointer("c"), "scratch": Pointer("scratch")}
    step = Winograd(y, tile, epilogue).step(chunks=parts * n_parts, **pointers, **sizes)
    return Plan((step,), packing, packed, scratch=round_up(products + COMPONENTS * product * item, LINE))


def _seen(g: Geometry, backward: bool) -> tuple[tuple[int, ...], tuple[int, ...], list[int], int, int]:
    """The size of what is read and of the result, the padding, and the channels of both."""
    low = [low for low, _ in g.padding]
    if backward:
        return (
            g.places,
            g.size,
            [kernel - 1 - x for kernel, x in zip(g.kernel, low, strict=True)],
            g.filters,
            g.channels,
        )
    return g.size, g.places, low, g.channels, g.filters


def is_possible(g: Geometry) -> bool:
    """Whether it is a convolution with a 3x3 window that looks at each pixel, and neither image nor result is empty."""
    plain = g.kernel == (3, 3) and {*g.stride, *g.dilation, g.groups} == {1}
    return plain and 0 not in (g.images, g.channels, g.filters, *g.size, *g.places)


PACKING = 9, 4.5
"""What packing takes, here and for direct convolution, in units of the time that the products of a square take."""

TRANSFORMS = 4, 3
"""What transforming a square takes for each channel and for each filter, where a product takes one cycle."""

GAIN = 1.15
"""How much faster it must be by this count, which is some 5 % too kind, to be chosen."""


def suits_winograd(machine: Machine, geometry: Geometry, *, backward: bool = False) -> bool:
    """Whether `plan_winograd` can do a convolution and is faster than summing over taps. It is not for few channels,
    whose transforms take longer than their products; for few squares, since there is more to pack; and for small
    images, where squares hang over the edge, and direct convolution skips the border."""
    if not is_possible(geometry):
        return False
    g = hinted(geometry)
    size, places, _, k, n = _seen(g, backward)
    tile = choose(machine, "float", None, n)
    squares = round_up(g.images * prod(ceil_div(extent, RESULT) for extent in places), tile.rows)
    whole_k, n = round_up(k, tile.lanes), round_up(n, tile.lanes)
    seen, _ = views(backward_walks(g) if backward else [forward_walk(g)], size)
    direct = (g.images * seen / COMPONENTS + PACKING[1]) * k * n
    here = (squares + PACKING[0]) * k * n + squares * (TRANSFORMS[0] * whole_k + TRANSFORMS[1] * n)
    return direct >= GAIN * here


class _Cut(NamedTuple):
    """Squares in a chunk and in a block of it, and columns in a chunk: multiples of the tile's."""

    part: int
    block: int
    n_block: int


MOST_SQUARES, LEAST_SQUARES = 48, 12
"""Squares in a block, about. The transformed filters are read once for each block, from the third cache."""

WIDE = 256
"""Columns that are worth another transform of the pieces, which takes then 2 % of the time of the products."""


@sized
def _cut(machine: Machine, tile: RegisterTile, squares: int, k: int, n: int) -> _Cut:
    """A block is as large as the second cache allows, unless that would leave fewer chunks than are worth their while
    and many enough for many threads."""
    square = COMPONENTS * (k + tile.columns) * types.size(tile.element)
    most = min(MOST_SQUARES, max(MOST_SQUARES // 2, int(0.6 * machine.l2) // square))
    wanted = max(1, min(MOST_CHUNKS, squares * COMPONENTS * k * n // SMALLEST_CHUNK))
    n_parts = max(1, min(ceil_div(wanted, ceil_div(squares, most)), n // max(WIDE, tile.columns)))
    n_block = round_up(ceil_div(n, n_parts), tile.columns)
    part = ceil_div(squares * ceil_div(n, n_block), wanted)
    block = min(most, max(LEAST_SQUARES, 2 * part))
    block = round_up(ceil_div(squares, ceil_div(squares, block)), tile.rows)
    return _Cut(max(1, part // block) * block, block, n_block)
