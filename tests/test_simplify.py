"""The first pass of the compiler: each rule by an example, and all of them on random graphs."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from duograph.compiler.simplify import simplify
from duograph.gradient import gradient
from duograph.graph import language as lang
from duograph.graph.check import check
from duograph.graph.dtype import BY_NAME, BY_NUMPY, bool_, float16, float32, float64, int8, int64
from duograph.graph.errors import DuographError, IndexOutOfRange, ShapeError
from duograph.graph.language import apply, full, narrow, permute, reshape, select
from duograph.graph.node import PRIMITIVES, Graph, Node, constant, make
from duograph.runtime.interpreter import Interpretation
from tests.graph_tools import graphs
from tests.simplify_tools import array, program

Build = Callable[..., Node]
CASES: list[tuple[str, str, Build, Build]] = []


def case(types: str, before: Build, after: Build, name: str = "") -> None:
    """`before` of inputs of these types becomes `after`, node for node."""
    CASES.append((name or f"{len(CASES)}", types, before, after))


def inputs(types: str) -> tuple[Node, ...]:
    """Input nodes for "float64[2,3] bool[]"."""
    found = re.findall(r"(\w+)\[([\d,]*)\]", types)
    return tuple(
        make(PRIMITIVES["input"], position=k, shape=tuple(int(n) for n in shape.split(",") if n), dtype=BY_NAME[dtype])
        for k, (dtype, shape) in enumerate(found)
    )


def arrays(nodes: tuple[Node, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [array(rng, node.shape, node.dtype) for node in nodes]


def simplified(nodes: tuple[Node, ...], *outputs: Node) -> Graph:
    """The simplified graph, checked: it is a graph, stays as it is when simplified again, and has the same values."""
    graph = Graph(nodes, outputs)
    result = simplify(graph)
    check(result)
    assert result.inputs == nodes
    assert simplify(result).outputs == result.outputs
    if not any(n.op.name in ("take", "take_along", "floor_divide") for n in graph.nodes()):
        for values in (arrays(nodes), arrays(nodes, 1)):
            for a, b in zip(Interpretation(graph)(values), Interpretation(result)(values), strict=True):
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                np.testing.assert_array_equal(a, b)
    return result


def spread(x: Node, *shape: int) -> Node:
    return apply("broadcast_to", x, shape=shape)


def sliced(x: Node, *spans: tuple[int, int, int]) -> Node:
    start, stop, step = zip(*spans, strict=True)
    return apply("slice", x, start=start, stop=stop, step=step)


def padded(x: Node, axis: int, low: int, high: int, value: float = 0) -> Node:
    lows, highs = [0] * x.ndim, [0] * x.ndim
    lows[axis], highs[axis] = low, high
    return lang.pad(x, lows, highs, value=value)


def joined(*xs: Node, axis: int = 0) -> Node:
    return apply("concatenate", *xs, axis=axis)


def reduced(name: str, x: Node, *axes: int) -> Node:
    return apply(name, x, axes=axes)


_EXP_OF_A_TENTH = float(np.exp(np.float32(np.float16(0.1))).astype(np.float16))

_ONE_ZERO = reshape(constant(0, float64), (1,))

# what does nothing
case("float32[3]", lambda x: apply("copy", apply("stop_gradient", x)), lambda x: x)
case("float32[3]", lambda x: apply("cast", x, dtype=float32), lambda x: x)
case("float32[3]", lambda x: apply("bitcast", x, dtype=float32), lambda x: x)
case("float32[2,3]", lambda x: apply("reshape", x, shape=(2, 3)), lambda x: x)
case("float32[2,3]", lambda x: apply("permute", x, axes=(0, 1)), lambda x: x)
case("float32[2,3]", lambda x: spread(x, 2, 3), lambda x: x)
case("float32[2,3]", lambda x: sliced(x, (0, 2, 1), (0, 3, 1)), lambda x: x)
case("float32[2]", lambda x: apply("pad", x, 0, low=(0,), high=(0,), interior=(0,)), lambda x: x)
case("float32[2]", lambda x: joined(x), lambda x: x)
case("float32[2]", lambda x: reduced("sum", x), lambda x: x)
case("float32[2]", lambda x: reduced("any", x), lambda x: lang.cast(x, bool_))
case("float32[2,1]", lambda x: lang.cumulative("cumsum", x, 1), lambda x: x)

# movement
case("float32[2,3]", lambda x: reshape(reshape(x, (6,)), (3, 2)), lambda x: reshape(x, (3, 2)))
case("float32[2,3,4]", lambda x: permute(permute(x, (1, 2, 0)), (1, 2, 0)), lambda x: permute(x, (2, 0, 1)))
case("float32[2,3]", lambda x: permute(permute(x, (1, 0)), (1, 0)), lambda x: x)
case("float32[2,1,3]", lambda x: permute(x, (1, 0, 2)), lambda x: reshape(x, (1, 2, 3)))
case("float32[3]", lambda x: spread(spread(x, 2, 3), 4, 2, 3), lambda x: spread(x, 4, 2, 3))
case("float32[3]", lambda x: spread(reshape(x, (1, 3)), 2, 3), lambda x: spread(x, 2, 3))
case("float32[3]", lambda x: spread(x, 1, 1, 3), lambda x: reshape(x, (1, 1, 3)))
case("float32[]", lambda x: reshape(spread(x, 2, 3), (6,)), lambda x: spread(x, 6))
case("float32[2,1,1]", lambda x: reshape(spread(x, 2, 3, 4), (2, 12)), lambda x: spread(reshape(x, (2, 1)), 2, 12))
case("float32[2,1]", lambda x: permute(spread(x, 2, 3), (1, 0)), lambda x: spread(reshape(x, (1, 2)), 3, 2))
case("float32[9]", lambda x: sliced(sliced(x, (1, 9, 2)), (3, 0, -2)), lambda x: sliced(x, (7, 2, -4)))
case("float32[9]", lambda x: sliced(x, (1, 8, 5)), lambda x: sliced(x, (1, 7, 5)))
case("float32[3]", lambda x: sliced(spread(x, 4, 3), (1, 3, 1), (1, 3, 1)), lambda x: spread(narrow(x, 0, 1, 2), 2, 2))
case("float32[2] float32[3]", lambda x, y: narrow(joined(x, y), 0, 2, 3), lambda x, y: y)
case("float32[2] float32[3]", lambda x, y: narrow(joined(x, y), 0, 3, 2), lambda x, y: narrow(y, 0, 1, 2))
case("float32[2] float32[3]", lambda x, y: narrow(joined(x, y, x), 0, 1, 3),
     lambda x, y: narrow(joined(x, y), 0, 1, 3))  # fmt: skip
case("float32[9]", lambda x: joined(narrow(x, 0, 2, 3), narrow(x, 0, 5, 2)), lambda x: narrow(x, 0, 2, 5))
case("float32[4,2]", lambda x: joined(*(narrow(x, 0, k, 1) for k in range(4))), lambda x: x)
case("float32[2] float32[3]", lambda x, y: joined(joined(x, y), x), lambda x, y: joined(x, y, x))
case("float32[2] float32[0]", lambda x, y: joined(x, y), lambda x, y: x)
case("float32[]", lambda x: joined(spread(x, 2, 3), spread(x, 4, 3)), lambda x: spread(x, 6, 3))
case("float32[3]", lambda x: narrow(padded(x, 0, 2, 2), 0, 2, 3), lambda x: x)
case("float32[3]", lambda x: narrow(padded(x, 0, 2, 2, 7), 0, 5, 2), lambda x: full((2,), 7, float32))
case("float32[3]", lambda x: narrow(padded(x, 0, 2, 2), 0, 1, 2), lambda x: padded(narrow(x, 0, 0, 1), 0, 1, 0))
case("float32[2,3]", lambda x: narrow(permute(padded(x, 0, 2, 0), (1, 0)), 1, 2, 2), lambda x: permute(x, (1, 0)))
case("float32[5]", lambda x: padded(x, 0, -1, -2), lambda x: narrow(x, 0, 1, 2))
case("float32[5]", lambda x: padded(padded(x, 0, 1, 2), 0, 1, 0), lambda x: padded(x, 0, 2, 2))
case("float32[]", lambda _: padded(full((2,), 7, float32), 0, 1, 2, 7), lambda _: full((5,), 7, float32))
case("float32[2,3] float32[2,3]",
     lambda x, y: reshape(joined(reshape(x, (1, 2, 3)), reshape(y, (1, 2, 3))), (4, 3)),
     lambda x, y: joined(x, y))  # fmt: skip

# constants and broadcasting
case("float32[]", lambda _: constant(3, float32) * constant(2, float32) + 1, lambda _: constant(7, float32))
case("float16[]", lambda _: lang.exp(constant(0.1, float16)), lambda _: constant(_EXP_OF_A_TENTH, float16))
case("int8[]", lambda _: constant(100, int8) + constant(100, int8), lambda _: constant(-56, int8))
case("float32[2,3]", lambda x: x * full((2, 3), 3, float32), lambda x: x * 3)
case("float32[2,3] float32[3]", lambda x, y: x * spread(y, 2, 3), lambda x, y: x * y)
case("float32[2,3] float32[2,1]", lambda x, y: x * spread(y, 2, 3), lambda x, y: x * y)
case("float32[2,3] float32[3]", lambda x, y: x * reshape(y, (1, 3)), lambda x, y: x * y)
case("float32[3] float32[3]", lambda x, y: spread(x, 2, 3) * spread(y, 2, 3), lambda x, y: spread(x * y, 2, 3))
case("float32[3]", lambda x: lang.exp(spread(x, 2, 3)), lambda x: spread(lang.exp(x), 2, 3))

# arithmetic
case("float32[3]", lambda x: 3 + x, lambda x: x + 3)
case("float32[3]", lambda x: x + -0.0, lambda x: x)
case("float32[3]", lambda x: x + 0.0, lambda x: x + 0.0, "plus zero gives no negative zero")
case("float32[2,2]", lambda x: lang.matmul(x, x) + 0.0, lambda x: lang.matmul(x, x))
case("int64[3]", lambda x: x + 0, lambda x: x)
case("float32[3]", lambda x: x - 0.0, lambda x: x)
case("float32[3]", lambda x: 0.0 - x, lambda x: 0.0 - x, "minus gives the other zero")
case("int64[3]", lambda x: 0 - x, lambda x: -x)
case("int64[3]", lambda x: x - x, lambda x: full((3,), 0, int64))
case("float32[3]", lambda x: x - x, lambda x: x - x, "infinities have no difference")
case("float32[3] float32[3]", lambda x, y: x + -y, lambda x, y: x - y)
case("float32[3] float32[3]", lambda x, y: -x + y, lambda x, y: y - x)
case("float32[3] float32[3]", lambda x, y: x - -y, lambda x, y: x + y)
case("float32[3] float32[3]", lambda x, y: -x * -y, lambda x, y: x * y)
case("float32[3]", lambda x: -x * 3, lambda x: x * -3)
case("float32[3]", lambda x: -(x * 3), lambda x: x * -3)
case("float32[3]", lambda x: apply("negative", -x), lambda x: x)
case("float32[3]", lambda x: x * 1, lambda x: x)
case("float32[3]", lambda x: x * -1, lambda x: -x)
case("float32[3]", lambda x: x * 0, lambda x: x * 0, "not a number times zero")
case("int64[3]", lambda x: x * 0, lambda x: full((3,), 0, int64))
case("float32[3]", lambda x: x / 1, lambda x: x)
case("float32[3]", lambda x: x / 4, lambda x: x * 0.25)
case("float32[3]", lambda x: x / 3, lambda x: x / 3, "a third has no float")
case("float32[3]", lambda x: x / 2.0**-149, lambda x: x / 2.0**-149, "no float is so large")
case("int64[3]", lambda x: apply("floor_divide", x, 1), lambda x: x)
case("float32[3]", lambda x: lang.power(x, 1), lambda x: x)
case("int64[3]", lambda x: apply("shift_left", x, 0), lambda x: x)
case("float32[3]", lambda x: lang.maximum(x, x), lambda x: x)
case("float32[3]", lambda x: lang.maximum(-math.inf, x), lambda x: x)
case("float32[3]", lambda x: lang.absolute(-x), lambda x: lang.absolute(x))
case("float32[3]", lambda x: lang.floor(lang.round(x)), lambda x: lang.round(x))
case("float32[3] float32[3]", lambda x, y: (x + y) * (y + x), lambda x, y: (x + y) * (x + y))

# logic
case("bool[3]", lambda x: (x & True) | False, lambda x: x)
case("bool[3]", lambda x: x & False, lambda x: full((3,), False, bool_))
case("bool[3]", lambda x: x ^ True, lambda x: ~x)
case("int64[3]", lambda x: x & -1, lambda x: x)
case("bool[3]", lambda x: ~~x, lambda x: x)
case("float32[3]", lambda x: ~lang.equal(x, 2), lambda x: lang.not_equal(x, 2))
case("int64[3]", lambda x: ~(x < 2), lambda x: constant(2, int64) <= x)
case("float32[3]", lambda x: ~(x < 2), lambda x: ~(x < 2), "not a number is not less, nor more")
case("int64[3]", lambda x: lang.equal(x, x), lambda x: full((3,), True, bool_))
case("float32[3]", lambda x: lang.equal(x, x), lambda x: lang.equal(x, x), "not a number is not itself")
case("bool[3]", lambda x: lang.equal(x, False), lambda x: ~x)
case("float32[3] float32[]", lambda x, y: select(constant(True, bool_), y, x), lambda x, y: spread(y, 3))
case("bool[3] float32[]", lambda c, x: select(c, x, x), lambda c, x: spread(x, 3))
case("bool[3] float32[3]", lambda c, x: select(~c, x, 0), lambda c, x: select(c, 0, x))
case("bool[3] float32[3]", lambda c, x: select(c, select(c, x, 1), 2), lambda c, x: select(c, x, 2))
case("bool[3] bool[3]", lambda c, _: select(c, constant(False, bool_), True), lambda c, _: ~c)

# casts
case("bool[3]", lambda x: lang.cast(lang.cast(x, float32), bool_), lambda x: x)
case("int8[3]", lambda x: lang.cast(lang.cast(x, float32), int64), lambda x: lang.cast(x, int64))
case("float64[3]", lambda x: lang.cast(lang.cast(x, float32), float64),
     lambda x: lang.cast(lang.cast(x, float32), float64), "a cast that rounds")  # fmt: skip
case("float32[3]", lambda _: lang.cast(lang.iota(3, int64), float32), lambda _: lang.iota(3, float32))

# reductions
case("float32[2,1,3]", lambda x: reduced("max", x, 1), lambda x: reshape(x, (2, 3)))
case("float32[2,1,3]", lambda x: reduced("sum", x, 0, 1), lambda x: reshape(reduced("sum", x, 0), (3,)))
case("float32[2,3,4]", lambda x: reduced("sum", reduced("sum", x, 1), 0), lambda x: reduced("sum", x, 0, 1))
case("float32[6,4]", lambda x: reduced("sum", reshape(x, (2, 3, 4)), 0, 1), lambda x: reduced("sum", x, 0))
case("float32[3]", lambda x: reduced("sum", spread(x, 4, 3), 0), lambda x: x * 4)
case("float32[3]", lambda x: reduced("max", spread(x, 4, 3), 0), lambda x: x)
case("int8[3]", lambda x: reduced("sum", spread(x, 300, 3), 0), lambda x: x * 44)
case("float32[3]", lambda x: reduced("sum", -x, 0), lambda x: -reduced("sum", x, 0))
case("float32[2,3] float32[2,3]",
     lambda x, y: reduced("sum", joined(reshape(x, (1, 2, 3)), reshape(y, (1, 2, 3))), 0, 1),
     lambda x, y: reduced("sum", joined(x, y), 0))  # fmt: skip

# products
case("float64[2,3] float64[3,4]", lambda x, y: lang.transpose(lang.matmul(x, y)),
     lambda x, y: lang.matmul(lang.transpose(y), lang.transpose(x)))  # fmt: skip
case("float64[5,2,3] float64[3,4]", lambda x, y: lang.matmul(x, y),
     lambda x, y: reshape(lang.matmul(reshape(x, (10, 3)), y), (5, 2, 4)))  # fmt: skip
case("float64[5,2,3] float64[5,2,4]", lambda x, y: reduced("sum", lang.matmul(lang.transpose(x), y), 0),
     lambda x, y: lang.matmul(lang.transpose(reshape(x, (10, 3))), reshape(y, (10, 4))))  # fmt: skip
case("float64[5,2,3] float64[5,3,4]", lambda x, y: reduced("sum", lang.matmul(x, y), 0),
     lambda x, y: lang.matmul(reshape(permute(x, (1, 0, 2)), (2, 15)), reshape(y, (15, 4))))  # fmt: skip

# sums of many terms
case("float64[2,3] float64[2,3]", lambda x, y: padded(x, 1, 0, 3) + padded(y, 1, 3, 0),
     lambda x, y: joined(x, y, axis=1))  # fmt: skip
case("float64[2] float64[3] float64[7]", lambda x, y, z: padded(y, 0, 3, 1) + z + padded(x, 0, 0, 5),
     lambda x, y, z: z + joined(x, _ONE_ZERO, y, _ONE_ZERO))  # fmt: skip
case("float64[1] float64[1]", lambda x, y: padded(x, 0, 0, 9) + padded(y, 0, 9, 0),
     lambda x, y: padded(x, 0, 0, 9) + padded(y, 0, 9, 0), "mostly zeros")  # fmt: skip
case("float64[2,9] float64[2,8]", lambda x, y: lang.matmul(lang.transpose(narrow(x, 0, 0, 1)), narrow(y, 0, 0, 1))
     + lang.matmul(lang.transpose(narrow(x, 0, 1, 1)), narrow(y, 0, 1, 1)),
     lambda x, y: lang.matmul(lang.transpose(x), y))  # fmt: skip
case("float64[2,3] float64[4,3] float64[2,3]",
     lambda x, y, z: reduced("sum", x, 0) + reduced("sum", y, 0) + reduced("sum", z, 0),
     lambda x, y, z: reduced("sum", joined(x, y, z), 0))  # fmt: skip


@pytest.mark.parametrize(("types", "before", "after"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_rule(types: str, before: Build, after: Build) -> None:
    nodes = inputs(types)
    result, expected = simplified(nodes, before(*nodes)), Graph(nodes, (after(*nodes),))
    assert result.outputs == expected.outputs, f"{result}{expected}"


def test_lines_stay_with_what_they_became() -> None:
    (x,) = inputs("float32[3]")
    y = lang.exp(x)
    z = apply("negative", -y) + -x
    graph = simplify(Graph((x,), (z,), {y: "a", z: "b"}))
    assert graph.outputs == (y - x,)
    assert graph.lines == {y: "a", y - x: "b"}


def test_an_output_may_become_an_input_or_another_output() -> None:
    (x,) = inputs("float32[3]")
    assert simplify(Graph((x,), (apply("copy", x), x * 1, x + 1, 1 + x))).outputs == (x, x, x + 1, x + 1)


def test_a_product_with_another_use_is_not_computed_twice() -> None:
    x, y = inputs("float64[2,3] float64[3,4]")
    product = lang.matmul(x, y)
    outputs = simplified((x, y), lang.transpose(product), product).outputs
    assert outputs == (lang.transpose(product), product)


def test_the_weight_gradients_of_a_recurrence_are_one_product_each() -> None:
    """As many steps as it has, with the states and the cotangents each joined once."""
    steps, batch, width = 30, 16, 32
    weight, bias, first, *seen = inputs(
        f"float64[{width},{width}] float64[{width}] float64[{batch},{width}]" + f" float64[{batch},{width}]" * steps
    )
    state, total = first, None
    for x in seen:
        state = lang.tanh(lang.matmul(state, lang.transpose(weight)) + x + bias)
        total = state if total is None else total + state * x
    nodes = (weight, bias, first, *seen)
    found = gradient([total], [full(total.shape, 1, float64)], [weight, bias])
    graph = Graph(nodes, tuple(found))
    result = simplify(graph)
    names = Counter(n.op.name for n in result.nodes())
    assert names["matmul"] == 2 * steps
    assert names["sum"] == 1
    assert names["concatenate"] == 2
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(n.shape) / 8 for n in nodes]
    for a, b in zip(Interpretation(graph)(values), Interpretation(result)(values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_hundreds_of_slices_have_a_gradient_in_one_piece() -> None:
    """Also where each of them is the work of another operation, so that their cotangents are padded one by one."""
    x, *parts = inputs("float64[600,2]" + " float64[1,2]" * 600)
    total = x
    for k, part in enumerate(parts):
        total = total + padded(part, 0, k, 599 - k)
    result = simplify(Graph((x, *parts), (total,)))
    assert result.outputs == (x + joined(*parts),)


def _cross_entropy(keep_loss: bool) -> tuple[tuple[Node, ...], Graph]:
    x, labels = nodes = inputs("float64[4,5] int64[4]")
    loss = lang.sum(lang.take_along(lang.log(lang.exp(x)), reshape(labels, (4, 1)), 1))
    (dx,) = gradient([loss], [constant(1, float64)], [x])
    assert dx is not None
    return nodes, Graph(nodes, (loss, dx) if keep_loss else (dx,))


@pytest.mark.parametrize("keep_loss", [True, False])
def test_cross_entropy_scatters_nothing_where_its_labels_are_checked(keep_loss: bool) -> None:
    _, graph = _cross_entropy(keep_loss)
    result = simplify(graph)
    check(result)
    assert ("put_along" in {n.op.name for n in result.nodes()}) is not keep_loss
    x = np.random.default_rng(0).standard_normal((4, 5))
    for labels in ([0, 4, 2, 2], [-1, -5, 0, 3]):
        values = [x, np.array(labels)]
        for a, b in zip(Interpretation(graph)(values), Interpretation(result)(values), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(IndexOutOfRange):
        Interpretation(result)([x, np.array([0, 5, 0, 0])])


@pytest.mark.parametrize(
    "build",
    [
        lambda x, i: lang.take(x, i) * 0,
        lambda x, i: apply("floor_divide", x, i) * 0,
        lambda x, i: select(constant(True, bool_), x, lang.take(x, i)),
        lambda x, i: narrow(joined(x, lang.take(x, i)), 0, 0, 1),
        lambda x, i: narrow(padded(lang.take(x, i), 0, 2, 2), 0, 0, 1),
        lambda x, i: (lang.take(x, i) < lang.take(x, i)) & (x > 0),
    ],
)
def test_errors_are_not_lost(build: Build) -> None:
    nodes = inputs("int64[3] int64[3]")
    graph = Graph(nodes, (build(*nodes),))
    values = [np.array([1, 2, 3]), np.array([0, 7, 1])]
    for outcome in (graph, simplify(graph)):
        plan = Interpretation(outcome)
        with pytest.raises(DuographError):
            plan([values[0], np.array([0, 7, 0])])
        plan([values[0], np.array([1, 2, 1])])


def test_what_may_fail_can_be_dropped_where_it_is_also_used() -> None:
    x, i = nodes = inputs("int64[3] int64[3]")
    taken = lang.take(x, i)
    assert simplify(Graph(nodes, (taken * 0, taken))).outputs == (full((3,), 0, int64), taken)


# random graphs

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TOLERANCE = {float64: 1e-12, float32: 1e-5, float16: 1e-2}


def _compare(a: np.ndarray, b: np.ndarray, exact: bool) -> None:
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    if exact:
        np.testing.assert_array_equal(a, b)
        return
    tolerance = TOLERANCE.get(BY_NUMPY[a.dtype], 0)
    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = max(1.0, np.abs(a[np.isfinite(a)]).max(initial=0))
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def _fails(graph: Graph, values: list[np.ndarray]) -> bool:
    try:
        Interpretation(graph)(values)
    except DuographError:
        return True
    return False


@settings(max_examples=5_000 if THOROUGH else 1_000)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 30))
def test_random_graphs_keep_values_and_errors(seed: int, steps: int) -> None:
    """Whole numbers exactly, functions that round to 1e-12 in float64, 1e-5 in float32 and 1e-2 in 16 bits."""
    graph, values, exact = program(seed, steps)
    result = simplify(graph)
    check(result)
    assert result.inputs == graph.inputs
    assert simplify(result).outputs == result.outputs
    expected, received = Interpretation(graph)(values), Interpretation(result)(values)
    for a, b, is_exact in zip(expected, received, exact, strict=True):
        _compare(a, b, is_exact)
    others = arrays(graph.inputs, seed)
    assert _fails(graph, others) == _fails(result, others)


@st.composite
def _smooth(draw: Callable) -> Graph:
    try:
        return draw(graphs())
    except ShapeError:  # it drew operands that do not broadcast
        reject()


@given(graph=_smooth(), seed=st.integers(0, 2**20))
def test_random_gradients_keep_values(graph: Graph, seed: int) -> None:
    """To 1e-10: these are smooth functions of random numbers, whose sums are taken in another order."""
    rng = np.random.default_rng(seed)
    values = [rng.uniform(-1, 1, i.shape) for i in graph.inputs]
    found = gradient(graph.outputs, [full(graph.outputs[0].shape, 1, float64)], graph.inputs)
    both = Graph(graph.inputs, (*graph.outputs, *(f for f in found if f is not None)))
    result = simplify(both)
    check(result)
    assert simplify(result).outputs == result.outputs
    for a, b in zip(Interpretation(both)(values), Interpretation(result)(values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10 * max(1.0, np.abs(a).max(initial=0)))
