"""LLVM IR to running code: compile, or find compiled on disk; link; call.

    image = jit.load(module)
    call, block = jit.entry(image, "step", slots=3)
    block[:] = (x.address, y.address, n)
    call()

**No pass pipeline.** Kernels are emitted in the form that machine code wants: unrolled, vectorised, their accumulators
in phi nodes, their invariants outside loops. Measured on matmul tiles, elementwise chains and softmax, LLVM's `-O1`,
`-O2` and `-O3` pipelines changed their speed by less than the noise and doubled the time to compile them (a 14x32
matmul tile, 500 lines: 12 ms without passes; 25, 29 and 30 ms with them). So only the code generator runs, at its
default level; functions marked `alwaysinline` are inlined before. What a kernel wants hoisted, its emitter hoists.

LLVM is loaded when something has to be compiled, and not before.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..graph.errors import DuographError
from . import objects, targets
from .linker import Image, Object, link

__all__ = ["CompileError", "Image", "assembly", "compile_many", "entry", "load", "object_for"]

_VERSION = 1  # of what this file does with IR; part of every key


class CompileError(DuographError, RuntimeError):
    """A kernel that LLVM refuses. `kernel` is its name and `reason` what LLVM says."""

    def __init__(self, kernel: str, reason: str) -> None:
        super().__init__(f"kernel {kernel} cannot be compiled: {reason}")
        self.kernel = kernel
        self.reason = reason


def load(*modules: object, using: Sequence[Image] = ()) -> Image:
    """The modules compiled, linked with one another and placed in memory.

    What is loaded already is shared: equal modules that use the same images give the same image, variables included.

    Args:
        modules: LLVM IR, or what `str` turns into it.
        using: Images whose symbols the modules may use too; the result keeps them in memory. The C and mathematics
            libraries need not be named.

    Raises:
        CompileError: LLVM refuses a module.
        LinkError: A symbol is defined nowhere, or twice.
    """
    texts = [str(module) for module in modules]
    key = (*(_key(text, targets.target()) for text in texts), *map(id, using))
    image = _images.get(key)
    if image is None:
        image = _images.setdefault(key, link(compile_many(texts), using))
    return image


_images: weakref.WeakValueDictionary[tuple[object, ...], Image] = weakref.WeakValueDictionary()


def compile_many(modules: Iterable[object]) -> list[Object]:
    """The objects of the modules, in their order: from the disk cache, or compiled, on as many threads as cores.

    llvmlite holds one lock around every call. Emitting machine code, nine tenths of the time, needs no lock when each
    thread has its own context and target machine, and is called without: 20 matmul kernels took 202 ms on one thread
    and 102 ms on each of two. Worker processes would each load LLVM first, which takes 45 to 150 ms.

    Raises:
        CompileError: LLVM refuses a module. The others are kept in the cache.
    """
    target = targets.target()
    texts = [str(module) for module in modules]
    keys = [_key(text, target) for text in texts]
    cache = objects.cache()
    found: dict[str, Object] = {}
    missing: dict[str, str] = {}
    for key, text in zip(keys, texts, strict=True):
        if key in found or key in missing:
            continue
        stored = cache.get(key)
        if stored is not None:
            found[key] = Object.unpacked(stored)
        else:
            missing[key] = text

    def compiled(key: str) -> None:
        found[key] = _compile(missing[key], target)
        cache.put(key, found[key].packed())

    _spread(compiled, sorted(missing, key=lambda key: len(missing[key]), reverse=True))
    return [found[key] for key in keys]


def assembly(module: object) -> str:
    """The machine code of a module, for people to read."""
    with _parsed(str(module), targets.target()) as (parsed, machine):
        return machine.emit_assembly(parsed)


def object_for(module: object, target: targets.Target) -> bytes:
    """A module's object file for any target, this machine's or not: for a linker. Nothing is cached.

    Raises:
        CompileError: LLVM refuses the module.
    """
    return _compile(str(module), target).code


def entry(image: Image, name: str, slots: int) -> tuple[Callable[[], None], ctypes.Array[ctypes.c_int64]]:
    """The cheapest way from Python into a native `void f(ptr block)`: 0.11 us, and 0.28 us more to set 16 slots.

    A typed ctypes signature costs 30 to 90 ns more than a prepared pointer, and `struct.pack_into` 100 ns more than
    assignment to a slice. The interpreter's lock is released during the call.

    Args:
        image: Where the function is; the result keeps it in memory.
        name: The function.
        slots: The number of 8-byte slots in the block.

    Returns:
        call: Calls the function on the block.
        block: The slots as signed integers: `block[:] = values`, or `block[3] = value`. For floating-point slots, lay
            another array over it: `(ctypes.c_double * slots).from_buffer(block)`.
    """
    block = (ctypes.c_int64 * slots)()
    return functools.partial(image.function(name), ctypes.byref(block)), block


def _key(text: str, target: targets.Target) -> str:
    setting = f"{_VERSION} {objects.compiler_version()} {target.architecture} {target.cpu} {target.features}\n"
    return hashlib.sha256(setting.encode() + text.encode()).hexdigest()


def _spread(work: Callable[[str], None], items: Sequence[str]) -> None:
    """Do the work for every item on several threads; the first error is raised when all are done.

    None of it is done on this thread: an interrupt, which only comes to the main one, would break off LLVM's objects
    where they are half made, and the process would end when they are disposed of.
    """
    remaining = iter(items)
    errors: list[BaseException] = []
    interrupted = False

    def run() -> None:
        for item in remaining:
            if interrupted:
                return
            try:
                work(item)
            except Exception as error:
                errors.append(error)

    helpers = [threading.Thread(target=run, daemon=True) for _ in range(min(targets.cores(), len(items)))]
    for helper in helpers:
        helper.start()
    try:
        for helper in helpers:
            helper.join()
    except KeyboardInterrupt:
        interrupted = True
        for helper in helpers:
            helper.join()
        raise
    if errors:
        raise errors[0]


# LLVM.


@functools.cache
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _triple(target: targets.Target) -> str:
    """LLVM's name for the target's architecture and system: this system, or Linux where the architecture is another."""
    llvm = _llvm()
    if target.architecture == targets.architecture():
        return llvm.get_process_triple()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return f"{target.architecture}-unknown-linux-gnu"


_machines: dict[targets.Target, list[Any]] = {}
"""Target machines that no thread uses at present: the second module of one compiles 1.3 ms sooner than the first."""


@contextlib.contextmanager
def _machine(target: targets.Target) -> Iterator[Any]:
    """A target machine that is this thread's own for a while."""
    idle = _machines.setdefault(target, [])
    try:
        machine = idle.pop()
    except IndexError:
        machine = _llvm().Target.from_triple(_triple(target)).create_target_machine(
            cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="default"
        )  # fmt: skip
    try:
        yield machine
    finally:
        idle.append(machine)


