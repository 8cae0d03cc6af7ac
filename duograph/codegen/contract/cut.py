"""How contractions are cut into chunks: by their sizes and the machine's caches, never by the number of threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ...graph.sizes import hint, is_number, is_size, sized
from .. import types
from ..plan import Pointer, Step, ceil_div
from .add_taps import MOST_TAPS, AddTaps
from .epilogue import Epilogue
from .machine import Machine
from .outer import AddParts, Depth, Outer, result_sizes
from .tile import RegisterTile

SMALLEST_CHUNK = 1 << 17
"""Multiply-adds that are worth another chunk: some 2 us."""

MOST_CHUNKS = 64
"""Chunks that are aimed at: enough for the threads of a large machine to share evenly."""


MOST_PARTS = 16
"""Parts that a sum of outer products is cut into."""

ADDED = 1 << 14
"""Elements that a chunk adds up from the parts of sums: some 5 us."""

PART = 8
"""Bytes of operands, which come from the third cache in long runs, that are read in the time in which a byte of a
part's sums is written and, in many short runs and often from memory, read again."""

SHORT_SUM = 256
"""Terms of a sum that take about as long as memory takes to answer."""

SHORTEST_BLOCK = 256
"""Terms between which sums are not put down into memory."""


def terms(k: int, epilogue: Epilogue | None) -> int:
    """About how many multiply-adds an element of a result takes."""
    return max(1, k) + (epilogue.weight if epilogue else 0)


def is_far(machine: Machine, element: str, size: int) -> bool:
    """Whether so many elements are more than the second cache holds."""
    return hint(size) * types.size(element) >= machine.l2


def asks_ahead(machine: Machine, epilogue: Epilogue | None, element: str, size: int, k: int) -> bool:
    """Whether a result of so many elements, sums of `k` terms, and its epilogue's operands are asked for ahead: where
    the second cache does not hold them, and a sum is not so long that waiting for them is nothing beside it."""
    return hint(k) <= SHORT_SUM and is_far(machine, element, size * (1 + len(epilogue.operands) if epilogue else 1))


