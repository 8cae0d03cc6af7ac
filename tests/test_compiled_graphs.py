"""Graphs as machine code, against the interpreter: whatever is fused, laid out, cut into parts or overwritten.

Whole numbers are exact. What rounds agrees to 1e-12 in float64, 2e-5 in float32, 2e-2 in float16 and 1e-1 in bfloat16
of the largest number in the result, and at least of 1: functions differ in their last bit, sums in their order, and
both go through up to forty operations.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from duograph.codegen.loops.kernel import Loops
from duograph.gradient import gradient
from duograph.graph import language as lang
from duograph.graph.dtype import BY_NUMPY, DType, bfloat16, bool_, float16, float32, float64, int64
from duograph.graph.errors import DuographError, ShapeError
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime import pool, targets
from duograph.runtime.native import Native
from tests.compiled_tools import Order, compare, interpreted, natively, overwriting, random_case
from tests.graph_tools import arrays_for, graphs
from tests.simplify_tools import array

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TOLERANCE = {float64: 1e-12, float32: 2e-5, float16: 2e-2, bfloat16: 1e-1}


def close(expected: np.ndarray, received: np.ndarray, tolerance: float | None = None, what: object = "") -> None:
    """To so much of the largest number, and at least of 1; exactly where the dtype has no tolerance."""
    assert (received.dtype, received.shape) == (expected.dtype, expected.shape), what
    allowed = TOLERANCE.get(BY_NUMPY[expected.dtype], 0) if tolerance is None else tolerance
    a, b = expected.astype(np.float64), received.astype(np.float64)
    scale = max(1.0, np.abs(a[np.isfinite(a)]).max(initial=0))
    np.testing.assert_allclose(b, a, rtol=allowed, atol=allowed * scale, err_msg=str(what))


def inputs(*kinds: tuple[tuple[int, ...], DType]) -> tuple[Node, ...]:
    return tuple(make(PRIMITIVES["input"], position=k, shape=s, dtype=d) for k, (s, d) in enumerate(kinds))


def normal(nodes: Sequence[Node], seed: int = 0) -> list[np.ndarray]:
    """Random numbers for inputs, whole ones where they are no floats."""
    rng = np.random.default_rng(seed)
    draw = {True: rng.standard_normal, False: lambda shape: rng.integers(-5, 6, shape)}
    return [np.asarray(draw[n.dtype.is_floating_point](n.shape)).astype(n.dtype.numpy) for n in nodes]


def agrees(
    nodes: Sequence[Node],
    outputs: Sequence[Node],
    arrays: Sequence[np.ndarray] | None = None,
    *,
    orders: Sequence[Order] | None = None,
    tolerance: float | None = None,
) -> Native:
    """Compile, and compare with the interpreter: with inputs that are kept, and with such as may be overwritten."""
    graph = Graph(tuple(nodes), tuple(outputs))
    arrays = normal(nodes) if arrays is None else arrays
    plan = Native(graph, orders or [None] * len(nodes))
    expected = interpreted(graph, arrays)
    kept = natively(plan, arrays, orders)
    for other in (kept, overwriting(plan, arrays, orders)):
        for k, (a, b) in enumerate(zip(expected, other, strict=True)):
            close(a, b, tolerance, f"output {k}")
    return plan


# random graphs


def _fails(run: Callable[[], object]) -> bool:
    try:
        run()
    except DuographError:
        return True
    return False


@settings(max_examples=5_000 if THOROUGH else 400)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40 if THOROUGH else 24), large=st.booleans())
def test_random_graphs(seed: int, steps: int, large: bool) -> None:
    """The same values; the same bits wherever the inputs lie and whoever holds them; errors where they should be."""
    case = random_case(seed, steps, large=large)
    graph, arrays, orders = case.graph, case.arrays, case.orders
    plan = Native(graph, orders)
    found = [natively(plan, arrays, orders, guards=guards) for guards in ("end", "start")]
    found.append(overwriting(plan, arrays, orders, plain=lambda: bool(random.Random(seed).getrandbits(1))))
    for k, (a, b, exact) in enumerate(zip(interpreted(graph, arrays), found[0], case.exact, strict=True)):
        compare(a, b, 0, graph.outputs[k]) if exact else close(a, b, what=graph.outputs[k])
    for other in found[1:]:
        assert [a.tobytes() for a in found[0]] == [b.tobytes() for b in other]
    rng = np.random.default_rng(seed)
    others = [array(rng, node.shape, node.dtype) for node in graph.inputs]
    assert _fails(lambda: interpreted(graph, others)) == _fails(lambda: natively(plan, others, orders))
    again = natively(plan, arrays, orders)
    assert [a.tobytes() for a in found[0]] == [b.tobytes() for b in again], "a run that failed left something behind"


@st.composite
def _smooth(draw: Callable) -> Graph:
    try:
        return draw(graphs())
    except ShapeError:  # it drew operands that do not broadcast
        reject()


@settings(max_examples=300 if THOROUGH else 25)
@given(graph=_smooth(), seed=st.integers(0, 2**20))
def test_gradients_by_finite_differences(graph: Graph, seed: int) -> None:
    """Central differences with a step of 1e-6 are right to 1e-6 of these smooth functions' slopes."""
    nodes = [node for node in graph.inputs if node.size]
    total = lang.sum(graph.outputs[0])
    found = gradient([total], [lang.full((), 1, float64)], nodes)
    gradients = [g if g is not None else lang.zeros_like(n) for g, n in zip(found, nodes, strict=True)]
    plan = Native(Graph(graph.inputs, (total, *gradients)), [None] * len(graph.inputs))
    arrays = arrays_for(graph, seed)
    _, *slopes = natively(plan, arrays)
    rng = np.random.default_rng(seed)
    direction = [rng.standard_normal(n.shape) if n in nodes else np.zeros(n.shape) for n in graph.inputs]
    low, high = (
        natively(plan, [a + step * d for a, d in zip(arrays, direction, strict=True)])[0] for step in (-1e-6, 1e-6)
    )
    moving = [d for d, n in zip(direction, graph.inputs, strict=True) if n in nodes]
    assert sum(np.vdot(s, d) for s, d in zip(slopes, moving, strict=True)) == pytest.approx(
        float(high - low) / 2e-6, rel=2e-5, abs=2e-5
    )


