"""From a graph to the draft of what runs: compiled, its launches in waves, its temporaries placed."""

from __future__ import annotations

from collections.abc import Sequence

from ..codegen.launch import ERROR, SCRATCH, Address, Launch
from ..codegen.lower import Host, Loop, Step
from ..codegen.repeat import launches_of, steps_of
from ..graph.check import enabled as checks
from ..graph.node import Graph
from ..graph.sizes import hint, sized
from ..graph.skeleton import Symbolic
from . import draft as drafts
from . import driver, log, waves
from .draft import Draft, Orders, Segment, Word, aligned
from .program import compiled

SMALL = 20_000
"""Bytes and operations of a wave that one thread does sooner than it would wake others."""


class NotSized(Exception):
    """A computation cannot be compiled for many sizes."""


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
        self._outputs = len(inputs)
        self._arena = self._outputs + outputs

    def of(self, address: Address) -> tuple[int, int]:
        """The base of an address, and how many bytes it is from there."""
        block = address.block
        if block is SCRATCH:
            return self._arena, self._scratch + address.offset
        match block.kind:
            case "input":
                return self._inputs[block.position], address.offset
            case "output":
                return self._outputs + block.position, address.offset
            case "temporary":
                return self._arena, block.place + address.offset
            case "kept":
                return self._arena + 1, block.place + address.offset
        raise AssertionError(block.kind)


