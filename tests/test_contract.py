"""Contractions against NumPy and against the primitives' own meaning.

Operands and results lie between pages that must not be touched, and every result is computed with one, two and five
threads, which must give the same bits: see `contract_tools.run`.

Tolerances: a sum of K products of numbers below 3 in magnitude is compared in float64 within
`(K + 2) * eps * sum |a||b|`, the bound of any order of summation, where eps is that of the type the sum is in; what is
stored in half precision may be off by another half unit there.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duograph.codegen.contract import (
    Geometry,
    Machine,
    Matrix,
    Plan,
    Tile,
    Weight,
    plan_convolution,
    plan_input_gradient,
    plan_matmul,
    plan_weight_gradient,
)
from duograph.codegen.contract.tile import MAX_ROWS, choose
from duograph.codegen.emitter import Arg, Module, Reg
from duograph.codegen.halves import read, write
from duograph.graph.primitives import contraction
from duograph.runtime import jit
from tests.contract_tools import ELEMENTS, Runner, element, machine, run

MACHINES = {
    "host": machine(),
    "AVX2": Machine(32, 16, fma=True, l2=256 << 10),
    "SSE2": Machine(16, 16, fma=False, half=False, l2=64 << 10),
    "NEON": Machine(16, 32, fma=True),
}


def numbers(*shape: int, dtype: type = np.float32, seed: int = 0) -> np.ndarray:
    """Numbers below 3 in magnitude; small integers for integer types."""
    generator = np.random.default_rng((seed, *shape))
    if np.issubdtype(dtype, np.integer):
        return generator.integers(-9, 10, shape).astype(dtype)
    return np.clip(generator.standard_normal(shape), -3, 3).astype(dtype)


def check(found: np.ndarray, exact: np.ndarray, magnitude: np.ndarray, terms: int, dtype: np.dtype) -> None:
    """Whether a sum is as near to the exact one as its type allows."""
    if np.issubdtype(dtype, np.integer):
        np.testing.assert_array_equal(found, exact)
        return
    summed = np.finfo(np.float64 if dtype == np.float64 else np.float32).eps
    allowed = (terms + 2) * summed * magnitude + 1e-30
    if dtype.itemsize == 2:
        allowed = allowed + float(ml_dtypes.finfo(dtype).eps) * np.abs(exact) + 1e-7
    error = np.abs(found.astype(np.float64) - exact)
    assert (error <= allowed).all(), f"off by {np.nanmax(error / allowed):.3g} times what is allowed"


# Matrix products.


def matrix(array: np.ndarray) -> Matrix:
    """An array [outer, inner, rows, columns] as an operand."""
    outer, inner, row, column = (stride // array.itemsize for stride in array.strides)
    return Matrix(element(array), row, column, outer, inner)


def check_matmul(a: np.ndarray, b: np.ndarray, c: np.ndarray, on: Machine = MACHINES["host"]) -> None:
    """`a @ b` into an array like `c`, all [outer, inner, rows, columns]."""
    (*batch, m, k), n = a.shape, b.shape[-1]
    plan = plan_matmul(on, matrix(a), matrix(b), matrix(c), m=m, n=n, k=k, batch=(batch[0], batch[1]))
    found = run(plan, {"a": a, "b": b}, c)
    wide = np.int64 if np.issubdtype(c.dtype, np.integer) else np.float64
    wide_a, wide_b = a.astype(wide), b.astype(wide)
    check(found, (wide_a @ wide_b).astype(wide), np.abs(wide_a) @ np.abs(wide_b), k, c.dtype)


def swapped(array: np.ndarray) -> np.ndarray:
    """The same matrices, stored the other way round."""
    return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)


SHAPES = [
    (1, 1, 1), (1, 1, 0), (3, 5, 0), (1, 17, 5), (17, 1, 5), (2, 3, 4), (7, 65, 33), (16, 16, 16), (13, 50, 100),
    (100, 30, 7), (97, 130, 66), (8, 48, 300), (200, 64, 31), (5, 200, 260),
]  # fmt: skip


@pytest.mark.parametrize("transposed", ["", "a", "b", "ab"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matmul(shape: tuple[int, int, int], transposed: str) -> None:
    m, n, k = shape
    a, b = numbers(1, 1, m, k), numbers(1, 1, k, n)
    a, b = (swapped(x) if name in transposed else x for name, x in (("a", a), ("b", b)))
    check_matmul(a, b, np.full((1, 1, m, n), np.nan, np.float32))


@pytest.mark.parametrize("name", ["AVX2", "SSE2", "NEON"])
@pytest.mark.parametrize("transposed", ["", "a", "b"])
def test_matmul_with_other_registers(name: str, transposed: str) -> None:
    a, b = numbers(1, 1, 45, 70), numbers(1, 1, 70, 37)
    a, b = (swapped(x) if name in transposed else x for name, x in (("a", a), ("b", b)))
    check_matmul(a, b, np.full((1, 1, 45, 37), np.nan, np.float32), MACHINES[name])


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (0, 0, 0)])
def test_an_empty_product_is_no_work(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    plain = Matrix("float", max(1, k), 1)
    assert plan_matmul(machine(), plain, plain, plain, m=m, n=n, k=k) == Plan()
    assert plan_matmul(machine(), plain, plain, plain, m=1, n=1, k=1, batch=(0, 3)) == Plan()


@pytest.mark.parametrize(
    "dtype", [np.float64, np.float16, ml_dtypes.bfloat16, np.int32, np.int64], ids=lambda t: np.dtype(t).name
)
@pytest.mark.parametrize("transposed", ["", "a", "b", "ab"])
def test_dtypes(dtype: type, transposed: str) -> None:
    a, b = numbers(1, 2, 30, 40, dtype=dtype), numbers(1, 2, 40, 21, dtype=dtype)
    a, b = (swapped(x) if name in transposed else x for name, x in (("a", a), ("b", b)))
    check_matmul(a, b, np.zeros((1, 2, 30, 21), dtype))


def test_half_precision_sums_in_float32() -> None:
    """4096 times 1 is 4096 in float32; bfloat16 would stop at 256."""
    a, b = (np.ones(shape, ml_dtypes.bfloat16) for shape in ((1, 1, 3, 4096), (1, 1, 4096, 5)))
    check_matmul(a, b, np.zeros((1, 1, 3, 5), np.float32))


@pytest.mark.parametrize("to", [np.float32, ml_dtypes.bfloat16], ids=lambda t: np.dtype(t).name)
@pytest.mark.parametrize("transposed", ["", "a", "b", "ab"])
@pytest.mark.parametrize(
    "shape", [(40, 50, 2), (33, 65, 34), (97, 130, 66), (200, 64, 301), (64, 48, 1), (45, 37, 129)], ids=str
)
def test_bfloat16(shape: tuple[int, int, int], transposed: str, to: type) -> None:
    """In pairs where the processor multiplies them, of odd and even numbers of terms."""
    m, n, k = shape
    a, b = numbers(2, 3, m, k, dtype=ml_dtypes.bfloat16), numbers(2, 3, k, n, dtype=ml_dtypes.bfloat16)
    a, b = (swapped(x) if name in transposed else x for name, x in (("a", a), ("b", b)))
    check_matmul(a, b, np.zeros((2, 3, m, n), to))
    check_matmul(a, b, np.zeros((2, 3, m, n), to), replace(machine(), pairs=False))


@pytest.mark.skipif(not machine().pairs, reason="the processor multiplies no pairs of bfloat16")
@pytest.mark.parametrize("transposed", [False, True])
def test_bfloat16_is_multiplied_in_pairs(transposed: bool) -> None:
    m, n, k = 64, 48, 80
    a = Matrix("bfloat", 1, m) if transposed else Matrix("bfloat", k, 1)
    plan = plan_matmul(machine(), a, Matrix("bfloat", n, 1), Matrix("bfloat", n, 1), m=m, n=n, k=k)
    assert "in_pairs" in plan.steps[-1].kernel.title


@pytest.mark.parametrize("batch", [(1, 5), (3, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("transposed", ["", "a", "b"])
def test_batches(batch: tuple[int, int], transposed: str) -> None:
    a, b = numbers(*batch, 19, 23), numbers(*batch, 23, 35)
    a, b = (swapped(x) if name in transposed else x for name, x in (("a", a), ("b", b)))
    check_matmul(a, b, np.full((*batch, 19, 35), np.nan, np.float32))


def test_heads_of_attention_where_they_stand() -> None:
    """[batch, time, heads, size] seen as [batch, heads, time, size], and a result of the same strides."""
    q, k, v = (numbers(2, 21, 3, 16, seed=seed).transpose(0, 2, 1, 3) for seed in range(3))
    check_matmul(q, k.swapaxes(-1, -2), np.zeros((2, 3, 21, 21), np.float32))
    check_matmul(numbers(2, 3, 21, 21), v, np.zeros((2, 21, 3, 16), np.float32).transpose(0, 2, 1, 3))


def test_arbitrary_strides() -> None:
    """No unit stride anywhere, and gaps that must stay as they are."""
    m, n, k = 13, 21, 30
    a, b, c = numbers(1, 1, m, 3, k, 2), numbers(1, 1, k, 2, n, 3), numbers(1, 1, m, 2, n, 2)
    left, right, to = a[:, :, :, 0, :, 0], b[:, :, :, 0, :, 0], c[:, :, :, 0, :, 0]
    plan = plan_matmul(machine(), matrix(left), matrix(right), matrix(to), m=m, n=n, k=k)
    found = run(plan, {"a": a, "b": b}, c)
    exact = (left.astype(np.float64) @ right)[0, 0]
    check(found[0, 0, :, 0, :, 0], exact, np.full_like(exact, 9 * k), k, c.dtype)
    found = found.copy()
    found[:, :, :, 0, :, 0] = c[:, :, :, 0, :, 0]
    np.testing.assert_array_equal(found, c)


def test_transposed_result() -> None:
    c = np.zeros((1, 1, 29, 37), np.float32).transpose(0, 1, 3, 2)
    check_matmul(numbers(1, 1, 37, 50), numbers(1, 1, 50, 29), c)


@pytest.mark.parametrize("k", [700, 3000])
def test_long_sums_of_outer_products(k: int) -> None:
    """A small cache makes blocks and parts of the sum."""
    small = replace(machine(), l2=16 << 10)
    check_matmul(swapped(numbers(1, 1, 20, k)), numbers(1, 1, k, 70), np.zeros((1, 1, 20, 70), np.float32), small)
    check_matmul(swapped(numbers(1, 2, 300, k)), numbers(1, 2, k, 70), np.zeros((1, 2, 300, 70), np.float32), small)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 70)] * 3),
    batch=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    transposed=st.sampled_from(["", "a", "b", "ab"]),
    on=st.sampled_from(sorted(MACHINES)),
)
def test_any_product(shape: tuple[int, int, int], batch: tuple[int, int], transposed: str, on: str) -> None:
    m, n, k = shape
    a, b = numbers(*batch, m, k), numbers(*batch, k, n)
    a, b = (swapped(x) if name in transposed else x for name, x in (("a", a), ("b", b)))
    check_matmul(a, b, np.full((*batch, m, n), np.nan, np.float32), MACHINES[on])


# Epilogues.


@dataclass(frozen=True)
class Linear:
    """relu(sum + bias[column]) * scale[row] + residual; what goes into relu is kept in `before`."""

    operands: tuple[str, ...] = ("bias", "scale", "residual", "before")
    weight: int = 8

    def reads(self, tile: Tile) -> list[tuple[Reg, str]]:
        return [(tile.address(tile.given.residual, "float", i, 0), "float") for i in range(len(tile.rows))]

    def emit(self, tile: Tile) -> list[list]:
        f = tile.f
        bias = [tile.per_column("bias", "float", j) for j in range(len(tile.columns))]
        results = []
        for i, row in enumerate(tile.values):
            scale = tile.per_row("scale", "float", i)
            results.append([])
            for j, value in enumerate(row):
                value = value + bias[j]
                tile.store(value, tile.given.before, "float", i, j)
                results[-1].append(f.maximum(value, 0.0) * scale + tile.load("residual", "float", i, j))
        return results


@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("transposed", ["", "a"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (29, 70, 40), (8, 64, 900)], ids=str)
def test_epilogue(shape: tuple[int, int, int], transposed: str, layout: str) -> None:
    m, n, k = shape
    a, b = numbers(1, 1, m, k), numbers(1, 1, k, n)
    a = swapped(a) if transposed else a
    bias, scale, residual = numbers(n, seed=1), numbers(m, seed=2), numbers(1, 1, m, n, seed=3)
    c, before = np.zeros((1, 1, m, n), np.float32), np.zeros((1, 1, m, n), np.float32)
    if layout == "transposed":
        c, before, residual = swapped(c), swapped(before), swapped(residual)
    on = replace(machine(), l2=16 << 10)  # so small that operands are asked for ahead
    plan = plan_matmul(on, matrix(a), matrix(b), matrix(c), m=m, n=n, k=k, epilogue=Linear())
    arrays = {"a": a, "b": b, "bias": bias, "scale": scale, "residual": residual, "before": before, "c": c}
    base = {role: x.base if x.base is not None else x for role, x in arrays.items()}
    Runner(plan, {role: x.ctypes.data for role, x in base.items()})()
    sums = a[0, 0].astype(np.float64) @ b[0, 0] + bias
    np.testing.assert_allclose(before[0, 0], sums, rtol=0, atol=1e-5 * k)
    np.testing.assert_allclose(
        c[0, 0], np.maximum(sums, 0) * scale[:, None] + residual[0, 0], rtol=0, atol=3e-5 * k + 1e-6
    )


@pytest.mark.parametrize("channels", [3, 10])
def test_epilogue_of_a_convolution(channels: int) -> None:
    g = geometry((2, channels, 9, 8), (40, channels, 3, 3), padding=1)
    x, w = numbers(2, 9, 8, channels), numbers(40, channels, 3, 3)
    bias, residual = numbers(40), numbers(2, 9, 8, 40)
    pixels = numbers(2 * 9 * 8)
    before, y = np.zeros_like(residual), np.zeros_like(residual)
    plan = plan_convolution(machine(), g, "float", weight(w), "float", Linear())
    arrays = {"a": x, "b": w, "c": y, "bias": bias, "scale": pixels, "residual": residual, "before": before}
    Runner(plan, {role: array.ctypes.data for role, array in arrays.items()})()
    sums = np.moveaxis(contraction._convolution(np.moveaxis(x, -1, 1), w, **attributes(g)), 1, -1) + bias
    np.testing.assert_allclose(before, sums, rtol=0, atol=1e-4)
    exact = np.maximum(sums, 0) * pixels.reshape(2, 9, 8, 1) + residual
    np.testing.assert_allclose(y, exact, rtol=0, atol=3e-4)


# Convolutions.


def geometry(
    x: tuple[int, ...],
    w: tuple[int, ...],
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[tuple[int, int], ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Geometry:
    """From the shapes [N, C, *size] and [O, I, *kernel]; numbers stand for all axes."""
    axes = len(x) - 2
    return Geometry(
        images=x[0],
        channels=x[1],
        filters=w[0],
        size=x[2:],
        kernel=w[2:],
        stride=stride if isinstance(stride, tuple) else (stride,) * axes,
        padding=padding if isinstance(padding, tuple) else ((padding, padding),) * axes,
        dilation=dilation if isinstance(dilation, tuple) else (dilation,) * axes,
        groups=groups,
    )


def attributes(g: Geometry) -> dict[str, object]:
    """The attributes of the primitives."""
    return {"stride": g.stride, "padding": g.padding, "dilation": g.dilation, "groups": g.groups}


def weight(w: np.ndarray, last: bool = False) -> Weight:
    """The layout of a weight: PyTorch's [O, I, *kernel], or [*kernel, I, O]."""
    output, inputs, taps = w.shape[0], w.shape[1], prod(w.shape[2:])
    if last:
        return Weight(element(w), inputs * output, output, 1)
    return Weight(element(w), 1, taps, inputs * taps)


