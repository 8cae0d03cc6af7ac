"""A plan as machine code: what the compiler made of a graph, bound to memory, and how it is run."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import weakref
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..codegen import lower, scalar
from ..codegen.contract import Machine
from ..codegen.launch import ERROR, SCRATCH, Address, Launch
from ..codegen.lower import Host, Loop, Step
from ..codegen.plan import Failure, Scratch
from ..codegen.repeat import launches_of
from ..compiler import check
from ..compiler.arrays import ALIGNMENT, Array, Block, ordered_strides
from ..compiler.complex import legalise
from ..compiler.schedule import Schedule
from ..compiler.simplify import simplify
from ..graph.node import Graph, Node
from ..graph.trace import Number
from . import code, driver, log, pool, targets, waves
from .buffer import SHARED, Buffer
from .control import Driven, driven
from .interpreter import Interpretation, evaluate
from .outputs import Outputs, picker

_PACKED = {
    "bool": "?", "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q",
    "int64": "q", "float16": "e", "float32": "f", "float64": "d", "bfloat16": "H",
}  # fmt: skip
"""How a run-time number is written, by its dtype: letters of `struct`, which has none for bfloat16, only its size."""

SMALL = 20_000
"""Bytes and operations of a wave that one thread does sooner than it would wake others."""


LARGEST_FIRST = 16 << 20
"""Bytes of an arena that is kept after a plan's first run: many run once, such as that of first weights."""

PROCESSORS = os.cpu_count() or 1

_address, _number = attrgetter("address"), attrgetter("number")