# what was once wrong


def test_a_table_that_is_a_number_seen_as_many() -> None:
    x, i = nodes = inputs(((), int64), ((3,), int64))
    table = lang.broadcast_to(lang.cast(x, float16), (2, 2))
    agrees(nodes, [lang.take(table, i)], [np.array(2), np.array([0, 1, -1])])


def test_a_view_that_leaves_the_plan_shows_all_of_what_another_sees_in_part() -> None:
    x, y = nodes = inputs(((7,), int64), ((1,), int64))
    total = x + y
    agrees(nodes, [lang.narrow(total, 0, 2, 1) * 2, lang.flip(total, 0)])


def test_a_nest_over_a_part_takes_nothing_whole() -> None:
    x, y, z = nodes = inputs(((4, 2), int64), ((2, 2), int64), ((4, 1), int64))
    part = lang.narrow(lang.maximum(x, 0), 0, 0, 2)
    agrees(nodes, [lang.minimum(part, y), x - z])


@pytest.mark.parametrize("wanted", ["output", "sum", "exp", "table", "piece"])
def test_a_slice_of_an_array_whose_rows_do_not_lie_one_after_another(wanted: str) -> None:
    x, i = nodes = inputs(((2, 9, 16), float64), ((4,), int64))
    part = lang.slice(lang.reshape(x, (288,)), (164,), (235,))
    result = {
        "output": lambda: part,
        "sum": lambda: lang.sum(part),
        "exp": lambda: lang.exp(part),
        "table": lambda: lang.take(part, i),
        "piece": lambda: lang.concatenate([part, lang.exp(part), lang.narrow(part, 0, 3, 5)]),
    }[wanted]()
    agrees(nodes, [result], orders=[(1, 0, 2), None])
    agrees(nodes, [result, part, lang.reshape(x, (32, 9)) * 2], orders=[(1, 0, 2), None])


