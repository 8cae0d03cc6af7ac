"""Weight gradients of convolutions with 3x3 windows by Winograd's minimal filtering: see `winograd.py`.

The gradient of the transformed filters is, for each component, a sum of outer products over all squares: of what the
squares see of the image, transformed, and of the gradients of their results, transformed. A chunk takes some channels,
some filters and a part of the squares, block by block; pieces, gradients and sums stay in the second cache, in memory of
its thread:

    pieces[component, square, channel], gradients[component, square, filter]
    sums[component, column of tiles, row of tiles]             each as a register tile

At the end the sums are transformed back to 3x3 taps, into the workspace, where `AddParts` takes them from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import ClassVar

from .. import types
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div, letter, round_up
from . import filtering
from .cut import ADDED, MOST_CHUNKS, MOST_PARTS, SMALLEST_CHUNK
from .epilogue import Epilogue
from .filtering import COMPONENTS, PIECE, RESULT
from .geometry import Geometry, Weight
from .machine import Machine
from .outer import AddParts
from .pieces import Images, Squares, Transformed, transform
from .tile import Left, RegisterTile, Right, accumulate, choose, divide
from .winograd import LINE


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
        blocks = ("squares", "part", "block", "m", "m_block", "m_blocks", "n", "n_block", "n_blocks")
        axes = (f"{slot}_{x}" for slot in ("squares", "size", "first", "places") for x in "hw")
        memory = ("row", "component", "gradients", "totals", "total", "border", "kept_part", "kept_tap")
        return pointers | dict.fromkeys((*blocks, *axes, *memory), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile = self.tile
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
        begin = part * given.part
        end = f.minimum(begin + given.part, given.squares)
        with f.loop(begin, end, given.block, name="block") as down:
            start = down.index
            count = f.minimum(end - start, given.block)
            transform(f, tile, PIECE, filtering.piece, squares, start, count, image, m, channels, pieces)
            transform(
                f, tile, RESULT, filtering.result_gradient, squares, start, count, result, n, filters, gradients
            )
            with f.loop(0, COMPONENTS, name="component") as component:
                self._add(f, given, component.index, f.eq(start, begin), count, channels, filters, pieces, gradients)
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
    ) -> None:
        """Add the outer products of a block's squares to one component of the sums. Rows and columns past the last are
        added up too; nobody looks."""
        tile, element = self.tile, self.tile.element
        align = types.size(element) * tile.lanes
        a = f.gep(pieces.pointer, component * pieces.component, element)
        b = f.gep(gradients.pointer, component * gradients.component, element)
        with (
            f.loop(0, filters, tile.columns, name="n") as across,
            f.loop(0, channels, tile.rows, name="m") as down,
        ):
            place = self._place(f, given, component, down.index, across.index)
            places = [f.gep(place, at, tile.vector) for at in range(tile.rows * tile.vectors)]
            with f.if_(first, name="first") as branch:
                branch.yield_(*[f.zero(tile.vector)] * len(places))
            with branch.else_():
                branch.yield_(*[f.load(place, tile.vector, align=align) for place in places])
            row = f.gep(a, down.index, element)
            left = Left(element, [f.gep(row, i, element) for i in range(tile.rows)], pieces.row)
            right = Right(element, f.gep(b, across.index, element), gradients.row, align)
            for value, place in zip(accumulate(f, tile, branch.results, count, left, right), places, strict=True):
                f.store(value, place, align=align)

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
    tile, cut = _cut(machine, squares, m, n)
    item = types.size(tile.element)
    line = LINE // item
    # What lies powers of two apart falls into one set of the first cache, so rows and components lie a line further.
    row = round_up(max(cut.m_block, cut.n_block), line) + line
    component = cut.block * row + line
    total = cut.m_block * cut.n_block + line
    gradients = COMPONENTS * component * item
    totals = 2 * gradients
    border = totals + COMPONENTS * total * item
    m_blocks, n_blocks = ceil_div(m, cut.m_block), ceil_div(n, cut.n_block)
    parts = max(1, ceil_div(squares, cut.part))
    tiles_m, tiles_n = ceil_div(m, tile.rows), ceil_div(n, tile.columns)
    kept_tap = tiles_m * tiles_n * tile.rows * tile.columns
    sizes = {
        "squares": squares,
        "part": cut.part,
        "block": cut.block,
        "m": m,
        "m_block": cut.m_block,
        "m_blocks": m_blocks,
        "n": n,
        "n_block": cut.n_block,
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
    together = max(1, ADDED // (parts * g.taps * tile.rows * tile.columns))
    added: dict[str, int] = {
        "m": m,
        "n": n,
        "batch": 1,
        "inner": 1,
        "c_outer": 0,
        "c_inner": 0,
        "c_tap": dw.tap,
        "c_row": dw.input,
        "column_inner": 0,
        "kept_part": kept_tap * g.taps,
        "kept_batch": 0,
        "kept_tap": kept_tap,
        "parts": parts,
        "taps": g.taps,
        "m_block": together * tile.rows,
        "m_blocks": ceil_div(tiles_m, together),
        "n_tiles": tiles_n,
    }
    if dw.output != 1:
        added["c_column"] = dw.output
    total_step = AddParts(dw.element, tile, dw.output == 1, False, epilogue).step(
        chunks=tiles_n * ceil_div(tiles_m, together), c=Pointer("c"), sums=Pointer("workspace"), **added
    )
    scratch = round_up(border + row * item, LINE)
    return Plan((outer, total_step), workspace=parts * g.taps * kept_tap * item, scratch=scratch)


@dataclass(frozen=True)
class _Cut:
    """Squares in a part and in a block, channels and filters in a chunk."""

    part: int
    block: int
    m_block: int
    n_block: int


SIDE = 64
"""Channels and filters in a chunk, about."""


def _cut(machine: Machine, squares: int, m: int, n: int) -> tuple[RegisterTile, _Cut]:
    import os
    tile = choose(machine, "float", m, n)
    mb = min(int(os.environ.get("GM", 64)), m); nb = min(int(os.environ.get("GN", 64)), n)
    parts = int(os.environ.get("GP", 1)); block = int(os.environ.get("GB", 48))
    mb, nb = round_up(mb, tile.rows), round_up(nb, tile.columns)
    return tile, _Cut(ceil_div(squares, parts), block, mb, nb)
