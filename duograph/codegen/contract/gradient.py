"""Plans of sums of outer products: matrix products with a transposed left operand, and weight gradients."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from .. import types
from .depthwise_plans import MOST_TAPS, plan_depthwise_gradient
from .epilogue import Epilogue
from .geometry import Geometry, Weight
from .machine import Machine
from .matmul import MOST_CHUNKS, SMALLEST_CHUNK, Matrix, right_operand
from .outer import Depth, Gather, MatrixDepth, Outer, WindowDepth
from .pack import Source
from .plan import Plan, Pointer, Step, ceil_div, compute_type
from .product import AXES
from .tile import RegisterTile, choose

MOST_PARTS = 16


def plan_transposed_matmul(
    machine: Machine,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    *,
    m: int,
    n: int,
    k: int,
    batch: tuple[int, int] = (1, 1),
    epilogue: Epilogue | None = None,
) -> Plan:
    """c[m, n] = a[m, k] b[k, n] where `a.row` is 1: its columns are contiguous."""
    if not (m and n and batch[0] and batch[1]):
        return Plan()
    tile = choose(machine, compute_type(a.element), m, n)
    source = Source(b.element, k=b.row, n=b.column, outer=b.outer, inner=b.inner)
    right = right_operand(tile, source, m=m, n=n, k=k, taps=1, batch=batch)
    problem = _Problem(
        m=m,
        n=n,
        units=k,
        unit=1,
        taps=1,
        batch=batch[0] * batch[1],
        a_bytes=m * k * types.size(a.element),
        b_bytes=n * k * types.size(right.element),
    )
    values: dict[str, Pointer | int] = {
        "a": Pointer("a"),
        "a_step": a.column,
        "a_outer": a.outer,
        "a_inner": a.inner,
        "inner": batch[1],
        "c_outer": c.outer,
        "c_inner": c.inner,
        "c_tap": 0,
        "c_row": c.row,
        "column_inner": 0,
        **right.slots,
    }
    kernel = _Kernels(a.element, right.element, c.element, tile, MatrixDepth(), right.packed > 0, c.column, epilogue)
    steps, workspace = _steps(machine, problem, kernel, values)
    return Plan(steps, right.packing, right.packed, workspace)


def plan_weight_gradient(
    machine: Machine, geometry: Geometry, x: str, dy: str, dw: Weight, epilogue: Epilogue | None = None
) -> Plan:
    """The gradient of the weight, role `"c"`, from the input, role `"a"` [N, *size, C], and the gradient of the output,
    role `"b"` [N, *places, O]."""
    g = geometry
    m, n = g.channels // g.groups, g.filters // g.groups
    if not (m and n and g.taps):
        return Plan()
    if g.is_depthwise and g.kernel[-1] <= MOST_TAPS:
        return plan_depthwise_gradient(machine, g, x, dy, dw, epilogue)
    tile = choose(machine, compute_type(x), m, n)
    values: dict[str, Pointer | int] = {
        "a": Pointer("a"),
        "a_outer": 0,
        "a_inner": m,
        "inner": g.groups,
        "b": Pointer("b"),
        "b_outer": 0,
        "b_inner": n,
        "c_outer": 0,
        "c_inner": 0,
        "c_tap": dw.tap,
        "c_row": dw.input,
        "column_inner": n,
    }
    pixels = g.images * prod(g.places)
    if g.is_matmul:
        units, unit, depth = pixels, 1, MatrixDepth()
        values |= {"a_step": g.channels, "b_step": g.filters}
    else:
        units, unit, depth = (
            g.images * (g.places[0] if g.axes > 1 else 1),
            prod(g.places[1:] or g.places),
            WindowDepth(g.axes),
        )
        values |= {"b_step": g.filters, **_window_slots(g)}
    problem = _Problem(
        m=m,
        n=n,
        units=units,
        unit=unit,
        taps=g.taps,
        batch=g.groups,
        a_bytes=g.images * prod(g.size) * m * types.size(x),
        b_bytes=pixels * n * types.size(dy),
    )
    kernel = _Kernels(x, dy, dw.element, tile, depth, False, dw.output, epilogue)
    steps, workspace = _steps(machine, problem, kernel, values)
    return Plan(steps, workspace=workspace)


def _window_slots(g: Geometry) -> dict[str, int]:
    slots = {"a_image": prod(g.size) * g.channels, "b_image": prod(g.places) * g.filters}
    for at, x in enumerate(AXES[-g.axes :]):
        slots |= {
            f"places_{x}": g.places[at],
            f"place_{x}": g.stride[at],
            f"first_{x}": -g.padding[at][0],
            f"tap_{x}": g.dilation[at],
            f"taps_{x}": g.kernel[at],
            f"size_{x}": g.size[at],
            f"a_{x}": prod(g.size[at + 1 :]) * g.channels,
            f"b_{x}": prod(g.places[at + 1 :]) * g.filters,
        }
    return slots


@dataclass(frozen=True)
class _Problem:
    """Sizes that decide how a sum is cut; `unit` is the terms in a unit, and bytes are those of one batch entry."""

    m: int
    n: int
    units: int
    unit: int
    taps: int
    batch: int
    a_bytes: int
    b_bytes: int


@dataclass(frozen=True)
class _Cut:
    """How a sum is cut: units in a part and in a block, taps, rows and columns in a chunk."""

    parts: int
    part: int
    block: int
    tap_block: int
    m_block: int
    n_block: int

    def traffic(self, p: _Problem, tile: RegisterTile) -> float:
        """Bytes read and written beyond the second cache, for one batch entry."""
        chunks_t = ceil_div(p.taps, self.tap_block)
        read = p.a_bytes * ceil_div(p.n, self.n_block) + p.b_bytes * ceil_div(p.m, self.m_block)
        sums = p.taps * ceil_div(p.m, tile.rows) * tile.rows * ceil_div(p.n, tile.columns) * tile.columns
        return read * chunks_t + (2 * self.parts * sums * types.size(tile.element) if self.parts > 1 else 0)


@dataclass(frozen=True)
class _Kernels:
    a: str
    b: str
    c: str
    tile: RegisterTile
    depth: Depth
    panels: bool
    c_column: int
    epilogue: Epilogue | None

    def outer(self, sums: Literal["stored", "kept", "parts"]) -> Outer:
        epilogue = None if sums == "parts" else self.epilogue
        return Outer(self.a, self.b, self.c, self.tile, self.depth, self.panels, self.c_column == 1, sums, epilogue)

    def gather(self) -> Gather:
        return Gather(self.c, self.tile, self.c_column == 1, self.epilogue)


def _steps(
    machine: Machine, p: _Problem, kernels: _Kernels, values: dict[str, Pointer | int]
) -> tuple[tuple[Step, ...], int]:
    """The steps of a sum, and the bytes of its workspace."""
    tile = kernels.tile
    cut = _cut(machine, tile, p)
    tiles_m, tiles_n = ceil_div(p.m, tile.rows), ceil_div(p.n, tile.columns)
    kept_tap = tiles_m * tiles_n * tile.rows * tile.columns
    result: dict[str, Pointer | int] = {"m": p.m, "n": p.n, "batch": p.batch, "c": Pointer("c")}
    result |= {name: values.pop(name) for name in ("inner", "c_outer", "c_inner", "c_tap", "c_row", "column_inner")}
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
    chunks = cut.parts * p.batch * blocks["tap_blocks"] * blocks["m_blocks"] * blocks["n_blocks"]
    if cut.parts == 1 and cut.block >= p.units:
        return (kernels.outer("stored").step(chunks=chunks, **blocks, **values, **result),), 0
    kept: dict[str, Pointer | int] = {
        "sums": Pointer("workspace"),
        "kept_tap": kept_tap,
        "kept_batch": kept_tap * p.taps,
        "kept_part": kept_tap * p.taps * p.batch,
    }
    workspace = cut.parts * kept_tap * p.taps * p.batch * types.size(tile.element)
    if cut.parts == 1:
        return (kernels.outer("kept").step(chunks=chunks, **blocks, **values, **result, **kept),), workspace
    gather = kernels.gather().step(
        chunks=p.batch * p.taps * tiles_n, parts=cut.parts, taps=p.taps, n_tiles=tiles_n, **result, **kept
    )
    del result["c"]
    return (kernels.outer("parts").step(chunks=chunks, **blocks, **values, **result, **kept), gather), workspace


def _cut(machine: Machine, tile: RegisterTile, p: _Problem) -> _Cut:
    """The cut that moves least, among those with chunks enough for many threads."""
    work = p.units * p.unit * p.taps * p.m * p.n
    wanted = max(1, min(MOST_CHUNKS, p.batch * work // SMALLEST_CHUNK) // p.batch)
    bytes_a_unit = (p.a_bytes + p.b_bytes) / max(1, p.units)
    block = max(1, int(machine.l2 // 2 / max(1.0, bytes_a_unit)), 256 // max(1, p.unit))
    tiles_m, tiles_n = ceil_div(p.m, tile.rows), ceil_div(p.n, tile.columns)
    cuts = []
    parts = 1
    while parts <= min(MOST_PARTS, max(1, wanted), max(1, p.units)):
        part = ceil_div(max(1, p.units), parts)
        by_tap = min(p.taps, ceil_div(wanted, parts))
        by_n = min(tiles_n, ceil_div(wanted, parts * by_tap))
        by_m = min(tiles_m, ceil_div(wanted, parts * by_tap * by_n))
        cuts.append(
            _Cut(
                parts=ceil_div(max(1, p.units), part),
                part=part,
                block=ceil_div(part, ceil_div(part, block)),
                tap_block=ceil_div(p.taps, by_tap),
                m_block=ceil_div(tiles_m, by_m) * tile.rows,
                n_block=ceil_div(tiles_n, by_n) * tile.columns,
            )
        )
        parts *= 2
    return min(cuts, key=lambda cut: cut.traffic(p, tile))