def check_convolution(
    g: Geometry, *, last: bool = False, dtype: type = np.float32, on: Machine = MACHINES["host"]
) -> None:
    """All three directions against the primitives in float64.

    Args:
        last: The weight is [*kernel, I, O].
    """
    inputs = g.channels // g.groups
    x = numbers(g.images, g.channels, *g.size, dtype=dtype)
    w = numbers(g.filters, inputs, *g.kernel, dtype=dtype, seed=1)
    dy = numbers(g.images, g.filters, *g.places, dtype=dtype, seed=2)
    stored = (lambda w: np.ascontiguousarray(np.moveaxis(w, (0, 1), (-1, -2)))) if last else np.ascontiguousarray
    to_last = lambda a: np.ascontiguousarray(np.moveaxis(a, 1, -1))  # noqa: E731 - a name for one line
    layout, kind = weight(w, last), element(x)
    wide = [a.astype(np.float64) for a in (x, w, dy)]
    size, kernel = {"size": g.size, **attributes(g)}, {"kernel": g.kernel, **attributes(g)}
    cases = [
        (plan_convolution(on, g, kind, layout, kind), to_last(x), stored(w), to_last,
         lambda x, w, dy: contraction._convolution(x, w, **attributes(g)), inputs * g.taps),
        (plan_input_gradient(on, g, kind, layout, kind), to_last(dy), stored(w), to_last,
         lambda x, w, dy: contraction._input_gradient(dy, w, **size), g.filters // g.groups * g.taps),
        (plan_weight_gradient(on, g, kind, kind, layout), to_last(x), to_last(dy), stored,
         lambda x, w, dy: contraction._weight_gradient(x, dy, **kernel), g.images * prod(g.places)),
    ]  # fmt: skip
    for plan, a, b, arranged, meaning, terms in cases:
        exact, magnitude = (arranged(meaning(*map(f, wide))) for f in (lambda a: a, np.abs))
        found = run(plan, {"a": a, "b": b}, np.full(exact.shape, np.nan, dtype))
        check(found, exact, magnitude, terms, np.dtype(dtype))


SAMPLES = [
    # x [N, C, *size], w [O, I, *kernel], stride, padding, dilation, groups
    ((2, 3, 7), (4, 3, 3), 1, 0, 1, 1),
    ((2, 4, 9), (6, 2, 3), 2, ((2, 1),), 2, 2),
    ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0, 1, 1),
    ((2, 3, 5, 6), (40, 3, 3, 2), 1, ((1, 1), (0, 1)), 1, 1),
    ((1, 20, 6, 5), (34, 10, 2, 3), (1, 2), ((0, 0), (1, 1)), (2, 1), 2),
    ((1, 2, 4, 3, 5), (3, 2, 2, 3, 2), (1, 1, 2), ((1, 0), (1, 1), (0, 0)), 1, 1),
    ((3, 17, 9, 9), (70, 17, 1, 1), 1, 0, 1, 1),  # a matrix product
    ((3, 17, 9, 9), (20, 17, 1, 1), 2, 0, 1, 1),
    ((2, 20, 6, 6), (14, 10, 1, 1), 1, 0, 1, 2),
    ((8, 16, 6, 6), (32, 16, 3, 3), 1, 1, 1, 1),  # tiles span images
    ((16, 10, 7, 5), (33, 10, 3, 3), 2, 1, 1, 1),
    ((2, 3, 20, 20), (40, 3, 7, 7), 2, 3, 1, 1),  # few channels
    ((3, 1, 12, 12), (33, 1, 3, 3), 1, 0, 1, 1),
    ((3, 8, 11, 19), (9, 8, 3, 5), (1, 3), ((2, 0), (4, 1)), (2, 1), 1),
    ((2, 1, 9, 40), (35, 1, 2, 26), (1, 2), ((0, 0), (3, 7)), 1, 1),
    ((17, 2, 13), (20, 2, 3), 4, 0, 1, 1),  # lines that end in what nobody sees
    ((2, 3, 4, 5, 6), (18, 3, 2, 3, 3), (1, 2, 1), ((1, 1), (0, 1), (2, 2)), 1, 1),
    ((2, 2, 9), (5, 2, 4), 1, 2, 1, 1),
    ((1, 4, 5, 5), (4, 4, 3, 3), 1, 3, 1, 1),  # more padding than window
    ((1, 2, 9, 9), (3, 2, 2, 2), 4, 0, 1, 1),  # pixels that nobody sees
    ((1, 2, 9, 9), (3, 2, 2, 2), 3, 1, 3, 1),
    ((2, 40, 5, 5), (3, 40, 2, 2), 1, 0, 1, 1),
    # depthwise
    ((2, 37, 7, 9), (37, 1, 3, 3), 1, 1, 1, 37),
    ((2, 37, 9, 8), (37, 1, 5, 5), 2, 2, 1, 37),
    ((1, 20, 11), (20, 1, 3), (1), ((2, 0),), 2, 20),
    ((1, 18, 5, 4, 6), (18, 1, 3, 2, 3), (2, 1, 1), 1, 1, 18),
    ((1, 3, 2, 2), (3, 1, 4, 4), 1, 2, 1, 3),
    ((1, 4, 3, 40), (4, 1, 1, 20), 1, 0, 1, 4),  # a row of taps too long for registers
    ((2, 4, 6, 6), (8, 1, 3, 3), 1, 1, 1, 4),  # two filters for each channel
    # nothing at all
    ((0, 2, 4, 4), (3, 2, 3, 3), 1, 0, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("last", [False, True], ids=["OI*", "*IO"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_convolutions(sample: tuple, last: bool) -> None:
    check_convolution(geometry(*sample), last=last)


@pytest.mark.parametrize("name", ["AVX2", "SSE2", "NEON"])
@pytest.mark.parametrize("sample", [SAMPLES[3], SAMPLES[9], SAMPLES[11], SAMPLES[13], SAMPLES[22]], ids=str)
def test_convolutions_with_other_registers(sample: tuple, name: str) -> None:
    check_convolution(geometry(*sample), on=MACHINES[name])


@pytest.mark.parametrize("dtype", [np.float64, ml_dtypes.bfloat16, np.float16], ids=lambda t: np.dtype(t).name)
@pytest.mark.parametrize("sample", [SAMPLES[3], SAMPLES[9], SAMPLES[11], SAMPLES[13], SAMPLES[22]], ids=str)
def test_dtypes_of_convolutions(sample: tuple, dtype: type) -> None:
    check_convolution(geometry(*sample), dtype=dtype)


@pytest.mark.parametrize("last", [False, True], ids=["OI*", "*IO"])
@pytest.mark.parametrize("sample", [SAMPLES[k] for k in (4, 5, 8, 10, 13, 17, 18, 19, 20, 21)], ids=str)
def test_convolutions_of_bfloat16(sample: tuple, last: bool) -> None:
    """Even numbers of channels are multiplied in pairs where the processor can."""
    check_convolution(geometry(*sample), last=last, dtype=ml_dtypes.bfloat16)


def test_long_weight_gradients() -> None:
    """A small cache makes blocks and parts of the sum."""
    small = replace(machine(), l2=16 << 10)
    check_convolution(geometry((9, 20, 12, 12), (40, 20, 3, 3), 1, 1), on=small)
    check_convolution(geometry((9, 3, 24, 24), (33, 3, 3, 3), 1, 1), on=small)
    check_convolution(geometry((9, 50, 24, 12), (50, 1, 3, 3), 1, 1, 1, 50), on=small)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("channels", "weight"),
    [(32, (32, 1, 3, 3)), (37, (37, 1, 3, 3)), (64, (64, 1, 3, 3)), (3, (40, 3, 3, 3)), (17, (70, 17, 1, 1))],
    ids=str,
)
def test_images_that_no_cache_holds(channels: int, weight: tuple[int, ...], stride: int) -> None:
    """Depthwise results go past the caches where they are aligned, and whatever will be needed is asked for ahead."""
    small = replace(machine(), l1=1 << 10, l2=4 << 10, l3=4 << 10)
    padding, groups = weight[-1] // 2, channels // weight[1]
    check_convolution(geometry((2, channels, 9, 17), weight, stride, padding, 1, groups), on=small)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    kernel, stride, dilation = each(1, 4 if axes < 3 else 3), each(1, 3), each(1, 3)
    padding = tuple(zip(each(0, 3), each(0, 3), strict=True))
    size = tuple(
        draw(st.integers(max(1, dilation * (kernel - 1) + 1 - low - high), 12 if axes < 3 else 7))
        for kernel, dilation, (low, high) in zip(kernel, dilation, padding, strict=True)
    )
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 20)), draw(st.integers(1, 40))
    if draw(st.booleans()) and groups > 1:
        groups, inputs, outputs = draw(st.integers(2, 40)), 1, 1
    images = draw(st.sampled_from([1, 2, 3, 8]))
    return Geometry(images, inputs * groups, outputs * groups, size, kernel, stride, padding, dilation, groups)


@settings(max_examples=60, deadline=None)
@given(g=geometries(), last=st.booleans(), on=st.sampled_from(sorted(MACHINES)))
def test_any_convolution(g: Geometry, last: bool, on: str) -> None:
    check_convolution(g, last=last, on=MACHINES[on])


# Half precision.


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=lambda t: np.dtype(t).name)
def test_conversions(dtype: type, native: bool) -> None:
    """Every 16-bit number, and floats at and around all that is half-way between two of them."""
    half = ELEMENTS[np.dtype(dtype)]
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    wide = every.astype(np.float32)
    steps = wide.view(np.uint32)[:, None] + np.array([0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001], np.uint32)
    floats = np.concatenate([steps.reshape(-1).view(np.float32), np.float32([65519.996, 65520, 1e30, np.inf, -np.inf])])
    widened, narrowed = np.zeros_like(wide), np.zeros(floats.shape, dtype)
    module = Module("halves")
    for name, source, to in [("widen", half, "float"), ("narrow", "float", half)]:
        with module.function(name, [Arg("block", "ptr")]) as f:
            x, y, count = (f.load(f.gep(f.args[0], i, "i64"), type) for i, type in enumerate(("ptr", "ptr", "i64")))
            with f.loop(0, count) as loop:
                value = read(f, f.gep(x, loop.index, source), source, native=native)
                write(f, value, f.gep(y, loop.index, to), to, native=native)
    image = jit.load(module)
    for name, x, y in [("widen", every, widened), ("narrow", floats, narrowed)]:
        call, block = jit.entry(image, name, 3)
        block[:] = x.ctypes.data, y.ctypes.data, x.size
        call()
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(widened, wide)
        np.testing.assert_array_equal(narrowed.astype(np.float32), floats.astype(dtype).astype(np.float32))


