"""What the kernels of this package share: positions that are data, updates, sweeps over vectors, and chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...graph.dtype import SIGNED_BY_SIZE, DType
from ...graph.primitives.indexing import MODES
from ...graph.sizes import sized
from .. import scalar, storage, types
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Failure, ceil_div


@dataclass(frozen=True)
class Indices:
    """The integers at a pointer that say where to write on an axis.

    Attributes:
        size: Of the axis.
        error: The role `"error"`.
    """

    dtype: DType
    pointer: Reg
    size: Reg
    error: Reg

    def place(self, f: Function, at: Reg) -> tuple[Reg, Reg]:
        """Index `at` as it is and counted from the front, both `i64`."""
        type = storage.stored(self.dtype)
        raw = f.cast(f.load(f.gep(self.pointer, at, type), type, name="index"), "i64", signed=self.dtype.signed)
        if not self.dtype.signed and self.dtype.itemsize < 8:
            return raw, raw
        return raw, f.select(raw < 0, raw + self.size, raw, name="place")

    def refuse(self, f: Function, raw: Reg) -> None:
        """Report the index, if the axis does not have its place."""
        Failure.report(f, self.error, raw)


@dataclass(frozen=True)
class Update:
    """How an update joins what is in memory: a mode of the primitives `put` and `put_along`, on elements of a type.

    Attributes:
        into: What the update goes into, if that is kept as another type.
        half: Whether the processor converts half precision.
    """

    mode: str
    dtype: DType
    into: DType
    half: bool

    @classmethod
    def of(cls, mode: str, dtype: DType, half: bool) -> Update:
        """Raises ValueError for an unknown mode. What is only moved is moved as bits, by the same code for all types of
        a size."""
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}. Received: {mode!r}")
        dtype = SIGNED_BY_SIZE[dtype.itemsize] if mode == "set" else dtype
        return cls(mode, dtype, dtype, half)

    @property
    def title(self) -> str:
        """What of a kernel's name tells this."""
        return f"{self.mode}_{self.dtype.name}"

    @property
    def is_rounded(self) -> bool:
        """Whether memory cannot hold what two elements make."""
        return self.dtype.is_half and self.mode in ("add", "multiply")

    def at(self, f: Function, pointer: Reg, index: Reg) -> Reg:
        """The address of an element."""
        return f.gep(pointer, index, storage.stored(self.dtype))

    def emit(self, f: Function, targets: Sequence[Reg], updates: Sequence[Reg], lanes: int, mask: Reg | None) -> None:
        """Join what is at each of `updates` to what is at each of `targets`. All is read before anything is written:
        the targets are not the same."""
        new = [storage.read(f, update, self.dtype, lanes, native=self.half, mask=mask) for update in updates]
        if self.mode != "set":
            old = [storage.read(f, target, self.into, lanes, native=self.half, mask=mask) for target in targets]
            pair = (self.dtype, self.dtype)
            new = [scalar.emit(f, self.mode, xy, pair, self.dtype, {}, _never) for xy in zip(old, new, strict=True)]
        for value, target in zip(new, targets, strict=True):
            storage.write(f, value, target, self.into, native=self.half, mask=mask)

    def row(self, f: Function, target: Reg, update: Reg, columns: Reg, vector: Vector) -> None:
        """Join so many updates to as many elements."""

        def work(indices: Sequence[Reg], lanes: int, mask: Reg | None) -> None:
            targets = [f.gep(target, j, storage.stored(self.into)) for j in indices]
            self.emit(f, targets, [self.at(f, update, j) for j in indices], lanes, mask)

        sweep(f, columns, vector, work)


def _never(condition: Reg, refused: Reg) -> None:
    raise AssertionError("no mode refuses anything")


@dataclass(frozen=True)
class Vector:
    """How elements are worked on: so many at once.

    Attributes:
        masked: Whether the last ones, too few for a vector, are a vector with a mask, which not every processor is
            quick at, or shorter and shorter vectors.
    """

    lanes: int
    masked: bool

    @classmethod
    def of(cls, machine: Machine, dtype: DType, count: int) -> Vector:
        """For rows of so many elements. Small types are taken to be as wide as what they are computed in."""
        lanes = machine.vector_bytes // max(4, dtype.itemsize)
        return cls(lanes if count >= lanes // 2 else 1, machine.vector_bytes == 64)


Work = Callable[[Sequence[Reg], int, Reg | None], None]


def sweep(f: Function, stop: Reg, vector: Vector, work: Work, unroll: int = 4) -> None:
    """`work(indices, lanes, mask)` for the vectors that begin at these indices, over `range(stop)`: several at a time,
    then single ones, then what is left."""
    lanes = vector.lanes
    if lanes == 1:
        unroll = 1
    start: Reg | int = 0
    for count in dict.fromkeys((unroll, 1)):
        whole = f.binary("and", stop, -lanes * count)
        with f.loop(start, whole, lanes * count, name="lane") as loop:
            work([loop.index + lanes * j for j in range(count)], lanes, None)
        start = whole
    assert isinstance(start, Reg)
    if lanes > 1 and vector.masked:
        with f.if_(start < stop, name="rest"):
            work([start], lanes, f.lane_mask(stop - start, lanes))
        return
    while lanes > 1:
        lanes //= 2
        here = f.binary("and", stop, lanes)  # what is left is less than two such vectors
        with f.if_(f.ne(here, 0), name="rest"):
            work([start], lanes, None)
        start = start + here


def fill(f: Function, pointer: Reg, count: Reg, type: str, value: int, vector: Vector) -> None:
    """Write an integer so many times, as elements of the type."""

    def work(indices: Sequence[Reg], lanes: int, mask: Reg | None) -> None:
        for index in indices:
            f.store(f.const(types.vector(type, lanes), value), f.gep(pointer, index, type), mask=mask)

    sweep(f, count, vector, work)


LEAST = 16 << 10
"""Bytes that a chunk moves at least: some microseconds of work."""

MOST = 64
"""Chunks that a plan is cut into at most."""


@sized
def cut(units: int, most: int) -> tuple[int, int]:
    """Units of a chunk and the number of chunks, for at most so many."""
    block = ceil_div(units, max(1, min(units, most)))
    return block, ceil_div(units, block)


@sized
def chunks_for(moved: int) -> int:
    """Chunks that work on so many bytes pays for."""
    return max(1, min(MOST, moved // LEAST))
