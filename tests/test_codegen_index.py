"""Kernels whose addresses are data, and random bits, against the primitives' own meaning.

Operands and results lie between pages that must not be touched, and every result is computed with one, two and five
threads, which must give the same bits.

Tolerances: integers, and modes that only choose, agree exactly. Sums and products of n updates agree within
`(n + 1) * eps` of the sum of magnitudes, or of the product, since the order differs; eps is that of the type in which
they are combined. What is stored in 16 bits may be off by half a unit more. `put_along` and overlapping windows round
to 16 bits at each update, and there eps is that of the 16 bits.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from duograph.codegen.contract import Machine
from duograph.codegen.index import plan_put, plan_put_along, plan_random_bits, plan_window_max_gradient
from duograph.codegen.plan import Failure, Plan
from duograph.graph import dtype as dtypes
from duograph.graph.dtype import DType
from duograph.graph.node import PRIMITIVES
from duograph.graph.primitives.indexing import MODES
from duograph.runtime import pool
from tests.contract_tools import Guarded, Runner, guarded, machine

MACHINES = {
    "host": machine(),
    "AVX2": Machine(32, 16, fma=True, half=machine().half),
    "SSE2": Machine(16, 16, fma=False, half=False),
}


def run(plan: Plan, arrays: Mapping[str, np.ndarray], c: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """What becomes of role `"c"`, which holds `c` before, and of role `"error"`; nothing else may change."""
    results, errors = [], []
    before = pool.get_num_threads()
    for at_end, threads in ((True, 1), (False, 2), (True, 5)):
        places = {role: guarded(array, at_end=at_end) for role, array in {**arrays, "c": c}.items()}
        untouched = {role: places[role][1].tobytes() for role in arrays}
        error = Guarded(Failure.BYTES, at_end=at_end)
        addresses = {role: place.address for role, (place, _) in places.items()}
        pool.set_num_threads(threads)
        try:
            Runner(plan, {**addresses, "error": error.address}, at_end=at_end)()
        finally:
            pool.set_num_threads(before)
        assert untouched == {role: places[role][1].tobytes() for role in arrays}
        results.append(places["c"][1].copy())
        errors.append(list((ctypes.c_int64 * 2).from_address(error.address)))
    for other in results[1:]:
        assert results[0].tobytes() == other.tobytes(), "the bits depend on the threads"
    assert len({failed for failed, _ in errors}) == 1
    return results[0], errors[0]


def numbers(dtype: DType, *shape: int, seed: int = 0) -> np.ndarray:
    """Numbers around 1; small integers for integer types."""
    generator = np.random.default_rng((seed, *shape))
    if dtype.category == "bool":
        return generator.random(shape) < 0.5
    if dtype.category == "int":
        return generator.integers(-9 if dtype.signed else 0, 10, shape).astype(dtype.numpy)
    return (generator.uniform(0.5, 1.5, shape) * generator.choice([-1, 1], shape)).astype(dtype.numpy)


def some_indices(index: DType, size: int, *shape: int) -> np.ndarray:
    """Indices that are in range, and negative ones where there are any, many of them equal."""
    low, high = (-size if index.signed else 0), min(size, np.iinfo(index.numpy).max + 1)
    low = max(low, np.iinfo(index.numpy).min)
    return np.random.default_rng((size, *shape)).integers(low, high, shape).astype(index.numpy)


def compare(
    found: np.ndarray,
    meaning: Any,
    x: np.ndarray,
    updates: np.ndarray,
    mode: str,
    dtype: DType,
    rounds_each: bool = False,
) -> None:
    """Against `meaning(x, updates, mode)`, within what the type allows; `rounds_each` if that is at each update."""
    if not dtype.is_floating_point:
        np.testing.assert_array_equal(found, meaning(x, updates, mode))
        return
    if mode in ("set", "maximum", "minimum"):
        np.testing.assert_array_equal(found, meaning(x, updates, mode).astype(dtype.numpy))
        return
    wide, wide_updates = x.astype(np.float64), updates.astype(np.float64)
    exact = meaning(wide, wide_updates, mode)
    terms = meaning(np.zeros_like(wide), np.ones_like(wide_updates), "add")
    magnitude = meaning(np.abs(wide), np.abs(wide_updates), mode)
    eps = float(ml_dtypes.finfo(dtype.numpy).eps)
    combined = eps if rounds_each or not dtype.is_half else float(np.finfo(np.float32).eps)
    allowed = (terms + 1) * combined * magnitude + dtype.is_half * eps / 2 * np.abs(exact)
    tiny = float(ml_dtypes.finfo(dtype.numpy).tiny) * eps  # subnormal products
    assert (np.abs(found.astype(np.float64) - exact) <= allowed + tiny).all()


def check_put(
    dtype: DType,
    index: DType,
    mode: str,
    outer: int,
    size: int,
    inner: int,
    count: int,
    on: Machine = MACHINES["host"],
) -> None:
    x = numbers(dtype, outer, size, inner, seed=1)
    indices, updates = some_indices(index, size, count), numbers(dtype, outer, count, inner, seed=2)
    plan = plan_put(on, dtype, index, outer=outer, size=size, inner=inner, count=count, mode=mode)
    found, error = run(plan, {"indices": indices, "updates": updates}, x)
    assert error == [0, 0]

    def meaning(x: np.ndarray, updates: np.ndarray, mode: str) -> np.ndarray:
        return PRIMITIVES["put"].evaluate(x, indices, updates, axis=1, mode=mode)

    compare(found, meaning, x, updates, mode, dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", dtypes.REAL, ids=lambda d: d.name)
def test_put_in_every_dtype(dtype: DType, mode: str) -> None:
    check_put(dtype, dtypes.int64, mode, 2, 7, 37, 19)


@pytest.mark.parametrize("index", dtypes.INTEGRAL, ids=lambda d: d.name)
def test_put_by_every_index_dtype(index: DType) -> None:
    check_put(dtypes.float32, index, "add", 1, 200, 3, 50)


@pytest.mark.parametrize(
    "sizes",
    [
        # outer, size, inner, count
        (1, 1, 1, 1),
        (1, 3000, 600, 20),  # directly, in columns
        (1, 65, 768, 300),  # by groups, in rows and columns
        (3, 65, 130, 300),
        (1, 300, 9, 5000),
        (1, 3, 20, 4000),
        (1, 300, 33, 40),  # most rows get no update
        (40, 9, 1, 500),
        (3, 5, 2, 0),
        (0, 5, 2, 3),
        (3, 5, 0, 4),
        (1, 0, 4, 0),
    ],
    ids=str,
)
def test_sizes_of_put(sizes: tuple[int, int, int, int]) -> None:
    for mode, dtype in (("set", dtypes.float32), ("add", dtypes.float32), ("add", dtypes.bfloat16)):
        check_put(dtype, dtypes.int32, mode, *sizes)


@pytest.mark.parametrize("name", ["AVX2", "SSE2"])
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16, dtypes.float64, dtypes.uint8], ids=lambda d: d.name)
def test_put_with_other_registers(dtype: DType, name: str) -> None:
    check_put(dtype, dtypes.int64, "add", 2, 7, 21, 19, MACHINES[name])


@pytest.mark.parametrize("mode", ["set", "add", "maximum", "minimum", "multiply"])
def test_nan_and_infinity(mode: str) -> None:
    x = np.float32([[0, 1, np.nan, np.inf, -np.inf, 2]] * 2).reshape(1, 2, 6)
    updates = np.float32([[np.nan, -1, 3, -np.inf, -np.inf, 0]]).reshape(1, 1, 6)
    indices = np.int64([-1])
    plan = plan_put(machine(), dtypes.float32, dtypes.int64, outer=1, size=2, inner=6, count=1, mode=mode)
    found, _ = run(plan, {"indices": indices, "updates": updates}, x)
    with np.errstate(all="ignore"):
        expected = PRIMITIVES["put"].evaluate(x, indices, updates, axis=1, mode=mode)
    np.testing.assert_array_equal(found, expected)


def test_the_last_of_equal_indices_is_set() -> None:
    check_put(dtypes.bfloat16, dtypes.int64, "set", 3, 2, 40, 100)


@pytest.mark.parametrize("wrong", [7, -8, 2**40, -(2**63)])
@pytest.mark.parametrize("inner", [1, 40])
def test_put_refuses(inner: int, wrong: int) -> None:
    """The others are written all the same."""
    x, updates = numbers(dtypes.float32, 2, 7, inner), numbers(dtypes.float32, 2, 3, inner, seed=1)
    plan = plan_put(machine(), dtypes.float32, dtypes.int64, outer=2, size=7, inner=inner, count=3, mode="set")
    found, error = run(plan, {"indices": np.int64([3, wrong, -7]), "updates": updates}, x)
    assert error == [1, wrong]
    expected = x.copy()
    expected[:, 3], expected[:, 0] = updates[:, 0], updates[:, 2]
    np.testing.assert_array_equal(found, expected)


def test_put_into_nothing_refuses() -> None:
    plan = plan_put(machine(), dtypes.float32, dtypes.uint8, outer=1, size=0, inner=2, count=1, mode="add")
    arrays = {"indices": np.uint8([0]), "updates": np.ones((1, 1, 2), np.float32)}
    assert run(plan, arrays, np.zeros((1, 0, 2), np.float32))[1] == [1, 0]


def test_16_bits_are_rounded_once() -> None:
    """256 is the first bfloat16 that 1 can be added to without effect."""
    plan = plan_put(machine(), dtypes.bfloat16, dtypes.int64, outer=1, size=2, inner=3, count=1000, mode="add")
    arrays = {"indices": np.ones(1000, np.int64), "updates": np.ones((1, 1000, 3), ml_dtypes.bfloat16)}
    found, _ = run(plan, arrays, np.zeros((1, 2, 3), ml_dtypes.bfloat16))
    np.testing.assert_array_equal(found[0].astype(np.float32), [[0] * 3, [1000] * 3])


def test_groups_refuse() -> None:
    indices = np.zeros(5000, np.int32)
    indices[4321], indices[4400] = 300, 301
    plan = plan_put(machine(), dtypes.float32, dtypes.int32, outer=1, size=300, inner=9, count=5000, mode="add")
    assert len(plan.steps) == 2
    arrays = {"indices": indices, "updates": np.ones((1, 5000, 9), np.float32)}
    found, error = run(plan, arrays, np.zeros((1, 300, 9), np.float32))
    assert error == [1, 300]
    np.testing.assert_array_equal(found[0].sum(-1), [4998 * 9] + [0] * 299)


def check_put_along(
    dtype: DType, index: DType, mode: str, shape: tuple[int, ...], indices_shape: tuple[int, ...], axis: int
) -> None:
    x, updates = numbers(dtype, *shape, seed=1), numbers(dtype, *indices_shape, seed=2)
    indices = some_indices(index, shape[axis], *indices_shape)
    plan = plan_put_along(
        machine(), dtype, index, shape=shape, indices_shape=indices_shape, axis=axis, mode=mode
    )  # fmt: skip
    found, error = run(plan, {"indices": indices, "updates": updates}, x)
    assert error == [0, 0]

    def meaning(x: np.ndarray, updates: np.ndarray, mode: str) -> np.ndarray:
        return PRIMITIVES["put_along"].evaluate(x, indices, updates, axis=axis, mode=mode)

    compare(found, meaning, x, updates, mode, dtype, rounds_each=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [dtypes.bool_, dtypes.uint8, dtypes.int32, *dtypes.FLOATING], ids=lambda d: d.name)
def test_put_along_in_dtypes(dtype: DType, mode: str) -> None:
    check_put_along(dtype, dtypes.int64, mode, (3, 5, 7), (2, 11, 7), 1)


@pytest.mark.parametrize(
    "case",
    [
        # shape, shape of the indices, axis
        ((1,), (1,), 0),
        ((5,), (70,), 0),
        ((3, 5), (3, 2), 1),
        ((3, 5), (6, 4), 0),
        ((300, 5), (9, 5), 0),
        ((65, 3000), (5, 3000), 0),  # wide units, divided
        ((2, 4, 3), (1, 5, 2), 1),
        ((2, 3, 4, 5, 6), (2, 2, 7, 5, 4), 2),
        ((2, 3, 4, 5, 6), (2, 2, 7, 4, 1), 2),
        ((4, 2, 3, 4), (4, 1, 3, 9), 3),
        ((3, 5), (0, 5), 0),
        ((3, 5), (3, 0), 0),
        ((0, 5), (0, 5), 1),
        ((3, 0), (3, 0), 1),
        ((6, 600, 2), (6, 3000, 2), 1),
        ((3000, 7), (3000, 9), 1),
    ],
    ids=str,
)
def test_shapes_of_put_along(case: tuple[tuple[int, ...], tuple[int, ...], int]) -> None:
    for mode, index in (("set", dtypes.uint16), ("add", dtypes.int64)):
        check_put_along(dtypes.float32, index, mode, *case)


@pytest.mark.parametrize("index", dtypes.INTEGRAL, ids=lambda d: d.name)
def test_put_along_by_every_index_dtype(index: DType) -> None:
    check_put_along(dtypes.float32, index, "add", (3, 200), (3, 40), 1)


def test_put_along_refuses() -> None:
    plan = plan_put_along(
        machine(), dtypes.float32, dtypes.int8, shape=(2, 3), indices_shape=(2, 2), axis=1, mode="set"
    )  # fmt: skip
    arrays = {"indices": np.int8([[2, -4], [-3, 1]]), "updates": np.float32([[1, 2], [3, 4]])}
    found, error = run(plan, arrays, np.zeros((2, 3), np.float32))
    assert error == [1, -4]
    np.testing.assert_array_equal(found, [[0, 0, 1], [3, 4, 0]])


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="Received: 'subtract'"):
        plan_put(machine(), dtypes.float32, dtypes.int64, outer=1, size=1, inner=1, count=1, mode="subtract")


# Windows.

WINDOWS = [
    # lead, channels, size, window, stride, padding, dilation
    (3, 64, (8, 6), (2, 2), (2, 2), 0, 1),  # tiles
    (2, 37, (9, 7), (2, 2), (2, 2), 0, 1),  # pixels that no window shows
    (2, 80, (7, 7), (2, 2), (3, 2), 1, 1),
    (2, 20, (7, 8), (2, 2), (2, 2), ((1, 1), (0, 1)), 1),
    (2, 37, (9, 8), (3, 3), (2, 2), 1, 1),  # windows overlap
    (1, 33, (7, 7), (3, 2), (1, 1), 0, 2),
    (2, 70, (9, 9), (2, 2), (3, 3), 0, 2),  # apart, with holes
    (1, 20, (11, 11), (7, 7), (2, 2), 3, 1),  # by elements
    (5, 1, (9, 8), (2, 2), (2, 2), 0, 1),
    (5, 1, (9, 8), (3, 3), (2, 2), 1, 1),
    (5, 3, (9, 8), (3, 3), (2, 2), 1, 1),
    (3, 40, (23,), (3,), (2,), 1, 1),
    (3, 1, (24,), (3,), (3,), 0, 1),
    (2, 24, (5, 4, 6), (2, 2, 2), (2, 2, 2), 0, 1),
    (2, 24, (5, 4, 6), (2, 3, 2), (1, 1, 2), 0, 1),
    (1, 600, (30, 20), (2, 2), (2, 2), 0, 1),  # columns are divided
    (1, 600, (13, 20), (3, 3), (2, 2), 1, 1),
    (1, 1, (1,), (1,), (1,), 0, 1),
    (0, 4, (4, 4), (2, 2), (2, 2), 0, 1),
    (4, 0, (4, 4), (2, 2), (2, 2), 0, 1),
]


def check_window(sample: tuple, dtype: DType = dtypes.float32, on: Machine = MACHINES["host"]) -> None:
    lead, channels, size, window, stride, padding, dilation = sample
    n = len(size)
    padding = ((padding, padding),) * n if isinstance(padding, int) else padding
    geometry = {"window": window, "stride": stride, "padding": padding, "dilation": (dilation,) * n}
    x = numbers(dtype, lead, channels, *size).astype(np.float64)
    positions = PRIMITIVES["window_argmax"].evaluate(x, **geometry)
    dy = numbers(dtype, *positions.shape, seed=1)
    plan = plan_window_max_gradient(on, dtype, lead=lead, channels=channels, size=size, **geometry)
    last = lambda a: np.ascontiguousarray(np.moveaxis(a, 1, -1))  # noqa: E731 - a name for one line
    unset = np.full((lead, *size, channels), 77, dtype.numpy)
    found, _ = run(plan, {"a": last(dy), "b": last(positions)}, unset)

    def meaning(dy: np.ndarray) -> np.ndarray:
        return last(PRIMITIVES["window_max_gradient"].evaluate(dy, positions, size=size, **geometry))

    if not dtype.is_floating_point:
        np.testing.assert_array_equal(found, meaning(dy))
        return
    wide = dy.astype(np.float64)
    eps = float(ml_dtypes.finfo(dtype.numpy).eps)
    allowed = eps * meaning(np.ones_like(wide)) * meaning(np.abs(wide))
    assert (np.abs(found.astype(np.float64) - meaning(wide)) <= allowed).all()


@pytest.mark.parametrize("sample", WINDOWS, ids=str)
def test_window_max_gradient(sample: tuple) -> None:
    check_window(sample)


@pytest.mark.parametrize("dtype", [*dtypes.INTEGRAL, *dtypes.FLOATING], ids=lambda d: d.name)
@pytest.mark.parametrize("sample", [WINDOWS[0], WINDOWS[4], WINDOWS[9]], ids=str)
def test_dtypes_of_window_max_gradient(sample: tuple, dtype: DType) -> None:
    check_window(sample, dtype)


@pytest.mark.parametrize("name", ["AVX2", "SSE2"])
@pytest.mark.parametrize("sample", [WINDOWS[1], WINDOWS[4], WINDOWS[5]], ids=str)
def test_windows_with_other_registers(sample: tuple, name: str) -> None:
    check_window(sample, on=MACHINES[name])
    check_window(sample, dtypes.bfloat16, on=MACHINES[name])


@pytest.mark.parametrize("channels", [1, 40])
@pytest.mark.parametrize("stride", [1, 2])
def test_positions_that_are_none_are_harmless(channels: int, stride: int) -> None:
    positions = np.full((1, 2, 2, channels), -1, np.int64)
    positions[0, 0, 1], positions[0, 1, 0] = 2**40 + 1, 10**6
    size = (stride + 1,) * 2 if stride == 1 else (4, 4)
    plan = plan_window_max_gradient(
        machine(), dtypes.float32, lead=1, channels=channels, size=size, window=(stride, stride),
        stride=(stride, stride), padding=((0, 0), (0, 0)), dilation=(1, 1),
    )  # fmt: skip
    dy = np.zeros((1, 2, 2, channels), np.float32)
    found, _ = run(plan, {"a": dy, "b": positions}, np.full((1, *size, channels), 7, np.float32))
    assert not found.any()


# Random bits.


@pytest.mark.parametrize("count", [1, 3, 4, 31, 32, 33, 127, 1000, 32768, 100_003, 0])
def test_random_bits(count: int) -> None:
    for seed, offset in [(0, 0), (2**63 + 5, 3), (12345, 2**32 - 2), (1, 2**64 - 1)]:
        arrays = {"seed": np.uint64([seed]), "offset": np.uint64([offset])}
        found, _ = run(plan_random_bits(machine(), count=count), arrays, np.zeros(count, np.uint32))
        expected = PRIMITIVES["random_bits"].evaluate(
            *(np.array(v, np.uint64) for v in (seed, offset)), shape=(count,)
        )  # fmt: skip
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["AVX2", "SSE2"])
def test_random_bits_with_other_registers(name: str) -> None:
    arrays = {"seed": np.uint64([7]), "offset": np.uint64([2**32 - 5])}
    found, _ = run(plan_random_bits(MACHINES[name], count=101), arrays, np.zeros(101, np.uint32))
    expected = PRIMITIVES["random_bits"].evaluate(np.uint64(7), np.uint64(2**32 - 5), shape=(101,))
    np.testing.assert_array_equal(found, expected)


# The code itself.


def test_sizes_share_code() -> None:
    first, second = (
        plan_put(machine(), dtypes.float32, dtypes.int64, outer=1, size=size, inner=inner, count=count, mode="add")
        for size, inner, count in [(65, 384, 8192), (50000, 768, 8000)]
    )
    assert [step.kernel for step in first.steps] == [step.kernel for step in second.steps]
    assert [step.kernel.name for step in first.steps] == [step.kernel.name for step in second.steps]


@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
def test_other_processors(cpu: str) -> None:
    """Code for lesser processors, by a process that is told to be one."""
    if machine().vector_bytes < 32:
        pytest.skip("this machine is itself the least")
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from duograph.graph import dtype as dtypes
from tests import test_codegen_index as t
for dtype in dtypes.REAL:
    for mode in ("add", "maximum"):
        t.check_put(dtype, dtypes.int64, mode, 2, 7, 37, 19)
t.check_put_along(dtypes.float16, dtypes.int32, "multiply", (3, 5, 7), (2, 11, 7), 1)
for sample in t.WINDOWS[:6]:
    t.check_window(sample)
t.check_window(t.WINDOWS[4], dtypes.float16)
t.test_random_bits(1000)
"""
    environment = {**os.environ, "DUOGRAPH_CPU": cpu}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