def test_a_copy_that_is_made_late_is_not_read_early() -> None:
    (x,) = nodes = inputs(((67, 23), float64))
    turned = lang.reshape(x, (23, 67))
    total = lang.sum(lang.narrow(turned, 0, 1, 18))
    agrees(nodes, [lang.exp(lang.transpose(turned)) * 2, total], orders=[(1, 0)])


def test_an_operand_that_is_read_again_is_not_overwritten() -> None:
    x, y = nodes = inputs(((8, 40), float64), ((8, 40), float64))
    doubled = x * 2 - y
    powers = lang.exp(doubled)
    agrees(nodes, [doubled, powers / lang.sum(powers, 1, keepdims=True) + doubled])


def test_an_operand_of_a_product_is_not_overwritten_by_it() -> None:
    x, w = nodes = inputs(((64, 64), float64), ((64, 64), float64))
    agrees(nodes, [lang.matmul(x, w) + x])
    agrees(nodes, [lang.matmul(x, w) + lang.tanh(w)])


def test_a_window_over_channels_that_lie_innermost_leaves_the_plan() -> None:
    x, w = nodes = inputs(((2, 34, 9), float32), ((34, 1, 3), float32))
    inner = lang.apply("convolution", x, w, stride=(2,), padding=((1, 2),), dilation=(2,), groups=34)
    geometry = {"window": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
    for name in ("window_sum", "window_max", "window_argmax"):
        agrees(nodes, [lang.window(name, inner, **geometry)])
    both = [lang.window(name, inner, **geometry) for name in ("window_max", "window_argmax")]
    agrees(nodes, [lang.permute(both[0], (2, 0, 1)), both[1], lang.exp(both[0])])


def test_an_epilogue_writes_only_what_lies_as_its_result() -> None:
    x, w = nodes = inputs(((2, 2, 7, 7), float32), ((4, 1, 1, 3), float32))
    inner = lang.apply("convolution", x, w, stride=(2, 2), padding=((0, 0), (2, 0)), dilation=(2, 1), groups=2)
    merged = lang.reshape(inner, (2, 16, 4))
    agrees(nodes, [lang.cast(merged, float64)])
    agrees(nodes, [lang.exp(merged), lang.exp(lang.reshape(inner, (2, 64)))])
    a, b, bias = nodes = inputs(((5, 7), float64), ((7, 6), float64), ((6,), float64))
    product = lang.matmul(a, b) + lang.exp(bias)
    agrees(nodes, [product, lang.sin(bias), lang.sin(lang.exp(bias)), lang.tanh(product) * lang.cos(bias)])


def test_what_is_spread_may_have_to_be_copied_first() -> None:
    (x,) = nodes = inputs(((5, 2), float64))
    spread = lang.pad(lang.reshape(x, (2, 5)), (0, 1), (0, 0), (0, 1), 7)
    agrees(nodes, [spread, lang.concatenate([lang.exp(spread), spread])], orders=[(1, 0)])


def test_a_number_that_is_packed() -> None:
    x, y = nodes = inputs(((), float32), ((40, 40), float32))
    product = lang.matmul(y, lang.broadcast_to(x, (40, 40)))
    graph, arrays = Graph(nodes, (product,)), normal(nodes)
    plan = Native(graph, [None, None])
    for _ in range(3):
        arrays[0] = arrays[0] + np.float32(1)
        for found in (natively(plan, arrays), overwriting(plan, arrays, plain=lambda: True)):
            close(interpreted(graph, arrays)[0], found[0])


def test_a_reduction_that_a_padding_wants_goes_over_everything() -> None:
    (x,) = nodes = inputs(((2, 7), int64))
    agrees(nodes, [lang.pad(lang.maximum(x, lang.sum(x)), (0, -1), (0, 1), (0, 0), 1)])
    agrees(nodes, [lang.pad(x - lang.max(x, 1, keepdims=True), (1, 2), (0, 1), (0, 0), 3)])


def test_a_table_is_written_before_it_is_looked_up() -> None:
    x, y, i = nodes = inputs(((3, 5), float64), ((4, 5), float64), ((6,), int64))
    agrees(nodes, [lang.take(lang.concatenate([x, y]), i)], [*normal(nodes[:2]), np.array([0, 6, -7, -1, 3, 2])])


def test_one_index_that_some_lanes_want() -> None:
    (x,) = nodes = inputs(((1, 67), float64))
    index = lang.apply("remainder", lang.iota(1, int64) * 3, 67)
    agrees(nodes, [lang.pad(lang.take(x, index, 1), (0, 1), (0, 2), (0, 0), 5)])


# the shape of things


def test_outputs_may_be_anything() -> None:
    x, y = nodes = inputs(((3, 4), float64), ((), float64))
    total = x + y
    outputs = [
        x, x, y, total, total, lang.transpose(total), lang.reshape(total, (12,)), lang.transpose(x), lang.flip(x, 1),
        lang.full((2, 2), 3, float64), lang.iota(5, int64), lang.broadcast_to(y, (2, 3)), lang.narrow(total, 1, 1, 2),
        lang.sum(total), lang.reshape(lang.sum(total), (1, 1)), lang.broadcast_to(total, (2, 3, 4)),
    ]  # fmt: skip
    agrees(nodes, outputs)
    agrees(nodes, outputs, orders=[(1, 0), None])
    agrees(nodes, [x])
    agrees((), [lang.iota(70, int64) * 2])
    assert natively(agrees(nodes, []), normal(nodes)) == []


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0, 2), (1,), (1, 1), ()])
def test_nothing_and_one(shape: tuple[int, ...]) -> None:
    x, y = nodes = inputs((shape, float32), (shape, float32))
    total = lang.exp(x) + y
    flat = lang.reshape(total, (x.size,))
    outputs = [total, flat, lang.sum(total), lang.concatenate([flat, flat]), lang.pad(flat, [2], [1], [1], 3)]
    outputs += [lang.matmul(lang.reshape(flat, (1, x.size)), lang.reshape(flat, (x.size, 1)))]
    outputs += [lang.matmul(lang.reshape(flat, (x.size, 1)), lang.reshape(flat, (1, x.size)))]
    outputs += [lang.sum(total, axis, keepdims=True) for axis in range(len(shape))]
    agrees(nodes, outputs)
    agrees(
        nodes,
        [
            lang.put(flat, lang.iota(0, int64), lang.narrow(flat, 0, 0, 0), 0, "add"),
            lang.take(flat, lang.iota(0, int64)),
        ],
    )


