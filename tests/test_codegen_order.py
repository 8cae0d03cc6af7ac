"""What depends on order, against the primitives' own meaning.

Operands, scratch and results lie between pages that must not be touched, and every result is computed with one, two
and five threads, which must give the same bits.

Tolerances: a sum of K numbers is compared in float64 within `(K + 2) * eps * sum |x|`, the bound of any order of
summation, where eps is that of the type the sum is in; what is stored in half precision may be off by half a unit
more. A product is off by a factor of at most `1 + K * eps`. All else is exact.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duograph.codegen import order
from duograph.codegen.contract import Machine, Plan
from duograph.codegen.order.sort import SHORT
from duograph.graph import dtype as dtypes
from duograph.graph.dtype import DType
from duograph.graph.node import PRIMITIVES
from duograph.graph.primitives import window as window_primitives
from duograph.runtime import pool
from tests.contract_tools import Runner, guarded, machine

MACHINES = {
    "host": machine(),
    "AVX2": replace(machine(), vector_bytes=min(32, machine().vector_bytes)),
    "SSE2": Machine(16, 16, fma=False, half=False, l2=64 << 10),
}
NUMBERS = [d for d in dtypes.REAL if d.category != "bool"]
named = {"ids": lambda value: getattr(value, "name", None) or str(value)}


def run(plan: Plan, a: np.ndarray, results: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The results by role."""
    found = []
    before = pool.get_num_threads()
    for at_end, threads in ((True, 1), (False, 2), (True, 5)):
        arrays = {"a": a, **results}
        places = {role: guarded(array, at_end=at_end) for role, array in arrays.items()}
        pool.set_num_threads(threads)
        try:
            Runner(plan, {role: memory.address for role, (memory, _) in places.items()}, at_end=at_end)()
        finally:
            pool.set_num_threads(before)
        assert a.tobytes() == places["a"][1].tobytes(), "the operand has changed"
        found.append({role: places[role][1].copy() for role in results})
    for other in found[1:]:
        for role, array in found[0].items():
            assert array.tobytes() == other[role].tobytes(), "the bits depend on the threads"
    return found[0]