@sized
def split(
    machine: Machine, tile: RegisterTile, m: int, n: int, k: int, batch: int, epilogue: Epilogue | None
) -> dict[str, int]:
    """How a result is cut into chunks, by its size alone: the columns so that the part of `b` they need stays in the
    second cache, and the rows so that chunks are worth their while and many enough for many threads.

    Neighbouring chunks share columns. Where `b` is larger than `a` and what belongs to the result, columns are cut
    first: each thread then reads its own part of `b`. Elsewhere threads have rows of their own.

    Args:
        k: Terms of each sum.
    """
    tiles_m, tiles_n = ceil_div(m, tile.rows), ceil_div(n, tile.columns)
    panel = max(1, k) * tile.columns * types.size(tile.element)
    wanted = max(1, min(MOST_CHUNKS, batch * m * n * terms(k, epilogue) // SMALLEST_CHUNK) // batch)
    n_blocks = ceil_div(tiles_n, max(1, int(0.4 * machine.l2) // panel))
    if n > m and k > m * (1 + len(epilogue.operands if epilogue else ())):
        n_blocks = max(n_blocks, min(tiles_n, wanted))
    n_block = ceil_div(tiles_n, n_blocks)
    n_blocks = ceil_div(tiles_n, n_block)
    parts = max(1, wanted // n_blocks)
    m_block = ceil_div(tiles_m, min(parts, tiles_m))
    m_blocks = ceil_div(tiles_m, m_block)
    return {
        "m_block": m_block * tile.rows,
        "m_blocks": m_blocks,
        "n_block": n_block * tile.columns,
        "n_blocks": n_blocks,
        "chunks": batch * m_blocks * n_blocks,
    }


class Problem(NamedTuple):
    """Sizes that decide how a sum is cut; `unit` is the terms in a unit, and bytes are those of one batch entry."""

    m: int
    n: int
    units: int
    unit: int
    taps: int
    batch: int
    a_bytes: int
    b_bytes: int


class Cut(NamedTuple):
    """How a sum is cut: units in a part and in a block, taps, rows and columns in a chunk."""

    parts: int
    part: int
    block: int
    tap_block: int
    m_block: int
    n_block: int

    def traffic(self, p: Problem, tile: RegisterTile) -> float:
        """Bytes read beyond the second cache, for one batch entry, or what takes as long."""
        chunks_t = ceil_div(p.taps, self.tap_block)
        read = p.a_bytes * ceil_div(p.n, self.n_block) + p.b_bytes * ceil_div(p.m, self.m_block)
        sums = p.taps * ceil_div(p.m, tile.rows) * tile.rows * ceil_div(p.n, tile.columns) * tile.columns
        return read * chunks_t + (PART * self.parts * sums * types.size(tile.element) if self.parts > 1 else 0)


@dataclass(frozen=True)
class Kernels:
    """What the kernels of a sum of outer products have in common."""

    a: str
    b: str
    c: str
    tile: RegisterTile
    depth: Depth
    panels: bool
    c_column: int
    epilogue: Epilogue | None = None

    def outer(self, sums: Literal["stored", "kept", "parts"]) -> Outer:
        epilogue = None if sums == "parts" else self.epilogue
        return Outer(self.a, self.b, self.c, self.tile, self.depth, self.panels, self.c_column == 1, sums, epilogue)


def outer_steps(
    machine: Machine, p: Problem, kernels: Kernels, values: dict[str, Pointer | int], *, sums: int = 0
) -> tuple[tuple[Step, ...], int]:
    """The steps of a sum, and the bytes of the workspace.

    Args:
        sums: Where in the workspace sums may be kept, in bytes.
    """
    tile = kernels.tile
    cut = _cut(machine, tile, p, kernels.epilogue)
    in_parts, at_once = hint(cut.parts) > 1, hint(cut.block) >= hint(p.units)
    if is_size(cut.parts):  # other sizes are cut so that the same kernels serve
        cut = _cut(machine, tile, p, kernels.epilogue, MOST_PARTS if in_parts else 1)
        cut = cut._replace(block=cut.part) if at_once else cut
    tiles_m, tiles_n = ceil_div(p.m, tile.rows), ceil_div(p.n, tile.columns)
    kept_tap = tiles_m * tiles_n * tile.rows * tile.columns
    result: dict[str, Pointer | int] = {"m": p.m, "n": p.n, "batch": p.batch, "c": Pointer("c")}
    names = result_sizes("stored", kernels.c_column == 1, kernels.depth.joined)
    result |= {name: values.pop(name) for name in names if name in values}
    if kernels.c_column != 1:
        result["c_column"] = kernels.c_column
    blocks = {
        "units": p.units,
        "part": cut.part,
        "block": cut.block,
        "taps": p.taps,
        "tap_block": cut.tap_block,
        "m_block": cut.m_block,
        "n_block": cut.n_block,
        "tap_blocks": ceil_div(p.taps, cut.tap_block),
        "m_blocks": ceil_div(p.m, cut.m_block),
        "n_blocks": ceil_div(p.n, cut.n_block),
    }
    # neighbouring chunks read the same of the larger operand, and in turn all of the smaller one, which a cache holds
    down = hint(p.a_bytes) < hint(p.b_bytes)
    blocks |= {"m_every": 1 if down else blocks["n_blocks"], "n_every": blocks["m_blocks"] if down else 1}
    chunks = cut.parts * p.batch * blocks["tap_blocks"] * blocks["m_blocks"] * blocks["n_blocks"]
    scattered = kernels.c_column != 1 and p.taps > 1  # taps are neighbours in memory: best stored together
    if not in_parts and at_once and not scattered:
        return (kernels.outer("stored").step(chunks=chunks, **blocks, **values, **result),), sums
    kept: dict[str, Pointer | int] = {
        "sums": Pointer("workspace", sums),
        "kept_tap": kept_tap,
        "kept_batch": kept_tap * p.taps,
        "kept_part": kept_tap * p.taps * p.batch,
    }
    workspace = sums + cut.parts * kept_tap * p.taps * p.batch * types.size(tile.element)
    if not in_parts and not scattered:
        return (kernels.outer("kept").step(chunks=chunks, **blocks, **values, **result, **kept),), workspace
    total = add_parts(tile, kernels.c, kernels.epilogue, parts=cut.parts, taps=p.taps, values={**result, **kept})
    del result["c"]
    return (kernels.outer("parts").step(chunks=chunks, **blocks, **values, **result, **kept), total), workspace


def add_parts(
    tile: RegisterTile,
    c: str,
    epilogue: Epilogue | None,
    *,
    parts: int,
    taps: int,
    values: Mapping[str, Pointer | int],
) -> Step:
    """The step that adds the parts of sums, which lie as register tiles, to the result of element type `c`.

    Args:
        values: Slots of `Result`: sizes, strides and pointers. What is not there is 1 or does not exist.
    """
    sizes: dict[str, Any] = {name: value for name, value in values.items() if is_number(value)}
    tiles_m, tiles_n = ceil_div(sizes["m"], tile.rows), ceil_div(sizes["n"], tile.columns)
    some = _tiles_added(parts * taps * tile.rows * tile.columns)
    blocks = {"parts": parts, "m_block": some * tile.rows, "m_blocks": ceil_div(tiles_m, some)}
    chunks = tiles_n * blocks["m_blocks"]
    column, joined = sizes.get("c_column", 1), "c_last" in sizes
    together = sizes["c_tap"] == sizes["batch"] == 1 and not joined
    if column != 1 and together and 1 < taps <= MOST_TAPS and c == tile.element:
        by_tap = AddTaps(tile, taps, epilogue)
        return by_tap.step(chunks=chunks, **blocks, **{k: v for k, v in values.items() if k in by_tap.slots})
    kernel = AddParts(c, tile, column == 1, joined, epilogue)
    return kernel.step(chunks=sizes["batch"] * chunks, taps=taps, n_tiles=tiles_n, **blocks, **values)


@sized
def _tiles_added(elements: int) -> int:
    """Tiles that a chunk adds up, each from so many elements of parts."""
    return max(1, ADDED // elements)


@sized
def _cut(
    machine: Machine, tile: RegisterTile, p: Problem, epilogue: Epilogue | None, most_parts: int = MOST_PARTS
) -> Cut:
    """The cut that moves least, among those with chunks enough for many threads."""
    work = terms(p.units * p.unit, epilogue) * p.taps * p.m * p.n
    wanted = max(1, min(MOST_CHUNKS, p.batch * work // SMALLEST_CHUNK) // p.batch)
    bytes_a_unit = (p.a_bytes + p.b_bytes) / max(1, p.units)
    block = max(1, int(machine.l2 // 2 / max(1.0, bytes_a_unit)), SHORTEST_BLOCK // max(1, p.unit))
    tiles_m, tiles_n = ceil_div(p.m, tile.rows), ceil_div(p.n, tile.columns)
    cuts = []
    parts = 1
    while parts <= min(most_parts, max(1, wanted), max(1, p.units)):
        part = ceil_div(max(1, p.units), parts)
        by_tap = min(p.taps, ceil_div(wanted, parts))
        by_n = min(tiles_n, ceil_div(wanted, parts * by_tap))
        by_m = min(tiles_m, ceil_div(wanted, parts * by_tap * by_n))
        cut = Cut(
            parts=ceil_div(max(1, p.units), part),
            part=part,
            block=ceil_div(part, ceil_div(part, block)),
            tap_block=ceil_div(p.taps, by_tap),
            m_block=ceil_div(tiles_m, by_m) * tile.rows,
            n_block=ceil_div(tiles_n, by_n) * tile.columns,
        )
        cuts.append((cut, cut.parts * by_tap * by_n * by_m))
        parts *= 2
    enough = min(max(chunks for _, chunks in cuts), wanted / 2)
    return min((cut for cut, chunks in cuts if chunks >= enough), key=lambda cut: cut.traffic(p, tile))
