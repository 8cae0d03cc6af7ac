"""Operands of bfloat16 for processors that multiply pairs: AVX512_BF16.

Such an instruction adds two products to each lane, `sums[j] += a[0] * b[0, j] + a[1] * b[1, j]`, in float32. So two
neighbouring terms of a sum are one element here, of 32 bits, and products are what they are otherwise, with half as
many terms:

    packed[batch, panel, t, k, j] = source[batch, t, 2 k : 2 k + 2, panel * width + j]

A left operand whose rows are contiguous has its pairs side by side where it stands. What is walked along its columns is
packed, too. A last term without a partner gets a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from .. import types
from ..emitter import Function, Reg, vector
from ..plan import Kernel, Pointer, Step, ceil_div, round_up
from .machine import Machine
from .pack import RightOperand, Source, transposed
from .tile import RegisterTile, divide

PAIR = "i32"
"""The element type of a pair."""

BLOCK = 64
"""Pairs that one chunk packs."""

FEWEST_ROWS = 32
"""Rows of a result from which packing pays whose right operand could be read as it is."""


@dataclass(frozen=True)
class PackPairs(Kernel):
    """The kernel.

    Attributes:
        unit: Along which index the source is contiguous.
    """

    lanes: int
    unit: Literal["k", "n", "none"]

    @property
    def title(self) -> str:
        return f"pack_pairs_by_{self.unit}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = (
            "n",
            "k",
            "width",
            "taps",
            "panels",
            "blocks",
            "inner",
            "by_k",
            "by_n",
            "by_tap",
            "by_outer",
            "by_inner",
        )
        return {"source": "ptr", "packed": "ptr"} | dict.fromkeys(sizes, "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        batch, rest = divide(f, chunk, given.panels * given.blocks)
        panel, block = divide(f, rest, given.blocks)
        outer, inner = divide(f, batch, given.inner)
        column = panel * given.width
        left = f.minimum(given.n - column, given.width)
        start = outer * given.by_outer + inner * given.by_inner + column * given.by_n
        source = f.gep(given.source, start, "i16")
        pairs = f.binary("lshr", given.k + 1, 1)
        first = block * BLOCK
        last = f.minimum(first + BLOCK, pairs)
        packed = f.gep(given.packed, (batch * given.panels + panel) * given.taps * pairs * given.width, PAIR)
        with f.loop(0, given.taps, name="tap") as tap:
            here = f.gep(source, tap.index * given.by_tap, "i16")
            there = f.gep(packed, tap.index * pairs * given.width, PAIR)
            squares = first
            if self.unit == "k":
                whole = f.maximum(f.minimum(last, f.binary("lshr", given.k, 1)) - first, 0)
                squares = first + f.binary("and", whole, -self.lanes)
                with f.loop(first, squares, self.lanes, name="pair") as pair:
                    self._turn(f, given, here, there, pair.index, left)
            with (
                f.loop(squares, last, name="pair") as pair,
                f.loop(0, given.width, self.lanes, name="column") as across,
            ):
                place = f.gep(there, pair.index * given.width + across.index, PAIR)
                self._join(f, given, here, pair.index * 2, across.index, left, place)

    def _turn(self, f: Function, given: SimpleNamespace, here: Reg, there: Reg, pair: Reg, left: Reg) -> None:
        """As many pairs as lanes, in squares that are turned in registers. Columns past the last repeat it."""
        with f.loop(0, given.width, self.lanes, name="column") as across:
            square = []
            for i in range(self.lanes):
                column = f.gep(here, f.minimum(across.index + i, left - 1) * given.by_n, "i16")
                square.append(f.load(f.gep(column, pair, PAIR), vector(PAIR, self.lanes), align=2))
            place = f.gep(there, pair * given.width + across.index, PAIR)
            for value in transposed(f, square):
                f.store(value, place, align=4 * self.lanes)
                place = f.gep(place, given.width, PAIR)

    def _join(self, f: Function, given: SimpleNamespace, here: Reg, k: Reg, column: Reg, left: Reg, place: Reg) -> None:
        """A vector of pairs, from two rows; in place of a second that is not there, zeros."""
        partner = f.lt(k + 1, given.k)
        rows = [f.gep(here, k * given.by_k, "i16"), f.gep(here, f.minimum(k + 1, given.k - 1) * given.by_k, "i16")]
        if self.unit == "n":
            counts = [left - column, f.select(partner, left - column, 0)]
            low, high = (
                f.load(f.gep(row, column, "i16"), vector("i16", self.lanes), mask=f.lane_mask(count, self.lanes))
                for row, count in zip(rows, counts, strict=True)
            )
            pairs = [f.cast(half, PAIR, signed=False) for half in (low, high)]
            f.store(pairs[0] | (pairs[1] << 16), place, align=4 * self.lanes)
            return
        with f.loop(0, self.lanes, name="lane") as lane:
            at = f.minimum(column + lane.index, left - 1) * given.by_n
            low, high = (f.cast(f.load(f.gep(row, at, "i16"), "i16"), PAIR, signed=False) for row in rows)
            pair = low | (f.select(partner, high, 0) << 16)
            f.store(pair, f.gep(place, lane.index, PAIR))


def multiplies_pairs(machine: Machine, a: str, b: str) -> bool:
    """Whether products of these element types are best taken in pairs."""
    return machine.pairs and a == b == "bfloat"


def plan_pairs(
    source: Source, *, lanes: int, width: int, n: int, k: int, taps: int, batch: tuple[int, int],
    role: Pointer, to: Pointer,
) -> tuple[Step, int]:  # fmt: skip
    """The step that packs pairs, and the bytes of what it packs."""
    panels, pairs = ceil_div(n, width), ceil_div(k, 2)
    blocks, count = ceil_div(pairs, BLOCK), batch[0] * batch[1] * panels
    step = PackPairs(lanes, "n" if source.n == 1 else "k" if source.k == 1 else "none").step(
        chunks=count * blocks,
        source=Pointer(role.role, role.offset + source.start * types.size(source.element)),
        packed=to,
        n=n,
        k=k,
        width=width,
        taps=taps,
        panels=panels,
        blocks=blocks,
        inner=batch[1],
        by_k=source.k,
        by_n=source.n,
        by_tap=source.tap,
        by_outer=source.outer,
        by_inner=source.inner,
    )
    return step, count * taps * pairs * width * types.size(PAIR)


def right_pairs(
    tile: RegisterTile, source: Source, *, n: int, k: int, taps: int, batch: tuple[int, int]
) -> RightOperand:
    """A right operand packed in pairs, in panels as wide as the tile; its slots count pairs."""
    step, size = plan_pairs(
        source, lanes=tile.lanes, width=tile.columns, n=n, k=k, taps=taps, batch=batch,
        role=Pointer("b"), to=Pointer("packed"),
    )  # fmt: skip
    pairs = ceil_div(k, 2)
    one = taps * pairs * tile.columns * ceil_div(n, tile.columns)
    slots: dict[str, Pointer | int] = {
        "b": Pointer("packed"),
        "b_step": taps * pairs,
        "b_outer": one * batch[1] if batch[0] > 1 else 0,
        "b_inner": one,
    }
    return RightOperand(PAIR, slots, pairs * tile.columns, k % 2 == 0, (step,), size)


def left_pairs(
    tile: RegisterTile, source: Source, *, m: int, k: int, batch: tuple[int, int], to: Pointer
) -> tuple[Step, dict[str, Pointer | int], int]:
    """The columns of a left operand, `source.n` apart, in pairs: the step that packs them to `to`, the values of the
    slots for it, and its bytes."""
    width = round_up(m, tile.lanes)
    step, size = plan_pairs(
        source, lanes=tile.lanes, width=width, n=m, k=k, taps=1, batch=batch, role=Pointer("a"), to=to
    )
    one = ceil_div(k, 2) * width
    slots: dict[str, Pointer | int] = {
        "a": to,
        "a_step": width,
        "a_outer": one * batch[1] if batch[0] > 1 else 0,
        "a_inner": one,
    }
    return step, slots, size
