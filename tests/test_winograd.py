"""Convolutions by minimal filtering against the primitives' meaning in float64, between guards and with several numbers
of threads: see `test_contract.py`, whose tools these are.

Tolerances: the largest error is compared with the largest number of the result. Transforms add to the errors of a sum,
but sums are shorter by the window's nine taps: on the data of a network both are below 1e-6, the input gradient's and
the convolution's below those of direct summation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duograph.codegen.contract import (
    Geometry,
    Machine,
    Plan,
    Weight,
    plan_convolution,
    plan_input_gradient,
    plan_weight_gradient,
)
from duograph.codegen.contract.winograd import plan_winograd, suits_winograd
from duograph.codegen.contract.winograd_gradient import (
    plan_winograd_weight_gradient,
    suits_winograd_weight_gradient,
)
from duograph.graph.primitives import contraction
from tests.contract_tools import Runner, run
from tests.test_contract import MACHINES, Linear, attributes, geometry, numbers, weight

LARGEST_ERROR = 1e-6
"""Of a result's largest number, for sums of up to some thousand terms."""


def to_last(x: np.ndarray) -> np.ndarray:
    """[N, C, H, W] to [N, H, W, C]."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def check(found: np.ndarray, exact: np.ndarray, allowed: float = LARGEST_ERROR) -> None:
    error = np.abs(found - exact).max() / max(np.abs(exact).max(), 1e-30)
    assert error <= allowed, f"off by {error:.3g} of the largest number"


def check_all(g: Geometry, *, last: bool = False, on: Machine = MACHINES["host"]) -> None:
    """All three directions, whether or not the rule would choose them.

    Args:
        last: The weight is [*kernel, I, O].
    """
    x = numbers(g.images, g.channels, *g.size)
    w = numbers(g.filters, g.channels, 3, 3, seed=1)
    dy = numbers(g.images, g.filters, *g.places, seed=2)
    stored = (lambda w: np.ascontiguousarray(np.moveaxis(w, (0, 1), (-1, -2)))) if last else np.ascontiguousarray
    layout, wide = weight(w, last), [a.astype(np.float64) for a in (x, w, dy)]
    plans = [
        (plan_winograd(on, g, "float", layout, "float"), x, w, to_last,
         contraction._convolution(wide[0], wide[1], **attributes(g))),
        (plan_winograd(on, g, "float", layout, "float", backward=True), dy, w, to_last,
         contraction._input_gradient(wide[2], wide[1], size=g.size, **attributes(g))),
        (plan_winograd_weight_gradient(on, g, "float", "float", layout), x, dy, stored,
         contraction._weight_gradient(wide[0], wide[2], kernel=g.kernel, **attributes(g))),
    ]  # fmt: skip
    for plan, a, b, arranged, exact in plans:
        operands = {"a": to_last(a), "b": stored(b) if b is w else to_last(b)}
        found = run(plan, operands, np.full(arranged(exact).shape, np.nan, np.float32))
        if found.size:
            check(found, arranged(exact))


SAMPLES = [
    # x [N, C, H, W], filters, padding
    ((2, 16, 8, 8), 32, 1),
    ((3, 20, 7, 9), 33, 1),  # odd sizes, channels that fill no vector
    ((1, 5, 4, 4), 3, 0),
    ((1, 1, 1, 1), 1, 1),  # one pixel, which all squares overshoot
    ((2, 17, 6, 5), 70, 2),
    ((1, 8, 5, 6), 7, ((0, 1), (2, 0))),
    ((1, 3, 6, 4), 20, ((3, 4), (0, 5))),  # more padding than window
    ((1, 64, 18, 18), 16, 0),  # one image, many squares
    ((9, 33, 3, 3), 130, 1),  # many images
    ((1, 150, 4, 4), 140, 1),  # several blocks of channels and filters
]


def of(sample: tuple) -> Geometry:
    x, filters, padding = sample
    return geometry(x, (filters, x[1], 3, 3), 1, padding)


@pytest.mark.parametrize("last", [False, True], ids=["OI*", "*IO"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_all_directions(sample: tuple, last: bool) -> None:
    check_all(of(sample), last=last)


@pytest.mark.parametrize("name", ["AVX2", "SSE2", "NEON"])
@pytest.mark.parametrize("sample", [SAMPLES[1], SAMPLES[4], SAMPLES[5]], ids=str)
def test_other_registers(sample: tuple, name: str) -> None:
    check_all(of(sample), on=MACHINES[name])


@settings(max_examples=15, deadline=None)
@given(
    images=st.sampled_from([1, 2, 5]),
    channels=st.integers(1, 40),
    filters=st.integers(1, 70),
    size=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    padding=st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    last=st.booleans(),
)
def test_any(
    images: int, channels: int, filters: int, size: tuple[int, ...], padding: tuple[tuple[int, int], ...], last: bool
) -> None:
    padding = tuple((low, max(high, 3 - x - low)) for (low, high), x in zip(padding, size, strict=True))
    check_all(geometry((images, channels, *size), (filters, channels, 3, 3), 1, padding), last=last)


def test_weights_of_any_strides() -> None:
    """Neither taps nor channels lie together; what lies between stays as it is."""
    g = of(SAMPLES[1])
    x, w = numbers(3, 20, 7, 9), numbers(9, 20, 2, 33, 2)
    layout = Weight("float", 20 * 2 * 33 * 2, 2 * 33 * 2, 2)
    plain = w[:, :, 0, :, 0].reshape(3, 3, 20, 33).transpose(3, 2, 0, 1)
    exact = to_last(contraction._convolution(x.astype(np.float64), plain.astype(np.float64), **attributes(g)))
    plan = plan_winograd(MACHINES["host"], g, "float", layout, "float")
    check(run(plan, {"a": to_last(x), "b": w}, np.zeros(exact.shape, np.float32)), exact)
    dy = numbers(*exact.shape)
    plan = plan_winograd_weight_gradient(MACHINES["host"], g, "float", "float", layout)
    found = run(plan, {"a": to_last(x), "b": dy}, w)
    wide = np.moveaxis(dy, -1, 1).astype(np.float64)
    exact = contraction._weight_gradient(x.astype(np.float64), wide, kernel=(3, 3), **attributes(g))
    check(found[:, :, 0, :, 0].reshape(3, 3, 20, 33).transpose(3, 2, 0, 1), exact)
    np.testing.assert_array_equal(found[:, :, 1], w[:, :, 1])


def test_nothing_to_do() -> None:
    g = geometry((0, 4, 6, 6), (5, 4, 3, 3), 1, 1)
    layout = Weight("float", 1, 9, 36)
    assert plan_winograd(MACHINES["host"], g, "float", layout, "float") == Plan()
    assert plan_winograd(MACHINES["host"], g, "float", layout, "float", backward=True) == Plan()
    check_all(g)


@pytest.mark.parametrize("sample", [((2, 6, 9, 8), 40, 1), ((1, 18, 5, 5), 23, 0)], ids=str)
def test_epilogue(sample: tuple) -> None:
    """A bias, an activation whose argument is kept, a factor for each pixel, and a residual."""
    g = of(sample)
    (images, channels, *size), filters = sample[0], sample[1]
    x, w = numbers(images, *size, channels), numbers(filters, channels, 3, 3)
    bias, residual = numbers(filters), numbers(images, *g.places, filters)
    pixels = numbers(images * g.places[0] * g.places[1])
    before, y = np.zeros_like(residual), np.zeros_like(residual)
    plan = plan_winograd(MACHINES["host"], g, "float", weight(w), "float", Linear())
    arrays = {"a": x, "b": w, "c": y, "bias": bias, "scale": pixels, "residual": residual, "before": before}
    Runner(plan, {role: array.ctypes.data for role, array in arrays.items()})()
    exact = contraction._convolution(np.moveaxis(x, -1, 1).astype(np.float64), w.astype(np.float64), **attributes(g))
    sums = np.moveaxis(exact, 1, -1) + bias
    check(before, sums)
    check(y, np.maximum(sums, 0) * pixels.reshape(*y.shape[:-1], 1) + residual)


@pytest.mark.parametrize("last", [False, True], ids=["OI*", "*IO"])
def test_epilogue_of_the_weight_gradient(last: bool) -> None:
    """Of what the weight itself is updated with; columns that fill no vector."""
    g = of(SAMPLES[1])
    x, dy, w = numbers(3, 7, 9, 20), numbers(3, 7, 9, 33), numbers(33, 20, 3, 3)
    stored = np.ascontiguousarray(np.moveaxis(w, (0, 1), (-1, -2))) if last else w
    bias, scale = numbers(33), numbers(20)
    before, found = np.zeros_like(stored), np.zeros_like(stored)
    plan = plan_winograd_weight_gradient(MACHINES["host"], g, "float", "float", weight(w, last), Linear())
    arrays = {"a": x, "b": dy, "c": found, "bias": bias, "scale": scale, "residual": stored, "before": before}
    Runner(plan, {role: array.ctypes.data for role, array in arrays.items()})()
    wide = [np.moveaxis(a, -1, 1).astype(np.float64) for a in (x, dy)]
    sums = contraction._weight_gradient(*wide, kernel=(3, 3), **attributes(g)) + bias[:, None, None, None]
    exact = np.maximum(sums, 0) * scale[:, None, None] + w
    for array, expected in ((before, sums), (found, exact)):
        check(np.moveaxis(array, (-1, -2), (0, 1)) if last else array, expected)


def test_error_on_the_data_of_a_network() -> None:
    """Activations after a ReLU, and weights as He initialises them. Here direct summation is off by 9e-7, 1.6e-6 (the
    input gradient) and 3e-7 (the weight gradient) of the largest number."""
    g = geometry((4, 128, 16, 16), (128, 128, 3, 3), 1, 1)
    x, dy = np.maximum(numbers(4, 128, 16, 16), 0), numbers(4, 128, 16, 16, seed=1) * np.float32(1e-3)
    w = numbers(128, 128, 3, 3, seed=2) * np.float32((2 / (9 * 128)) ** 0.5)
    on, layout = MACHINES["host"], weight(w)
    wide = [a.astype(np.float64) for a in (x, w, dy)]
    exact = [
        to_last(contraction._convolution(wide[0], wide[1], **attributes(g))),
        to_last(contraction._input_gradient(wide[2], wide[1], size=g.size, **attributes(g))),
        contraction._weight_gradient(wide[0], wide[2], kernel=g.kernel, **attributes(g)),
    ]
    operands = [(to_last(x), w), (to_last(dy), w), (to_last(x), to_last(dy))]
    plans = [
        plan_convolution(on, g, "float", layout, "float"),
        plan_input_gradient(on, g, "float", layout, "float"),
        plan_weight_gradient(on, g, "float", "float", layout),
    ]
    for plan, (a, b), expected in zip(plans, operands, exact, strict=True):
        assert "winograd" in plan.steps[0].kernel.title
        found = np.zeros(expected.shape, np.float32)
        Runner(plan, {"a": a.ctypes.data, "b": b.ctypes.data, "c": found.ctypes.data})()
        check(found, expected, 6e-7)


@pytest.mark.parametrize(
    ("x", "filters", "chosen"),
    [
        ((32, 64, 32, 32), 64, "all"),
        ((32, 512, 4, 4), 512, "all"),
        ((64, 32, 26, 26), 64, "all"),
        ((1, 256, 14, 14), 256, "all"),
        ((32, 3, 32, 32), 64, ""),  # too few channels
        ((1, 512, 4, 4), 512, ""),  # too few squares
        ((64, 64, 3, 3), 64, ""),  # squares that hang over the edge
        ((0, 64, 32, 32), 64, ""),
    ],
    ids=str,
)
def test_it_is_chosen_where_it_is_faster(x: tuple[int, ...], filters: int, chosen: str) -> None:
    g = geometry(x, (filters, x[1], 3, 3), 1, 1)
    on = Machine(64, 32, fma=True)
    found = [suits_winograd(on, g), suits_winograd(on, g, backward=True), suits_winograd_weight_gradient(on, g)]
    if chosen == "all":
        assert all(found)
    else:
        assert not found[0]
        assert not found[2]


@pytest.mark.parametrize(
    "changed", [{"stride": (2, 2)}, {"dilation": (1, 2)}, {"groups": 2}, {"kernel": (3, 1)}, {"kernel": (5, 5)}]
)
def test_it_is_not_for_other_windows(changed: dict) -> None:
    g = Geometry(**{**vars(geometry((32, 64, 32, 32), (64, 64, 3, 3), 1, 1)), **changed})
    assert not suits_winograd(MACHINES["host"], g)
    assert not suits_winograd(MACHINES["host"], g, backward=True)
    assert not suits_winograd_weight_gradient(MACHINES["host"], g)


@pytest.mark.parametrize("element", ["double", "half", "bfloat"])
def test_other_types_stay_direct(element: str) -> None:
    g, layout = geometry((8, 64, 32, 32), (64, 64, 3, 3), 1, 1), Weight(element, 1, 9, 576)
    plans = [
        plan_convolution(MACHINES["host"], g, element, layout, element),
        plan_input_gradient(MACHINES["host"], g, element, layout, element),
        plan_weight_gradient(MACHINES["host"], g, element, element, layout),
    ]
    assert not any("winograd" in step.kernel.title for plan in plans for step in plan.steps)


@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
def test_other_processors(cpu: str) -> None:
    """Code for lesser processors, by a process that is told to be one."""
    if MACHINES["host"].vector_bytes < 32:
        pytest.skip("this machine is itself the least")
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from tests import test_winograd as t
for sample in (t.SAMPLES[1], t.SAMPLES[5]):
    t.check_all(t.of(sample))
t.check_all(t.of(t.SAMPLES[4]), last=True)
t.test_epilogue(t.SAMPLES[0])
t.test_epilogue_of_the_weight_gradient(False)
"""
    environment = {**os.environ, "DUOGRAPH_CPU": cpu}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
