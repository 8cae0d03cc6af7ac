"""How fast this machine can be: floating-point operations and bytes a second, measured once by two small kernels.

The operations are multiplications and additions of independent vectors in registers; the bytes are those that a copy
of more than the caches hold reads and writes. Both run on as many threads as plans do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..codegen import types
from ..codegen.emitter import Arg, Module
from . import jit, pool, targets

_TURNS = 200_000
_CHAINS = 12
"""Sums that go on side by side: more than a processor needs to be busy while it waits for each."""
_PIECE = 1 << 20
"""Bytes that a chunk copies."""


@dataclass(frozen=True)
class Speed:
    """Peak of single precision in operations, and of memory in bytes, a second; on so many threads."""

    operations: float
    bytes: float
    threads: int


def speed() -> Speed:
    """The speed of this machine with the threads that plans run on now."""
    return _measured(pool.get_num_threads())


@functools.cache
def _measured(threads: int) -> Speed:
    machine = targets.target()
    lanes = machine.lanes(4)
    multiply_add = machine.architecture != "x86_64" or machine.has("fma")
    image = jit.load(_module(lanes, multiply_add), using=[pool.image()])
    multiply, block = jit.entry(image, "duograph_peak_multiply", 2)
    results = np.zeros(threads * 64, np.float32)
    block[:] = [results.ctypes.data, threads]
    operations = 2 * _CHAINS * lanes * _TURNS * threads
    seconds = min(_timed(multiply) for _ in range(5))
    size = -(-min(256 << 20, max(64 << 20, 4 * targets.caches().l3)) // _PIECE) * _PIECE
    source, target = np.zeros(size, np.uint8), np.empty(size, np.uint8)
    copy, block = jit.entry(image, "duograph_peak_copy", 3)
    block[:] = [source.ctypes.data, size // _PIECE, target.ctypes.data]
    copy()  # the system hands out memory when it is first touched
    moved = min(_timed(copy) for _ in range(3))
    return Speed(operations / seconds, 2 * size / moved, threads)


def _timed(call: Callable[[], None]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def _module(lanes: int, multiply_add: bool) -> Module:
    module = Module("peak")
    parallel_for = module.declare(pool.PARALLEL_FOR, "void", ["ptr", "ptr", "i64"])
    vector = types.vector("float", lanes)
    parameters = [Arg("block", "ptr"), Arg("chunk", "i64")]
    with module.function("multiply_chunk", parameters, linkage="internal") as f:
        block, chunk = f.args
        begin = [f.const(vector, 1.0 + k) for k in range(_CHAINS)]
        factor, term = f.const(vector, 0.999), f.const(vector, 0.001)
        with f.loop(0, _TURNS, carried=begin, name="turn") as loop:
            if multiply_add:
                loop.yield_(*[f.fma(x, factor, term) for x in loop.carried])
            else:
                loop.yield_(*[x * factor + term for x in loop.carried])
        total = loop.results[0]
        for x in loop.results[1:]:
            total = total + x
        results = f.load(f.gep(block, 0, "i64"), "ptr", align=8)
        f.store(f.extract(total, 0), f.gep(results, chunk * 64, "float"))
    with module.function("copy_chunk", parameters, linkage="internal") as f:
        block, chunk = f.args
        source, target = (f.load(f.gep(block, slot, "i64"), "ptr", align=8) for slot in (0, 2))
        start = chunk * _PIECE
        with f.loop(start, start + _PIECE, 4 * lanes, name="place") as loop:
            f.store(f.load(f.gep(source, loop.index, "i8"), vector), f.gep(target, loop.index, "i8"))
    for name in ("multiply", "copy"):
        body = module.declare(f"{name}_chunk", "void", ["ptr", "i64"])
        with module.function(f"duograph_peak_{name}", [Arg("block", "ptr")]) as f:
            (block,) = f.args
            f.call(parallel_for, f.address(body), block, f.load(f.gep(block, 1, "i64"), "i64", align=8))
    return module