class Drawing:
    """A graph's program in waves, and its draft.

    Attributes:
        draft: What runs.
        hosts: For each segment, what the interpreter computes after it.
        places: Where addresses lie.
        simple, schedule, launches, preparations, waves: What the draft was made of.

    Raises:
        NotSized: The graph's sizes are expressions, and it cannot be compiled for many.
    """

    def __init__(self, graph: Graph, orders: Orders, journal: log.Journal, symbols: Symbolic | None = None) -> None:
        program = compiled(graph, orders, journal, symbols)
        self.simple = simple = program.simple
        self.schedule = program.schedule
        self.launches = program.steps
        if symbols is not None and any(isinstance(step, Host) for step in steps_of(self.launches)):
            raise NotSized("the host computes a part of it")
        waves.plan_turns(self.launches)
        self.preparations = waves.preparations(self.launches)
        kept = _keep(self.preparations)
        self.waves = waves.waves([step for step in self.launches if step not in self.preparations])
        donations = [
            (k, j)
            for k, j in waves.donations(self.waves)
            if j < len(graph.inputs)
            and graph.inputs[j].shape  # single numbers have no memory that is worth it
            and (graph.outputs[k].shape, graph.outputs[k].dtype) == (graph.inputs[j].shape, graph.inputs[j].dtype)
        ]
        arena = waves.plan_memory(self.waves)
        if checks() and symbols is None:
            waves.check_memory(self.waves)
        journal.mark("lower")
        numbers = [k for k, node in enumerate(simple.inputs) if node.shape == ()]
        arrays = [k for k, node in enumerate(simple.inputs) if node.shape != ()]
        self.places = Places([*arrays, *numbers], len(simple.outputs), aligned(arena))
        self.kernels = [launch.kernel for launch in launches_of(self.launches)]
        self.hosts: list[list[Host]] = []
        self._tables: list[tuple[Word, ...]] = []
        self._relocations: list[Word] = []
        self._errors = 0
        segments = self._segments()
        self.draft = Draft(
            tables=tuple(self._tables),
            segments=tuple(segments),
            errors=self._errors,
            kernels=tuple(dict.fromkeys(kernel.name for kernel in self.kernels)),
            arrays=tuple(arrays),
            numbers=tuple(numbers),
            dtypes=tuple([simple.inputs[k].dtype.name for k in numbers]),
            pairs=tuple([k for k, node in enumerate(graph.inputs) if not node.shape and simple.inputs[k].shape]),
            arena=arena,
            scratch=_most([launch.scratch for launch in launches_of(self.launches)]),
            kept=kept,
            donations=tuple(donations),
            prepared=tuple(sorted({b.position for s in self.preparations for b in s.reads if b.kind == "input"})),
        )

    def settle(self) -> None:
        """Show the numbers of the sizes at hand from now on, where these are expressions."""
        for step in steps_of([*self.launches]):
            if isinstance(step, Launch):
                step.bytes, step.operations, step.chunks = map(hint, (step.bytes, step.operations, step.chunks))
            elif isinstance(step, Loop):
                step.turns = hint(step.turns)
            for block in (*step.reads, *step.writes):
                block.nbytes, block.place = hint(block.nbytes), hint(block.place)

    def _segments(self) -> list[Segment]:
        found: list[Segment] = []
        rows: list[Word] = []

        def end(hosts: list[Host]) -> None:
            relocations = self._relocations
            segment = Segment(
                self._table(relocations), len(relocations) // 3, self._table(rows), len(rows) // driver.WAVE_SLOTS
            )
            found.append(segment)
            self.hosts.append(hosts)

        all_waves: list[Sequence[Step]] = [*self.waves]
        if self.preparations:
            all_waves.insert(0, self.preparations)
        for wave in all_waves:
            hosts = [step for step in wave if isinstance(step, Host)]
            rows += self._wave(wave, [])
            if hosts or (self.preparations and not found):
                end(hosts)
                rows = []
        end([])
        return found

    def _wave(self, wave: Sequence[Step], around: list[tuple[Loop, list[Word]]]) -> list[Word]:
        """The row of a wave in the driver's table; none where only the interpreter has something to do.

        Args:
            around: The loops that the wave is in, the innermost last, and the addresses that they advance.
        """
        rows: list[Word] = []
        total, work, checked = 0, 0, False
        for step in wave:
            if isinstance(step, Loop):
                return self._loop(step, around)
            if isinstance(step, Host):
                continue
            total += step.chunks
            work += step.bytes + step.operations
            checked = checked or waves.is_checked(step)
            rows += [(drafts.KERNEL, step.kernel.name), (drafts.TABLE, self._block(step, around), 0), total]
        if not rows:
            return []
        flags = driver.SERIAL * _serial(total, work) + driver.CHECKED * checked
        return [(drafts.TABLE, self._table(rows), 0), len(rows) // 3, total, flags]

    def _loop(self, loop: Loop, around: list[tuple[Loop, list[Word]]]) -> list[Word]:
        advances: list[Word] = []
        rows = [word for wave in loop.waves for word in self._wave(wave, [*around, (loop, advances)])]
        count, moves = len(rows) // driver.WAVE_SLOTS, len(advances) // driver.ADVANCE_SLOTS
        inner, moved = (drafts.TABLE, self._table(rows), 0), (drafts.TABLE, self._table(advances), 0)
        return [(drafts.TABLE, self._table([inner, count, loop.turns, moved, moves]), 0), 0, 0, driver.LOOP]

    def _block(self, launch: Launch, around: list[tuple[Loop, list[Word]]]) -> int:
        """The table of a launch's arguments."""
        block = len(self._tables)
        words: list[Word] = []
        for slot, value in enumerate(launch.arguments):
            if not isinstance(value, Address):
                words.append(value)
                continue
            if value.block is ERROR:
                words.append((drafts.ERROR, self._errors))
                continue
            words.append(0)
            here = (drafts.TABLE, block, slot)
            for loop, advances in reversed(around):
                place = loop.outside(value)
                value = place.address
                if place.stride:
                    advances += [here, place.stride, place.bits]
            self._relocations += [here, *self.places.of(value)]
        self._errors += waves.is_checked(launch)
        return self._table(words)

    def _table(self, words: Sequence[Word]) -> int:
        self._tables.append(tuple(words))
        return len(self._tables) - 1


@sized
def _most(scratch: Sequence[int]) -> int:
    """Bytes that are enough for the greediest."""
    return max(scratch, default=0)


@sized
def _serial(chunks: int, work: int) -> int:
    """1 if one thread is enough for a wave of so many chunks, which moves so many bytes and does as many operations."""
    return int(chunks == 1 or 0 < work < SMALL)


def _keep(preparations: Sequence[Launch]) -> int:
    """Give what preparations write a place in memory that is kept; its bytes."""
    total = 0
    for launch in preparations:
        for block in launch.writes:
            if block.kind == "temporary":
                block.kind, block.place = "kept", total
                total += aligned(block.nbytes)
    return total