def blank(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A result nobody has written."""
    result = np.empty(shape, dtype)
    result.view(np.uint8)[...] = 0xA5
    return result


def values(dtype: DType, *shape: int, seed: int = 0, special: bool = True) -> np.ndarray:
    """Few different values, so that many tie; some NaN, infinite, or minus zero, and the limits of integers."""
    generator = np.random.default_rng((seed, *shape))
    if dtype.category == "bool":
        return generator.integers(0, 2, shape).astype(np.bool_)
    if dtype.category == "int":
        limits = np.iinfo(dtype.numpy)
        some = [limits.min, limits.max, 0, 1, 2, 3, 7, limits.max // 2 + 1] + ([-1, -2, -5] if dtype.signed else [])
    else:
        some = [-2.5, -1.0, -0.0, 0.0, 1.0, 1.5, 3.0, 0.125]
        some += [np.inf, -np.inf, np.nan] if special else []
    chosen = np.array(some, dtype.numpy)[generator.integers(0, len(some), shape)]
    if dtype.is_floating_point and shape and chosen.size:
        wide = generator.standard_normal(shape).astype(dtype.numpy)
        chosen = np.where(generator.random(shape) < 0.5, wide, chosen)
    return np.ascontiguousarray(chosen)


def widened(array: np.ndarray) -> np.ndarray:
    """Half-precision numbers as the interpreter gives them to a primitive."""
    return array.astype(np.float32) if dtypes.dtype(array.dtype).is_half else array


def check_sum(found: np.ndarray, exact: np.ndarray, magnitude: np.ndarray, terms: int | np.ndarray) -> None:
    """Whether sums are as near to the exact ones as their type allows."""
    if np.issubdtype(found.dtype, np.integer):
        np.testing.assert_array_equal(found, exact)
        return
    half = found.dtype.itemsize == 2
    summed = np.finfo(np.float32 if half else found.dtype).eps
    allowed = (np.asarray(terms) + 2) * summed * magnitude + 1e-30
    if half:
        allowed = allowed + float(dtypes.ml_dtypes.finfo(found.dtype).eps) * np.abs(exact) + 1e-7
    wide = found.astype(np.float64)
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(wide[~finite], exact[~finite])
    assert (np.abs(wide - exact)[finite] <= np.broadcast_to(allowed, exact.shape)[finite]).all()


# Windows.

GEOMETRIES = [
    # size, window, stride, padding, dilation
    ((7,), (3,), (2,), ((0, 0),), (1,)),
    ((9,), (2,), (2,), ((1, 0),), (3,)),
    ((40,), (3,), (1,), ((1, 1),), (1,)),
    ((45,), (3,), (2,), ((1, 1),), (1,)),
    ((5, 6), (2, 3), (1, 2), ((0, 1), (1, 1)), (1, 1)),
    ((8, 12), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((7, 7), (3, 2), (3, 1), ((1, 1), (0, 0)), (1, 2)),
    ((7, 21), (3, 2), (4, 6), ((1, 2), (3, 4)), (2, 4)),
    ((3, 19), (1, 5), (1, 1), ((0, 0), (4, 4)), (1, 1)),
    ((4, 3, 5), (2, 2, 2), (2, 1, 2), ((0, 0), (1, 0), (0, 1)), (1, 1, 1)),
    ((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
]
NAMES = ("window", "stride", "padding", "dilation")


def to_first(a: np.ndarray) -> np.ndarray:
    """[lead, channels, *spatial] from [lead, *spatial, channels]."""
    return np.ascontiguousarray(np.moveaxis(a, -1, 1))


def to_last(a: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(a, 1, -1))


def check_windows(
    dtype: DType, lead: int, channels: int, size: tuple, *geometry: tuple, on: Machine = MACHINES["host"]
) -> None:
    """All the window's operations on one geometry."""
    attributes = dict(zip(NAMES, geometry, strict=True))
    sizes = {"lead": lead, "channels": channels, "size": size, **attributes}
    x = values(dtype, lead, *size, channels)
    first = to_first(widened(x))
    best = to_last(window_primitives._window_max(first, **attributes)).astype(x.dtype)
    where = to_last(window_primitives._window_argmax(first, **attributes))
    for what in ({"c"}, {"positions"}, {"c", "positions"}):
        plan = order.plan_window_max(on, dtype, **sizes, values="c" in what, positions="positions" in what)
        exact = {role: array for role, array in (("c", best), ("positions", where)) if role in what}
        found = run(plan, x, {role: blank(array.shape, array.dtype) for role, array in exact.items()})
        for role, array in exact.items():
            np.testing.assert_array_equal(widened(found[role]), widened(array))

    places, terms = best.shape[1:-1], prod(attributes["window"])
    dy = values(dtype, lead, *places, channels, seed=1, special=False)
    x = values(dtype, lead, *size, channels, special=False)
    wide = np.float64 if dtype.is_floating_point else dtype.numpy
    for plan, a, meaning in (
        (order.plan_window_sum(on, dtype, **sizes), x, lambda x: window_primitives._window_sum(x, **attributes)),
        (order.plan_window_sum_gradient(on, dtype, **sizes), dy,
         lambda dy: window_primitives._spread(dy, size=size, **attributes)),
    ):  # fmt: skip
        exact, magnitude = (to_last(meaning(b.astype(wide))) for b in (to_first(a), np.abs(to_first(a))))
        found = run(plan, a, {"c": blank(exact.shape, dtype.numpy)})
        check_sum(found["c"], exact, magnitude, terms)


@pytest.mark.parametrize(("lead", "channels"), [(3, 1), (2, 3), (1, 16), (1, 77)])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_windows(lead: int, channels: int, geometry: tuple) -> None:
    check_windows(dtypes.float32, lead, channels, *geometry)


@pytest.mark.parametrize("channels", [1, 35])
@pytest.mark.parametrize("dtype", NUMBERS, **named)
def test_dtypes_of_windows(dtype: DType, channels: int) -> None:
    for geometry in (GEOMETRIES[3], GEOMETRIES[4]):
        check_windows(dtype, 2, channels, *geometry)


@pytest.mark.parametrize("channels", [1, 3, 9])
@pytest.mark.parametrize("on", ["AVX2", "SSE2"])
def test_windows_with_other_registers(on: str, channels: int) -> None:
    for geometry in (GEOMETRIES[3], GEOMETRIES[6]):
        check_windows(dtypes.float32, 2, channels, *geometry, on=MACHINES[on])
    check_windows(dtypes.float16, 1, channels, *GEOMETRIES[4], on=MACHINES[on])


def test_windows_in_pieces() -> None:
    """Many chunks, and lines that are cut."""
    check_windows(dtypes.float32, 1, 40, (3000,), (2,), (2,), ((0, 0),), (1,))
    check_windows(dtypes.float32, 1, 1, (70000,), (3,), (1,), ((1, 1),), (1,))
    check_windows(dtypes.int8, 33, 5, (40, 30), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))