# The code itself.


def test_equal_kernels_are_shared() -> None:
    """Sizes are arguments: two layers of one kind run the same code."""
    plans = [
        plan_convolution(
            machine(), geometry((8, c, s, s), (o, c, 3, 3), 1, 1), "float", Weight("float", 1, 9, 9 * c), "float"
        )
        for c, s, o in [(64, 32, 128), (128, 16, 256)]
    ]
    first, second = ([step.kernel for step in plan.packing + plan.steps] for plan in plans)
    assert first == second
    assert [kernel.name for kernel in first] == [kernel.name for kernel in second]


def test_chunks_do_not_depend_on_threads() -> None:
    """There is nothing to depend on: a plan knows the machine's registers and caches, and no more."""
    known = {"vector_bytes", "vector_registers", "fma", "half", "l1", "l2", "l3", "pairs", "streaming"}
    assert set(Machine.__dataclass_fields__) == known


@pytest.mark.parametrize("transposed", ["", "a"])
@pytest.mark.skipif(machine().vector_bytes != 64, reason="looks for AVX-512 registers in the machine code")
def test_accumulators_stay_in_registers(transposed: str) -> None:
    a, b = numbers(1, 1, 512, 512), numbers(1, 1, 512, 512)
    a = swapped(a) if transposed else a
    plan = plan_matmul(machine(), matrix(a), matrix(b), matrix(b), m=512, n=512, k=512)
    code = jit.assembly(Runner(plan, {"a": 0, "b": 0, "c": 0}).text)
    spilled = [line for line in code.splitlines() if "zmm" in line and "Spill" in line]
    assert len(spilled) <= 4, "\n".join(spilled)


