"""Attention in blocks: values, gradients of any order, masks, layouts and dtypes, against its meaning in NumPy.

Machine code is compared with the interpreter in float64, on the same numbers: within 1e-12 in float64 and 2e-6 in
float32 of the largest number of a result, and at least of 1; results in 16 bits may be off by a unit there.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any
from unittest.mock import patch

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import duograph.torch as torch
from duograph import debug
from duograph.codegen.contract import Machine
from duograph.codegen.lower import Host
from duograph.functional import attention
from duograph.gradient import gradient
from duograph.graph import language as lang
from duograph.graph.dtype import BY_NUMPY, DType, bfloat16, bool_, float16, float32, float64
from duograph.graph.errors import ArgumentError, DTypeError, ShapeError
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime import pool, program
from duograph.runtime.native import Native
from tests.compiled_tools import Order, interpreted, natively
from tests.contract_tools import machine
from tests.functional_tools import check_gradient, value

F = torch.nn.functional

MACHINES = {
    "host": machine(),
    "AVX2": Machine(32, 16, fma=True, l2=256 << 10),
    "SSE2": Machine(16, 16, fma=False, half=False, l2=64 << 10),
    "NEON": Machine(16, 32, fma=True),
}


class Case:
    """Attention and its gradients as one graph.

    Args:
        mask: Its shape and dtype.
        dtype: Of all numbers.
    """

    def __init__(
        self,
        sizes: tuple[int, int, int, int, int, int, int],
        *,
        mask: tuple[tuple[int, ...], DType] | None = None,
        causal: bool = False,
        dtype: DType = float32,
        seed: int = 0,
    ) -> None:
        n, heads, shared, rows, keys, features, values = sizes
        shapes = [(n, heads, rows, features), (n, shared, keys, features), (n, shared, keys, values)]
        kinds = [(shape, dtype) for shape in (*shapes, (n, heads, rows, values))] + ([mask] if mask else [])
        self.nodes = tuple(
            make(PRIMITIVES["input"], position=k, shape=shape, dtype=kind) for k, (shape, kind) in enumerate(kinds)
        )
        rng = np.random.default_rng((seed, *sizes))
        self.arrays = [
            rng.standard_normal(shape).astype(kind.numpy) if kind is not bool_ else rng.random(shape) < 0.6
            for shape, kind in kinds
        ]
        query, key, value, dy, *masks = self.nodes
        y = lang.attention(query, key, value, *masks, is_causal=causal, scale=0.3)
        wrt = [query, key, value, *(m for m in masks if m.dtype is not bool_)]
        found = gradient([y], [dy], wrt)
        self.graph = Graph(self.nodes, (y, *(f for f in found if f is not None)))

    def expected(self) -> list[np.ndarray]:
        """By the interpreter, in float64."""
        stand_ins = {n: n.dtype if n.dtype is bool_ else float64 for n in self.nodes}
        wide = Case.__new__(Case)
        wide.nodes = tuple(
            make(PRIMITIVES["input"], position=k, shape=n.shape, dtype=stand_ins[n]) for k, n in enumerate(self.nodes)
        )
        made: dict[Node, Node] = dict(zip(self.nodes, wide.nodes, strict=True))
        for node in self.graph.nodes():
            if node not in made:
                attributes = dict(node.attributes)
                if attributes.get("dtype") in (float16, bfloat16, float32):
                    attributes["dtype"] = float64
                made[node] = make(node.op, *(made[i] for i in node.inputs), **attributes)
        arrays = [a if a.dtype == bool else a.astype(np.float64) for a in self.arrays]
        return interpreted(Graph(wide.nodes, tuple(made[o] for o in self.graph.outputs)), arrays)

    def check(self, orders: list[Order] | None = None, on: str = "host", looser: float = 1) -> None:
        """Machine code, between pages that must not be touched and with 1, 2 and 5 threads.

        Args:
            looser: By which the tolerance is multiplied.
        """
        orders = orders or [None] * len(self.nodes)
        with patch.object(program, "Machine") as described:
            described.of.return_value = MACHINES[on]
            plan = Native(self.graph, orders)
        assert not any(isinstance(step, Host) for step in plan.drawn().launches)
        before, found = pool.get_num_threads(), []
        for threads, guards in ((1, "end"), (2, "start"), (5, "none")):
            pool.set_num_threads(threads)
            try:
                found.append(natively(plan, self.arrays, orders, guards=guards))
            finally:
                pool.set_num_threads(before)
        for other in found[1:]:
            assert [a.tobytes() for a in found[0]] == [b.tobytes() for b in other], "the bits depend on the threads"
        for k, (a, b) in enumerate(zip(self.expected(), found[0], strict=True)):
            dtype = BY_NUMPY[b.dtype]
            scale = max(1.0, np.abs(a).max(initial=0))
            allowed = (1e-12 if dtype is float64 else 2e-6) * scale * looser
            unit = float(ml_dtypes.finfo(dtype.numpy).eps) if dtype.is_half else 0
            error = np.abs(a - b.astype(np.float64))
            assert (error <= allowed + unit * np.abs(a) + unit * 1e-3).all(), f"output {k}: off by {error.max()}"


SIZES = [
    # batch, heads, heads of keys, queries, keys, features, features of values
    (1, 1, 1, 1, 1, 1, 1),
    (2, 3, 3, 33, 33, 32, 32),
    (1, 2, 2, 70, 41, 17, 5),
    (2, 4, 2, 31, 47, 40, 24),
    (1, 3, 1, 5, 100, 64, 70),
    (2, 2, 2, 64, 64, 32, 32),
]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_values_and_gradients(sizes: tuple, causal: bool) -> None:
    Case(sizes, causal=causal).check()


@pytest.mark.parametrize("dtype", [float64, float16, bfloat16], ids=lambda d: d.name)
def test_dtypes(dtype: DType) -> None:
    Case((2, 4, 2, 35, 50, 20, 17), dtype=dtype, causal=True).check()
    Case((1, 2, 2, 35, 50, 20, 17), dtype=dtype, mask=((1, 2, 35, 50), dtype)).check()
    Case((1, 2, 2, 35, 50, 20, 17), dtype=dtype, mask=((1, 1, 1, 50), bool_)).check()


@pytest.mark.parametrize("on", MACHINES)
def test_machines(on: str) -> None:
    for dtype in (float32, bfloat16):
        Case((1, 2, 1, 35, 29, 20, 11), dtype=dtype, causal=True).check(on=on)
        Case((1, 2, 2, 19, 29, 20, 11), dtype=dtype, mask=((1, 1, 19, 29), bool_)).check(on=on)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", [bool_, float32], ids=lambda d: d.name)
@pytest.mark.parametrize("shape", [(2, 4, 37, 45), (1, 1, 37, 45), (2, 1, 1, 45), (1, 4, 1, 45)], ids=str)
def test_masks(shape: tuple[int, ...], kind: DType, causal: bool) -> None:
    """With rows that see nothing, whose results and gradients are zeros."""
    case = Case((2, 4, 2, 37, 45, 16, 16), mask=(shape, kind), causal=causal)
    mask = case.arrays[-1]
    mask[0, 0, 0] = False if kind is bool_ else -np.inf
    if kind is float32:
        mask[..., 3] = -np.inf
    case.check()


@pytest.mark.parametrize(
    "sizes",
    [(0, 2, 2, 3, 4, 5, 6), (2, 2, 1, 0, 4, 5, 6), (2, 2, 1, 3, 0, 5, 6), (2, 2, 1, 3, 4, 0, 6), (2, 2, 1, 3, 4, 5, 0)],
    ids=str,
)
def test_empty(sizes: tuple) -> None:
    for causal in (False, True):
        Case(sizes, causal=causal).check()


def test_layouts() -> None:
    """Heads that stand beside one another in a row are read and written there; anything else is copied first."""
    for order in ((0, 2, 1, 3), (2, 0, 1, 3), (3, 1, 0, 2), (0, 1, 3, 2)):
        case = Case((2, 3, 3, 21, 18, 10, 12))
        case.check([order] * 4)
    case = Case((2, 3, 3, 21, 18, 10, 12), mask=((2, 3, 21, 18), float32))
    case.check([None, None, None, None, (0, 1, 3, 2)])


@pytest.mark.parametrize("parts_first", [False, True])
def test_parts_of_one_product_and_their_gradient(parts_first: bool) -> None:
    """The gradients of heads are written at once to where they stand in that of the product, also where its axes are
    permuted before it is taken apart."""
    n, length, heads, size = 2, 19, 3, 8
    x, w, dy = (
        make(PRIMITIVES["input"], position=k, shape=shape, dtype=float32)
        for k, shape in enumerate([(n * length, 12), (12, 3 * heads * size), (n, length, heads * size)])
    )
    joint = lang.reshape(lang.matmul(x, w), (n, length, 3, heads, size))
    if parts_first:
        joint = lang.permute(joint, (2, 0, 3, 1, 4))
        parts = [lang.reshape(lang.narrow(joint, 0, k, 1), (n, heads, length, size)) for k in range(3)]
    else:
        parts = [lang.reshape(lang.narrow(joint, 2, k, 1), (n, length, heads, size)) for k in range(3)]
        parts = [lang.transpose(p, 1, 2) for p in parts]
    result = lang.attention(*parts, is_causal=True, scale=0.2)
    y = lang.reshape(lang.transpose(result, 1, 2), (n, length, heads * size))
    found = [f for f in gradient([y], [dy], [x, w]) if f is not None]
    graph = Graph((x, w, dy), (y, *found))
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(node.shape).astype(np.float32) for node in graph.inputs]
    plan = Native(graph, [None] * 3)
    assert not any(step.title == "copy" for step in plan.drawn().launches)
    for a, b in zip(interpreted(graph, arrays), natively(plan, arrays, guards="end"), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)


@settings(max_examples=30)
@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 3, st.integers(1, 70), st.integers(1, 70), *[st.integers(1, 40)] * 2),
    mask=st.sampled_from([None, "queries", "heads", "all"]),
    kind=st.sampled_from([bool_, float32]),
    causal=st.booleans(),
    on=st.sampled_from(sorted(MACHINES)),
)
def test_any_sizes(sizes: tuple, mask: str | None, kind: DType, causal: bool, on: str) -> None:
    n, group, shared, rows, keys, features, values = sizes
    heads = group * shared
    shapes = {"queries": (1, 1, 1, keys), "heads": (1, 1, rows, keys), "all": (n, heads, rows, keys)}
    given_mask = None if mask is None else (shapes[mask], kind)
    Case((n, heads, shared, rows, keys, features, values), mask=given_mask, causal=causal).check(on=on)


def test_numbers_without_bounds() -> None:
    """Scores far apart, a NaN, and an infinite score: as softmax has it."""
    case = Case((1, 1, 1, 20, 20, 4, 4))
    query, key, values, _ = case.arrays
    query *= 100
    case.check(looser=100)  # the scores are as much larger, and so is what their rounding makes of an exponential
    query[0, 0, 3] = np.nan
    key[0, 0, 5, 0] = np.inf
    values[0, 0, 7] = 1e30
    y = Graph(case.graph.inputs, case.graph.outputs[:1])
    (found,), (expected,) = natively(Native(y, [None] * 4), case.arrays), interpreted(y, case.arrays)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


# The composite.


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def plainly(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    peak = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(peak == -np.inf, 0, peak))
    return weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300) @ v


@pytest.mark.parametrize(
    ("query", "key", "values"),
    [
        ((9, 4), (11, 4), (11, 3)),
        ((3, 9, 4), (3, 11, 4), (3, 11, 3)),
        ((2, 3, 9, 4), (2, 3, 11, 4), (2, 3, 11, 3)),
        ((2, 2, 3, 9, 4), (2, 2, 3, 11, 4), (2, 2, 3, 11, 3)),
        ((2, 3, 9, 4), (3, 11, 4), (2, 1, 11, 3)),
        ((9, 4), (2, 3, 11, 4), (11, 3)),
    ],
)
def test_axes(query: tuple, key: tuple, values: tuple) -> None:
    """Any axes before positions and features, which broadcast."""
    q, k, v = normal(*query), normal(*key, seed=1), normal(*values, seed=2)
    op = attention.scaled_dot_product_attention
    np.testing.assert_allclose(value(op, q, k, v), plainly(q, k, v), rtol=1e-10)
    check_gradient(op, q, k, v)


@pytest.mark.parametrize("shape", [(9, 11), (1, 11), (9, 1), (3, 1, 11), (2, 1, 1, 11), (2, 3, 9, 11), (1, 3, 9, 1)])
def test_axes_of_masks(shape: tuple[int, ...]) -> None:
    q, k, v = normal(2, 3, 9, 4), normal(2, 3, 11, 4, seed=1), normal(2, 3, 11, 3, seed=2)
    op = attention.scaled_dot_product_attention
    for mask in (normal(*shape, seed=3), normal(*shape, seed=3) > -1):
        np.testing.assert_allclose(value(op, q, k, v, mask), plainly(q, k, v, mask), rtol=1e-10, atol=1e-12)
        check_gradient(op, q, k, v, mask)


def test_few_and_many_queries_agree() -> None:
    q, k, v = normal(2, 4, 9, 4), normal(2, 2, 11, 4, seed=1), normal(2, 2, 11, 3, seed=2)
    op = attention.scaled_dot_product_attention
    whole = value(op, q, k, v, enable_gqa=True)
    np.testing.assert_allclose(value(op, q[:, :, :3], k, v, enable_gqa=True), whole[:, :, :3], rtol=1e-12)


@pytest.mark.parametrize("enable_gqa", [False, True])
def test_gradient_of_a_gradient(enable_gqa: bool) -> None:
    """By the face, in float64, beside the difference of first gradients."""
    heads = 1 if enable_gqa else 2
    arrays = [normal(1, h, t, 3, seed=h + t) for h, t in ((2, 9), (heads, 10), (heads, 10))]
    directions = [normal(*a.shape, seed=5) for a in arrays]

    def steepness(step: float) -> tuple[Any, list[Any]]:
        leaves = [torch.tensor(a + step * d, requires_grad=True) for a, d in zip(arrays, directions, strict=True)]
        y = F.scaled_dot_product_attention(*leaves, is_causal=True, enable_gqa=enable_gqa)
        slopes = torch.autograd.grad((y * y).sum(), leaves, create_graph=True)
        return sum((g * g).sum() for g in slopes), leaves

    total, leaves = steepness(0)
    found = sum(
        (g * torch.tensor(d)).sum().item() for g, d in zip(torch.autograd.grad(total, leaves), directions, strict=True)
    )
    expected = (steepness(1e-6)[0].item() - steepness(-1e-6)[0].item()) / 2e-6
    assert found == pytest.approx(expected, rel=1e-6)


def test_errors() -> None:
    op = attention.scaled_dot_product_attention
    with pytest.raises(ShapeError, match="key: expected 4 features"):
        value(op, normal(9, 4), normal(9, 5), normal(9, 4))
    with pytest.raises(ShapeError, match="value: expected 9 rows"):
        value(op, normal(9, 4), normal(9, 4), normal(8, 4))
    with pytest.raises(ArgumentError, match="is_causal: expected False where a mask is given"):
        value(op, normal(9, 4), normal(9, 4), normal(9, 4), normal(9, 9), is_causal=True)
    with pytest.raises(ShapeError, match=r"mask: expected a shape that broadcasts to \[9, 9\]"):
        value(op, normal(9, 4), normal(9, 4), normal(9, 4), normal(2, 9, 9))
    with pytest.raises(ShapeError, match="a multiple of 2 heads"):
        value(op, normal(1, 3, 9, 4), normal(1, 2, 9, 4), normal(1, 2, 9, 4), enable_gqa=True)
    x = [make(PRIMITIVES["input"], position=k, shape=(1, 2, 3, 4), dtype=float32) for k in range(3)]
    with pytest.raises(ShapeError, match="expected a mask of shape"):
        lang.attention(*x, make(PRIMITIVES["input"], position=3, shape=(3, 3), dtype=float32), scale=1.0)
    with pytest.raises(DTypeError, match="expected a mask of float32 or bool"):
        lang.attention(*x, make(PRIMITIVES["input"], position=3, shape=(1, 1, 3, 3), dtype=float64), scale=1.0)


# Without the matrix of weights.


@pytest.mark.parametrize("padded", [False, True])
def test_no_plan_has_the_matrix(padded: bool) -> None:
    """A layer's training step takes less temporary memory than one head's weights would."""
    length = 640 + 64 * padded
    layer = torch.nn.MultiheadAttention(16, 2, batch_first=True)
    x = torch.tensor(normal(1, length, 16).astype(np.float32))
    hidden = torch.zeros(1, length, dtype=torch.bool) if padded else None
    with debug.plans("plans", "fusion") as seen:
        y, _ = layer(x, x, x, key_padding_mask=hidden, need_weights=False)
        (y * y).sum().backward()
        layer.in_proj_weight.grad.numpy()
    sizes = [float(n) * {"B": 1, "KiB": 2**10, "MiB": 2**20}[unit] for n, unit in ARENA.findall(str(seen))]
    assert "attention_gradient_query_key_value" in str(seen)
    assert sizes
    assert max(sizes) < 4 * length * length


ARENA = re.compile(r"arena ([\d.]+) (B|KiB|MiB)")

LONG = """
import resource
import numpy as np
import duograph.torch as torch

shape, rng = (1, 8, 2048, 64), np.random.default_rng(0)
q, k, v = (torch.tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True) for _ in range(3))

def step(length):
    parts = [x[:, :, :length] for x in (q, k, v)]
    y = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
    return [g.numpy() for g in torch.autograd.grad(y.sum(), parts)]

step(64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(2048)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kilobytes are Linux's")
def test_memory_of_long_sequences() -> None:
    """8 heads of 2048 positions: the weights alone would take 128 MiB."""
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 << 10
