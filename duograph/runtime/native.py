"""A plan as machine code: what the compiler made of a graph, bound to memory, and how it is run."""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import threading
import weakref
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..codegen.plan import Scratch
from ..graph.dtype import BY_NAME
from ..graph.node import Graph, Node
from ..graph.sizes import Size, Space
from ..graph.skeleton import Symbolic
from ..graph.trace import Number
from . import code, driver, log, pool
from . import draft as drafts
from .buffer import SHARED, Buffer
from .control import Driven, driven
from .draft import Draft, Orders, Tables, aligned
from .interpreter import Interpretation, evaluate
from .outputs import Outputs, Results, picker

if TYPE_CHECKING:
    from ..codegen.lower import Host
    from ..compiler.arrays import Array
    from .drawing import Drawing

_PACKED = {
    "bool": "?", "uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q",
    "int64": "q", "float16": "e", "float32": "f", "float64": "d", "bfloat16": "H",
}  # fmt: skip
"""How a run-time number is written, by its dtype: letters of `struct`, which has none for bfloat16, only its size."""

LARGEST_FIRST = 16 << 20
"""Bytes of an arena that is kept after a plan's first run: many run once, such as that of first weights."""

PROCESSORS = os.cpu_count() or 1

_address, _number = attrgetter("address"), attrgetter("number")


class Setting:
    """What belongs to one run's sizes.

    Attributes:
        words: What stands in the tables where sizes are expressions.
        arena: Bytes of temporaries.
        scratch: Bytes that each thread has to itself.
        results: Shape and NumPy dtype of each output.
        numbers: The inputs that hang on sizes.
        graph: Gives what is computed.
    """

    __slots__ = ("arena", "graph", "numbers", "results", "scratch", "words")

    def __init__(
        self, words: Sequence[int], arena: int, scratch: int, results: Results, numbers: Sequence[Number],
        graph: Callable[[], Graph],
    ) -> None:  # fmt: skip
        self.words = words
        self.arena = arena
        self.scratch = scratch
        self.results = results
        self.numbers = numbers
        self.graph = graph


