"""Plans of matrix products."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...graph.sizes import hint
from .. import types
from ..halves import computed
from ..plan import Plan, Pointer, Step, ceil_div
from .cut import Kernels, Problem, asks_ahead, is_far, outer_steps, split
from .epilogue import Epilogue
from .machine import Machine
from .outer import MatrixDepth
from .pack import Source, right_operand
from .pack_pairs import FEWEST_ROWS, PAIR, left_pairs, multiplies_pairs, right_pairs
from .product import MatrixRows, Product
from .tile import choose

SHORT_ROW = 2048
"""Bytes of a right operand's row up to which a sum of outer products reads it where it stands: then some rows share a
page of memory, and so an entry of the table of addresses."""


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
    if a.column != 1 and a.row == 1 and k > 1:
        return _plan_transposed(machine, a, b, c, m, n, k, batch, epilogue)
    tile = choose(machine, computed(a.element), m, n)
    source = Source(b.element, k=b.row, n=b.column, outer=b.outer, inner=b.inner)
    if _in_pairs(machine, a, b, m, k):
        tile, k = replace(tile, pairs=True), k // 2
        right = right_pairs(tile, source, n=n, k=2 * k, taps=1, batch=batch)
        a = Matrix(PAIR, a.row // 2, 1, a.outer // 2, a.inner // 2)
    else:
        right = right_operand(tile, source, m=m, n=n, k=k, taps=1, batch=batch)
    unit = a.column == 1 or k <= 1
    following = (
        unit
        and hint(a.row) == hint(k)
        and tile.rows * hint(k) * types.size(a.element) <= machine.l1 // 2
        and is_far(machine, a.element, m * k * batch[0] * batch[1])
    )
    kernel = Product(
        a.element,
        right.element,
        c.element,
        tile,
        MatrixRows(unit, following),
        right.packed > 0,
        c.column == 1,
        c.column == 1 and asks_ahead(machine, epilogue, c.element, m * n * batch[0] * batch[1], k),
        epilogue,
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
    blocks = split(machine, tile, m, n, k, batch[0] * batch[1], epilogue)
    step = kernel.step(
        chunks=blocks.pop("chunks"), m=m, n=n, k=k, inner=batch[1], b_tap=0, **blocks, **right.slots, **values
    )
    return Plan((step,), right.packing, right.packed)


def _in_pairs(machine: Machine, a: Matrix, b: Matrix, m: int, k: int) -> bool:
    """Whether to multiply pairs of terms, which stand side by side in the rows of `a`."""
    even = a.column == 1 and not any(n % 2 for n in (k, a.row, a.outer, a.inner))
    return multiplies_pairs(machine, a.element, b.element) and k > 1 and even and (b.column != 1 or m >= FEWEST_ROWS)


def _plan_transposed(
    machine: Machine,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    m: int,
    n: int,
    k: int,
    batch: tuple[int, int],
    epilogue: Epilogue | None,
) -> Plan:
    """The columns of `a` are contiguous: a sum of outer products."""
    tile = choose(machine, computed(a.element), m, n)
    source = Source(b.element, k=b.row, n=b.column, outer=b.outer, inner=b.inner)
    turned = Source(a.element, k=a.column, n=a.row, outer=a.outer, inner=a.inner)
    left: dict[str, Pointer | int] = {
        "a": Pointer("a"), "a_step": a.column, "a_outer": a.outer, "a_inner": a.inner,
    }  # fmt: skip
    before: tuple[Step, ...] = ()
    packed, element = 0, a.element
    if multiplies_pairs(machine, a.element, b.element) and min(m, n) >= FEWEST_ROWS:
        tile, element = replace(tile, pairs=True), PAIR
        right = right_pairs(tile, source, n=n, k=k, taps=1, batch=batch)
        step, left, packed = left_pairs(tile, turned, m=m, k=k, batch=batch, to=Pointer("workspace"))
        before, k = (step,), ceil_div(k, 2)
    else:
        together = hint(b.row) * types.size(b.element) <= SHORT_ROW
        right = right_operand(tile, source, m=0 if together else m, n=n, k=k, taps=1, batch=batch)
    problem = Problem(
        m=m,
        n=n,
        units=k,
        unit=1,
        taps=1,
        batch=batch[0] * batch[1],
        a_bytes=m * k * types.size(element),
        b_bytes=n * k * types.size(right.element),
    )
    values: dict[str, Pointer | int] = {
        **left,
        "inner": batch[1],
        "c_outer": c.outer,
        "c_inner": c.inner,
        "c_tap": 0,
        "c_row": c.row,
        "column_inner": 0,
        **right.slots,
    }
    kernel = Kernels(element, right.element, c.element, tile, MatrixDepth(), right.packed > 0, c.column, epilogue)
    steps, workspace = outer_steps(machine, problem, kernel, values, sums=packed)
    return Plan(before + steps, right.packing, right.packed, workspace)
