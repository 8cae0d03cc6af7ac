"""The gradients of attention with respect to queries, keys and values, without its weights in memory.

With P the weights, dP = dy V' and D the sums of P * dP over keys,

    dS = P * (dP - D) * scale        dQ = dS K        dK = dS' Q        dV = P' dy

A chunk is all of one head of keys and values, block of queries after block, for each head of queries that reads it: so
dK and dV are summed in one order. Their sums rest in the thread's scratch memory as register tiles. The weights are
computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ..contract.tile import Left, RegisterTile, accumulate, divide
from ..emitter import Function, Reg
from ..plan import letter
from .block import AXES, Block, BlockKernel, aligned, right_columns, total, write


@dataclass(frozen=True)
class AttentionGradient(BlockKernel):
    """The kernel.

    Attributes:
        wanted: Which gradients, of `"query"`, `"key"` and `"value"`.
        by_query: The tile of dQ.
        by_key, by_value: The tiles of dK and dV, with as many rows as that of the scores.
    """

    wanted: tuple[str, ...]
    by_query: RegisterTile
    by_key: RegisterTile
    by_value: RegisterTile

    @property
    def title(self) -> str:
        names = "_".join(self.wanted)
        return f"attention_gradient_{names}_{letter(self.element)}_{self.scores.title}{self.suffix}"

    @property
    def slots(self) -> Mapping[str, str]:
        found = dict(super().slots) | {"dy": "ptr"} | {f"d{name}": "ptr" for name in self.wanted}
        strides = [f"{name}_{axis}" for name in ("dy", *(f"d{w}" for w in self.wanted)) for axis in AXES]
        kept = [f"{part}_{name}" for name in self.wanted if name != "query" for part in ("at_d", "width")]
        places = ("at_dy", "at_slopes") if self.slopes else ()
        return found | dict.fromkeys((*strides, *kept, *places, "shared"), "i64")

    @property
    def slopes(self) -> bool:
        """Whether the gradient of the scores is needed."""
        return self.wanted != ("value",)

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        outer, shared = divide(f, chunk, given.shared)
        sums = [name for name in ("key", "value") if name in self.wanted]
        for name in sums:
            self._clear(f, given, name)
        with f.loop(0, given.group, name="head") as heads, f.loop(0, given.blocks, name="block") as blocks:
            head = shared * given.group + heads.index
            block = Block(self, f, given, outer, head, blocks.index)
            dy = block.operand("dy", outer, head, block.start)
            self._weights(block, dy)
            if "query" in self.wanted:
                self._queries(block, outer, head)
            for name, left, right in (("key", "slopes", "query"), ("value", "scores", "dy")):
                if name in sums:
                    step = getattr(given, f"{right}_row")
                    self._add(block, name, block.area(left), block.query if name == "key" else dy, step)
        for name in sums:
            self._write(f, given, name, outer, shared)

    def _weights(self, block: Block, dy: Reg) -> None:
        """P in the place of the scores, and dS."""
        f, tile, given = block.f, block.tile, block.given
        shares = block.weights()
        scores = block.area("scores")
        totals = [f.zero(tile.vector)] * tile.vectors
        if self.slopes:
            packed, slopes = block.area("dy"), block.area("slopes")
            block.turned(dy, self.element, given.dy_row, block.count, given.value_features, packed)
            with f.loop(0, block.seen, tile.rows, totals, name="slope") as down:
                sums = block.products(block.value, given.value_row, given.value_features, packed, down.index)
                terms = []
                weights, places = block.places(scores, down.index), block.places(slopes, down.index)
                for weight, place, value in zip(weights, places, sums, strict=True):
                    f.store(value, place, align=block.align)
                    terms.append(f.load(weight, tile.vector, align=block.align) * value)
                down.yield_(*(total(f, [old, *terms[w :: tile.vectors]]) for w, old in enumerate(down.carried)))
            scale = f.splat(f.cast(given.scale, tile.element), tile.lanes)
            totals = [value * share for value, share in zip(down.results, shares, strict=True)]
        with f.loop(0, block.padded, 1, name="divide") as loop:
            for w, place in enumerate(block.line(scores, loop.index)):
                weight = f.load(place, tile.vector, align=block.align) * shares[w]
                f.store(weight, place, align=block.align)
                if self.slopes:
                    at = block.line(slopes, loop.index)[w]
                    slope = weight * (f.load(at, tile.vector, align=block.align) - totals[w]) * scale
                    f.store(slope, at, align=block.align)

    def _queries(self, block: Block, outer: Reg, head: Reg) -> None:
        """dQ of a block."""
        f, tile, given = block.f, self.by_query, block.given
        with (
            f.loop(0, block.count, tile.rows, name="query") as down,
            f.loop(0, given.features, tile.columns, name="feature") as across,
        ):
            query, feature = down.index, across.index
            slopes = block.area("slopes")
            sums = block.seen_by(query, slopes, tile, block.key, given.key_row, feature, given.features)
            place = (outer, head, block.start + query)
            write(f, tile, sums, given, "dquery", self.element, place, feature,
                  block.count - query, given.features - feature)  # fmt: skip

    def _add(self, block: Block, name: str, area: Reg, right: Reg, step: Reg) -> None:
        """What a block of queries adds to dK or dV: for each key, the sum over queries of `area[key, query]` times the
        rows of `right`."""
        f, tile, given = block.f, self._tile(name), block.given
        features = given.features if name == "key" else given.value_features
        with (
            f.loop(0, block.seen, tile.rows, name=f"of_{name}") as down,
            f.loop(0, features, tile.columns, name="feature") as across,
        ):
            key, feature = down.index, across.index
            first = block.first_query(key)
            line = f.gep(area, key * self.scores.columns + first, tile.element)
            rows = [f.gep(line, i * self.scores.columns, tile.element) for i in range(tile.rows)]
            terms = f.gep(right, first * step, self.element)
            columns, edge = right_columns(f, tile, terms, self.element, step, feature, features)
            places = self._kept(f, given, name, key, feature)
            kept = [f.load(place, tile.vector, align=block.align) for place in places]
            sums = accumulate(f, tile, kept, block.count - first, Left(tile.element, rows), columns, edge)
            for place, value in zip(places, sums, strict=True):
                f.store(value, place, align=block.align)

    def _tile(self, name: str) -> RegisterTile:
        return self.by_key if name == "key" else self.by_value

    def _kept(self, f: Function, given: SimpleNamespace, name: str, key: Reg, feature: Reg) -> list[Reg]:
        """Where the sums of a tile rest."""
        tile = self._tile(name)
        area = f.gep(given.scratch, getattr(given, f"at_d_{name}"), tile.element)
        place = f.gep(area, key * getattr(given, f"width_{name}") + feature * tile.rows, tile.element)
        return [f.gep(place, at * tile.lanes, tile.element) for at in range(tile.rows * tile.vectors)]

    def _clear(self, f: Function, given: SimpleNamespace, name: str) -> None:
        tile = self._tile(name)
        with (
            f.loop(0, given.keys, tile.rows, name="clear") as down,
            f.loop(0, getattr(given, f"width_{name}"), tile.columns, name="feature") as across,
        ):
            for place in self._kept(f, given, name, down.index, across.index):
                f.store(f.zero(tile.vector), place, align=aligned(tile))

    def _write(self, f: Function, given: SimpleNamespace, name: str, outer: Reg, shared: Reg) -> None:
        """The sums of all blocks as the result."""
        tile = self._tile(name)
        features = given.features if name == "key" else given.value_features
        with (
            f.loop(0, given.keys, tile.rows, name="write") as down,
            f.loop(0, features, tile.columns, name="feature") as across,
        ):
            key, feature = down.index, across.index
            places = self._kept(f, given, name, key, feature)
            sums = [f.load(place, tile.vector, align=aligned(tile)) for place in places]
            write(f, tile, sums, given, f"d{name}", self.element, (outer, shared, key), feature,
                  given.keys - key, features - feature)  # fmt: skip
