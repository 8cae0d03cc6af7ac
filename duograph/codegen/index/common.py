"""What the kernels of this package share: positions that are data, updates, sweeps over vectors, and chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...graph.dtype import SIGNED_BY_SIZE, DType
from ...graph.primitives.indexing import MODES
from .. import scalar, storage
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

    def row(self, f: Function, target: Reg, update: Reg, columns: Reg, lanes: int) -> None:
        """Join so many updates to as many elements."""

        def work(indices: Sequence[Reg], mask: Reg | None) -> None:
            targets = [f.gep(target, j, storage.stored(self.into)) for j in indices]
            self.emit(f, targets, [self.at(f, update, j) for j in indices], lanes, mask)

        sweep(f, columns, lanes, work, 4 if lanes > 1 else 1)


def _never(condition: Reg, refused: Reg) -> None:
    raise AssertionError("no mode refuses anything")


def lanes_for(vector_bytes: int, dtype: DType) -> int:
    """Lanes of a vector, small types taken to be as wide as what they are computed in."""
    return vector_bytes // max(4, dtype.itemsize)


Work = Callable[[Sequence[Reg], Reg | None], None]


def sweep(f: Function, stop: Reg, lanes: int, work: Work, unroll: int = 4) -> None:
    """`work(indices, mask)` for the vectors that begin at these indices, over `range(stop)`: several at a time, then
    single ones, then a masked one."""
    start: Reg | int = 0
    for step in [lanes * unroll, lanes] if unroll > 1 else [lanes]:
        whole = f.binary("and", stop, -step)
        with f.loop(start, whole, step, name="lane") as loop:
            work([loop.index + lanes * j for j in range(step // lanes)], None)
        start = whole
    if lanes > 1:
        assert isinstance(start, Reg)
        with f.if_(start < stop, name="rest"):
            work([start], f.lane_mask(stop - start, lanes))


def clear(f: Function, pointer: Reg, count: Reg, dtype: DType, lanes: int) -> None:
    """Write so many zeros."""
    type = storage.stored(dtype)
    zero = f.zero(f"<{lanes} x {type}>" if lanes > 1 else type)

    def work(indices: Sequence[Reg], mask: Reg | None) -> None:
        for index in indices:
            f.store(zero, f.gep(pointer, index, type), mask=mask)

    sweep(f, count, lanes, work)


LEAST = 16 << 10
"""Bytes that a chunk moves at least: some microseconds of work."""

MOST = 64
"""Chunks that a plan is cut into at most."""


def cut(units: int, most: int) -> tuple[int, int]:
    """Units of a chunk and the number of chunks, for at most so many."""
    block = ceil_div(units, max(1, min(units, most)))
    return block, ceil_div(units, block)


def chunks_for(moved: int) -> int:
    """Chunks that work on so many bytes pays for."""
    return max(1, min(MOST, moved // LEAST))