def test_no_windows() -> None:
    sizes = {"size": (4, 4), "window": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    for lead, channels in ((0, 3), (2, 0)):
        plan = order.plan_window_max(
            machine(), dtypes.float32, lead=lead, channels=channels, **sizes, values=True, positions=True
        )
        assert not plan.steps


@st.composite
def geometries(draw: st.DrawFn) -> tuple:
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    window, stride, dilation = each(1, 4 if axes < 3 else 3), each(1, 4), each(1, 3)
    # Less padding than the window is long leaves an element in each window, unless dilation skips it.
    padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in window)
    size = tuple(
        draw(st.integers(max(k, (k - 1) * d + 1), 23 if axes == 1 else 12 if axes == 2 else 8))
        for k, d in zip(window, dilation, strict=True)
    )
    return size, window, stride, padding, dilation


@settings(max_examples=30, deadline=None)
@given(geometry=geometries(), lead=st.integers(1, 3), channels=st.sampled_from([1, 1, 2, 5, 16, 40, 70]))
def test_any_windows(geometry: tuple, lead: int, channels: int) -> None:
    check_windows(dtypes.float32, lead, channels, *geometry)


# Positions of extremes.

SHAPES = [
    # outer, size, inner
    (1, 1, 1),
    (5, 1, 3),
    (3, 7, 1),
    (4, 33, 1),
    (2, 300, 1),
    (3, 5, 2),
    (2, 9, 16),
    (3, 6, 77),
    (200, 10, 1),
]


def check_along(plan: Plan, primitive: str, x: np.ndarray, dtype: np.dtype | None = None, **attributes: object) -> None:
    """A plan for the middle axis against the primitive; the result's dtype is that of x by default."""
    exact = PRIMITIVES[primitive].evaluate(widened(x), axis=1, **attributes).astype(dtype or x.dtype)
    found = run(plan, x, {"c": blank(exact.shape, exact.dtype)})["c"]
    np.testing.assert_array_equal(widened(found), widened(exact))


def check_argextreme(x: np.ndarray, on: Machine = MACHINES["host"]) -> None:
    outer, size, inner = x.shape
    for name, largest in (("argmax", True), ("argmin", False)):
        plan = order.plan_argextreme(on, dtypes.dtype(x.dtype), outer=outer, size=size, inner=inner, largest=largest)
        check_along(plan, name, x, np.dtype(np.int64))


@pytest.mark.parametrize("dtype", dtypes.REAL, **named)
def test_argextreme(dtype: DType) -> None:
    for shape in SHAPES[2:]:
        check_argextreme(values(dtype, *shape))