class Native:
    """A compiled graph.

    Args:
        graph: What to compute.
        orders: For each input, in which order its axes lie in memory; None for row-major order.

    Raises:
        CompileError: LLVM refuses a kernel.
    """

    def __init__(self, graph: Graph, orders: Sequence[tuple[int, ...] | None]) -> None:
        self.graph = graph
        journal = log.Journal()
        real = legalise(graph)
        simple = simplify(real)
        self.simple = simple
        checking = check.enabled()
        if checking:
            check.check_graph(real, simple)
        journal.mark("simplify")
        inputs = []
        for position, (node, order) in enumerate(zip(simple.inputs, orders, strict=True)):
            block = Block(node.nbytes, "input", position)
            axes = tuple(range(node.ndim))
            strides = ordered_strides(node.shape, axes if order is None else (*order, *axes[len(order) :]))
            inputs.append(Array(block, node.dtype, node.shape, strides))
        machine = Machine.of(targets.target(), targets.caches())
        schedule = Schedule(simple, inputs, scalar.SUPPORTED)
        self.schedule = schedule
        if checking:
            check.check_schedule(schedule)
        journal.mark("schedule")
        self.launches = lower.lower(machine, schedule)
        waves.plan_turns(self.launches)
        self.preparations = waves.preparations(self.launches)
        self.kept = _keep(self.preparations)
        self.waves = waves.waves([step for step in self.launches if step not in self.preparations])
        self._donations = [
            (k, j)
            for k, j in waves.donations(self.waves)
            if graph.inputs[j].shape  # single numbers have no memory that is worth it
            and (graph.outputs[k].shape, graph.outputs[k].dtype) == (graph.inputs[j].shape, graph.inputs[j].dtype)
        ]
        self.arena = waves.plan_memory(self.waves)
        if checking:
            waves.check_memory(self.waves)
        self.scratch = max((launch.scratch for launch in launches_of(self.launches)), default=0)
        journal.mark("lower")
        self._lock = threading.Lock()
        self._driven: dict[Node, Driven] = {}  # what computes control flow
        self._bind()
        journal.finish(self)

    def _bind(self) -> None:
        """Fill the tables that the driver reads."""
        self._where = code.addresses(launch.kernel for launch in launches_of(self.launches))
        simple = self.simple
        number_places = [k for k, node in enumerate(simple.inputs) if node.shape == ()]
        self._complex_numbers = [
            k for k, node in enumerate(self.graph.inputs) if not node.shape and simple.inputs[k].shape
        ]
        array_places = [k for k, node in enumerate(simple.inputs) if node.shape != ()]
        self._arrays, self._scalars = picker(array_places), picker(number_places)
        self._number_places = number_places
        self._input_bases = {k: base for base, k in enumerate((*array_places, *number_places))}
        self._output_base = len(simple.inputs)
        self._arena_base = self._output_base + len(simple.outputs)
        self._kept_base = self._arena_base + 1
        self._bases = (ctypes.c_int64 * (self._kept_base + 1))()
        self._put_bases = struct.Struct(f"={self._kept_base + 1}q").pack_into
        self._kept_memory = Arena(self.kept)
        self._prepared: list[
            tuple[weakref.ref[Buffer], int]
        ] = []  # the inputs that are packed, and which content of theirs
        self._to_prepare = sorted({b.position for s in self.preparations for b in s.reads if b.kind == "input"})
        packing = struct.Struct("=" + "".join(_PACKED[simple.inputs[k].dtype.name] for k in number_places))
        self._numbers = (ctypes.c_char * max(1, packing.size))()
        self._pack = packing.pack_into
        self._packable = all(simple.inputs[k].dtype.name != "bfloat16" for k in number_places)
        start, offsets = ctypes.addressof(self._numbers), []
        for k in number_places:
            offsets.append(start)
            start += simple.inputs[k].dtype.itemsize
        self._number_addresses = offsets
        errors = sum(map(waves.is_checked, launches_of(self.launches)))
        self._errors = (ctypes.c_int64 * max(2, 2 * errors))()
        self._tables: list[Any] = []
        self._relocations: list[int] = []
        self._checked = 0
        rows: list[int] = []
        self._segments: list[tuple[Any, int, list[Host]]] = []
        all_waves: list[Sequence[Step]] = [*self.waves]
        if self.preparations:
            all_waves.insert(0, self.preparations)
        for wave in all_waves:
            hosts = [step for step in wave if isinstance(step, Host)]
            rows += self._wave(wave, [])
            if hosts or (self.preparations and not self._segments):
                self._add_segment(rows, hosts)
                rows = []
        self._add_segment(rows, [])
        self._outputs = Outputs([(o.shape, o.dtype.numpy) for o in self.graph.outputs], self._donations)
        self._has_run = False  # a plan that runs once, such as that of first weights, keeps nothing
        self._run = driver.entry()[1]

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
        serial = total == 1 or (work and work < SMALL)
        flags = driver.SERIAL * bool(serial) + driver.CHECKED * checked
        return [self._table(rows), len(rows) // 3, total, flags]

    def _loop(self, loop: Loop, around: list[tuple[Loop, list[int]]]) -> list[int]:
        advances: list[int] = []
        rows = [word for wave in loop.waves for word in self._wave(wave, [*around, (loop, advances)])]
        waves, moves = len(rows) // driver.WAVE_SLOTS, len(advances) // driver.ADVANCE_SLOTS
        table = self._table((self._table(rows), waves, loop.turns, self._table(advances), moves))
        return [table, 0, 0, driver.LOOP]

    def _block(self, launch: Launch, around: list[tuple[Loop, list[int]]]) -> int:
        """The address of a launch's arguments."""
        block = (ctypes.c_int64 * max(1, len(launch.arguments)))()
        self._tables.append(block)
        start = ctypes.addressof(block)
        for slot, value in enumerate(launch.arguments):
            if isinstance(value, int):
                block[slot] = value
            elif value.block is ERROR:
                block[slot] = ctypes.addressof(self._errors) + self._checked * Failure.BYTES
            else:
                for loop, advances in reversed(around):
                    place = loop.outside(value)
                    value = place.address
                    if place.stride:
                        advances += [start + 8 * slot, place.stride, place.bits]
                self._relocations += [start + 8 * slot, *self._location(value)]
        self._checked += waves.is_checked(launch)
        return start

    def _table(self, words: Sequence[int]) -> int:
        """The address of some words, which stay where they are."""
        table = (ctypes.c_int64 * max(1, len(words)))(*words)
        self._tables.append(table)
        return ctypes.addressof(table)

    def _add_segment(self, rows: list[int], hosts: list[Host]) -> None:
        """Waves that run in one call, and what the interpreter computes after them."""
        relocations = self._relocations
        plan = (ctypes.c_int64 * driver.PLAN_SLOTS)(
            self._table(relocations), len(relocations) // 3, self._table(rows), len(rows) // driver.WAVE_SLOTS,
            ctypes.addressof(self._bases), ctypes.addressof(self._errors), len(self._errors) // 2, 0,
        )  # fmt: skip
        self._segments.append((plan, ctypes.addressof(plan), hosts))

    def _location(self, address: Address) -> tuple[int, int]:
        block = address.block
        if block is SCRATCH:
            return self._arena_base, self._scratch_place + address.offset
        match block.kind:
            case "input":
                return self._input_bases[block.position], address.offset
            case "output":
                return self._output_base + block.position, address.offset
            case "temporary":
                return self._arena_base, block.place + address.offset
            case "kept":
                return self._kept_base, block.place + address.offset
        raise AssertionError(block.kind)

    def __call__(self, leaves: Sequence[Any], holders: int = 1) -> list[Buffer]:
        """The outputs for these leaves: fresh buffers, or leaves that nobody else holds, overwritten.

        Args:
            holders: In how many places the caller holds each leaf itself, the list `leaves` among them. A leaf that is
                held nowhere else is dead after the call.

        Raises:
            DuographError: What the interpreter raises for these data.
        """
        with self._lock:
            self.finished = None
            return self._call(leaves, holders)

    finished: list[Buffer] | None = None
    """The outputs, once they are computed, of the call that is under way: what an interrupt leaves to be picked up."""

    def _call(self, leaves: Sequence[Any], holders: int) -> list[Buffer]:
        if self._complex_numbers:
            leaves = self._with_pairs(leaves)
        numbers = self._put_numbers(self._scalars(leaves)) if self._number_places else ()
        outputs = self._outputs.place(leaves, holders, self._has_run)
        arena = (
            _arenas.take(self._arena_size() if self.scratch else self.arena) if self.scratch or self.arena else _NONE
        )
        try:
            self._put_bases(
                self._bases, 0, *map(_address, self._arrays(leaves)), *numbers, *map(_address, outputs),
                arena.address, self._kept_memory.address,
            )  # fmt: skip
            if self.scratch:
                ctypes.c_int64.from_address(arena.address + self._scratch_place).value = self.scratch
            segments = self._segments
            if self._to_prepare:
                contents = self._contents(leaves)
                if contents and contents == self._prepared:
                    segments = segments[1:]
                else:
                    self._prepared = []  # until it is
            for plan, _, _ in segments:
                plan[7] = driver.WAITING
            try:
                self._advance(segments, leaves)
                self.finished = outputs
            except KeyboardInterrupt:
                if all(plan[7] == driver.WAITING for plan, _, _ in segments):
                    raise  # nothing has happened
                # inputs may be overwritten: the rest is computed before the interrupt goes on
                self._advance(segments, leaves)
                self.finished = outputs
                raise
            if self._to_prepare:
                self._prepared = contents
        finally:
            if arena is not _NONE and (self._has_run or arena.nbytes <= LARGEST_FIRST):
                _arenas.give(arena)
        self._has_run = True
        return outputs

    def _advance(self, segments: Sequence[tuple[Any, int, list[Host]]], leaves: Sequence[Any]) -> None:
        """Run the segments that have not run."""
        for plan, address, hosts in segments:
            if plan[7] == driver.WAITING:
                self._run(address)
            if plan[7]:
                self._refused(leaves)
            for host in hosts:
                self._on_host(host)

    @property
    def _scratch_place(self) -> int:
        """Where threads' memory begins in the arena: after the temporaries."""
        return -(-self.arena // ALIGNMENT) * ALIGNMENT

    def _arena_size(self) -> int:
        """The arena's bytes, with memory for the threads: as many as there may be before the run ends, if somebody sets
        their number meanwhile. What nobody touches takes no memory."""
        threads = max(pool.get_num_threads(), PROCESSORS)
        return self._scratch_place + Scratch.size(self.scratch, threads)

    def _contents(self, leaves: Sequence[Any]) -> list[tuple[weakref.ref[Buffer], int]]:
        """Of which inputs, and which content of theirs, something is kept; nothing if that may change unseen."""
        now = [leaves[k] for k in self._to_prepare]
        if any(type(leaf) is Number or leaf.version == SHARED for leaf in now):
            return []
        return [(weakref.ref(leaf), leaf.version) for leaf in now]

    def _with_pairs(self, leaves: Sequence[Any]) -> list[Any]:
        """Complex numbers of Python in memory, as two parts."""
        found = list(leaves)
        for k in self._complex_numbers:
            if type(found[k]) is Number:
                found[k] = Buffer(np.asarray(found[k].number, self.graph.inputs[k].dtype.numpy))
        return found

    def _put_numbers(self, numbers: Sequence[Any]) -> Sequence[int]:
        """Write the single numbers to where kernels read them. Returns where they are: some are in memory already."""
        if self._packable and list(map(type, numbers)).count(Number) == len(numbers):
            self._pack(self._numbers, 0, *map(_number, numbers))
            return self._number_addresses
        addresses = []
        for place, number, k in zip(self._number_addresses, numbers, self._number_places, strict=True):
            if type(number) is Number:
                offset = place - ctypes.addressof(self._numbers)
                np.frombuffer(memoryview(self._numbers), self.simple.inputs[k].dtype.numpy, 1, offset)[0] = (
                    number.number
                )
                addresses.append(place)
            else:
                addresses.append(number.address)
        return addresses

    def _refused(self, leaves: Sequence[Any]) -> None:
        """Kernels refused the data: the interpreter says which and why, with the user's line."""
        for k in range(len(self._errors)):
            self._errors[k] = 0
        pairs = zip(leaves, self.graph.inputs, strict=True)
        arrays = [
            np.asarray(leaf.number, node.dtype.numpy) if type(leaf) is Number else leaf.array for leaf, node in pairs
        ]
        Interpretation(self.graph)(arrays)
        raise AssertionError("a kernel refused data that the interpreter accepts")

    def _on_host(self, host: Host) -> None:
        """Let the interpreter compute a node, or decide what plans compute it."""

        def view(array: Array) -> np.ndarray:
            base, offset = self._location(Address(array.block))
            dtype = array.dtype.numpy
            block = (ctypes.c_char * max(1, array.block.nbytes)).from_address(self._bases[base] + offset)
            strides = tuple(s * dtype.itemsize for s in array.strides)
            return np.ndarray(array.shape, dtype, memoryview(block), array.offset * dtype.itemsize, strides)

        if host.is_control:
            compute = self._driven.get(host.node)
            if compute is None:
                compute = self._driven[host.node] = driven(host.node, [n["result"] for n in host.results], _planned)
            found = compute(*(view(a) for a in host.operands))
            for (node, array), content in zip(host.results.items(), found, strict=True):
                if node.size:
                    view(array)[...] = content
            return
        result = evaluate(host.node, [view(a) for a in host.operands])
        if host.node.size:
            view(host.result)[...] = result if host.row is None else result[host.row]


def _planned(graph: Graph) -> Native:
    """The plan of a branch, or of a turn."""
    return Native(graph, [None] * len(graph.inputs))


def _keep(preparations: Sequence[Launch]) -> int:
    """Give what preparations write a place in memory that is kept; its bytes."""
    total = 0
    for launch in preparations:
        for block in launch.writes:
            if block.kind == "temporary":
                block.kind, block.place = "kept", total
                total += -(-block.nbytes // ALIGNMENT) * ALIGNMENT
    return total


class Arena:
    """Scratch memory of a run."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.memory = np.empty(nbytes + 64, np.uint8)
        start = self.memory.__array_interface__["data"][0]
        self.address = -(-start // 64) * 64


class _Arenas:
    """Arenas that no run uses: the next run that needs no more takes one."""

    def __init__(self) -> None:
        self.free: list[Arena] = []
        self.lock = threading.Lock()

    def take(self, nbytes: int) -> Arena:
        with self.lock:
            for k, arena in enumerate(self.free):
                if arena.nbytes >= nbytes:
                    return self.free.pop(k)
            if self.free:
                self.free.pop()
        return Arena(nbytes)

    def give(self, arena: Arena) -> None:
        with self.lock:
            self.free.append(arena)


_arenas = _Arenas()
_NONE = Arena(0)
