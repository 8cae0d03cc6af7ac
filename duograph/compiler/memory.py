"""Memory: where temporaries lie in the arena, by their lifetimes."""

from __future__ import annotations

from collections.abc import Iterable

from ..graph.sizes import sized
from .arrays import ALIGNMENT, Block


def place(blocks: Iterable[Block]) -> int:
    """Give each block a place in the arena that no block alive at the same time overlaps; gives the arena's bytes."""
    blocks = sorted(blocks, key=lambda b: (b.first, b.last))
    alive: list[int] = []
    beside: list[list[int]] = [[] for _ in blocks]
    for k, block in enumerate(blocks):
        alive = [other for other in alive if blocks[other].last >= block.first]
        for other in alive:
            beside[k].append(other)
            beside[other].append(k)
        alive.append(k)
    # sets, since there may be a million neighbours, and `sized` looks for sizes in all tuples
    places, total = _placed(tuple([b.nbytes for b in blocks]), tuple(map(frozenset, beside)))
    for block, at in zip(blocks, places, strict=True):
        block.place = at
    return total


@sized
def _placed(sizes: tuple[int, ...], beside: tuple[frozenset[int], ...]) -> tuple[tuple[int, ...], int]:
    """Where blocks of so many bytes lie, and the bytes of all; `beside` are those that are alive with each.

    The largest go first, each to the lowest place that is free during its life (Pisarchyk and Lee, "Efficient memory
    management for deep neural net inference", 2020).
    """
    extents = [-(-nbytes // ALIGNMENT) * ALIGNMENT for nbytes in sizes]
    places = [-1] * len(sizes)
    total = 0
    for k in sorted(range(len(sizes)), key=lambda k: (-sizes[k], k)):
        size, at = extents[k], 0
        for start, length in sorted([(places[other], extents[other]) for other in beside[k] if places[other] >= 0]):
            if at + size <= start:
                break
            at = max(at, start + length)
        places[k] = at
        total = max(total, at + size)
    return tuple(places), total
