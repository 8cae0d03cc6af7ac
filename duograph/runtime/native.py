"""A plan as machine code: what the compiler made of a graph, bound to memory, and how it is run."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..codegen import lower, scalar
from ..codegen.contract import Machine
from ..codegen.launch import ERROR, Address, Launch
from ..codegen.lower import Host
from ..codegen.plan import Failure
from ..compiler import memory
from ..compiler.arrays import Array, Block, ordered_strides
from ..compiler.schedule import Schedule
from ..compiler.simplify import simplify
from ..graph.node import Graph
from ..graph.trace import Number
from . import code, driver, targets
from .buffer import Buffer
from .interpreter import Interpretation, evaluate

SMALL = 20_000
"""Bytes and operations of a wave that one thread does sooner than it would wake others."""


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
        simple = simplify(graph)
        self.simple = simple
        inputs = []
        for position, (node, order) in enumerate(zip(simple.inputs, orders, strict=True)):
            block = Block(node.nbytes, "input", position)
            strides = ordered_strides(node.shape, order or tuple(range(node.ndim)))
            inputs.append(Array(block, node.dtype, node.shape, strides))
        machine = Machine.of(targets.target(), targets.caches())
        schedule = Schedule(simple, inputs, scalar.SUPPORTED)
        self.schedule = schedule
        self.launches = lower.lower(machine, schedule)
        self.waves = _waves(self.launches)
        self.arena = _plan_memory(self.waves)
        self._lock = threading.Lock()
        self._bind()

    def _bind(self) -> None:
        """Fill the tables that the driver reads."""
        where = code.addresses(step.kernel for step in self.launches if isinstance(step, Launch))
        simple = self.simple
        count = len(simple.inputs)
        self._bases = (ctypes.c_int64 * (count + len(simple.outputs) + 2))()
        self._arena_base = count + len(simple.outputs)
        self._kept_base = self._arena_base + 1
        self._numbers = (ctypes.c_int64 * max(1, count))()
        errors = sum(isinstance(s, Launch) and _is_checked(s) for s in self.launches)
        self._errors = (ctypes.c_int64 * max(2, 2 * errors))()
        self._tables: list[Any] = []
        relocations: list[int] = []
        waves: list[int] = []
        self._segments: list[tuple[Any, list[Host]]] = []
        error = 0
        for wave in self.waves:
            hosts = [step for step in wave if isinstance(step, Host)]
            rows: list[int] = []
            total, work, checked = 0, 0, False
            for launch in wave:
                if isinstance(launch, Host):
                    continue
                block = (ctypes.c_int64 * max(1, len(launch.arguments)))()
                self._tables.append(block)
                start = ctypes.addressof(block)
                failing = _is_checked(launch)
                for slot, value in enumerate(launch.arguments):
                    if isinstance(value, int):
                        block[slot] = value
                    elif value.block is ERROR:
                        block[slot] = ctypes.addressof(self._errors) + error * Failure.BYTES
                    else:
                        base, offset = self._location(value)
                        relocations += [start + 8 * slot, base, offset]
                error += failing
                checked = checked or failing
                total += launch.chunks
                work += launch.bytes + launch.operations
                rows += [where[launch.kernel.name], start, total]
            if rows:
                table = (ctypes.c_int64 * len(rows))(*rows)
                self._tables.append(table)
                serial = total == 1 or (work and work < SMALL)
                flags = driver.SERIAL * bool(serial) + driver.CHECKED * checked
                waves += [ctypes.addressof(table), len(rows) // 3, total, flags]
            if hosts:
                self._segments.append((self._plan(relocations, waves), hosts))
                waves = []
        self._segments.append((self._plan(relocations, waves), []))
        # every segment sets all addresses: those of hosts' results may not be known before
        self._output_shapes = [(o.shape, o.dtype.numpy) for o in simple.outputs]
        self._numbered = [(k, n.dtype) for k, n in enumerate(simple.inputs) if n.shape == ()]
        self._run = driver.entry()[1]

    def _plan(self, relocations: list[int], waves: list[int]) -> Any:
        relocation_table = (ctypes.c_int64 * max(1, len(relocations)))(*relocations)
        wave_table = (ctypes.c_int64 * max(1, len(waves)))(*waves)
        plan = (ctypes.c_int64 * driver.PLAN_SLOTS)(
            ctypes.addressof(relocation_table), len(relocations) // 3, ctypes.addressof(wave_table), len(waves) // 4,
            ctypes.addressof(self._bases), ctypes.addressof(self._errors), len(self._errors) // 2, 0,
        )  # fmt: skip
        self._tables += [relocation_table, wave_table]
        return plan

    def _location(self, address: Address) -> tuple[int, int]:
        block = address.block
        match block.kind:
            case "input":
                return block.position, address.offset
            case "output":
                return len(self.simple.inputs) + block.position, address.offset
            case "temporary":
                return self._arena_base, block.place + address.offset
        raise AssertionError(block.kind)

    def __call__(self, leaves: Sequence[Any]) -> list[Buffer]:
        """The outputs for these leaves, as fresh buffers.

        Raises:
            DuographError: What the interpreter raises for these data.
        """
        with self._lock:
            return self._call(leaves)

    def _call(self, leaves: Sequence[Any]) -> list[Buffer]:
        bases, count = self._bases, len(self.simple.inputs)
        for k, leaf in enumerate(leaves):
            if type(leaf) is Number:
                dtype = self.simple.inputs[k].dtype.numpy
                np.frombuffer(self._numbers, dtype, 1, 8 * k)[0] = leaf.number
                bases[k] = ctypes.addressof(self._numbers) + 8 * k
            else:
                bases[k] = leaf.address
        outputs = [Buffer(np.empty(shape, dtype)) for shape, dtype in self._output_shapes]
        for k, buffer in enumerate(outputs):
            bases[count + k] = buffer.address
        arena = _arenas.take(self.arena)
        try:
            bases[self._arena_base] = arena.address
            for plan, hosts in self._segments:
                self._run(ctypes.addressof(plan))
                if plan[7]:
                    self._refused(leaves)
                for host in hosts:
                    self._on_host(host, leaves, outputs, arena)
        finally:
            _arenas.give(arena)
        return outputs

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

    def _on_host(self, host: Host, leaves: Sequence[Any], outputs: Sequence[Buffer], arena: Arena) -> None:
        """Let the interpreter compute a node."""

        def view(array: Array) -> np.ndarray:
            base, offset = self._location(Address(array.block, array.offset * array.dtype.itemsize))
            start = self._bases[base] + offset
            dtype = array.dtype.numpy
            size = max(1, array.block.nbytes)
            memory_ = (ctypes.c_char * size).from_address(start)
            flat = np.frombuffer(memory_, np.uint8)
            strides = tuple(s * dtype.itemsize for s in array.strides)
            return np.ndarray(array.shape, dtype, flat.data, 0, strides)

        result = evaluate(host.node, [view(a) for a in host.operands])
        if host.node.size:
            view(host.result)[...] = result


def _is_checked(launch: Launch) -> bool:
    return any(isinstance(a, Address) and a.block is ERROR for a in launch.arguments)


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


def _waves(steps: Sequence[Launch | Host]) -> list[list[Launch | Host]]:
    """Steps that do not depend on one another, in an order in which each wave needs only waves before."""
    written: dict[Block, int] = {}
    read: dict[Block, int] = {}
    levels = []
    barrier = 0
    for step in steps:
        level = barrier
        for block in step.reads:
            if block in written:
                level = max(level, written[block] + 1)
        for block in step.writes:
            if block in written:
                level = max(level, written[block] + 1)
            if block in read:
                level = max(level, read[block] + 1)
        if isinstance(step, Host):
            level = max(levels, default=-1) + 1
            barrier = level + 1
        levels.append(level)
        for block in step.reads:
            read[block] = max(read.get(block, 0), level)
        for block in step.writes:
            written[block] = level
    waves: list[list[Launch | Host]] = [[] for _ in range(max(levels, default=-1) + 1)]
    for step, level in zip(steps, levels, strict=True):
        waves[level].append(step)
    return [wave for wave in waves if wave]


def _plan_memory(waves: Sequence[Sequence[Launch | Host]]) -> int:
    blocks: dict[Block, None] = {}
    for number, wave in enumerate(waves):
        for step in wave:
            for block in (*step.reads, *step.writes):
                block.used(number)
                if block.kind == "temporary":
                    blocks[block] = None
    return memory.place(blocks)