@contextlib.contextmanager
def _parsed(text: str, target: targets.Target) -> Iterator[tuple[Any, Any]]:
    """The verified module and the target machine, in a context of their own. All are closed in order: left to the
    garbage collector, a module may go after its context, which is fatal.
    """
    llvm = _llvm()
    with contextlib.ExitStack() as open_:
        machine = open_.enter_context(_machine(target))
        context = open_.enter_context(llvm.create_context())
        try:
            module = open_.enter_context(llvm.parse_assembly(text, context))
            module.verify()
        except RuntimeError as error:
            raise CompileError(_kernel_name(text), str(error).removeprefix("LLVM IR parsing error\n").strip()) from None
        if "alwaysinline" in text:
            options = open_.enter_context(llvm.create_pipeline_tuning_options(0))
            builder = open_.enter_context(llvm.create_pass_builder(machine, options))
            passes = open_.enter_context(llvm.create_new_module_pass_manager())
            passes.add_always_inliner_pass()
            passes.run(module, builder)
        yield module, machine


def _compile(text: str, target: targets.Target) -> Object:
    with _parsed(text, target) as (module, machine):
        exports = [
            value.name
            for value in (*module.functions, *module.global_variables)
            if not value.is_declaration and value.linkage.name not in ("internal", "private")
        ]
        return Object(tuple(exports), _emitted(machine, module, text))


def _emitted(machine: Any, module: Any, text: str) -> bytes:
    from llvmlite.binding import ffi

    emit = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    emit = getattr(emit, "_cfn", emit)  # without llvmlite's lock: nothing here is shared with another thread
    with ffi.OutputString() as error:
        buffer = emit(machine, module, 1, error)
        if not buffer:
            raise CompileError(_kernel_name(text), str(error))
    try:
        return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _kernel_name(text: str) -> str:
    found = re.search(r'^\s*define [^@]*@"?([^("]+)', text, re.MULTILINE)
    return found[1] if found else "without a function"
