"""Attention, a block of queries at a time: `softmax(query @ key.T * scale + mask) @ value`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ..contract.tile import RegisterTile, divide
from ..emitter import Function, Reg
from ..plan import letter
from .block import AXES, Block, BlockKernel, write


@dataclass(frozen=True)
class Attention(BlockKernel):
    """The kernel; a chunk is one block.

    Attributes:
        result: Queries by features.
    """

    result: RegisterTile

    @property
    def title(self) -> str:
        return f"attention_{letter(self.element)}_{self.scores.title}{self.suffix}"

    @property
    def slots(self) -> Mapping[str, str]:
        strides = (f"c_{axis}" for axis in AXES)
        return dict(super().slots) | {"c": "ptr"} | dict.fromkeys((*strides, "at_shares"), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        tile = self.result
        batch, index = divide(f, chunk, given.blocks)
        outer, head = divide(f, batch, given.heads)
        block = Block(self, f, given, outer, head, index)
        shares, scores = block.area("shares"), block.area("scores")
        for w, value in enumerate(block.weights()):
            f.store(value, f.gep(shares, w * block.tile.lanes, tile.element), align=block.align)
        with (
            f.loop(0, block.count, tile.rows, name="query") as down,
            f.loop(0, given.value_features, tile.columns, name="feature") as across,
        ):
            query, feature = down.index, across.index
            sums = block.seen_by(query, scores, tile, block.value, given.value_row, feature, given.value_features)
            factors = [f.load(f.gep(shares, query + i, tile.element), tile.element) for i in range(tile.rows)]
            factors = [f.splat(factor, tile.lanes) for factor in factors]
            sums = [value * factors[at // tile.vectors] for at, value in enumerate(sums)]
            place = (outer, head, block.start + query)
            write(f, tile, sums, given, "c", self.element, place, feature,
                  block.count - query, given.value_features - feature)  # fmt: skip
