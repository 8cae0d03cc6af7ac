"""Graphs compiled for another architecture and run under an emulator.

Python does what `Native` does, but nothing has an address yet: tables, inputs and memory for the rest are laid out in
one stretch of bytes, with a list of the places where an address goes. A small program in C loads it, writes the
addresses, runs the plans by the driver on the thread pool, both compiled for that architecture as well, and gives the
bytes back.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from duograph.codegen import lower, scalar
from duograph.codegen.contract import Machine
from duograph.codegen.emitter import Module
from duograph.codegen.launch import ERROR, SCRATCH, Address, Launch
from duograph.codegen.lower import Host, Loop, Step
from duograph.codegen.plan import Failure, Kernel, Scratch
from duograph.codegen.repeat import launches_of
from duograph.compiler.arrays import ALIGNMENT, Array, Block, ordered_strides
from duograph.compiler.complex import legalise
from duograph.compiler.schedule import Schedule
from duograph.compiler.simplify import simplify
from duograph.graph.dtype import BY_NUMPY
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime import driver, jit, targets, waves
from duograph.runtime.pool_ir import pool_ir

PAGE = 4096
THREADS = 3
"""The most that a program may run with."""

TOGETHER = 40
"""Kernels in an object file: compiled together, they take three quarters of the time."""

LIBRARY = frozenset(["sin", "cos", "tan", "fmod", "fmodf"])
"""What kernels may call: it is in every process, while a compiler's own library is only in programs that it linked."""

CACHES = targets.Caches(32 << 10, 1 << 20, 8 << 20)
"""Of the machine that plans are made for: the same wherever the tests run."""

FILL = 0xA5
"""What is in memory that nobody has written."""


def toolchain(architecture: str) -> tuple[str, str]:
    """The emulator of an architecture and its C compiler; the test is skipped where one is missing."""
    wanted = (f"qemu-{architecture}-static", f"{architecture}-linux-gnu-gcc")
    found = [shutil.which(name) for name in wanted]
    for name, path in zip(wanted, found, strict=True):
        if path is None:
            pytest.skip(f"{name} is not installed")
    emulator, compiler = map(str, found)
    library = subprocess.run([compiler, "-print-file-name=libc.a"], capture_output=True, text=True, check=True).stdout
    if not Path(library.strip()).is_absolute():
        pytest.skip(f"{compiler} finds no C library")
    return emulator, compiler


class Place(NamedTuple):
    """A place in the program's memory, as an address in a table."""

    offset: int


class Code(NamedTuple):
    """A kernel's function, as an address in a table."""

    name: str


Word = int | Place | Code


@dataclass
class Memory:
    """What a program finds in memory, and where in it addresses go."""

    content: bytearray = field(default_factory=bytearray)
    places: list[int] = field(default_factory=list)
    codes: list[tuple[int, str]] = field(default_factory=list)
    guards: list[int] = field(default_factory=list)

    def table(self, words: Sequence[Word]) -> Place:
        """Consecutive 8-byte slots."""
        start = len(self.content)
        for k, word in enumerate(words):
            if isinstance(word, Place):
                self.places.append(start + 8 * k)
            elif isinstance(word, Code):
                self.codes.append((start + 8 * k, word.name))
        self.content += b"".join(
            struct.pack("<q", word.offset if isinstance(word, Place) else 0 if isinstance(word, Code) else word)
            for word in words
        )
        return Place(start)

    def guarded(self, content: bytes) -> Place:
        """Bytes that end where a page begins that must not be touched."""
        self.fill(PAGE)
        self.content += bytes([FILL]) * (-len(content) % PAGE)
        place = Place(len(self.content))
        self.content += content
        self.guards.append(len(self.content))
        self.content += bytes(PAGE)
        return place

    def fill(self, align: int) -> None:
        self.content += bytes([FILL]) * (-len(self.content) % align)


@dataclass(eq=False)
class Job:
    """A graph, arrays for its inputs, and the orders in which their axes lie in memory."""

    graph: Graph
    arrays: Sequence[np.ndarray]
    orders: Sequence[tuple[int, ...] | None] | None = None


