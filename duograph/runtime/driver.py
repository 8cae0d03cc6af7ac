"""The native function that runs a plan: the same for all plans, which are tables to it.

    void duograph_run(ptr plan)

First the addresses of this run are put into the kernels' argument blocks, then the waves run one after another. A wave
is a number of launches that do not depend on one another: their chunks are one parallel region. After a wave that may
refuse data, the places where kernels tell so are looked at, and the run ends there if one did.

A wave may be a loop instead: waves that run again and again. After each turn the addresses that move are advanced, and
after the last one put back.

All numbers are `i64`:

| table | rows |
| --- | --- |
| plan | relocations, their number, waves, their number, bases, failures, their number, status |
| relocation | where an address goes, which base, bytes from it |
| wave | launches, their number, chunks of all, flags (1: one thread is enough, 2: look at the failures, 4: a loop) |
| loop (for launches) | waves of a turn, their number, turns, advances, their number |
| advance | where an address is, bytes by which a turn moves it, which bits of the turn's number count (all, or the last
  where two places take turns) |
| launch | kernel, argument block, the number of the first chunk after it |
"""

from __future__ import annotations

import functools
from typing import Any

from ..codegen.emitter import Arg, Callee, Function, Module, Reg
from . import jit, pool

PLAN_SLOTS, WAVE_SLOTS, ADVANCE_SLOTS = 8, 4, 3
SERIAL, CHECKED, LOOP = 1, 2, 4
WAITING = -1
"""The status of a plan that has not run: when it has, there stands 0, or something else if data were refused."""


def _word(f: Function, pointer: Reg, slot: int, type: str = "i64") -> Reg:
    return f.load(f.gep(pointer, slot, "i64"), type, align=8)


WAVES = ("ptr", "i64", "ptr", "i64")


def _waves(module: Module, parallel_for: Callee, body: Callee) -> None:
    """Define `i64 duograph_waves(ptr waves, i64 count, ptr failures, i64 failures)`: gives 0, or something else if a
    launch refused its data."""
    run_waves = module.declare("duograph_waves", "i64", WAVES)
    parameters = [Arg(name, type) for name, type in zip(("waves", "count", "failures", "places"), WAVES, strict=True)]
    with module.function("duograph_waves", parameters, "i64", linkage="internal") as f:
        waves, wave_count, failures, failure_count = f.args
        zero = f.const("i64", 0)
        with f.while_([zero, zero], names=["wave", "status"]) as loop:
            index, status = loop.carried
            loop.test(f.compare("lt", index, wave_count) & f.eq(status, 0))
            wave = f.gep(waves, index * WAVE_SLOTS, "i64")
            launches, count, chunks, flags = (_word(f, wave, k, "ptr" if k == 0 else "i64") for k in range(4))
            with f.if_(f.ne(flags & LOOP, 0)) as kind:
                with f.while_([zero, zero], names=["turn", "refusal"]) as turns:
                    turn, refusal = turns.carried
                    turns.test(f.compare("lt", turn, _word(f, launches, 2)) & f.eq(refusal, 0))
                    refused = f.call(
                        run_waves, _word(f, launches, 0, "ptr"), _word(f, launches, 1), failures, failure_count
                    )
                    _advance(f, launches, turn, turn + 1)
                    turns.yield_(turn + 1, refused)
                done, refusal = turns.results
                _advance(f, launches, done, zero)
                kind.yield_(refusal)
            with kind.else_():
                _launch(f, parallel_for, body, launches, count, chunks, flags)
                with f.if_(f.ne(flags & CHECKED, 0)) as checked:
                    with f.loop(0, failure_count, carried=[zero], name="failure") as look:
                        look.yield_(look.carried[0] | f.load(f.gep(failures, look.index * 2, "i64"), "i64", align=8))
                    checked.yield_(look.results[0])
                with checked.else_():
                    checked.yield_(zero)
                kind.yield_(checked.results[0])
            loop.yield_(index + 1, kind.results[0])
        f.ret(loop.results[1])