class Native:
    """A compiled graph.

    Args:
        graph: What to compute.
        orders: For each input, in which order its axes lie in memory; None for row-major order.
        symbols: What the graph's sizes are, if they are expressions: then it serves each `setting` of them.

    Raises:
        CompileError: LLVM refuses a kernel.
        NotSized: It cannot be compiled for many sizes.
    """

    def __init__(self, graph: Graph, orders: Orders, symbols: Symbolic | None = None) -> None:
        self.graph = graph
        self.orders = orders
        self.symbols = symbols
        journal = log.Journal()
        found = drafts.find(graph, orders) if symbols is None and not journal.sinks else None
        if found is not None:
            self.drawing: Drawing | None = None
            draft, where = found
        else:
            draft, where = self._drawn(orders, journal)
        self._lock = threading.Lock()
        self._driven: dict[Node, Driven] = {}  # what computes control flow
        self._bind(draft, where)
        self._setting: Any = None
        if symbols is None:
            results = [(o.shape, o.dtype.numpy) for o in graph.outputs]
            self._setting = Setting((), draft.arena, draft.scratch, results, (), lambda: graph)
            self._outputs = Outputs(results, draft.donations)
        else:
            self._settle(draft, symbols.space)
            self._outputs = Outputs([], draft.donations)
        journal.finish(self)

    def _drawn(self, orders: Orders, journal: log.Journal) -> tuple[Draft, dict[str, int]]:
        """The compiler's work, which the next process need not do again."""
        from .drawing import Drawing

        drawing = self.drawing = Drawing(self.graph, orders, journal, self.symbols)
        where = code.addresses(drawing.kernels)
        if self.symbols is None and not any(drawing.hosts):
            drafts.keep(drawing.draft, self.graph, orders)
        return drawing.draft, where

    def drawn(self) -> Drawing:
        """What the compiler made of the graph, for people: where the disk had a draft, it is compiled now."""
        if self.drawing is None:
            from .drawing import Drawing

            self.drawing = Drawing(self.graph, self.orders, log.Journal())
        return self.drawing

    def _bind(self, draft: Draft, where: dict[str, int]) -> None:
        """Give what runs its places in memory."""
        self._arrays, self._scalars = picker(draft.arrays), picker(draft.numbers)
        self._pairs = draft.pairs
        # where inputs, outputs, the arena and what is kept are: see `drawing.Places`
        count = len(draft.arrays) + len(draft.numbers) + len(self.graph.outputs) + 2
        self.bases = (ctypes.c_int64 * count)()
        self._put_bases = struct.Struct(f"={count}q").pack_into
        self._kept_memory = Arena(draft.kept)
        # the inputs that are packed, and which content of theirs
        self._prepared: list[tuple[weakref.ref[Buffer], int]] = []
        self._to_prepare = draft.prepared
        packing = struct.Struct("=" + "".join(_PACKED[dtype] for dtype in draft.dtypes))
        self._numbers = (ctypes.c_char * max(1, packing.size))()
        self._pack = packing.pack_into
        self._number_dtypes = [BY_NAME[dtype].numpy for dtype in draft.dtypes]
        self._packable = "bfloat16" not in draft.dtypes
        start = ctypes.addressof(self._numbers)
        sizes = [dtype.itemsize for dtype in self._number_dtypes]
        self._number_addresses = [start + sum(sizes[:k]) for k in range(len(sizes))]
        self.tables = Tables(draft, where, self.bases)
        hosts = self.drawing.hosts if self.drawing is not None else [[]] * len(draft.segments)
        self.segments = [(*segment, after) for segment, after in zip(self.tables.segments, hosts, strict=True)]
        self._has_run = False  # a plan that runs once, such as that of first weights, keeps nothing
        self.run = driver.entry()[1]

    def _settle(self, draft: Draft, space: Space) -> None:
        """Assume nothing more of the sizes, and find out what of the run depends on them."""
        shapes = [size for output in self.graph.outputs for size in output.shape]
        wanted: list[int | Size] = [*(size for _, _, size in self.tables.varying), draft.arena, draft.scratch, *shapes]
        self._evaluate = space.evaluator([*wanted, *(number for number, _ in space.inputs)])
        self._holds, self._is_near = space.checker(), space.nearness()
        space.close()
        assert self.drawing is not None
        self.drawing.settle()

    def values(self, numbers: Sequence[int]) -> list[int] | None:
        """The values of the symbols in a trace of these numbers; None if this is not right for them."""
        assert self.symbols is not None
        values = self.symbols.pattern.read(numbers)
        return values if values is not None and self._holds(values) else None

    def suits(self, values: Sequence[int]) -> bool:
        """Whether what was chosen for some sizes is good for these."""
        return self._is_near(values)

    def setting(self, values: Sequence[int], graph: Callable[[], Graph]) -> Setting:
        """What a run needs for these values of the symbols; `graph` gives what is computed then."""
        found = iter(self._evaluate(values))
        words = tuple(itertools.islice(found, len(self.tables.varying)))
        arena, scratch = next(found), next(found)
        results = [(tuple(itertools.islice(found, o.ndim)), o.dtype.numpy) for o in self.graph.outputs]
        numbers = tuple([Number(number, fixed=False) for number in found])
        return Setting(words, arena, scratch, results, numbers, graph)

    def __call__(self, leaves: Sequence[Any], holders: int = 1, setting: Setting | None = None) -> list[Buffer]:
        """The outputs for these leaves: fresh buffers, or leaves that nobody else holds, overwritten.

        Args:
            holders: In how many places the caller holds each leaf itself, the list `leaves` among them. A leaf that is
                held nowhere else is dead after the call.
            setting: What belongs to the sizes of these leaves, where these are expressions.

        Raises:
            DuographError: What the interpreter raises for these data.
        """
        with self._lock:
            self.finished = None
            if setting is not None and setting is not self._setting:
                self.tables.fill(setting.words)
                self._outputs.resize(setting.results)
                self._setting = setting
            return self._call(leaves, holders)

    finished: list[Buffer] | None = None
    """The outputs, once they are computed, of the call that is under way: what an interrupt leaves to be picked up."""

    def _call(self, leaves: Sequence[Any], holders: int) -> list[Buffer]:
        setting = self._setting
        if setting.numbers:
            leaves = [*leaves, *setting.numbers]
        if self._pairs:
            leaves = self._with_pairs(leaves)
        numbers = self._put_numbers(self._scalars(leaves)) if self._number_dtypes else ()
        outputs = self._outputs.place(leaves, holders, self._has_run)
        nbytes = self._arena_size() if setting.scratch else setting.arena
        arena = _arenas.take(nbytes) if nbytes else _NONE
        try:
            self._put_bases(
                self.bases, 0, *map(_address, self._arrays(leaves)), *numbers, *map(_address, outputs),
                arena.address, self._kept_memory.address,
            )  # fmt: skip
            if setting.scratch:
                at = arena.address + aligned(setting.arena)
                ctypes.c_int64.from_address(at).value = setting.scratch
            segments = self.segments
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
                self.run(address)
            if plan[7]:
                self._refused(leaves)
            for host in hosts:
                self._on_host(host)

    def _arena_size(self) -> int:
        """The arena's bytes, with memory for the threads: as many as there may be before the run ends, if somebody sets
        their number meanwhile. What nobody touches takes no memory."""
        threads = max(pool.get_num_threads(), PROCESSORS)
        return aligned(self._setting.arena) + Scratch.size(self._setting.scratch, threads)

    def _contents(self, leaves: Sequence[Any]) -> list[tuple[weakref.ref[Buffer], int]]:
        """Of which inputs, and which content of theirs, something is kept; nothing if that may change unseen."""
        now = [leaves[k] for k in self._to_prepare]
        if any(type(leaf) is Number or leaf.version == SHARED for leaf in now):
            return []
        return [(weakref.ref(leaf), leaf.version) for leaf in now]

    def _with_pairs(self, leaves: Sequence[Any]) -> list[Any]:
        """Complex numbers of Python in memory, as two parts."""
        found = list(leaves)
        for k in self._pairs:
            if type(found[k]) is Number:
                found[k] = Buffer(np.asarray(found[k].number, self.graph.inputs[k].dtype.numpy))
        return found

    def _put_numbers(self, numbers: Sequence[Any]) -> Sequence[int]:
        """Write the single numbers to where kernels read them. Returns where they are: some are in memory already."""
        if self._packable and list(map(type, numbers)).count(Number) == len(numbers):
            self._pack(self._numbers, 0, *map(_number, numbers))
            return self._number_addresses
        addresses = []
        for place, number, dtype in zip(self._number_addresses, numbers, self._number_dtypes, strict=True):
            if type(number) is Number:
                offset = place - ctypes.addressof(self._numbers)
                np.frombuffer(memoryview(self._numbers), dtype, 1, offset)[0] = number.number
                addresses.append(place)
            else:
                addresses.append(number.address)
        return addresses

    def _refused(self, leaves: Sequence[Any]) -> None:
        """Kernels refused the data: the interpreter says which and why, with the user's line."""
        for k in range(len(self.tables.errors)):
            self.tables.errors[k] = 0
        graph = self._setting.graph()
        pairs = zip(leaves, graph.inputs, strict=False)
        arrays = [
            np.asarray(leaf.number, node.dtype.numpy) if type(leaf) is Number else leaf.array for leaf, node in pairs
        ]
        Interpretation(graph)(arrays)
        raise AssertionError("a kernel refused data that the interpreter accepts")

    def _on_host(self, host: Host) -> None:
        """Let the interpreter compute a node, or decide what plans compute it."""
        from ..codegen.launch import Address

        drawing = self.drawing
        assert drawing is not None, "a draft with hosts is on no disk"

        def view(array: Array) -> np.ndarray:
            base, offset = drawing.places.of(Address(array.block))
            dtype = array.dtype.numpy
            block = (ctypes.c_char * max(1, array.block.nbytes)).from_address(self.bases[base] + offset)
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
