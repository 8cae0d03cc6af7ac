"""Where a plan's results go: over leaves that nobody needs any more, into memory that it used before, or into fresh
memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from sys import getrefcount
from typing import Any

from . import memory
from .buffer import Buffer

LARGEST_SPARE = 64 << 20
"""Bytes up to which a plan keeps the memory of an output for its next run: gradients come and go with each step, and
new pages from the system cost more than the step's writing to them. Threads that touch new pages wait for one another:
with two, a softmax of 64 MB ran at 8 GB/s so, and at 17 in memory that it had before."""

LARGEST_PAIR = 2 << 20
"""Bytes up to which it keeps that of the last two: often the last result is held until the next one is there."""


def _count_here(holder: dict[int, Any]) -> int:
    """What `getrefcount` says of a local variable whose thing has one holder."""
    thing = holder[0]
    return getrefcount(thing)


ALONE = _count_here({0: object()})


def picker(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A function that gives the things at these places of a sequence."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda things: tuple([things[k] for k in places])


Results = Sequence[tuple[tuple[int, ...], Any]]
"""Shape and NumPy dtype of each output."""


class Outputs:
    """The memory of a plan's outputs, run after run.

    Args:
        results: Shape and NumPy dtype of each output.
        donations: Pairs of an output and the leaf that it may be written over, by position.
    """

    def __init__(self, results: Results, donations: Sequence[tuple[int, int]]) -> None:
        self._results = results
        self._donations = donations
        self._overwriting = {k for k, _ in donations}
        # the memory of the last results and of those before them, by output
        self._last: dict[int, Buffer] = {}
        self._earlier: dict[int, Buffer] = {}
        # that of the last results for which no leaf could give its place, if that was so in the run before, too: who
        # overwrites states in each run must find that nobody else holds them
        self._apart: dict[int, Buffer] = {}
        self._missed: set[int] = set()

    def resize(self, results: Results) -> None:
        """From now on results have these shapes. Memory of others is let go."""
        self._results = results
        for spares in (self._last, self._earlier, self._apart):
            for k in [k for k, spare in spares.items() if spare.array.shape != results[k][0]]:
                del spares[k]

    def place(self, leaves: Sequence[Any], holders: int, keep: bool) -> list[Buffer]:
        """A buffer for each output.

        Args:
            holders: In how many places the caller holds each leaf, `leaves` among them. One that is held nowhere else
                may be overwritten.
            keep: Whether the memory of other results is kept for later runs, should nobody hold them then.
        """
        made: list[Any] = [None] * len(self._results)
        if self._apart:
            self._let_go(leaves)
        count = holders - 1 + ALONE
        for k, j in self._donations:
            leaf = leaves[j]
            if getrefcount(leaf) == count and leaf.simple:
                array = leaf.array
                if getrefcount(array) == ALONE and array.base is None:  # else an array that was handed out shows it
                    leaf.version += 1
                    made[k] = leaf
        missed, self._missed = self._missed, {k for k in self._overwriting if made[k] is None}
        if self._apart:
            self._apart = {k: spare for k, spare in self._apart.items() if made[k] is None}
        if self._earlier:
            self._last, self._earlier = self._earlier, self._last
        for spares in (self._last, self._earlier, self._apart):
            for k in spares:
                spare = spares[k]
                if made[k] is None and getrefcount(spare) == ALONE:
                    array = spare.array
                    if getrefcount(array) == ALONE and array.base is None and spare.reclaim():
                        made[k] = spare
            if None not in made:
                return made
        return [self._fresh(k, keep, k in missed) if buffer is None else buffer for k, buffer in enumerate(made)]

    def _fresh(self, k: int, keep: bool, missed: bool) -> Buffer:
        shape, dtype = self._results[k]
        made = Buffer(memory.empty(shape, dtype))
        if not keep or made.array.nbytes > LARGEST_SPARE:
            return made
        if k in self._overwriting:
            if missed:
                self._apart[k] = made
        else:
            known = self._last.get(k)
            if known is not None and made.array.nbytes <= LARGEST_PAIR:
                self._earlier[k] = known
            self._last[k] = made
        return made

    def _let_go(self, leaves: Sequence[Any]) -> None:
        """Do not hold leaves, so that they may be overwritten."""
        for k, j in self._donations:
            if self._apart.get(k) is leaves[j]:
                del self._apart[k]