def _advance(f: Function, loop: Reg, before: Reg, after: Reg) -> None:
    """Move a loop's addresses from where they are in one turn to where they are in another."""
    advances = _word(f, loop, 3, "ptr")
    with f.loop(0, _word(f, loop, 4), name="advance") as advance:
        row = f.gep(advances, advance.index * ADVANCE_SLOTS, "i64")
        slot, bits = _word(f, row, 0, "ptr"), _word(f, row, 2)
        moved = (after & bits) - (before & bits)
        f.store(f.load(slot, "i64", align=8) + _word(f, row, 1) * moved, slot, align=8)


def _launch(
    f: Function, parallel_for: Callee, body: Callee, launches: Reg, count: Reg, chunks: Reg, flags: Reg
) -> None:
    """Run the launches of a wave."""
    zero = f.const("i64", 0)
    with f.if_(f.ne(flags & SERIAL, 0)) as serial:
        with f.loop(0, count, name="launch") as each:
            launch = f.gep(launches, each.index * 3, "i64")
            previous = f.gep(launches, each.index * 3 - 1, "i64")
            with f.if_(f.compare("gt", each.index, 0)) as later:
                later.yield_(f.load(previous, "i64", align=8))
            with later.else_():
                later.yield_(zero)
            kernel, block = _word(f, launch, 0, "ptr"), _word(f, launch, 1, "ptr")
            with f.loop(0, _word(f, launch, 2) - later.results[0], name="chunk") as turn:
                f.call(kernel, block, turn.index, zero)
        serial.yield_()
    with serial.else_():
        with f.if_(f.eq(count, 1)) as single:
            f.call(parallel_for, _word(f, launches, 0, "ptr"), _word(f, launches, 1, "ptr"), chunks)
            single.yield_()
        with single.else_():
            f.call(parallel_for, f.address(body), launches, chunks)


def _module() -> Module:
    module = Module("driver")
    parallel_for = module.declare(pool.PARALLEL_FOR, "void", ["ptr", "ptr", "i64"])
    parameters = [Arg("launches", "ptr"), Arg("chunk", "i64"), Arg("thread", "i64")]
    with module.function("duograph_chunk", parameters, linkage="internal") as f:
        launches, chunk, thread = f.args
        with f.while_([launches, f.const("i64", 0)], names=["launch", "first"]) as loop:
            launch, first = loop.carried
            loop.test(f.compare("ge", chunk, _word(f, launch, 2)))
            loop.yield_(f.gep(launch, 3, "i64"), _word(f, launch, 2))
        launch, first = loop.results
        f.call(_word(f, launch, 0, "ptr"), _word(f, launch, 1, "ptr"), chunk - first, thread)
    body = module.declare("duograph_chunk", "void", ["ptr", "i64", "i64"])
    _waves(module, parallel_for, body)
    run_waves = module.declare("duograph_waves", "i64", WAVES)
    with module.function("duograph_run", [Arg("plan", "ptr")]) as f:
        (plan,) = f.args
        relocations, bases = _word(f, plan, 0, "ptr"), _word(f, plan, 4, "ptr")
        with f.loop(0, _word(f, plan, 1), name="relocation") as relocate:
            row = f.gep(relocations, relocate.index * 3, "i64")
            base = f.load(f.gep(bases, _word(f, row, 1), "i64"), "i64", align=8)
            f.store(base + _word(f, row, 2), _word(f, row, 0, "ptr"), align=8)
        status = f.call(
            run_waves, _word(f, plan, 2, "ptr"), _word(f, plan, 3), _word(f, plan, 5, "ptr"), _word(f, plan, 6)
        )
        f.store(status, f.gep(plan, 7, "i64"), align=8)
    return module


@functools.cache
def entry() -> tuple[Any, Any]:
    """The image of the driver, and `run(address of a plan)`: 0.15 us from Python."""
    import ctypes

    image = jit.load(_module(), using=[pool.image()])
    return image, image.function("duograph_run", None, ctypes.c_int64)
