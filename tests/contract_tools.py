"""Plans of contractions as functions of NumPy arrays, which live between pages that must not be touched."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Mapping

import ml_dtypes
import numpy as np

from duograph.codegen.contract import Machine, Plan, Pointer, Step
from duograph.codegen.emitter import Arg, Callee, Module
from duograph.codegen.plan import Scratch
from duograph.runtime import jit, pool, targets

ELEMENTS = {
    np.dtype(np.float32): "float",
    np.dtype(np.float64): "double",
    np.dtype(np.float16): "half",
    np.dtype(ml_dtypes.bfloat16): "bfloat",
    np.dtype(np.int32): "i32",
    np.dtype(np.int64): "i64",
}

PAGE = mmap.PAGESIZE


def machine() -> Machine:
    """This machine, or the one that `DUOGRAPH_CPU` names."""
    return Machine.of(targets.target(), targets.caches())


def element(array: np.ndarray) -> str:
    """The LLVM type of the array's elements."""
    return ELEMENTS[array.dtype]


class Guarded:
    """Memory whose neighbours on both sides cannot be read or written: whoever tries is ended by the system.

    Args:
        at_end: Whether the content ends at the following page or begins at the preceding one.
        align: Of the content, in bytes.
    """

    def __init__(self, size: int, *, at_end: bool, align: int = 1) -> None:
        inside = -(-max(1, size) // PAGE) * PAGE
        self.memory = mmap.mmap(-1, inside + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            for page in (start, start + PAGE + inside):
                assert libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
        self.offset = PAGE + ((inside - size) // align * align if at_end else 0)
        self.address = start + self.offset

    def array(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """The content as an array."""
        count = int(np.prod(shape))
        return np.frombuffer(self.memory, dtype, count, self.offset).reshape(shape)


def guarded(array: np.ndarray, *, at_end: bool) -> tuple[Guarded, np.ndarray]:
    """A copy between guards, with the strides of the original."""
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    packed = array.transpose(order)
    memory = Guarded(packed.nbytes, at_end=at_end)
    copy = memory.array(packed.shape, packed.dtype)
    copy[...] = packed
    return memory, copy.transpose(np.argsort(order))


def driver(module: Module, steps: tuple[Step, ...]) -> None:
    """`void @run(ptr block)`: all steps in their order, each as a parallel region on its part of the block."""
    body = module.declare(pool.PARALLEL_FOR, "void", ["ptr", "ptr", "i64"])
    for kernel in {step.kernel.name: step.kernel for step in steps}.values():
        kernel.emit(module)
    with module.function("run", [Arg("block", "ptr")]) as f:
        place = 0
        for step in steps:
            kernel = f.address(Callee(step.kernel.name, "void", ("ptr", "i64")))
            f.call(body, kernel, f.gep(f.args[0], place, "i64"), step.chunks)
            place += len(step.arguments)


class Runner:
    """A plan, compiled, with its scratch memory.

    Args:
        buffers: The address of every role but `"packed"`, `"workspace"` and `"scratch"`.
    """

    def __init__(self, plan: Plan, buffers: Mapping[str, int], *, at_end: bool = True) -> None:
        steps = plan.packing + plan.steps
        module = Module("contraction")
        driver(module, steps)
        self.text = str(module)
        scratch = Scratch.size(plan.scratch, pool.get_num_threads())
        sizes = {"packed": plan.packed, "workspace": plan.workspace, "scratch": scratch}
        self.memory = {role: Guarded(size, at_end=at_end, align=64) for role, size in sizes.items()}
        places = {**buffers, **{role: memory.address for role, memory in self.memory.items()}}
        for role, memory in self.memory.items():  # not a number, so that nobody counts on what was never written
            ctypes.memset(memory.address, 0xFF, sizes[role])
        ctypes.c_int64.from_address(places["scratch"]).value = plan.scratch
        values = [
            places[value.role] + value.offset if isinstance(value, Pointer) else value
            for step in steps
            for value in step.arguments
        ]
        self.call, block = jit.entry(jit.load(module, using=[pool.image()]), "run", max(1, len(values)))
        block[: len(values)] = values

    def __call__(self) -> None:
        self.call()


def run(plan: Plan, arrays: Mapping[str, np.ndarray], result: np.ndarray) -> np.ndarray:
    """The plan's result, role `"c"`, from operands by role: computed twice, with everything at the end and at the
    beginning of its memory, with one and with several threads, which must give the same bits.

    Args:
        result: An array of the result's shape, strides and dtype.
    """
    found = []
    before = pool.get_num_threads()
    for at_end, threads in ((True, 1), (False, 2), (True, 5)):
        places = {role: guarded(array, at_end=at_end) for role, array in arrays.items()}
        memory, target = guarded(result, at_end=at_end)
        untouched = {role: array.tobytes() for role, (_, array) in places.items()}
        addresses = {role: place.address for role, (place, _) in places.items()}
        pool.set_num_threads(threads)
        try:
            Runner(plan, {**addresses, "c": memory.address}, at_end=at_end)()
        finally:
            pool.set_num_threads(before)
        assert untouched == {role: array.tobytes() for role, (_, array) in places.items()}
        found.append(target.copy())
    for other in found[1:]:
        assert found[0].tobytes() == other.tobytes(), "the bits depend on the threads"
    return found[0]