# many elements: bits, threads, parts

ROWS = {
    "whole": (300_000,),
    "first": (40_000, 64),
    "last": (64, 40_000),
    "middle": (7, 3001, 33),
    "narrow": (100_003, 3),
}


@pytest.mark.parametrize("kind", ROWS)
def test_long_reductions(kind: str) -> None:
    """Sums of whole numbers, which are exact; that they are cut into parts shows in the plan."""
    shape = ROWS[kind]
    axes = {"whole": (0,), "first": (0,), "last": (1,), "middle": (1,), "narrow": (0,)}[kind]
    (x,) = nodes = inputs((shape, float32))
    arrays = [np.random.default_rng(0).integers(-9, 10, shape).astype(np.float32)]
    outputs = [lang.apply(name, x, axes=axes) for name in ("sum", "max", "min", "all")]
    outputs += [lang.sum(x * x, axes), lang.any(x < -8, axes), lang.sum(x, axes) * 2 + lang.max(x, axes)]
    graph = Graph(nodes, tuple(outputs))
    plan = Native(graph, [None])
    if kind in ("whole", "first", "narrow"):
        assert any(launch.title.startswith("parts") for launch in plan.drawn().launches)
    for a, b in zip(interpreted(graph, arrays), natively(plan, arrays), strict=True):
        compare(a, b, 0)
    agrees(
        nodes,
        [
            lang.prod(lang.select(x < 0, lang.full(shape, -1, float32), 1), axes),
            lang.mean(x, axes),
            lang.sum(lang.cast(x, float16), axes),
        ],
        arrays,
    )


