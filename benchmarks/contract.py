"""`python -m benchmarks.contract`: generated matrix products and convolutions, alone, beside PyTorch's.

Where PyTorch is installed it takes turns with us, sample by sample, in one process; where it is not, what it reached on
this machine before (`results/kernels.json`) stands in its place. GFLOP/s, best and median. One thread is timed by the
processor time of its thread, which a busy machine disturbs less than the clock; several are timed by the clock.

Our numbers include packing the right operand in every call, as PyTorch's include its own reordering. Activations are
[N, H, W, C]; weights are as PyTorch has them, [O, I, H, W], or with `--weights last` [H, W, I, O].
"""

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np

from duograph.codegen.contract import (
    Geometry,
    Machine,
    Matrix,
    Plan,
    Pointer,
    Weight,
    plan_convolution,
    plan_input_gradient,
    plan_matmul,
    plan_weight_gradient,
)
from duograph.codegen.emitter import Arg, Callee, Module
from duograph.codegen.plan import Scratch
from duograph.runtime import jit, pool, targets

from .kernels import CONVOLUTIONS, MATMULS, Convolution, Matmul

RECORDED = Path(__file__).parent / "results" / "kernels.json"

MOST_THREADS = 64
"""Threads that may be asked for: each has memory of its own."""


class Compiled:
    """A plan as one native call. `compile_seconds` is what emitting and compiling it took, of processor time."""

    def __init__(self, plan: Plan, arrays: dict[str, np.ndarray]) -> None:
        steps = plan.packing + plan.steps
        start = time.process_time()
        module = Module("contraction")
        for kernel in {step.kernel.name: step.kernel for step in steps}.values():
            kernel.emit(module)
        parallel_for = module.declare(pool.PARALLEL_FOR, "void", ["ptr", "ptr", "i64"])
        place = 0
        with module.function("run", [Arg("block", "ptr")]) as f:
            for step in steps:
                kernel = f.address(Callee(step.kernel.name, "void", ("ptr", "i64")))
                f.call(parallel_for, kernel, f.gep(f.args[0], place, "i64"), step.chunks)
                place += len(step.arguments)
        image = jit.load(module, using=[pool.image()])
        self.compile_seconds = time.process_time() - start
        self.arrays = arrays | {role: aligned((size,), np.uint8) for role, size in scratch(plan).items()}
        self.arrays["scratch"].view(np.int64)[0] = plan.scratch
        self.call, block = jit.entry(image, "run", max(1, place))
        block[:place] = [
            self.arrays[value.role].ctypes.data + value.offset if isinstance(value, Pointer) else value
            for step in steps
            for value in step.arguments
        ]
        self.kernels = ", ".join(f"{step.kernel.title} x{step.chunks}" for step in steps)


def scratch(plan: Plan) -> dict[str, int]:
    """Bytes of the roles that only the plan itself uses."""
    threads = Scratch.size(plan.scratch, MOST_THREADS)
    return {"packed": plan.packed, "workspace": plan.workspace, "scratch": threads}


