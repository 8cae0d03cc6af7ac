"""Random numbers from the seeds that Keras keeps as variables."""

from __future__ import annotations

from duograph.graph.dtype import uint32, uint64
from duograph.ops.random import Generator
from duograph.tensor import Tensor


class SeededGenerator(Generator):
    """The sequence of one Keras seed: a key, and a counter that Keras advances at each use.

    Both are tensors and are not read: drawing again is the same trace. Each value of the counter has 2^32 blocks of
    numbers of its own.
    """

    def __init__(self, key: Tensor, counter: Tensor) -> None:
        super().__init__()
        self._key = key.to(uint32).to(uint64)
        self._counter = counter.to(uint32).to(uint64) * 2**32

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        start = self._offset
        self._offset += -(-count // 4)
        return self._key, self._counter + start
