"""Machine code for AArch64, run under an emulator: kernels, driver and thread pool.

The tests compile the same plans as on a machine with vectors of 16 bytes and 32 registers, link them with a small C
program and compare what it prints with the interpreter. Inputs, outputs and temporaries end where pages begin that
must not be touched. Every program runs with one and with several threads, which must give the same bits.

Tolerances are those of the tests that do the same with code for this machine: `test_codegen_scalar` for elementwise
functions, `test_contract` for contractions, `test_compiled_primitives` for the other primitives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from duograph.gradient import gradient
from duograph.graph import language as lang
from duograph.graph.dtype import bfloat16, bool_, float32, float64, int8, int64, uint32
from duograph.graph.node import Graph, Node
from duograph.runtime import jit, targets
from duograph.runtime.pool_ir import pool_ir
from tests import test_codegen_scalar as elementwise
from tests import test_contract as contract
from tests.compiled_tools import compare, interpreted, random_case
from tests.emulator_tools import LIBRARY, Job, Program, graph_of
from tests.primitive_tools import SAMPLES
from tests.test_compiled_primitives import SUMS, cases_of, together

pytestmark = pytest.mark.skipif(targets.architecture() == "aarch64", reason="on AArch64 all other tests are its tests")

DTYPES = (float32, float64, bfloat16, int8, int64, bool_)
"""Of all but elementwise primitives: one of each way in which numbers are held and computed."""


def program(jobs: Sequence[Job], folder: Path, **given: Any) -> Program:
    """The jobs for the plainest AArch64, whose kernels need nothing that a process may lack."""
    made = Program(targets.cross("aarch64"), jobs, folder, **given)
    assert made.outside <= LIBRARY
    return made


def test_the_target() -> None:
    target = targets.cross("aarch64")
    assert (target.vector_bytes, target.vector_registers, target.lanes(4)) == (16, 32, 4)
    assert target.has("neon")
    assert not target.has("fullfp16")
    assert not target.has("avx2")


def test_an_object_is_for_its_target() -> None:
    text = "define double @f(double %x) { %y = fadd double %x, 1.0\n ret double %y }"
    machines = {name: jit.object_for(text, targets.cross(name))[18:20] for name in ("x86_64", "aarch64")}
    assert machines == {"x86_64": b"\x3e\x00", "aarch64": b"\xb7\x00"}  # `e_machine` in an ELF header
    for system in ("linux", "darwin"):
        assert jit.object_for(pool_ir(system, "aarch64"), targets.cross("aarch64"))
    with pytest.raises(jit.CompileError):
        jit.object_for("define i64 @broken() { ret i32 4 }", targets.cross("aarch64"))


def test_elementwise(tmp_path: Path) -> None:
    """Every elementwise primitive in every dtype, on the numbers where things happen: conversions, division of the
    smallest integers, functions of infinities, of subnormal and of huge numbers."""
    cases = [case for op in elementwise.ELEMENTWISE for case in elementwise.cases(op)]
    jobs = []
    for case in cases:
        arrays = elementwise.arguments(case)
        node = case.node(arrays[0].shape)
        jobs.append(Job(Graph(node.inputs, (node,)), arrays))
    for case, job, (found,) in zip(cases, jobs, program(jobs, tmp_path).results(), strict=True):
        elementwise.check(case, found, list(job.arrays))


def test_other_primitives(tmp_path: Path) -> None:
    """All that have kernels of their own, or make nests: reductions, scans, windows, indices, sorting, random bits.
    Control flow and linear algebra are driven from Python."""
    ops = [op for op in dict.fromkeys(op for op, _ in SAMPLES) if op.kind not in ("elementwise", "linalg", "control")]
    cases = []
    for op in ops:
        every = cases_of(op)
        cases.append([case for case in every if case[1] in DTYPES] or every)
    jobs = [Job(*together(op, [sample for _, _, sample in own])) for op, own in zip(ops, cases, strict=True)]
    for op, own, job, found in zip(ops, cases, jobs, program(jobs, tmp_path).results(), strict=True):
        for (name, _, _), expected, received in zip(own, interpreted(job.graph, job.arrays), found, strict=True):
            compare(expected, received, 8 if op.name in SUMS else 0, name, scaled=True)


Function = Callable[..., Sequence[Node]]


def contractions() -> list[tuple[Function, list[np.ndarray], list[tuple[int, ...] | None], int]]:
    """Functions, their arrays, the orders of these in memory, and the terms of the longest sum. No function makes more
    of an error than the sum had."""
    found: list[tuple[Function, list[np.ndarray], list[tuple[int, ...] | None], int]] = []
    numbers = contract.numbers
    some = [contract.SAMPLES[k] for k in (3, 9, 11, 18)]
    large = ((4, 48, 24, 24), (64, 48, 3, 3), 1, 1, 1, 1)  # by Winograd's algorithm, in all directions
    convolutions = [(np.float32, sample) for sample in (*contract.SAMPLES, large)]
    convolutions += [(dtype, sample) for dtype in (np.float64, np.float16, ml_dtypes.bfloat16) for sample in some]
    for k, (dtype, sample) in enumerate(convolutions):
        g = contract.geometry(*sample)
        geometry: dict[str, Any] = contract.attributes(g)
        arrays = [
            numbers(g.images, g.channels, *g.size, dtype=dtype),
            numbers(g.filters, g.channels // g.groups, *g.kernel, dtype=dtype, seed=1),
            numbers(g.images, g.filters, *g.places, dtype=dtype, seed=2),
        ]

        def all_directions(x: Node, w: Node, dy: Node, g: Any = g, geometry: Any = geometry) -> Sequence[Node]:
            return (
                lang.maximum(lang.convolution(x, w, **geometry) + dy, 0),
                lang.convolution_input_gradient(dy, w, size=g.size, **geometry),
                w - lang.convolution_weight_gradient(x, dy, kernel=g.kernel, **geometry) * 0.5,
            )

        last = (0, *range(2, 2 + len(g.size)), 1)
        weight = (*range(2, 2 + len(g.size)), 1, 0) if k % 2 else None  # as Keras has it, or as PyTorch
        terms = prod(g.kernel) * max(g.channels, g.filters) + g.images * prod(g.places)
        found.append((all_directions, arrays, [last, weight, None if k % 3 else last], terms))

    def products(a: Node, b: Node, c: Node, d: Node, bias: Node) -> Sequence[Node]:
        return (
            lang.maximum(lang.matmul(a, b) + bias, 0),
            lang.matmul(lang.transpose(c), b) - bias,
            lang.matmul(a, lang.transpose(d)),
        )

    dtypes = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int32, np.int64)
    for dtype in dtypes:
        shapes_of_products = [(29, 70, 40), (8, 64, 300), (1, 1, 1), (1, 300, 70), (130, 1, 9)]
        for m, n, k in shapes_of_products if dtype is np.float32 else shapes_of_products[:2]:
            shapes = [(m, k), (k, n), (k, m), (n, k), (n,)]
            arrays = [numbers(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate(shapes)]
            found.append((products, arrays, [None] * 5, k))
        heads = [numbers(2, 3, 11, 8, dtype=dtype), numbers(2, 3, 8, 13, dtype=dtype, seed=1)]
        found.append((lambda a, b: [lang.matmul(a, b)], heads, [(0, 2, 1, 3), None], 8))
    return found


def test_contractions(tmp_path: Path) -> None:
    """Products and convolutions in all directions, with epilogues."""
    cases = contractions()
    jobs = [Job(graph_of(function, arrays), arrays, orders) for function, arrays, orders, _ in cases]
    made = program(jobs, tmp_path)
    titles = " ".join(kernel.title for kernel in made.kernels.values())
    assert all(kind in titles for kind in ("winograd_f32", "winograd_outer", "depthwise2d_gradient", "joined", "parts"))
    for (function, arrays, _, terms), found in zip(cases, made.results(), strict=True):
        whole = np.issubdtype(arrays[0].dtype, np.integer)
        wide = [a.astype(np.int64 if whole else np.float64) for a in arrays]
        exact = interpreted(graph_of(function, wide), wide)
        sizes = [np.abs(x) for x in wide]  # the functions of these are the sums of magnitudes, or less by 6 at most
        magnitudes = interpreted(graph_of(function, sizes), sizes)
        if arrays[0].dtype.itemsize == 2:  # where an epilogue is a kernel of its own, the sum is rounded before it
            terms += int(float(ml_dtypes.finfo(arrays[0].dtype).eps) / np.finfo(np.float32).eps)
        for received, x, magnitude in zip(found, exact, magnitudes, strict=True):
            contract.check(received, x, np.abs(magnitude) + 6, terms, arrays[0].dtype)


def training_step(
    x: Node, labels: Node, filters: Node, hidden: Node, last: Node, seed: Node, offset: Node
) -> Sequence[Node]:
    """A convolutional network with dropout: its loss, and its weights after a step."""
    images = x.shape[0]
    geometry: dict[str, Any] = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    y = lang.maximum(lang.convolution(x, filters, **geometry), 0)
    y = lang.window("window_max", y, **{**geometry, "stride": (2, 2), "padding": ((0, 0), (0, 0))}, window=(2, 2))
    y = lang.tanh(lang.matmul(lang.reshape(y, (images, -1)), hidden))
    centred = y - lang.mean(y, (1,), keepdims=True)
    y = centred * lang.rsqrt(lang.mean(centred * centred, (1,), keepdims=True) + 1e-5)
    kept = lang.random_bits(seed, offset, y.shape) < lang.full((), 1 << 31, uint32)
    y = lang.matmul(lang.select(kept, y * 2, 0.0), last)
    shifted = y - lang.max(y, (1,), keepdims=True)
    log_probabilities = shifted - lang.log(lang.sum(lang.exp(shifted), (1,), keepdims=True))
    loss = -lang.mean(lang.take_along(log_probabilities, lang.expand_dims(labels, (1,)), 1))
    weights = (filters, hidden, last)
    changes = gradient([loss], [lang.full((), 1, float32)], weights)
    return [loss, *(w - change * 0.1 for w, change in zip(weights, changes, strict=True) if change is not None)]


def test_programs(tmp_path: Path) -> None:
    """A training step, and random graphs."""
    numbers = contract.numbers
    arrays = [
        numbers(12, 3, 10, 10), np.arange(12) % 5, numbers(8, 3, 3, 3) / 5, numbers(200, 33) / 14, numbers(33, 5) / 6,
        np.array(7, np.uint64), np.array(0, np.uint64),
    ]  # fmt: skip
    step = Job(graph_of(training_step, arrays), arrays)
    cases = [random_case(seed, 12, large=bool(seed % 2)) for seed in range(40)]
    jobs = [step, *(Job(case.graph, case.arrays, case.orders) for case in cases)]
    step_found, *found = program(jobs, tmp_path).results()
    assert len(step_found) == 4
    for k, (expected, received) in enumerate(zip(interpreted(step.graph, arrays), step_found, strict=True)):
        compare(expected, received, 16, f"step {k}", scaled=True)
    for seed, (case, outputs) in enumerate(zip(cases, found, strict=True)):
        for expected, received, exact in zip(interpreted(case.graph, case.arrays), outputs, case.exact, strict=True):
            compare(expected, received, 0 if exact else 64, seed, scaled=True)


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_refused_data_and_sleeping_workers(tmp_path: Path, system: str) -> None:
    """A wave that refuses data ends its plan, and says what it refused. Workers sleep between the rounds, on a futex or
    on a condition variable, and are woken."""
    x = np.arange(60_000, dtype=np.float32)
    rows = [np.arange(12, dtype=np.float32).reshape(4, 3), np.array([2, 0, -5])]
    jobs = [
        Job(graph_of(lambda x: lang.sum(lang.reshape(x * 2, (60, 1000)), (1,)), [x]), [x]),
        Job(graph_of(lang.take, rows), rows),
        Job(graph_of(lang.take, [rows[0], rows[1] + 1]), [rows[0], rows[1] + 1]),
    ]
    made = program(jobs, tmp_path, system=system)
    for threads in (1, 2, 3):
        sums, refused, taken = made.run(threads, rounds=30)
        assert made.workers == threads - 1
        assert isinstance(sums, list)
        np.testing.assert_allclose(sums[0], 2 * x.reshape(60, 1000).sum(1, dtype=np.float64), rtol=1e-6)
        assert refused == -5
        assert isinstance(taken, list)
        np.testing.assert_array_equal(taken[0], rows[0][[3, 1, -4]])
