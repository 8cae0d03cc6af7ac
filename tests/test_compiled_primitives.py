"""Every record of the table as machine code, against its meaning in NumPy.

Integers, booleans and what only moves numbers are exact. What rounds is held to a few units in the last place (ulp):

- elementwise functions to 3 ulp of each result, but `digamma` to 16: no relative bound holds around its zero;
- sums and products of many terms, which are taken in another order, to 8 ulp of the largest result, and at least of 1;
- `put_along` and `window_max_gradient` in 16 bits round at each addition, the interpreter once: 3 ulp as well.

By default each dtype is run with every fourth of the samples that admit it, so that each primitive is run in each of
its dtypes; `HYPOTHESIS_PROFILE=thorough` runs all.
"""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

from duograph.codegen.lower import Host
from duograph.graph.dtype import ALL, DType, bfloat16, dtype, float16, float32
from duograph.graph.errors import ArgumentError, DTypeError, IndexOutOfRange
from duograph.graph.node import PRIMITIVES, Graph, Node, Primitive, Sample, make
from duograph.runtime.native import Native
from tests.compiled_tools import compare, interpreted, natively
from tests.primitive_tools import NAMES, SAMPLES, in_dtype, recorded

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

SUMS = frozenset(
    [
        "sum", "prod", "cumsum", "cumprod", "put", "put_along", "window_sum", "window_sum_gradient",
        "window_max_gradient", "matmul", "convolution", "convolution_input_gradient", "convolution_weight_gradient",
        "scan", "cond", "while_loop", "while_loop_gradient",
        "attention", "attention_query_gradient", "attention_key_gradient", "attention_value_gradient",
    ]
)  # fmt: skip
"""Operations that add, or multiply, in an order of their own."""

ON_HOST = frozenset(["prod", "cumprod", "put", "put_along"])
"""Operations that the interpreter computes of complex numbers; `put` and `put_along` where they multiply."""

ULPS = {"digamma": 16}
"""Of elementwise functions, where it is not 3."""


def admitted(op: Primitive, sample: Sample) -> list[tuple[DType, Sample]]:
    """The sample in each dtype that the primitive's rules let pass."""
    found = []
    for each in ALL:
        converted = in_dtype(sample, each)
        try:
            recorded(op, converted)
        except DTypeError:
            continue
        found.append((each, converted))
    return found


Case = tuple[str, DType, Sample]


def cases_of(op: Primitive) -> list[Case]:
    """Samples in dtypes: all there are, or of each dtype every fourth sample, and each sample in one dtype at least."""
    found: list[Case] = []
    met: Counter[DType] = Counter()
    for name, (other, sample) in zip(NAMES, SAMPLES, strict=True):
        if other is op:
            every = [(f"{name} in {each.name}", each, converted) for each, converted in admitted(op, sample)]
            found += [c for c in every if THOROUGH or met[c[1]] % 4 == 0] or every[:1]
            met.update(each for _, each, _ in every)
    return found


def together(op: Primitive, samples: list[Sample]) -> tuple[Graph, list[np.ndarray]]:
    """One graph that calls the primitive on each sample, and its inputs."""
    inputs: list[Node] = []
    outputs, arrays = [], []
    for sample in samples:
        own = [
            make(PRIMITIVES["input"], position=len(inputs) + k, shape=a.shape, dtype=dtype(a.dtype))
            for k, a in enumerate(sample.inputs)
        ]
        inputs += own
        arrays += sample.inputs
        outputs.append(make(op, *own, **sample.attributes))
    return Graph(tuple(inputs), tuple(outputs)), arrays


@pytest.mark.parametrize("op", dict.fromkeys(op for op, _ in SAMPLES), ids=lambda op: op.name)
def test_primitive(op: Primitive) -> None:
    """On all samples; none is left to the interpreter but linear algebra, which all is. Control flow is driven by the
    host."""
    cases = cases_of(op)
    graph, arrays = together(op, [sample for _, _, sample in cases])
    plan = Native(graph, [None] * len(graph.inputs))
    hosts = [step for step in plan.drawn().launches if isinstance(step, Host)]
    if any(node.dtype.is_complex for node in graph.nodes()):  # parts are taken and put together around what is hosted
        assert op.kind == "linalg" or op.name in ON_HOST or not hosts
        assert all(step.node["operation"] == op.name for step in hosts if step.node.op.name == "on_pairs")
    else:
        assert len(hosts) == (len(plan.drawn().launches) if op.kind in ("linalg", "control") else 0)
    expected = interpreted(graph, arrays)
    for received in (natively(plan, arrays), natively(plan, arrays, guards="end")):
        for (name, _, _), a, b in zip(cases, expected, received, strict=True):
            if op.name in SUMS:
                compare(a, b, 8, name, scaled=True)
            else:
                compare(a, b, 0 if op.moves_bits or op.kind == "linalg" else ULPS.get(op.name, 3), name)