def graph_of(function: Callable[..., Node | Sequence[Node]], arrays: Sequence[np.ndarray]) -> Graph:
    """What the function does to inputs like these arrays."""
    inputs = tuple(
        make(PRIMITIVES["input"], position=k, shape=a.shape, dtype=BY_NUMPY[a.dtype]) for k, a in enumerate(arrays)
    )
    outputs = function(*inputs)
    return Graph(inputs, (outputs,) if isinstance(outputs, Node) else tuple(outputs))


@dataclass
class _Bound:
    """Where things of a job are in memory."""

    plan: Place
    errors: Place
    inputs: list[tuple[Place, bytes]]
    outputs: list[tuple[Place, tuple[int, ...], np.dtype]]


class Program:
    """Jobs as one executable.

    Args:
        folder: Where it is made.
        system: What the thread pool sleeps on: see `pool_ir`.

    Attributes:
        kernels: All that the jobs need, by name.
        outside: The functions that kernels call.
        workers: How many the last run started.
    """

    def __init__(self, target: targets.Target, jobs: Iterable[Job], folder: Path, *, system: str = "linux") -> None:
        self.emulator, self.compiler = toolchain(target.architecture)
        self.target, self.folder = target, folder
        self.machine = Machine.of(target, CACHES)
        self.memory = Memory()
        self.kernels: dict[str, Kernel] = {}
        self.jobs = [self._bind(job) for job in jobs]
        self._write()
        self._build(system)

    def _bind(self, job: Job) -> _Bound:
        """Compile the graph to launches and write their tables: what `Native` does, with places for addresses."""
        simple = simplify(legalise(job.graph))
        inputs = []
        laid_out: list[bytes] = []
        for position, node in enumerate(simple.inputs):
            given_order = job.orders[position] if job.orders else None
            axes = tuple(range(node.ndim))
            order = axes if given_order is None else (*given_order, *axes[len(given_order) :])
            inputs.append(
                Array(Block(node.nbytes, "input", position), node.dtype, node.shape, ordered_strides(node.shape, order))
            )
            array = np.asarray(job.arrays[position])
            laid_out.append(array.transpose(order[: array.ndim]).tobytes())
        steps = lower.lower(self.machine, Schedule(simple, inputs, scalar.SUPPORTED))
        launches = list(launches_of(steps))
        assert not any(isinstance(step, Host) for step in steps), "the interpreter is not there to help"
        waves.plan_turns(steps)
        order_of_waves = waves.waves(steps)
        arena = -(-waves.plan_memory(order_of_waves) // ALIGNMENT) * ALIGNMENT
        scratch = max((launch.scratch for launch in launches), default=0)

        memory = self.memory
        given = [memory.guarded(content) for content in laid_out]
        results = [memory.guarded(bytes([FILL]) * node.nbytes) for node in simple.outputs]
        threads_memory = struct.pack("<q", scratch).ljust(Scratch.HEADER, b"\0") + bytes([FILL]) * scratch * THREADS
        temporary = memory.guarded(bytes([FILL]) * arena + threads_memory)

        bases = [*given, *results, temporary]
        relocations: list[Word] = []

        def located(address: Address) -> tuple[int, int]:
            """Which base, and bytes from it."""
            block = address.block
            if block is SCRATCH:
                return len(bases) - 1, arena + address.offset
            if block.kind in ("input", "output"):
                return block.position + len(given) * (block.kind == "output"), address.offset
            return len(bases) - 1, block.place + address.offset

        failing = sum(map(waves.is_checked, launches))
        errors = memory.table([0] * (Failure.BYTES // 8) * max(1, failing))
        places = iter(range(errors.offset, errors.offset + Failure.BYTES * max(1, failing), Failure.BYTES))

        def arguments(launch: Launch, around: list[tuple[Loop, list[Word]]]) -> Place:
            own_error = Place(next(places)) if waves.is_checked(launch) else 0
            block = memory.table([v if isinstance(v, int) else own_error for v in launch.arguments] or [0])
            for slot, value in enumerate(launch.arguments):
                if isinstance(value, Address) and value.block is not ERROR:
                    here = Place(block.offset + 8 * slot)
                    for loop, advances in reversed(around):
                        place = loop.outside(value)
                        value = place.address
                        advances += [here, place.stride, place.bits]
                    relocations.extend([here, *located(value)])
            return block

        def row(wave: Sequence[Step], around: list[tuple[Loop, list[Word]]]) -> list[Word]:
            if isinstance(wave[0], Loop):
                advances: list[Word] = []
                inner = [word for part in wave[0].waves for word in row(part, [*around, (wave[0], advances)])]
                turn: list[Word] = [
                    memory.table(inner), len(inner) // driver.WAVE_SLOTS, wave[0].turns,
                    memory.table(advances or [0]), len(advances) // driver.ADVANCE_SLOTS,
                ]  # fmt: skip
                return [memory.table(turn), 0, 0, driver.LOOP]
            rows: list[Word] = []
            total = 0
            for launch in wave:
                assert isinstance(launch, Launch)
                self.kernels[launch.kernel.name] = launch.kernel
                total += launch.chunks
                rows += [Code(launch.kernel.name), arguments(launch, around), total]
            checked = any(map(waves.is_checked, wave))
            flags = driver.SERIAL * (total == 1) + driver.CHECKED * checked  # the smallest run on all threads too
            return [memory.table(rows), len(rows) // 3, total, flags]

        table_of_waves = [word for wave in order_of_waves for word in row(wave, [])]
        plan: list[Word] = [
            memory.table(relocations), len(relocations) // 3,
            memory.table(table_of_waves), len(table_of_waves) // driver.WAVE_SLOTS,
            memory.table(bases), errors, failing, 0,
        ]  # fmt: skip
        return _Bound(
            memory.table(plan),
            errors,
            list(zip(given, laid_out, strict=True)),
            [(place, o.shape, o.dtype.numpy) for place, o in zip(results, job.graph.outputs, strict=True)],
        )

    def _write(self) -> None:
        """The file that the program reads."""
        memory, number = self.memory, {name: k for k, name in enumerate(sorted(self.kernels))}
        memory.fill(PAGE)
        words = [len(memory.content), len(self.jobs), len(memory.places), len(memory.codes), len(memory.guards)]
        words += [job.plan.offset for job in self.jobs] + memory.places
        words += [word for place, name in memory.codes for word in (place, number[name])] + memory.guards
        (self.folder / "memory").write_bytes(struct.pack(f"<{len(words)}q", *words) + memory.content)

    def _build(self, system: str) -> None:
        """Compile and link."""
        names = sorted(self.kernels)
        modules: list[object] = [pool_ir(system, self.target.architecture), driver._module()]
        for start in range(0, len(names), TOGETHER):
            modules.append(module := Module("kernels"))
            for name in names[start : start + TOGETHER]:
                self.kernels[name].emit(module)
        files = [self.folder / f"{k}.o" for k in range(len(modules))]
        with ThreadPoolExecutor(targets.cores()) as workers:
            for file, code in zip(files, workers.map(lambda m: jit.object_for(m, self.target), modules), strict=True):
                file.write_bytes(code)
        declared = "".join(f"void {name}(void);\n" for name in names)
        listed = "".join(f"    {name},\n" for name in names)
        (self.folder / "main.c").write_text(
            f"{declared}\nstatic void (*kernels[])(void) = {{\n{listed}    0}};\n{MAIN}"
        )
        flags = ["-static", "-O1", "-Wall", "-Werror", "-pthread", "-o", "program", "main.c", *map(str, files), "-lm"]
        subprocess.run([self.compiler, *flags], cwd=self.folder, check=True, timeout=120)
        listing = [self.compiler.removesuffix("gcc") + "nm", "--undefined-only", "--format=posix", *map(str, files[2:])]
        found = subprocess.run(listing, capture_output=True, check=True, text=True, timeout=120).stdout
        self.outside = {line.split()[0] for line in found.splitlines() if " U" in line}

    def run(self, threads: int, rounds: int = 1) -> list[list[np.ndarray] | int]:
        """The outputs of each job; where it refused its data, what it refused. Inputs are still what they were."""
        command = [self.emulator, "./program", "memory", str(threads), str(rounds)]
        run = subprocess.run(command, cwd=self.folder, capture_output=True, check=False, timeout=300)
        messages = run.stderr.decode(errors="replace").splitlines()
        assert run.returncode == 0, f"exit status {run.returncode}: {'; '.join(messages[-2:])}"
        self.workers = int(messages[-1])
        content = run.stdout
        assert len(content) == len(self.memory.content)
        found: list[list[np.ndarray] | int] = []
        for job in self.jobs:
            for place, before in job.inputs:
                assert content[place.offset : place.offset + len(before)] == before, "an input was written to"
            if struct.unpack_from("<q", content, job.plan.offset + 7 * 8)[0]:
                found.append(struct.unpack_from("<q", content, job.errors.offset + 8)[0])
                continue
            found.append(
                [
                    np.frombuffer(content, dtype, int(np.prod(shape)), place.offset).reshape(shape)
                    for place, shape, dtype in job.outputs
                ]
            )
        return found

    def results(self) -> list[list[np.ndarray]]:
        """The outputs of each job, which have the same bits with one and with several threads."""
        alone, together = self.run(1), self.run(THREADS)
        for k, (one, other) in enumerate(zip(alone, together, strict=True)):
            assert isinstance(one, list), f"job {k} refused {one}"
            assert isinstance(other, list), f"job {k} refused {other}"
            same = [x.tobytes() == y.tobytes() for x, y in zip(one, other, strict=True)]
            assert all(same), f"job {k}: the bits depend on the threads"
        return [one for one in alone if isinstance(one, list)]


MAIN = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

extern int64_t duograph_pool_wanted, duograph_pool_started, duograph_pool_stopping;
extern void (*duograph_pool_starter)(void);
void duograph_pool_worker(int64_t thread);
void duograph_pool_ring(void);
void duograph_pool_reset(void);
void duograph_run(void *plan);

static pthread_t workers[16];
static const struct timespec pause = {0, 1000000};  /* longer than workers stay awake */

static void *work(void *number) {
    duograph_pool_worker((int64_t)number);
    return 0;
}

static void start(void) {
    for (int64_t k = duograph_pool_started; k < duograph_pool_wanted; ++k)
        if (pthread_create(&workers[k], 0, work, (void *)(k + 1))) exit(3);
    duograph_pool_started = duograph_pool_wanted;
}

static void read_all(void *to, size_t bytes, FILE *file) {
    if (fread(to, 1, bytes, file) != bytes) exit(4);
}

static int64_t *words(int64_t count, FILE *file) {
    int64_t *found = malloc(8 * count + 8);
    read_all(found, 8 * count, file);
    return found;
}

static void protect(char *memory, int64_t *guards, int64_t count, int how) {
    for (int64_t k = 0; k < count; ++k)
        if (mprotect(memory + guards[k], 4096, how)) exit(5);
}

int main(int count, char **given) {
    FILE *file = fopen(given[1], "rb");
    int64_t *sizes = words(5, file);
    int64_t *plans = words(sizes[1], file), *places = words(sizes[2], file);
    int64_t *codes = words(2 * sizes[3], file), *guards = words(sizes[4], file);
    char *memory = mmap(0, sizes[0], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    read_all(memory, sizes[0], file);
    for (int64_t k = 0; k < sizes[2]; ++k) *(int64_t *)(memory + places[k]) += (int64_t)memory;
    for (int64_t k = 0; k < sizes[3]; ++k)
        *(int64_t *)(memory + codes[2 * k]) = (int64_t)kernels[codes[2 * k + 1]];
    protect(memory, guards, sizes[4], PROT_NONE);

    duograph_pool_reset();
    duograph_pool_starter = start;
    duograph_pool_wanted = atoi(given[2]) - 1;
    for (int round = atoi(given[3]); round > 0; --round, nanosleep(&pause, 0))
        for (int64_t k = 0; k < sizes[1]; ++k) {
            fprintf(stderr, "job %ld\n", (long)k);  /* says where a crash was */
            duograph_run(memory + plans[k]);
        }
    int64_t started = duograph_pool_started;
    duograph_pool_stopping = 1;
    duograph_pool_ring();
    for (int64_t k = 0; k < started; ++k) pthread_join(workers[k], 0);
    fprintf(stderr, "%ld\n", (long)started);

    protect(memory, guards, sizes[4], PROT_READ);
    return fwrite(memory, 1, sizes[0], stdout) != (size_t)sizes[0] || fflush(stdout);
}
"""
"""Loads the memory that its first argument names, writes addresses into it, runs all plans with as many threads as its
second argument says, and writes the memory to its output. Before it stands the table of kernels."""