def _rows(x: Node) -> list[Node]:
    centred = x - lang.mean(x, 1, keepdims=True)
    normed = centred * lang.rsqrt(lang.mean(centred * centred, 1, keepdims=True) + 1e-5)
    powers = lang.exp(x - lang.max(x, 1, keepdims=True))
    return [normed, powers / lang.sum(powers, 1, keepdims=True), lang.sum(x), lang.sum(x, 0), lang.sum(lang.tanh(x), 1)]


def _products(x: Node) -> list[Node]:
    square = lang.matmul(lang.transpose(x), x) / x.shape[0]
    return [square, lang.tanh(lang.matmul(x, square) + lang.mean(x, 0)), lang.sum(lang.exp(x * 0.1) * x)]


@pytest.mark.parametrize("build", [_rows, _products], ids=["rows", "products"])
@pytest.mark.parametrize("shape", [(1001, 77), (30_011, 5), (3, 9001)])
def test_bits_depend_neither_on_threads_nor_on_the_run(
    build: Callable[[Node], list[Node]], shape: tuple[int, ...]
) -> None:
    if build is _products and shape[1] > 1000:
        shape = (shape[1], shape[0])
    (x,) = nodes = inputs((shape, float32))
    graph = Graph(nodes, tuple(build(x)))
    plan, arrays = Native(graph, [None]), normal(nodes)
    before = pool.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 5, 5, 1):
            pool.set_num_threads(threads)
            found.append(natively(plan, arrays))
    finally:
        pool.set_num_threads(before)
    for a, b in zip(interpreted(graph, arrays), found[0], strict=True):
        close(a, b, 1e-4)
    for other in found[1:]:
        assert [a.tobytes() for a in found[0]] == [b.tobytes() for b in other]


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("shape", [(37, 64), (37, 70), (1001, 5), (3, 6, 128), (5, 1, 1025)], ids=str)
def test_what_no_cache_holds(shape: tuple[int, ...], dtype: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    """With caches as small as this, results go past them where they are aligned, and rows are asked for ahead."""
    monkeypatch.setattr(targets, "caches", lambda: targets.Caches(32 << 10, 4 << 10, 4 << 10))
    x, y = nodes = inputs((shape, dtype), (shape, dtype))
    last = len(shape) - 1
    powers = lang.exp(x - lang.max(x, last, keepdims=True))
    softmax = powers / lang.sum(powers, last, keepdims=True)
    rest = lang.slice(y, (0,) * last + (1,), shape, (1,) * len(shape))
    turned = lang.transpose(x * 2, last - 1, last)
    chain = lang.maximum(x * 0.5 + y, 0)
    plan = agrees(nodes, [softmax, chain, rest * 3, turned, lang.cast(x > y, bool_), lang.cast(y, int64)])
    kernels = [launch.kernel for launch in plan.drawn().launches if isinstance(launch.kernel, Loops)]
    assert any(kernel.ahead for kernel in kernels)
    assert any(kernel.streaming for kernel in kernels) == (targets.architecture() == "x86_64")
    before, found = pool.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            pool.set_num_threads(threads)
            found.append([a.tobytes() for a in natively(plan, normal(nodes))])
    finally:
        pool.set_num_threads(before)
    assert found[0] == found[1] == found[2]


# networks


def _network(dtype: DType, batch: int) -> tuple[tuple[Node, ...], Node]:
    """Convolution, batch norm, relu, maximum over windows, convolution, mean over places, softmax, loss."""
    x, w, scale, shift, v, bias, labels = nodes = inputs(
        ((batch, 3, 13, 11), dtype), ((10, 3, 3, 3), dtype), ((10,), dtype), ((10,), dtype), ((17, 10, 3, 2), dtype),
        ((17,), dtype), ((batch,), int64),
    )  # fmt: skip
    y = lang.convolution(x, w, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
    centred = y - lang.mean(y, (0, 2, 3), keepdims=True)
    normed = centred * lang.rsqrt(lang.mean(centred * centred, (0, 2, 3), keepdims=True) + 1e-5)
    y = normed * lang.reshape(scale, (10, 1, 1)) + lang.reshape(shift, (10, 1, 1))
    y = lang.maximum(y, 0)
    y = lang.window("window_max", y, window=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)), dilation=(1, 1))
    y = lang.convolution(y, v, stride=(2, 1), padding=((0, 1), (0, 0)), dilation=(1, 1), groups=1)
    y = lang.mean(lang.tanh(y + lang.reshape(bias, (17, 1, 1))), (2, 3))
    y = y - lang.max(y, 1, keepdims=True)
    scores = y - lang.log(lang.sum(lang.exp(y), 1, keepdims=True))
    chosen = lang.take_along(scores, lang.reshape(labels, (batch, 1)), 1)
    return nodes, -lang.mean(chosen)


