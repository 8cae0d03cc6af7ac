"""A block of queries and all keys that they see: what attention and its gradient have in common.

The scores of a block are computed transposed, a row for each key and a column for each query. So what is known of a
query, such as its greatest score, is a lane: the softmax needs no sums across lanes. Keys and values are read where
they stand, one broadcast number at a time; only the block's queries are turned, into the scratch memory of the thread.
What is multiplied by the weights later reads them as they lie, row by row or column by column.

    scores[key, query] = key . query * scale + mask        in scratch memory, which a cache holds
    weights[key, query] = exp(scores - peak[query])         in their place

Rows of scores past the last key that is seen, as far as a register tile reaches, are weights of 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, Literal

from .. import types
from ..contract.pack import transposed
from ..contract.tile import Left, RegisterTile, Right, Target, accumulate, store
from ..emitter import Function, Reg
from ..halves import read
from ..math.exponential import exp_to_one
from ..plan import Kernel

OPERANDS = ("query", "key", "value")
AXES = ("outer", "head", "row")
"""What operands and results have strides of; their columns are contiguous."""


@dataclass(frozen=True)
class Mask:
    """What is added to scores, or, if the element is `i8`, where to look.

    Attributes:
        by: `"keys"` where all queries of a head have one row of it, else `"scores"`: its columns are then contiguous.
    """

    element: str
    by: Literal["keys", "scores"]


@dataclass(frozen=True)
class BlockKernel(Kernel):
    """A kernel that goes over blocks of queries.

    Attributes:
        element: Of the operands in memory.
        scores: Keys by queries. A block has as many queries as this tile has columns.
        causal: A query sees no key whose number is greater than its own.
    """

    element: str
    scores: RegisterTile
    causal: bool
    mask: Mask | None
    threaded: ClassVar[bool] = True

    @property
    def suffix(self) -> str:
        """What the titles of kernels end with."""
        return ("_causal" if self.causal else "") + ("_masked" if self.mask else "")

    @property
    def slots(self) -> Mapping[str, str]:
        operands = (*OPERANDS, *(("mask",) if self.mask else ()))
        strides = [f"{name}_{axis}" for name in operands for axis in AXES]
        sizes = ("queries", "keys", "features", "value_features", "heads", "group", "blocks")
        places = ("at_query", "at_scores", *(("at_mask",) if self.by_scores else ()))
        more = ("mask_column",) if self.mask else ()
        pointers = dict.fromkeys((*operands, "scratch"), "ptr")
        return pointers | dict.fromkeys((*strides, *more, *sizes, *places), "i64") | {"scale": "double"}

    @property
    def by_scores(self) -> bool:
        """Whether the mask has an element for each score."""
        return self.mask is not None and self.mask.by == "scores"


class Block:
    """Some queries of one head, from `start` on.

    Attributes:
        count: Queries there are.
        seen: Keys that any of them sees.
        padded: The same, rounded up to whole register tiles.
    """

    def __init__(
        self, kernel: BlockKernel, f: Function, given: SimpleNamespace, outer: Reg, head: Reg, index: Reg
    ) -> None:
        self.kernel, self.f, self.given, self.tile = kernel, f, given, kernel.scores
        self.start = index * self.tile.columns
        self.count = f.minimum(given.queries - self.start, self.tile.columns)
        self.seen = f.minimum(given.keys, self.start + self.count) if kernel.causal else given.keys
        rows = self.tile.rows
        self.padded = f.binary("udiv", self.seen + (rows - 1), rows) * rows
        shared = f.binary("udiv", head, given.group)
        self.query = self.operand("query", outer, head, self.start)
        self.key, self.value = (self.operand(name, outer, shared, 0) for name in ("key", "value"))
        if kernel.mask:
            self.mask = self.operand("mask", outer, head, self.start, kernel.mask.element)

    def operand(self, name: str, outer: Reg, head: Reg, row: Reg | int, element: str = "") -> Reg:
        """Where a row of an operand `[outer, head, row, ...]` starts."""
        f, given = self.f, self.given
        steps = [getattr(given, f"{name}_{axis}") for axis in AXES]
        offset = outer * steps[0] + head * steps[1] + f.mul(steps[2], row)
        return f.gep(getattr(given, name), offset, element or self.kernel.element)

    def area(self, name: str) -> Reg:
        """A part of the thread's scratch memory."""
        return self.f.gep(self.given.scratch, getattr(self.given, f"at_{name}"), self.tile.element)

    @property
    def align(self) -> int:
        """Of the vectors in scratch memory."""
        return aligned(self.tile)

    def line(self, area: Reg, row: Reg) -> list[Reg]:
        """Where the vectors of a row of scores lie, or of something of that shape."""
        place = self.f.gep(area, row * self.tile.columns, self.tile.element)
        return [self.f.gep(place, w * self.tile.lanes, self.tile.element) for w in range(self.tile.vectors)]

    def turned(self, source: Reg, element: str, step: Reg, rows: Reg, columns: Reg, target: Reg) -> None:
        """Some rows of memory as the columns of `target`, by squares that are turned in registers. Where there are no
        more rows the last is repeated; rows of `target` past the last column, up to whole vectors, are zeros."""
        f, tile = self.f, self.tile
        with f.loop(0, columns, tile.lanes, name="turn") as down, f.loop(0, tile.columns, tile.lanes, name="by") as by:
            mask = f.lane_mask(columns - down.index, tile.lanes)
            square = []
            for i in range(tile.lanes):
                row = f.gep(source, f.minimum(by.index + i, rows - 1) * step, element)
                value = read(f, f.gep(row, down.index, element), element, tile.lanes, native=tile.half, mask=mask)
                square.append(f.cast(value, tile.element, signed=False))
            place = f.gep(target, down.index * tile.columns + by.index, tile.element)
            for i, value in enumerate(transposed(f, square)):
                f.store(value, f.gep(place, i * tile.columns, tile.element), align=self.align)

    def products(self, rows: Reg, step: Reg, length: Reg, right: Reg, key: Reg) -> list[Reg]:
        """A register tile of products of some rows, keys or values, with what was turned: from row `key` on. Rows past
        the last that is seen repeat it."""
        f, tile, element = self.f, self.tile, self.kernel.element
        pointers = [f.gep(rows, f.minimum(key + i, self.seen - 1) * step, element) for i in range(tile.rows)]
        zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
        columns = Right(tile.element, right, tile.columns, self.align)
        return accumulate(f, tile, zeros, length, Left(element, pointers), columns)

    def weights(self) -> list[Reg]:
        """The weights, not yet divided by their sum over all keys: gives one over the sum, for each query; 0 where a
        query sees nothing."""
        f, tile, given = self.f, self.tile, self.given
        packed, scores = self.area("query"), self.area("scores")
        self.turned(self.query, self.kernel.element, given.query_row, self.count, given.features, packed)
        if self.kernel.mask and self.kernel.by_scores:
            element = self.kernel.mask.element
            self.turned(self.mask, element, given.mask_row, self.count, self.seen, self.area("mask"))
        scale = f.splat(f.cast(given.scale, tile.element), tile.lanes)
        with f.loop(0, self.seen, tile.rows, [f.const(tile.vector, -math.inf)] * tile.vectors, name="key") as down:
            sums = self.products(self.key, given.key_row, given.features, packed, down.index)
            sums = self._masked([value * scale for value in sums], down.index)
            sums = self._hidden(sums, down.index)
            for place, value in zip(self.places(scores, down.index), sums, strict=True):
                f.store(value, place, align=self.align)
            peaks = [greatest(f, [old, *sums[w :: tile.vectors]]) for w, old in enumerate(down.carried)]
            down.yield_(*peaks)
        peaks = down.results
        if self.kernel.mask:  # where nothing is seen, each weight shall be exp(-inf) and not exp(NaN)
            peaks = [f.select(f.eq(peak, -math.inf), 0.0, peak) for peak in peaks]
        with f.loop(0, self.padded, 1, [f.zero(tile.vector)] * tile.vectors, name="weight") as loop:
            totals = []
            for place, peak, total in zip(self.line(scores, loop.index), peaks, loop.carried, strict=True):
                weight = exp_to_one(f, f.load(place, tile.vector, align=self.align) - peak)
                f.store(weight, place, align=self.align)
                totals.append(total + weight)
            loop.yield_(*totals)
        return [f.select(f.eq(total, 0.0), 0.0, f.fdiv(1.0, total)) for total in loop.results]

    def places(self, area: Reg, row: Reg) -> list[Reg]:
        """Where a register tile of something of the scores' shape lies, from a row on."""
        f, tile = self.f, self.tile
        place = f.gep(area, row * tile.columns, tile.element)
        return [f.gep(place, at * tile.lanes, tile.element) for at in range(tile.rows * tile.vectors)]

    def _masked(self, sums: list[Reg], key: Reg) -> list[Reg]:
        """A tile of scores with the mask, from row `key` on."""
        f, tile, mask = self.f, self.tile, self.kernel.mask
        if mask is None:
            return sums
        looks = mask.element == "i8"
        if mask.by == "scores":
            added = [f.load(place, tile.vector, align=self.align) for place in self.places(self.area("mask"), key)]
            if not looks:
                return [f.add(value, more) for value, more in zip(sums, added, strict=True)]
            return [f.select(f.ne(more, 0.0), value, -math.inf) for value, more in zip(sums, added, strict=True)]
        found = []
        for i in range(tile.rows):
            place = f.gep(self.mask, f.minimum(key + i, self.seen - 1) * self.given.mask_column, mask.element)
            row = sums[i * tile.vectors : (i + 1) * tile.vectors]
            number = read(f, place, mask.element, native=tile.half)
            if looks:
                found += [f.select(f.ne(number, 0), value, f.const(value.type, -math.inf)) for value in row]
            else:
                more = f.splat(f.cast(number, tile.element), tile.lanes)
                found += [f.add(value, more) for value in row]
        return found

    def _hidden(self, sums: list[Reg], key: Reg) -> list[Reg]:
        """A tile of scores with -inf where there is no key or the query does not see it."""
        f, tile = self.f, self.tile
        last = self.seen if not self.kernel.causal else f.minimum(self.seen, self.start + 1)  # that all see
        numbers = [f.iota(types.like(tile.vector, "i32")) + w * tile.lanes for w in range(tile.vectors)]
        with f.if_(f.compare("gt", key + tile.rows, last), name="hidden", likely=False) as branch:
            found = []
            for i in range(tile.rows):
                exists = f.lt(key + i, self.seen)
                for w, value in enumerate(sums[i * tile.vectors : (i + 1) * tile.vectors]):
                    value = f.select(exists, value, f.const(value.type, -math.inf))
                    if self.kernel.causal:
                        own = f.splat(f.cast(key + i - self.start, "i32"), tile.lanes)
                        value = f.select(f.compare("ge", numbers[w], own), value, -math.inf)
                    found.append(value)
            branch.yield_(*found)
        with branch.else_():
            branch.yield_(*sums)
        return branch.results

    def seen_by(
        self, query: Reg, area: Reg, tile: RegisterTile, rows: Reg, step: Reg, column: Reg, columns: Reg
    ) -> list[Reg]:
        """A register tile of the sums over the keys that queries see, from the block's number `query` on: of
        `area[key, query]` times the rows of keys or values from a column on."""
        f, kernel = self.f, self.kernel
        left = [f.gep(area, query + i, tile.element) for i in range(tile.rows)]
        right, edge = right_columns(f, tile, rows, kernel.element, step, column, columns)
        zeros = [f.zero(tile.vector)] * (tile.rows * tile.vectors)
        length = self.seen
        if kernel.causal:
            length = f.minimum(length, self.start + query + tile.rows)
        return accumulate(f, tile, zeros, length, Left(tile.element, left, self.tile.columns), right, edge)

    def first_query(self, key: Reg) -> Reg:
        """The first query of the block that sees a key."""
        f = self.f
        return f.maximum(key - self.start, 0) if self.kernel.causal else f.const("i64", 0)


