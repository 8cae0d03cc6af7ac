"""The tables that the driver reads, see `driver`, for the waves of a program."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from ..codegen.launch import ERROR, SCRATCH, Address, Launch
from ..codegen.lower import Host, Loop, Step
from ..codegen.plan import Failure
from ..graph.sizes import hint, is_size, sized
from . import driver, waves

SMALL = 20_000
"""Bytes and operations of a wave that one thread does sooner than it would wake others."""

Segment = tuple[Any, int, list[Host]]
"""A plan for the driver, its address, and what the interpreter computes after it."""


class Places:
    """The numbers of the bases that addresses count from: inputs, outputs, the arena, and what is kept.

    Args:
        inputs: The positions of inputs, in the order of their bases.
        outputs: How many there are.
        scratch: Where memory for the threads begins in the arena.
    """

    def __init__(self, inputs: Sequence[int], outputs: int, scratch: int) -> None:
        self._inputs = {position: base for base, position in enumerate(inputs)}
        self._scratch = scratch
        self.outputs = len(inputs)
        self.arena = self.outputs + outputs
        self.kept = self.arena + 1
        self.count = self.kept + 1

    def of(self, address: Address) -> tuple[int, int]:
        """The base of an address, and how many bytes it is from there."""
        block = address.block
        if block is SCRATCH:
            return self.arena, self._scratch + address.offset
        match block.kind:
            case "input":
                return self._inputs[block.position], address.offset
            case "output":
                return self.outputs + block.position, address.offset
            case "temporary":
                return self.arena, block.place + address.offset
            case "kept":
                return self.kept, block.place + address.offset
        raise AssertionError(block.kind)


class Tables:
    """Tables in memory, which stay where they are.

    Args:
        where: The addresses of kernels, by name.
        bases: Where the addresses of a run's memory are put.
        errors: Where kernels tell that data are refused.
        places: Which of the bases a place counts from.

    Attributes:
        segments: The plans for the driver, in order.
        varying: Places in tables where a size is an expression, and which: they hold the hints.
    """

    def __init__(self, where: dict[str, int], bases: Any, errors: Any, places: Places) -> None:
        self.segments: list[Segment] = []
        self.varying: list[tuple[Any, int, Any]] = []
        self._where = where
        self._bases = bases
        self._errors = errors
        self._places = places
        self._all: list[Any] = []
        self._relocations: list[int] = []
        self._checked = 0

    def build(self, preparations: Sequence[Launch], all_waves: Sequence[Sequence[Step]]) -> None:
        """Fill the tables. What is prepared once is a segment of its own, the first."""
        rows: list[int] = []
        for wave in [preparations, *all_waves] if preparations else all_waves:
            hosts = [step for step in wave if isinstance(step, Host)]
            rows += self._wave(wave, [])
            if hosts or (preparations and not self.segments):
                self._add_segment(rows, hosts)
                rows = []
        self._add_segment(rows, [])

    def fill(self, words: Sequence[int]) -> None:
        """Put numbers in the places of the expressions."""
        for (table, place, _), word in zip(self.varying, words, strict=True):
            table[place] = word

    def _wave(self, wave: Sequence[Step], around: list[tuple[Loop, list[int]]]) -> list[int]:
        """The row of a wave in the driver's table; none where only the interpreter has something to do.

        Args:
            around: The loops that the wave is in, the innermost last, and the addresses that they advance.
        """
        rows: list[int] = []
        total, work, checked = 0, 0, False
        for step in wave:
            if isinstance(step, Loop):
                return self._loop(step, around)
            if isinstance(step, Host):
                continue
            total += step.chunks
            work += step.bytes + step.operations
            checked = checked or waves.is_checked(step)
            rows += [self._where[step.kernel.name], self._block(step, around), total]
        if not rows:
            return []
        flags = driver.SERIAL * _serial(total, work) + driver.CHECKED * checked
        return [self._table(rows), len(rows) // 3, total, flags]

    def _loop(self, loop: Loop, around: list[tuple[Loop, list[int]]]) -> list[int]:
        advances: list[int] = []
        rows = [word for wave in loop.waves for word in self._wave(wave, [*around, (loop, advances)])]
        waves, moves = len(rows) // driver.WAVE_SLOTS, len(advances) // driver.ADVANCE_SLOTS
        table = self._table((self._table(rows), waves, loop.turns, self._table(advances), moves))
        return [table, 0, 0, driver.LOOP]

    def _block(self, launch: Launch, around: list[tuple[Loop, list[int]]]) -> int:
        """The address of a launch's arguments."""
        block = self._new(len(launch.arguments))
        start = ctypes.addressof(block)
        for slot, value in enumerate(launch.arguments):
            if not isinstance(value, Address):
                self._put(block, slot, value)
            elif value.block is ERROR:
                block[slot] = ctypes.addressof(self._errors) + self._checked * Failure.BYTES
            else:
                for loop, advances in reversed(around):
                    place = loop.outside(value)
                    value = place.address
                    if place.stride:
                        advances += [start + 8 * slot, place.stride, place.bits]
                self._relocations += [start + 8 * slot, *self._places.of(value)]
        self._checked += waves.is_checked(launch)
        return start

    def _new(self, words: int) -> Any:
        table = (ctypes.c_int64 * max(1, words))()
        self._all.append(table)
        return table

    def _put(self, table: Any, place: int, word: int) -> None:
        if is_size(word):
            self.varying.append((table, place, word))
        table[place] = hint(word)

    def _table(self, words: Sequence[int]) -> int:
        """The address of some words."""
        table = self._new(len(words))
        for place, word in enumerate(words):
            self._put(table, place, word)
        return ctypes.addressof(table)

    def _add_segment(self, rows: list[int], hosts: list[Host]) -> None:
        """Waves that run in one call, and what the interpreter computes after them."""
        relocations = self._relocations
        plan = (ctypes.c_int64 * driver.PLAN_SLOTS)(
            self._table(relocations), len(relocations) // 3, self._table(rows), len(rows) // driver.WAVE_SLOTS,
            ctypes.addressof(self._bases), ctypes.addressof(self._errors), len(self._errors) // 2, 0,
        )  # fmt: skip
        self.segments.append((plan, ctypes.addressof(plan), hosts))


@sized
def _serial(chunks: int, work: int) -> int:
    """1 if one thread is enough for a wave of so many chunks, which moves so many bytes and does as many operations."""
    return int(chunks == 1 or 0 < work < SMALL)