def native(name: str, *arrays: object, **attributes: object) -> np.ndarray:
    """The primitive called `name` on arrays, as machine code."""
    sample = Sample(tuple(np.asarray(a) for a in arrays), attributes)
    graph = recorded(PRIMITIVES[name], sample)
    return natively(Native(graph, [None] * len(arrays)), sample.inputs)[0]


@pytest.mark.parametrize("half", [float16, bfloat16], ids=lambda d: d.name)
def test_narrow_floats_add_in_float32(half: DType) -> None:
    """As many ones as 16 bits cannot count: 5000 rounds to 4992 in bfloat16."""
    ones = np.full(5000, 1, half.numpy)
    assert native("sum", ones, axes=(0,)) == np.asarray(5000, half.numpy)
    assert native("sum", ones.reshape(2500, 2), axes=(0,)).tolist() == [2500, 2500] if half is float16 else [2496] * 2
    assert native("put", ones[:1] * 0, np.zeros(5000, np.int64), ones, axis=0, mode="add") == np.asarray(
        5000, half.numpy
    )
    assert native("matmul", ones[None], ones[:, None]).item() == np.asarray(5000, half.numpy)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
@pytest.mark.parametrize("size", [2, 50])
def test_integer_division_by_zero(name: str, size: int) -> None:
    x, y = np.full(size, 7), np.full(size, 2)
    assert native(name, x, y).tolist() == [3 if name == "floor_divide" else 1] * size
    y[-1] = 0
    with pytest.raises(ArgumentError, match="division by zero"):
        native(name, x, y)
    assert native(name, x.astype(np.float32), y.astype(np.float32)).shape == (size,)


@pytest.mark.parametrize("index", [3, -4, 1 << 40, -(1 << 63)])
@pytest.mark.parametrize("name", ["take", "take_along", "put", "put_along"])
def test_index_out_of_range(name: str, index: int) -> None:
    for indices in ([0, index], [index], [0, 1, 2, -3] * 10 + [index]):
        updates = (np.ones(len(indices)),) if name.startswith("put") else ()
        mode = {"mode": "add"} if updates else {}
        with pytest.raises(IndexOutOfRange, match=f"index {index} is out of range for axis 0 of size 3"):
            native(name, [1.0, 2.0, 3.0], np.array(indices), *updates, axis=0, **mode)


def test_unsigned_indices_do_not_count_from_the_end() -> None:
    assert native("take", np.arange(300.0), np.array([255, 0], np.uint8), axis=0).tolist() == [255, 0]
    with pytest.raises(IndexOutOfRange, match="index 255"):
        native("take", np.arange(3.0), np.array([255, 0], np.uint8), axis=0)
    with pytest.raises(IndexOutOfRange, match="index 18446744073709551615"):
        native("take", np.arange(3.0), np.array([2**64 - 1], np.uint64), axis=0)


def test_nan_wins_and_zeros_keep_their_signs() -> None:
    for size in (4, 100):
        x = np.arange(size, dtype=np.float32)
        x[size // 2] = np.nan
        assert np.isnan(native("max", x, axes=(0,)))
        assert np.isnan(native("min", x, axes=(0,)))
        assert native("argmax", x, axis=0) == native("argmin", x, axis=0) == size // 2
    zeros = native("negative", np.zeros(40, np.float32))
    assert np.signbit(zeros).all()
    assert not np.signbit(native("add", zeros, np.zeros(40, np.float32))).any()
    assert native("sum", np.zeros((0, 3), np.float32), axes=(0,)).tolist() == [0, 0, 0]
    assert native("prod", np.zeros((0, 3), np.float32), axes=(0,)).tolist() == [1, 1, 1]
    assert native("cast", np.array([1.5, np.nan, 0]), dtype=float32).tolist()[::2] == [1.5, 0]