def test_argextreme_of_special_values() -> None:
    for shape in SHAPES:
        x = values(dtypes.float32, *shape, special=False)
        check_argextreme(np.full_like(x, -np.inf))
        check_argextreme(np.full_like(x, np.inf))
        check_argextreme(np.full_like(x, np.nan))
        check_argextreme(x)
        x[:, -1] = np.nan
        check_argextreme(x)
    for limit in (-128, 127):
        check_argextreme(np.full((2, 300, 1), limit, np.int8))


@pytest.mark.parametrize("on", ["AVX2", "SSE2"])
def test_argextreme_with_other_registers(on: str) -> None:
    for shape in SHAPES:
        check_argextreme(values(dtypes.float32, *shape), MACHINES[on])
    check_argextreme(values(dtypes.float16, 3, 50, 1), MACHINES[on])
    check_argextreme(values(dtypes.int64, 3, 50, 5), MACHINES[on])


def test_argextreme_in_pieces() -> None:
    check_argextreme(values(dtypes.float32, 2, 500, 301))
    check_argextreme(values(dtypes.int32, 3000, 40, 1))
    check_argextreme(values(dtypes.float64, 1, 70001, 1))


# Scans.


def check_scan(x: np.ndarray, operation: str, reverse: bool, on: Machine = MACHINES["host"]) -> None:
    outer, size, inner = x.shape
    dtype = dtypes.dtype(x.dtype)
    plan = order.plan_scan(on, dtype, outer=outer, size=size, inner=inner, operation=operation, reverse=reverse)
    if operation in ("cummax", "cummin") or dtype.category == "int":
        check_along(plan, operation, x, reverse=reverse)
        return
    evaluate, wide = PRIMITIVES[operation].evaluate, x.astype(np.float64)
    exact = evaluate(wide, axis=1, reverse=reverse)
    magnitude = evaluate(np.abs(wide), axis=1, reverse=reverse) if operation == "cumsum" else np.abs(exact)
    check_sum(run(plan, x, {"c": blank(x.shape, x.dtype)})["c"], exact, magnitude, size)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", dtypes.REAL, **named)
def test_scans(dtype: DType, reverse: bool) -> None:
    extremes = ["cummax", "cummin"]
    for operation in extremes if dtype.category == "bool" else [*extremes, "cumsum", "cumprod"]:
        for shape in (SHAPES[3], SHAPES[5], SHAPES[7], SHAPES[8]):
            x = values(dtype, *shape, special=operation in extremes)
            if operation == "cumprod" and dtype.is_floating_point:
                x = np.where(np.abs(x) < 0.5, 1, np.sign(x)).astype(x.dtype) * np.float32(1.0078125).astype(x.dtype)
            check_scan(x, operation, reverse)


