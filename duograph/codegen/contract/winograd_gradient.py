"""Weight gradients of convolutions with 3x3 windows by Winograd's minimal filtering: see `winograd.py`.

The gradient of the transformed filters is, for each component, a sum of outer products over all squares: of what the
squares see of the image, transformed, and of the gradients of their results, transformed. A chunk takes some channels,
some filters and a part of the squares, block by block; pieces, gradients and sums stay in the second cache, in memory
of its thread:

    pieces[component, square, channel], gradients[component, square, filter]
    sums[component, column of tiles, row of tiles]             each as a register tile

At the end the sums are transformed back to 3x3 taps, into the workspace, where `AddParts` takes them from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import ClassVar, NamedTuple

from ...graph.sizes import hinted, sized
from .. import types
from ..emitter import Function, Reg
from ..halves import computed
from ..plan import Kernel, Plan, Pointer, ceil_div, letter, round_up
from . import filtering
from .cut import MOST_CHUNKS, MOST_PARTS, SMALLEST_CHUNK, add_parts
from .epilogue import Epilogue
from .filtering import COMPONENTS, PIECE, RESULT
from .geometry import Geometry, Weight, forward_walk, views
from .machine import Machine
from .pieces import Images, Squares, Transformed, transform
from .tile import Left, RegisterTile, Right, accumulate, choose, divide
from .winograd import GAIN, LINE, is_possible


@dataclass(frozen=True)
class WinogradOuter(Kernel):
    """The kernel."""

    tile: RegisterTile
    threaded: ClassVar[bool] = True

    @property
    def title(self) -> str:
        return f"winograd_outer_{letter(self.tile.element)}_{self.tile.title}"

    @property
    def slots(self) -> Mapping[str, str]:
        pointers = dict.fromkeys(("a", "b", "sums", "scratch"), "ptr")
        blocks = ("squares", "part", "block", "ahead", "m", "m_block", "m_blocks", "n", "n_block", "n_blocks")
        axes = (f"{slot}_{x}" for slot in ("squares", "size", "first", "places") for x in "hw")
        memory = ("row", "component", "gradients", "totals", "total", "border", "kept_part", "kept_tap")
        return pointers | dict.fromkeys((*blocks, *axes, *memory), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile, element = self.tile, self.tile.element
        rest, m_index = divide(f, chunk, given.m_blocks)
        part, n_index = divide(f, rest, given.n_blocks)
        m, n = m_index * given.m_block, n_index * given.n_block
        channels, filters = f.minimum(given.m - m, given.m_block), f.minimum(given.n - n, given.n_block)
        squares = Squares(given.squares_h, given.squares_w)
        image = Images(given.a, given.size_h, given.size_w, given.m, given.first_h, given.first_w)
        result = Images(given.b, given.places_h, given.places_w, given.n)
        border = f.gep(given.scratch, given.border, "i8")
        pieces = Transformed(given.scratch, given.row, given.component, border)
        gradients = Transformed(f.gep(given.scratch, given.gradients, "i8"), given.row, given.component, border)
        line = image.size_w * image.channels
        begin = part * given.part
        end = f.minimum(begin + given.part, given.squares)
        until = f.maximum(end, begin + 1)  # without any squares there is still a sum to put down: zero
        with f.loop(begin, until, given.block, name="block", at_least_once=True) as down:
            start = down.index
            count = f.minimum(end - start, given.block)
            transform(f, tile, PIECE, filtering.piece, squares, start, count, image, m, channels, pieces)
            transform(f, tile, RESULT, filtering.result_gradient, squares, start, count, result, n, filters, gradients)
            following = start + count
            ahead = [
                f.gep(squares.address(f, following, image, element), line * (PIECE - RESULT) + m, element),
                f.gep(squares.address(f, following, result, element), n, element),
            ]
            with f.loop(0, COMPONENTS, 1, ahead, name="component") as component:
                first = f.eq(start, begin)
                component.yield_(
                    *self._add(
                        f, given, component.index, first, count, channels, filters, pieces, gradients, component.carried
                    )
                )
        self._finish(f, given, part, m, channels, n, filters)

    def _add(
        self,
        f: Function,
        given: SimpleNamespace,
        component: Reg,
        first: Reg,
        count: Reg,
        channels: Reg,
        filters: Reg,
        pieces: Transformed,
        gradients: Transformed,
        ahead: Sequence[Reg],
    ) -> list[Reg]:
        """Add the outer products of a block's squares to one component of the sums. Rows and columns past the last are
        added up too; nobody looks.

        Meanwhile the caches are asked for pixels that the next block will read, from the addresses `ahead` on; gives
        the addresses to go on from.
        """
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        a = f.gep(pieces.pointer, component * pieces.component, element)
        b = f.gep(gradients.pointer, component * gradients.component, element)
        left = given.ahead
        with f.loop(0, filters, tile.columns, [*ahead, left], name="n") as across:
            with f.loop(0, channels, tile.rows, across.carried, name="m") as down:
                *ahead, left = down.carried
                with f.if_(f.compare("gt", left, 0), name="ahead"):
                    for pointer, length in zip(ahead, (channels, filters), strict=True):
                        with f.loop(0, length, LINE // types.size(element), name="line") as line:
                            f.prefetch(f.gep(pointer, line.index, element))
                down.yield_(
                    *[f.gep(pointer, step, element) for pointer, step in zip(ahead, (given.m, given.n), strict=True)],
                    left - 1,
                )
                place = self._place(f, given, component, down.index, across.index)
                places = [f.gep(place, at, tile.vector) for at in range(tile.rows * tile.vectors)]
                with f.if_(first, name="first") as branch:
                    branch.yield_(*[f.zero(tile.vector)] * len(places))
                with branch.else_():
                    branch.yield_(*[f.load(place, tile.vector, align=align) for place in places])
                row = f.gep(a, down.index, element)
                rows = Left(element, [f.gep(row, i, element) for i in range(tile.rows)], pieces.row)
                right = Right(element, f.gep(b, across.index, element), gradients.row, align)
                for value, place in zip(accumulate(f, tile, branch.results, count, rows, right), places, strict=True):
                    f.store(value, place, align=align)
            across.yield_(*down.results)
        return across.results[:2]

    def _place(self, f: Function, given: SimpleNamespace, component: Reg | int, m: Reg, n: Reg) -> Reg:
        """Where a tile of the sums stands."""
        tile = self.tile
        totals = f.gep(given.scratch, given.totals, "i8")
        return f.gep(totals, f.mul(given.total, component) + n * given.m_block + m * tile.columns, tile.element)

    def _finish(
        self, f: Function, given: SimpleNamespace, part: Reg, m: Reg, channels: Reg, n: Reg, filters: Reg
    ) -> None:
        """Transform the sums, and write them where `AddParts` looks for tiles."""
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        tiles = f.binary("udiv", given.m + (tile.rows - 1), tile.rows)
        with (
            f.loop(0, filters, tile.columns, name="n") as across,
            f.loop(0, channels, tile.rows, name="m") as down,
        ):
            column, row = (
                f.binary("udiv", n + across.index, tile.columns),
                f.binary("udiv", m + down.index, tile.rows),
            )
            number = (column * tiles + row) * (tile.rows * tile.columns)
            target = f.gep(given.sums, part * given.kept_part + number, element)
            source = self._place(f, given, 0, down.index, across.index)
            with f.loop(0, tile.rows * tile.columns, tile.lanes, name="vector") as vector:
                here = f.gep(source, vector.index, element)
                places = [f.gep(here, given.total * k, element) for k in range(COMPONENTS)]
                sums = [f.load(place, tile.vector, align=align) for place in places]
                taps = filtering.filter_gradient(f, [sums[k : k + PIECE] for k in range(0, COMPONENTS, PIECE)])
                there = f.gep(target, vector.index, element)
                for tap, value in enumerate(value for row in taps for value in row):
                    f.store(value, f.gep(there, given.kept_tap * tap, element), align=align)


def plan_winograd_weight_gradient(
    machine: Machine, geometry: Geometry, x: str, dy: str, dw: Weight, epilogue: Epilogue | None = None
) -> Plan:
    """The gradient of the weight, role `"c"`, from the input, role `"a"` [N, H, W, C], and the gradient of the output,
    role `"b"` [N, *places, O]."""
    g = geometry
    m, n = g.channels, g.filters
    if not (m and n):
        return Plan()
    across = [ceil_div(extent, RESULT) for extent in g.places]
    squares = g.images * prod(across)
    across = [max(1, count) for count in across]  # they are divided by
    tile = choose(machine, computed(x), m, n)
    m_blocks, n_blocks = ceil_div(m, SIDE), ceil_div(n, SIDE)
    m_block, n_block = round_up(ceil_div(m, m_blocks), tile.rows), round_up(ceil_div(n, n_blocks), tile.columns)
    cut = _cut(machine, types.size(tile.element) * (m_block + n_block), squares, m * n, m_blocks * n_blocks)
    item = types.size(tile.element)
    line = LINE // item
    # What lies powers of two apart falls into one set of the first cache, so rows and components lie a line further.
    row = round_up(max(m_block, n_block), line) + line
    component = cut.block * row + line
    total = m_block * n_block + line
    gradients = COMPONENTS * component * item
    totals = 2 * gradients
    border = totals + COMPONENTS * total * item
    m_blocks, n_blocks = ceil_div(m, m_block), ceil_div(n, n_block)
    parts = ceil_div(max(1, squares), cut.part)
    tiles_m, tiles_n = ceil_div(m, tile.rows), ceil_div(n, tile.columns)
    kept_tap = tiles_m * tiles_n * tile.rows * tile.columns
    sizes = {
        "squares": squares,
        "part": cut.part,
        "block": cut.block,
        "ahead": ceil_div(cut.block * RESULT * RESULT, COMPONENTS),
        "m": m,
        "m_block": m_block,
        "m_blocks": m_blocks,
        "n": n,
        "n_block": n_block,
        "n_blocks": n_blocks,
        "row": row,
        "component": component,
        "gradients": gradients,
        "totals": totals,
        "total": total,
        "border": border,
        "kept_part": kept_tap * g.taps,
        "kept_tap": kept_tap,
    }
    for at, axis in enumerate("hw"):
        sizes |= {f"squares_{axis}": across[at], f"size_{axis}": g.size[at], f"first_{axis}": -g.padding[at][0]}
        sizes[f"places_{axis}"] = g.places[at]
    outer = WinogradOuter(tile).step(
        chunks=parts * m_blocks * n_blocks,
        a=Pointer("a"),
        b=Pointer("b"),
        sums=Pointer("workspace"),
        scratch=Pointer("scratch"),
        **sizes,
    )
    result: dict[str, Pointer | int] = {
        "c": Pointer("c"),
        "m": m,
        "n": n,
        "batch": 1,
        "inner": 1,
        "c_outer": 0,
        "c_inner": 0,
        "c_tap": dw.tap,
        "c_row": dw.input,
        "column_inner": 0,
        "sums": Pointer("workspace"),
        "kept_part": kept_tap * g.taps,
        "kept_batch": 0,
        "kept_tap": kept_tap,
    }
    if dw.output != 1:
        result["c_column"] = dw.output
    total_step = add_parts(tile, dw.element, epilogue, parts=parts, taps=g.taps, values=result)
    scratch = round_up(border + row * item, LINE)
    return Plan((outer, total_step), workspace=parts * g.taps * kept_tap * item, scratch=scratch)


FINISHING = 13, 10
"""What transforming sums and writing them takes, here and for direct convolution, in units of the time that the
products of a square take."""

TRANSFORM = 4.5
"""What transforming a square takes for each channel or filter, where a product takes one cycle."""


def suits_winograd_weight_gradient(machine: Machine, geometry: Geometry) -> bool:
    """Whether `plan_winograd_weight_gradient` can do it and is faster: see `suits_winograd`."""
    if not is_possible(geometry):
        return False
    g = hinted(geometry)
    lanes = machine.vector_bytes // types.size("float")
    m, n = g.channels, g.filters
    whole_m, whole_n = round_up(m, lanes), round_up(n, lanes)
    squares = g.images * prod(ceil_div(extent, RESULT) for extent in g.places)
    seen, _ = views([forward_walk(g)], g.size)
    direct = g.images * seen / COMPONENTS * min(m * whole_n, n * whole_m) + FINISHING[1] * m * n
    transforms = TRANSFORM * (whole_m * ceil_div(n, SIDE) + whole_n * ceil_div(m, SIDE))
    return direct >= GAIN * (squares * (m * whole_n + transforms) + FINISHING[0] * m * n)


class _Cut(NamedTuple):
    """Squares in a part and in a block."""

    part: int
    block: int


SIDE = 64
"""Channels and filters in a chunk, about: their sums are a quarter of a second cache. Transforming pieces and gradients
takes 9 % of the time of the products then."""

MOST_SQUARES, LEAST_SQUARES = 48, 16
"""Squares in a block, about: between blocks the sums are put down into memory."""


@sized
def _cut(machine: Machine, rows: int, squares: int, products: int, sides: int) -> _Cut:
    """A block is as large as the second cache allows. Squares are cut into parts where there are few chunks: half as
    many as elsewhere are enough, since all parts must be read once more.

    Args:
        rows: Bytes of a square's components, of one.
        products: Of a component of a square.
        sides: Chunks for one part.
    """
    most = min(MOST_SQUARES, max(LEAST_SQUARES, machine.l2 // 2 // (COMPONENTS * rows)))
    wanted = min(MOST_CHUNKS // 2, squares * COMPONENTS * products // SMALLEST_CHUNK)
    parts = max(1, min(wanted // sides, squares // (2 * most), MOST_PARTS))
    part = max(1, ceil_div(squares, parts))
    return _Cut(part, ceil_div(part, ceil_div(part, most)))
