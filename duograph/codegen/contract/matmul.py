"""Plans of matrix products."""

from __future__ import annotations

from dataclasses import dataclass

from .. import types
from .epilogue import Epilogue
from .machine import Machine
from .pack import Source, plan_packing
from .plan import Plan, Pointer, Step, ceil_div, compute_type
from .product import MatrixRows, Product
from .tile import RegisterTile, choose

PACKED_ROWS = 96
"""Rows of a result from which packing a right operand pays whose rows are contiguous already."""

SMALLEST_CHUNK = 1 << 18
"""Multiply-adds that are worth another chunk: some 5 us."""

MOST_CHUNKS = 64


@dataclass(frozen=True)
class Matrix:
    """An operand of a product as it lies in memory: element type and strides, counted in elements."""

    element: str
    row: int
    column: int
    outer: int = 0
    inner: int = 0


def plan_matmul(
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
    """c[m, n] = a[m, k] b[k, n] for each of `batch` = (outer, inner) matrices, as roles `"a"`, `"b"`, `"c"`.

    Sums are in float32 for half-precision operands, otherwise in the operands' type.

    Args:
        epilogue: What is done to each sum before it is stored as an element of `c`.
    """
    if not (m and n and batch[0] and batch[1]):
        return Plan()
    tile = choose(machine, compute_type(a.element), m, n)
    right = right_operand(
        tile, Source(b.element, k=b.row, n=b.column, outer=b.outer, inner=b.inner), m=m, n=n, k=k, taps=1, batch=batch
    )
    unit = a.column == 1 or k <= 1
    kernel = Product(
        a.element, right.element, c.element, tile, MatrixRows(unit), right.packed > 0, c.column == 1, epilogue
    )
    values: dict[str, Pointer | int] = {"a": Pointer("a"), "c": Pointer("c"), "a_row": a.row, "c_row": c.row}
    values |= {
        "a_outer": a.outer,
        "a_inner": a.inner,
        "c_outer": c.outer,
        "c_inner": c.inner,
        "row_outer": 0,
        "column_inner": 0,
    }
    if not unit:
        values["a_step"] = a.column
    if c.column != 1:
        values["c_column"] = c.column
    blocks = split(machine, tile, m, n, k, batch[0] * batch[1])
    step = kernel.step(m=m, n=n, k=k, inner=batch[1], b_tap=0, **blocks, **right.slots, **values)
    return Plan((step,), right.packing, right.packed)


@dataclass(frozen=True)
class RightOperand:
    """The right operand as the kernel reads it, and what packs it.

    Attributes:
        slots: The values of the kernel's slots for it, but for `b_tap`.
        tap: Elements from one tap to the next.
        follow: Whether a tap's terms follow those of the one before.
        packed: Its bytes if it is packed, else 0.
    """

    element: str
    slots: dict[str, Pointer | int]
    tap: int
    follow: bool
    packing: tuple[Step, ...]
    packed: int


def right_operand(
    tile: RegisterTile, source: Source, *, m: int, n: int, k: int, taps: int, batch: tuple[int, int]
) -> RightOperand:
    """Packed where its rows are not contiguous, or where many rows of a result, `m`, read it; else as it is."""
    if source.n != 1 or m >= PACKED_ROWS:
        packing, packed = plan_packing(source, n=n, k=k, taps=taps, batch=batch, width=tile.columns, lanes=tile.lanes)
        if packed:
            size = taps * k * tile.columns * ceil_div(n, tile.columns)
            outer = size * batch[1] if batch[0] > 1 else 0
            slots = {"b": Pointer("packed"), "b_step": taps * k, "b_outer": outer, "b_inner": size}
            return RightOperand(compute_type(source.element), slots, k * tile.columns, True, packing, packed)
    start = Pointer("b", source.start * types.size(source.element))
    slots = {"b": start, "b_step": source.k, "b_outer": source.outer, "b_inner": source.inner}
    return RightOperand(source.element, slots, source.tap, source.tap == k * source.k, (), 0)


def split(machine: Machine, tile: RegisterTile, m: int, n: int, k: int, batch: int) -> dict[str, int]:
    """How a result is cut into chunks, by its size alone: the columns so that the part of `b` they need stays in the
    second cache, and the rows so that chunks are worth their while and many enough for many threads.

    Neighbouring chunks share columns.

    Args:
        k: Terms of each sum.
    """
    tiles_m, tiles_n = ceil_div(m, tile.rows), ceil_div(n, tile.columns)
    panel = max(1, k) * tile.columns * types.size(tile.element)
    n_blocks = ceil_div(tiles_n, max(1, int(0.4 * machine.l2) // panel))
    n_block = ceil_div(tiles_n, n_blocks)
    n_blocks = ceil_div(tiles_n, n_block)
    work = m * n * max(1, k)
    parts = max(1, min(MOST_CHUNKS, batch * work // SMALLEST_CHUNK) // (batch * n_blocks))
    m_block = ceil_div(tiles_m, min(parts, tiles_m))
    m_blocks = ceil_div(tiles_m, m_block)
    return {
        "m_block": m_block * tile.rows,
        "m_blocks": m_blocks,
        "n_block": n_block * tile.columns,
        "n_blocks": n_blocks,
        "chunks": batch * m_blocks * n_blocks,
    }
