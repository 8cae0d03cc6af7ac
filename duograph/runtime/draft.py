"""Drafts: all that running a compiled graph takes, as numbers and names, so that it can be kept on disk.

A draft is the driver's tables (see `driver`) before they have addresses, and what a run has to give it. The compiler
makes one of a graph (`drawing.py`); a process that finds it on disk, and the kernels that it names, needs neither the
compiler nor LLVM.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import marshal
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..codegen.plan import Failure
from ..compiler.arrays import ALIGNMENT
from ..graph.check import enabled as checks
from ..graph.node import Graph
from ..graph.sizes import hint, is_size
from . import code, driver, objects, targets

Orders = Sequence[tuple[int, ...] | None]
"""For each input, in which order its axes lie in memory; None for row-major order."""

Word = Any
"""A number of a table: an `int`, perhaps an expression, or what will be one: `(TABLE, which, slot)`, the address of a
slot of a table; `(KERNEL, name)`; `(ERROR, which)`, where a launch tells that its data are refused."""

TABLE, KERNEL, ERROR = "table", "kernel", "error"


class Segment(NamedTuple):
    """Waves that run in one call: two tables, and how many rows each has."""

    relocations: int
    relocated: int
    rows: int
    waves: int


class Draft(NamedTuple):
    """A compiled graph without addresses.

    Attributes:
        tables: The words of each.
        segments: In order. If any inputs are `prepared`, the first runs only for others than those of the run before.
        errors: Places where launches tell that their data are refused.
        kernels: The names of those that run.
        arrays, numbers: The positions of the inputs that are arrays, and of those that are single numbers.
        dtypes: Of the latter.
        pairs: The positions of complex numbers, which are arrays of two.
        arena, scratch, kept: Bytes of temporaries, of what each thread has to itself, and of what stays between runs.
        donations: Pairs of an output and the input that it may be written over.
        prepared: The positions of inputs of which something is kept.
    """

    tables: tuple[tuple[Word, ...], ...]
    segments: tuple[Segment, ...]
    errors: int
    kernels: tuple[str, ...]
    arrays: tuple[int, ...]
    numbers: tuple[int, ...]
    dtypes: tuple[str, ...]
    pairs: tuple[int, ...]
    arena: int
    scratch: int
    kept: int
    donations: tuple[tuple[int, int], ...]
    prepared: tuple[int, ...]


class Tables:
    """The tables of a draft in memory, where they stay.

    Args:
        where: The addresses of its kernels, by name.
        bases: Where the addresses of a run's memory are put.

    Attributes:
        segments: The plans for the driver, and their addresses.
        errors: Where kernels tell that data are refused.
        varying: Places in tables where a size is an expression, and which: they hold the hints.
    """

    def __init__(self, draft: Draft, where: dict[str, int], bases: Any) -> None:
        self.errors = (ctypes.c_int64 * max(2, 2 * draft.errors))()
        self.varying: list[tuple[Any, int, Any]] = []
        self._all = [(ctypes.c_int64 * max(1, len(words)))() for words in draft.tables]
        starts, errors = list(map(ctypes.addressof, self._all)), ctypes.addressof(self.errors)

        def number(word: Word) -> int:
            if type(word) is int:
                return word
            kind, *which = word
            if kind == TABLE:
                return starts[which[0]] + 8 * which[1]
            return where[which[0]] if kind == KERNEL else errors + Failure.BYTES * which[0]

        for table, words in zip(self._all, draft.tables, strict=True):
            for place, word in enumerate(words):
                if is_size(word):
                    self.varying.append((table, place, word))
                table[place] = hint(word) if is_size(word) else number(word)
        self.segments: list[tuple[Any, int]] = []
        for segment in draft.segments:
            plan = (ctypes.c_int64 * driver.PLAN_SLOTS)(
                starts[segment.relocations], segment.relocated, starts[segment.rows], segment.waves,
                ctypes.addressof(bases), errors, len(self.errors) // 2, 0,
            )  # fmt: skip
            self.segments.append((plan, ctypes.addressof(plan)))

    def fill(self, words: Sequence[int]) -> None:
        """Put numbers in the places of the expressions."""
        for (table, place, _), word in zip(self.varying, words, strict=True):
            table[place] = word


def aligned(nbytes: int) -> int:
    """Where memory begins after so many bytes, as of that for the threads after temporaries."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def find(graph: Graph, orders: Orders) -> tuple[Draft, dict[str, int]] | None:
    """The draft of a graph, and the addresses of its kernels, if the disk has all of them."""
    if checks():  # the compiler is to be watched at work
        return None
    stored = objects.cache().get(_key(graph, orders))
    if stored is None:
        return None
    tables, segments, *rest = marshal.loads(stored)
    draft = Draft(tables, tuple([Segment(*s) for s in segments]), *rest)
    where = code.stored(draft.kernels)
    return None if where is None else (draft, where)


def keep(draft: Draft, graph: Graph, orders: Orders) -> None:
    """Put a draft on the disk."""
    if not checks():
        plain: Any = (draft.tables, tuple(map(tuple, draft.segments)), *draft[2:])
        objects.cache().put(_key(graph, orders), marshal.dumps(plain))


def _key(graph: Graph, orders: Orders) -> str:
    digest = hashlib.sha256(f"{_compiler()} {targets.caches()} {list(orders)}\n".encode())
    for line in _described(graph):
        digest.update(line.encode())
    return f"{digest.hexdigest()}-draft"


def _described(graph: Graph) -> Iterator[str]:
    """All that decides what is computed, as text."""
    nodes = graph.nodes()
    places = {node: place for place, node in enumerate(nodes)}
    for node in nodes:
        yield f"{node.op.name} {[places[operand] for operand in node.inputs]}"
        for name, value in node.attributes:
            if isinstance(value, Graph):
                yield f" {name} {{\n"
                yield from _described(value)
                yield "}"
            else:
                yield f" {name}={value!r}"
        yield "\n"
    yield f"{[places[node] for node in graph.inputs]} {[places[node] for node in graph.outputs]}\n"


@functools.cache
def _compiler() -> str:
    """What made a draft: a hash of the compiler's source, the form it is kept in, and the machine it was made for."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in ("graph", "compiler", "codegen", "runtime"):
        for folder, _, names in sorted(os.walk(root / room)):
            for name in sorted(names):
                if name.endswith(".py"):
                    with open(os.path.join(folder, name), "rb") as file:
                        digest.update(file.read())
    target, form = targets.target(), f"{marshal.version} {sys.version_info[:2]}"
    return f"{digest.hexdigest()} {form} {target.architecture} {target.cpu} {target.features}"