@pytest.mark.parametrize(("rows", "columns"), list(itertools.product([None, 1, 2, 7, 64], [1, 10, 24, 96, 512])))
def test_tiles_fit_the_registers(rows: int | None, columns: int) -> None:
    for on in MACHINES.values():
        for kind in ("float", "double"):
            tile = choose(on, kind, rows, columns)
            assert tile.rows * tile.vectors + tile.vectors + 2 <= on.vector_registers
            assert 1 <= tile.rows <= MAX_ROWS


@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
def test_other_processors(cpu: str) -> None:
    """Code for lesser processors, by a process that is told to be one."""
    if machine().vector_bytes < 32:
        pytest.skip("this machine is itself the least")
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
import numpy as np, ml_dtypes
from tests import test_contract as t
for transposed in (t.swapped, np.asarray):
    t.check_matmul(transposed(t.numbers(1, 1, 33, 40)), t.numbers(1, 1, 40, 21), np.zeros((1, 1, 33, 21), np.float32))
for sample in (t.SAMPLES[3], t.SAMPLES[9], t.SAMPLES[18]):
    t.check_convolution(t.geometry(*sample))
t.check_convolution(t.geometry(*t.SAMPLES[3]), dtype=ml_dtypes.bfloat16)
t.check_convolution(t.geometry(*t.SAMPLES[3]), dtype=np.float16)
"""
    environment = {**os.environ, "DUOGRAPH_CPU": cpu}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
