"""The primitive `random_bits`: Philox4x32-10 on a vector of counters.

Each of the four words of a counter stands in the lower half of 64-bit lanes, where it is multiplied; upper halves hold
what is left of products, and nobody looks at them. A round is two multiplications, two shifts and two exclusive ors of
three operands (four of two, before AVX-512) for as many counters as there are lanes; the words then take four shuffles
to their places. With AVX-512 that is 65 instructions for 128 bytes: 33 cycles of Zen 4's four pipes, each of half a
vector. It takes 39.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ...graph.primitives.random import _LOW, _MULTIPLIERS, _WEYL
from .. import types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div

_ROUNDS = 10
_WORDS = 4
"""Random words that a counter gives."""

_BLOCK = 8192
"""Counters of a chunk: 128 KiB of random bits, some 10 us."""


@dataclass(frozen=True)
class RandomBits(Kernel):
    """A chunk is `_BLOCK` counters.

    Attributes:
        lanes: Of a vector.
        vectors: Side by side: where one waits for a product, the others go on. A power of two, as the lanes are.
    """

    lanes: int
    vectors: int

    @property
    def title(self) -> str:
        return f"random_bits_{self.lanes}x{self.vectors}"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"c": "ptr", "seed": "ptr", "offset": "ptr", "count": "i64"}

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        wide = types.vector("i64", self.lanes)
        keys = self._keys(f, f.load(given.seed, "i64", name="seed"))
        first = f.load(given.offset, "i64", name="offset")
        start = chunk * _BLOCK
        count = f.minimum(given.count - start * _WORDS, _BLOCK * _WORDS)
        result = f.gep(given.c, start * _WORDS, "i32")
        counters = f.splat(first + start, self.lanes) + f.iota(wide)
        some = self.lanes * _WORDS
        whole = f.binary("and", count, -some * self.vectors)
        with f.loop(0, whole, some * self.vectors, [counters], name="word") as loop:
            (counters,) = loop.carried
            place = f.gep(result, loop.index, "i32")
            for part, words in enumerate(self._words(f, counters, keys, self.vectors)):
                f.store(words, f.gep(place, part, wide), align=4)
            loop.yield_(counters + self.lanes * self.vectors)
        kept = f.stack(wide, 2, align=types.size("i64") * self.lanes, name="kept")
        with f.loop(whole, count, some, loop.results, name="rest") as rest:
            (counters,) = rest.carried
            for part, words in enumerate(self._words(f, counters, keys, 1)):
                f.store(words, f.gep(kept, part, wide))
            with f.loop(rest.index, f.minimum(rest.index + some, count), name="word") as word:
                value = f.load(f.gep(kept, word.index - rest.index, "i32"), "i32")
                f.store(value, f.gep(result, word.index, "i32"))
            rest.yield_(counters + self.lanes)

    def _keys(self, f: Function, seed: Reg) -> list[tuple[Reg, Reg]]:
        """The two words of each round's key."""
        words = [f.cast(seed, "i32"), f.cast(f.binary("lshr", seed, 32), "i32")]
        keys = []
        for turn in range(_ROUNDS):
            now = [word + turn * weyl for word, weyl in zip(words, _WEYL, strict=True)]
            low, high = (f.splat(f.cast(word, "i64", signed=False), self.lanes) for word in now)
            keys.append((low, high))
        return keys

    def _words(self, f: Function, counters: Reg, keys: list[tuple[Reg, Reg]], vectors: int) -> list[Reg]:
        """The random words of so many vectors of counters, in their order, as vectors of pairs."""
        zero = f.zero(counters.type)
        state = []
        for vector in range(vectors):
            now = counters + self.lanes * vector
            state.append((now, f.binary("lshr", now, 32), zero, zero))
        for low, high in keys:
            for vector, (c0, c1, c2, c3) in enumerate(state):
                p0, p1 = (f.mul(c & _LOW, m) for c, m in zip((c0, c2), _MULTIPLIERS, strict=True))
                state[vector] = (f.binary("lshr", p1, 32) ^ c1 ^ low, p1, f.binary("lshr", p0, 32) ^ c3 ^ high, p0)
        words = []
        order = [lane + side for lane in range(self.lanes) for side in (0, self.lanes)]
        for c0, c1, c2, c3 in state:
            front, back = (c0 & _LOW) | (c1 << 32), (c2 & _LOW) | (c3 << 32)
            words += [f.shuffle(front, back, half) for half in (order[: self.lanes], order[self.lanes :])]
        return words


def plan_random_bits(machine: Machine, *, count: int) -> Plan:
    """The primitive `random_bits`.

    Roles: `"c"`, uint32 `[count]`; `"seed"` and `"offset"`, one uint64 each.
    """
    if not count:
        return Plan()
    kernel = RandomBits(machine.vector_bytes // types.size("i64"), 4 if machine.vector_registers >= 32 else 2)
    step = kernel.step(
        chunks=ceil_div(count, _BLOCK * _WORDS),
        c=Pointer("c"),
        seed=Pointer("seed"),
        offset=Pointer("offset"),
        count=count,
    )
    return Plan((step,))
