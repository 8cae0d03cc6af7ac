"""Memory: where temporaries lie in the arena, by their lifetimes."""

from __future__ import annotations

from collections.abc import Iterable

from .arrays import ALIGNMENT, Block


def place(blocks: Iterable[Block]) -> int:
    """Give each block a place in the arena that no block alive at the same time overlaps; gives the arena's bytes.

    The largest go first, each to the lowest place that is free during its life (Pisarchyk and Lee, "Efficient memory
    management for deep neural net inference", 2020).
    """
    placed: list[Block] = []
    total = 0
    for block in sorted(blocks, key=lambda b: (-b.nbytes, b.first, b.last)):
        size = -(-block.nbytes // ALIGNMENT) * ALIGNMENT
        others = sorted(
            (other.place, -(-other.nbytes // ALIGNMENT) * ALIGNMENT)
            for other in placed
            if other.first <= block.last and block.first <= other.last
        )
        at = 0
        for start, length in others:
            if at + size <= start:
                break
            at = max(at, start + length)
        block.place = at
        placed.append(block)
        total = max(total, at + size)
    return total