@pytest.mark.parametrize("reverse", [False, True])
def test_scans_of_special_values(reverse: bool) -> None:
    for shape in ((1, 40, 1), (9, 5, 1), (2, 7, 3)):
        for special in (np.nan, np.inf, -np.inf, -0.0):
            x = values(dtypes.float32, *shape, special=False)
            x[:, shape[1] // 2] = special
            check_scan(x, "cummax", reverse)
            check_scan(x, "cummin", reverse)
            exact = np.isfinite(PRIMITIVES["cumsum"].evaluate(x, axis=1, reverse=reverse))
            plan = order.plan_scan(
                machine(), dtypes.float32, outer=shape[0], size=shape[1], inner=shape[2], operation="cumsum",
                reverse=reverse,
            )  # fmt: skip
            np.testing.assert_array_equal(np.isfinite(run(plan, x, {"c": blank(shape, x.dtype)})["c"]), exact)
        zeros = np.full(shape, -0.0, np.float32)
        plan = order.plan_scan(
            machine(), dtypes.float32, outer=shape[0], size=shape[1], inner=shape[2], operation="cumsum",
            reverse=reverse,
        )  # fmt: skip
        assert np.signbit(run(plan, zeros, {"c": blank(shape, zeros.dtype)})["c"]).all()


def test_products_keep_their_order() -> None:
    """A zero in front keeps the rest from overflowing."""
    x = np.full((1, 100, 1), 1e30, np.float32)
    x[0, 0] = 0
    check_scan(x, "cumprod", False)


@pytest.mark.parametrize("on", ["AVX2", "SSE2"])
def test_scans_with_other_registers(on: str) -> None:
    for shape in (*SHAPES[:2], SHAPES[4], *SHAPES[6:]):
        for dtype in (dtypes.float32, dtypes.float16, dtypes.int64):
            check_scan(values(dtype, *shape, special=False), "cumsum", False, MACHINES[on])
            check_scan(values(dtype, *shape), "cummax", True, MACHINES[on])


def test_scans_in_pieces() -> None:
    check_scan(values(dtypes.float32, 2, 500, 301, special=False), "cumsum", False)
    check_scan(values(dtypes.int32, 3000, 40, 1), "cumprod", True)
    check_scan(values(dtypes.float64, 1, 70001, 1, special=False), "cumsum", False)
    check_scan(values(dtypes.float64, 10001, 7, 1), "cummax", False)


def test_nothing_along_an_axis() -> None:
    for outer, size, inner in ((0, 3, 2), (2, 0, 2), (2, 3, 0)):
        sizes = {"outer": outer, "size": size, "inner": inner}
        assert not order.plan_scan(machine(), dtypes.float32, **sizes, operation="cumsum", reverse=False).steps
        assert not order.plan_argextreme(machine(), dtypes.float32, **sizes, largest=True).steps
        assert not order.plan_argsort(machine(), dtypes.float32, **sizes, descending=False).steps


# Sorting.


def check_argsort(x: np.ndarray, descending: bool) -> None:
    outer, size, inner = x.shape
    plan = order.plan_argsort(
        machine(), dtypes.dtype(x.dtype), outer=outer, size=size, inner=inner, descending=descending
    )
    check_along(plan, "argsort", x, np.dtype(np.int64), descending=descending)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", dtypes.REAL, **named)
def test_argsort(dtype: DType, descending: bool) -> None:
    short = SHORT * dtype.itemsize
    for shape in ((1, 1, 1), (5, 2, 1), (3, 17, 5), (2, short, 1), (1, short + 1, 3), (2, 700, 1)):
        check_argsort(values(dtype, *shape), descending)


@pytest.mark.parametrize("descending", [False, True])
def test_argsort_of_special_values(descending: bool) -> None:
    for size in (20, 200):
        for special in (np.nan, -np.nan, np.inf, -0.0):
            check_argsort(np.full((1, size, 1), special, np.float32), descending)
        check_argsort(np.arange(size, dtype=np.int64).reshape(1, size, 1), descending)
        check_argsort(np.arange(size, dtype=np.float64).reshape(1, size, 1)[:, ::-1].copy(), descending)
        every = np.random.default_rng(size).integers(0, 2**32, (2, size, 1), np.uint32)
        check_argsort(every, descending)
        check_argsort(every.view(np.float32), descending)


def test_argsort_in_pieces() -> None:
    check_argsort(values(dtypes.float32, 700, 20, 3), False)
    check_argsort(values(dtypes.int16, 50, 100, 3), True)
    check_argsort(values(dtypes.float64, 1, 70001, 1), False)


@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
def test_other_processors(cpu: str) -> None:
    """Code for lesser processors, by a process that is told to be one."""
    if machine().vector_bytes < 32:
        pytest.skip("this machine is itself the least")
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from tests.test_codegen_order import *
for dtype in (dtypes.float32, dtypes.bfloat16, dtypes.uint8):
    check_windows(dtype, 2, 1, *GEOMETRIES[3])
    check_windows(dtype, 2, 21, *GEOMETRIES[4])
    for shape in (SHAPES[3], SHAPES[7], SHAPES[8]):
        check_argextreme(values(dtype, *shape))
        check_scan(values(dtype, *shape), "cummax", False)
        check_scan(values(dtype, *shape, special=False), "cumsum", True)
        check_argsort(values(dtype, *shape), False)
"""
    environment = {**os.environ, "DUOGRAPH_CPU": cpu}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
