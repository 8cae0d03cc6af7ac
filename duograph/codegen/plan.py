"""What a computation is once it is planned: kernels, what they are given, and in how many chunks they run.

    plan = plan_matmul(...)
    for step in plan.steps:                  # in order; each is one parallel region
        step.kernel.emit(module)             # void @name(ptr block, i64 chunk, ...); equal kernels have equal names
        block = [address(x) if isinstance(x, Pointer) else x for x in step.arguments]
        parallel_for(step.kernel.name, block, step.chunks)

A chunk is a part of the result, or of the sum, that depends on the problem alone: whoever computes it, and beside how
many others, the bits are the same.
"""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

from ..graph.sizes import concretely
from . import types
from .emitter import Arg, Function, Module, Reg

if TYPE_CHECKING:
    from .contract.epilogue import Epilogue


@dataclass(frozen=True)
class Pointer:
    """A buffer by its part in the computation, and a place in it.

    Attributes:
        role: `"a"`, `"b"`, `"c"` (the result), `"packed"`, `"workspace"`, `"scratch"` (see `Scratch`), `"error"` (see
            `Failure`), or another name that the plan gives.
        offset: Bytes from the buffer's start.
    """

    role: str
    offset: int = 0


@dataclass(frozen=True)
class Step:
    """One kernel over all its chunks."""

    kernel: Kernel
    arguments: tuple[Pointer | int, ...]
    chunks: int


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which they run.

    Attributes:
        steps: What computes the result.
        packing: What must run before, whenever `b` has changed: it reads the role `"b"` and writes `"packed"`. A weight
            is packed once per update, other operands in each call.
        packed: Bytes of the packed operand, aligned to 64; 0 where the steps read `b` as it is.
        workspace: Bytes of scratch memory that the steps share, aligned to 64; nothing is kept in it between plans.
        scratch: Bytes of memory that each thread has to itself while it computes a chunk, a multiple of 64.
    """

    steps: tuple[Step, ...] = ()
    packing: tuple[Step, ...] = ()
    packed: int = 0
    workspace: int = 0
    scratch: int = 0


class Kernel(ABC):
    """Code that is emitted once and runs with many sizes. A frozen dataclass whose fields decide the code.

    Attributes:
        threaded: Whether the function has a third parameter, the number of the thread that runs the chunk, and a slot
            `scratch`: `given.scratch` is the thread's own part of it.
    """

    epilogue: Epilogue | None = None
    threaded: ClassVar[bool] = False

    @property
    @abstractmethod
    def title(self) -> str:
        """What people see in profiles and logs."""

    @property
    @abstractmethod
    def slots(self) -> Mapping[str, str]:
        """The names and LLVM types of the block's 8-byte slots, before those of the epilogue."""

    @abstractmethod
    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        """Emit one chunk's work; `given` has the slots as attributes."""

    @functools.cached_property
    def name(self) -> str:
        """The function's name: the title and a hash of all that decides the code."""
        with concretely():
            return f"{self.title}_{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}"

    def emit(self, module: Module) -> None:
        """Define `void @name(ptr block, i64 chunk)` in the module, with `i64 thread` if the kernel is threaded."""
        parameters = [Arg("block", "ptr", "noalias readonly"), Arg("chunk", "i64")]
        if self.threaded:
            parameters.append(Arg("thread", "i64"))
        with module.function(self.name, parameters) as f:
            block, chunk, *thread = f.args
            given = {}
            for position, (name, type) in enumerate(self.slots.items()):
                given[name] = f.load(f.gep(block, position, "i64"), type, align=8, name=name)
            for position, name in enumerate(self.epilogue.operands if self.epilogue else (), len(self.slots)):
                given[name] = f.load(f.gep(block, position, "i64"), "ptr", align=8, name=name)
            if self.threaded:
                given["scratch"] = Scratch.of_thread(f, given["scratch"], thread[0])
            self.body(f, SimpleNamespace(**given), chunk)

    def step(self, *, chunks: int, **values: Pointer | int) -> Step:
        """The step that runs this kernel with these values in its slots."""
        if set(values) != set(self.slots):
            raise TypeError(f"{self.title}: expected the slots {sorted(self.slots)}, received {sorted(values)}")
        operands = [Pointer(name) for name in self.epilogue.operands] if self.epilogue else []
        return Step(self, (*(values[name] for name in self.slots), *operands), chunks)


def ceil_div(x: int, y: int) -> int:
    """x / y, rounded up."""
    return -(-x // y)


def round_up(x: int, multiple: int) -> int:
    """The next multiple."""
    return ceil_div(x, multiple) * multiple


def letter(element: str) -> str:
    """An element type in a kernel's title: f32."""
    return types.mangled(element)


class Scratch:
    """Memory for the threads, role `"scratch"`: the bytes that each has, an `i64`, and after `HEADER` bytes thread 0's,
    thread 1's and so on.

    The number stands in memory because kernels of several plans may run side by side: what each thread has is enough
    for the greediest of them.
    """

    HEADER = 64

    @staticmethod
    def of_thread(f: Function, scratch: Reg, thread: Reg) -> Reg:
        """Where a thread's memory starts."""
        return f.gep(scratch, thread * f.load(scratch, "i64", align=8) + Scratch.HEADER, "i8")

    @staticmethod
    def size(plan: int, threads: int) -> int:
        """Bytes of the whole, for threads that have as many as `Plan.scratch` says."""
        return Scratch.HEADER + threads * plan


class Failure:
    """How a kernel tells that its data are refused, such as an index out of range: role `"error"`, two `i64`.

    The first becomes nonzero and the second what was refused, where that is a number. The kernel goes on with a
    harmless value in its place: nothing is read or written out of bounds. Whoever runs the plan looks when it is done.
    """

    BYTES = 16

    @staticmethod
    def report(f: Function, error: Reg, refused: Reg) -> None:
        """Note the refusal of an `i64`; call it under the condition."""
        f.store(refused, f.gep(error, 1, "i64"), align=8)
        f.store(f.const("i64", 1), error, align=8)