@pytest.mark.parametrize(("dtype", "tolerance"), [(float32, 1e-4), (float64, 1e-11)])
@pytest.mark.parametrize("batch", [1, 5])
def test_convolutions_and_their_gradients(dtype: DType, tolerance: float, batch: int) -> None:
    nodes, loss = _network(dtype, batch)
    found = gradient([loss], [lang.full((), 1, dtype)], nodes[:-1])
    arrays = normal(nodes)
    arrays[-1] = np.arange(batch) % 17
    updated = [p - 0.1 * g for p, g in zip(nodes[1:-1], found[1:], strict=True) if g is not None]
    agrees(nodes, [loss], arrays, tolerance=tolerance)
    agrees(nodes, [loss, *(f for f in found if f is not None)], arrays, tolerance=tolerance)
    agrees(nodes, [loss, *updated], arrays, tolerance=tolerance)


def test_gradients_of_convolutions_by_finite_differences() -> None:
    nodes, loss = _network(float64, 2)
    found = [f for f in gradient([loss], [lang.full((), 1, float64)], nodes[:-1]) if f is not None]
    plan = Native(Graph(nodes, (loss, *found)), [None] * len(nodes))
    arrays = [*normal(nodes)[:-1], np.array([3, 16])]
    _, *slopes = natively(plan, arrays)
    direction = normal(nodes, 1)[:-1]

    def moved(step: float) -> float:
        there = [a + step * d for a, d in zip(arrays, direction, strict=False)]
        return natively(plan, [*there, arrays[-1]])[0].item()

    expected = (moved(1e-6) - moved(-1e-6)) / 2e-6
    assert sum(np.vdot(s, d) for s, d in zip(slopes, direction, strict=True)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(float32, 1e-5), (float64, 1e-12), (bfloat16, 0.1)])
@pytest.mark.parametrize("sizes", [(2, 5, 3, 7), (1, 33, 4, 16)])
def test_attention(dtype: DType, tolerance: float, sizes: tuple[int, int, int, int]) -> None:
    """Heads that are views of one product, a mask of the future, and the way back."""
    batch, time, heads, size = sizes
    width = heads * size
    x, w, out = nodes = inputs(((batch, time, width), dtype), ((width, 3 * width), dtype), ((width, width), dtype))
    joint = lang.reshape(lang.matmul(x, w), (batch, time, 3, heads, size))
    query, key, value = (
        lang.permute(lang.reshape(lang.narrow(joint, 2, k, 1), (batch, time, heads, size)), (0, 2, 1, 3))
        for k in range(3)
    )
    scores = lang.matmul(query, lang.transpose(key)) * size**-0.5
    future = lang.reshape(lang.iota(time, int64), (time, 1)) < lang.iota(time, int64)
    scores = lang.select(future, -1e9, scores) if dtype is not bfloat16 else scores
    powers = lang.exp(scores - lang.max(scores, -1, keepdims=True))
    mixed = lang.matmul(powers / lang.sum(powers, -1, keepdims=True), value)
    y = x + lang.matmul(lang.reshape(lang.permute(mixed, (0, 2, 1, 3)), (batch, time, width)), out)
    arrays = [a * np.asarray(0.3, a.dtype) for a in normal(nodes)]
    agrees(nodes, [y], arrays, tolerance=tolerance)
    if dtype is not bfloat16:
        found = gradient([lang.sum(y * y)], [lang.full((), 1, dtype)], nodes)
        agrees(nodes, [y, *(f for f in found if f is not None)], arrays, tolerance=tolerance)