def aligned(tile: RegisterTile) -> int:
    """The bytes that vectors in scratch memory are aligned to."""
    return types.size(tile.element) * tile.lanes


def greatest(f: Function, values: Sequence[Reg]) -> Reg:
    """The greatest, lane by lane, where there is no NaN: a NaN is found again in the weights."""
    return _combined(lambda a, b: f.select(a > b, a, b), values)


def total(f: Function, values: Sequence[Reg]) -> Reg:
    """The sum, lane by lane."""
    return _combined(f.add, values)


def _combined(function: Callable[[Reg, Reg], Reg], values: Sequence[Reg]) -> Reg:
    """By pairs, so that few wait for one another."""
    while len(values) > 1:
        pairs = [function(a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[2 * len(pairs) :]]
    return values[0]


def right_columns(
    f: Function, tile: RegisterTile, source: Reg, element: str, step: Reg, column: Reg, columns: Reg
) -> tuple[Right, Reg]:
    """Rows of memory as the right operand of products, from a column on, and whether the tile overshoots them."""
    masks = [f.lane_mask(columns - column - j * tile.lanes, tile.lanes) for j in range(tile.vectors)]
    right = Right(element, f.gep(source, column, element), step, None, masks)
    return right, columns - column < tile.columns


def write(
    f: Function, tile: RegisterTile, sums: Sequence[Reg], given: SimpleNamespace, name: str, element: str,
    place: tuple[Reg, Reg, Reg], column: Reg, rows: Reg, columns: Reg,
) -> None:  # fmt: skip
    """Write a register tile to the result of this name.

    Args:
        place: Where: outer, head and row.
        rows, columns: How much of the result there is from there on.
    """
    outer, head, first = place
    steps = [getattr(given, f"{name}_{axis}") for axis in AXES]
    start = outer * steps[0] + head * steps[1]

    def row(i: Reg | int) -> Reg:
        return f.add(first, i)

    to = Target(
        pointer=getattr(given, name),
        element=element,
        offset=lambda i: row(i) * steps[2] + start,
        row=row,
        column=column,
        column_step=1,
        rows=f.minimum(rows, tile.rows),
        columns=f.minimum(columns, tile.columns),
    )
    store(f, tile, sums, to, None, given)