def aligned(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """An array of zeros that starts at a cache line, as the memory planner places them."""
    size = prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def normal(shape: tuple[int, ...]) -> np.ndarray:
    """An aligned array of normal numbers."""
    array = aligned(shape)
    array[...] = np.random.default_rng(0).standard_normal(shape, np.float32)
    return array


def ours(kernel: Matmul | Convolution, weights: str) -> Compiled:
    """The kernel, planned and compiled, with operands."""
    machine = Machine.of(targets.target(), targets.caches())
    if isinstance(kernel, Matmul):
        m, n, k = kernel.m, kernel.n, kernel.k
        a = Matrix("float", 1, m, inner=m * k) if "a" in kernel.transposed else Matrix("float", k, 1, inner=m * k)
        b = Matrix("float", 1, k, inner=n * k) if "b" in kernel.transposed else Matrix("float", n, 1, inner=n * k)
        c = Matrix("float", n, 1, inner=m * n)
        plan = plan_matmul(machine, a, b, c, m=m, n=n, k=k, batch=(1, kernel.batch))
        arrays = {"a": normal((kernel.batch, m, k)), "b": normal((kernel.batch, k, n))}
        return Compiled(plan, arrays | {"c": aligned((kernel.batch, m, n))})
    geometry = Geometry(
        kernel.batch, kernel.channels, kernel.filters, (kernel.size,) * 2, (kernel.window,) * 2, (kernel.stride,) * 2,
        ((kernel.padding,) * 2,) * 2, (1, 1), kernel.groups,
    )  # fmt: skip
    taps, inputs = kernel.window**2, kernel.channels // kernel.groups
    weight = Weight("float", 1, taps, taps * inputs)
    if weights == "last":
        weight = Weight("float", inputs * kernel.filters, kernel.filters, 1)
    x, w, y = (normal(s) for s in (kernel.input_shape, kernel.weight_shape, kernel.output_shape))
    match kernel.direction:
        case "forward":
            return Compiled(plan_convolution(machine, geometry, "float", weight, "float"), {"a": x, "b": w, "c": y})
        case "input gradient":
            return Compiled(plan_input_gradient(machine, geometry, "float", weight, "float"), {"a": y, "b": w, "c": x})
        case _:
            return Compiled(plan_weight_gradient(machine, geometry, "float", "float", weight), {"a": x, "b": y, "c": w})


def sample(call: Callable[[], object], threads: int, seconds: float) -> list[float]:
    """Seconds of some calls in a row."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    call()
    taken = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        start = clock()
        call()
        taken.append(clock() - start)
    return taken


def race(contestants: dict[str, Callable[[], object]], threads: int, rounds: int, seconds: float) -> dict:
    """Best and median seconds of each, taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            taken[name] += sample(call, threads, seconds)
    return {name: (min(times), statistics.median(times)) for name, times in taken.items()}


def recorded() -> dict[tuple, tuple[float, float]]:
    """PyTorch's best and median seconds by network, name, direction and threads."""
    if not RECORDED.exists():
        return {}
    kernels = json.loads(RECORDED.read_text())["kernels"]
    return {
        (k["network"], k["name"], k["direction"], k["threads"]): (result["best"], result["median"])
        for k in kernels
        if (result := k["results"].get("torch")) and "best" in result
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contract", description=__doc__.partition("\n")[0])
    parser.add_argument("--match", default="", help="only kernels whose network, name or direction has this text")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, comma-separated")
    parser.add_argument("--weights", choices=("first", "last"), default="first", help="where a weight's channels are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.02, help="of each contestant in each round")
    parser.add_argument("--verbose", action="store_true", help="name the kernels and their chunks")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    side_by_side = importlib.util.find_spec("torch") is not None
    if side_by_side:
        from .frameworks import torch as peer
    past = recorded()
    ratios: dict[int, list[float]] = {}
    for kernel in (*MATMULS, *CONVOLUTIONS):
        direction = getattr(kernel, "direction", "")
        label = f"{kernel.network} | {kernel.name} | {direction}"
        if given.match not in label:
            continue
        compiled = ours(kernel, given.weights)
        print(f"{label} | compile {compiled.compile_seconds * 1e3:.0f} ms", end="")
        print(f" | {compiled.kernels}" if given.verbose else "")
        for threads in map(int, given.threads.split(",")):
            pool.set_num_threads(threads)
            contestants: dict[str, Callable[[], object]] = {"ours": compiled.call}
            if side_by_side:
                peer.set_threads(threads)
                contestants |= {f"torch {variant}".strip(): call for variant, call in peer.kernels(kernel).items()}
            results = race(contestants, threads, given.rounds, given.seconds)
            best, median = results.pop("ours")
            then = past.get((kernel.network, kernel.name, direction, threads))
            theirs = min(results.values(), default=then)
            speed = f"{kernel.work / best / 1e9:4.0f} ({kernel.work / median / 1e9:4.0f})"
            line = f"    {threads} thread{'s'[: threads > 1]}: {speed}"
            if theirs is not None:
                ratios.setdefault(threads, []).append(theirs[0] / best)
                line += f"   PyTorch {kernel.work / theirs[0] / 1e9:4.0f} ({kernel.work / theirs[1] / 1e9:4.0f})"
                line += f"   ratio {theirs[0] / best:.2f}"
            print(line, flush=True)
    for threads, found in ratios.items():
        mean = statistics.geometric_mean(found)
        print(f"{threads} threads: geometric mean {mean:.2f}, least {min(found):.2f}, {len(found)} kernels")


if __name__ == "__main__":
    main()