def test_an_unrolled_recurrence() -> None:
    """A gated cell over 12 steps, its states joined, and its gradients: sums over the steps."""
    steps, batch, size = 12, 5, 19
    x, state, w, u, bias = nodes = inputs(
        ((steps, batch, size), float64), ((batch, size), float64), ((size, 2 * size), float64),
        ((size, 2 * size), float64), ((2 * size,), float64),
    )  # fmt: skip
    states = []
    for k in range(steps):
        now = lang.reshape(lang.narrow(x, 0, k, 1), (batch, size))
        both = lang.matmul(now, w) + lang.matmul(state, u) + bias
        gate = 1 / (1 + lang.exp(-lang.narrow(both, 1, 0, size)))
        state = gate * state + (1 - gate) * lang.tanh(lang.narrow(both, 1, size, size))
        states.append(state)
    joined = lang.concatenate([lang.expand_dims(s, 0) for s in states])
    loss = lang.mean(joined * joined)
    found = [f for f in gradient([loss], [lang.full((), 1, float64)], nodes) if f is not None]
    arrays = [0.5 * a for a in normal(nodes)]
    agrees(nodes, [joined, state, loss], arrays)
    agrees(nodes, [loss, *found], arrays, tolerance=1e-11)


def test_an_update_that_waits_for_a_norm_of_everything() -> None:
    """Gradients scaled by the norm of all of them: what needs the whole of a long sum is not lost where it is cut."""
    a, b, w = inputs(((64, 32), float32), ((64, 128), float32), ((32, 128), float32))
    slope = lang.matmul(lang.transpose(a), b)
    scale = lang.minimum(1 / (lang.sqrt(lang.sum(slope * slope)) + 1e-6), 1)
    agrees([a, b, w], [slope * scale, w - slope * scale * 0.1, scale])


def test_a_chain_that_uses_each_number_twice_is_planned_at_once() -> None:
    number, x = inputs(((), float32), ((50,), float32))
    value = number
    for _ in range(40):
        value = value * value + value * 0.5
    agrees([number, x], [x * value], arrays=[np.float32(0.1), np.ones(50, np.float32)])


@pytest.mark.parametrize("shape", [(), (7,)])
def test_long_chains(shape: tuple[int, ...]) -> None:
    """A loop of the user's makes thousands of nodes, each of the one before: no pass goes down them all at once."""
    (x,) = nodes = inputs((shape, float64))
    y = x
    for k in range(1500):
        y = (lang.sin(y) if k % 3 else y * 1.001) + x
    agrees(nodes, [y, lang.sum(y * y)])


def test_a_turned_gradient_of_a_kernel_is_added_to_what_lies_alike() -> None:
    shapes = ((2, 3, 9, 9), float32), ((2, 8, 7, 7), float32), ((3, 3, 3, 8), float32)
    x, dy, w = nodes = inputs(*shapes)
    geometry = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    gradient_ = lang.convolution_weight_gradient(x, dy, kernel=(3, 3), **geometry)
    turned = lang.permute(gradient_, (2, 3, 1, 0))
    moment = turned + w
    agrees(nodes, [moment, moment * moment], orders=[None, None, (3, 2, 0, 1)])
