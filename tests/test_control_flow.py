"""Branches and loops that data decide: the primitives in graphs, and functions of tensors that record them."""

from __future__ import annotations

import numpy as np
import pytest

import duograph.torch as torch
from duograph import debug
from duograph.compiler.simplify import simplify
from duograph.graph import language as lang
from duograph.graph.check import check
from duograph.graph.control import cond, while_loop
from duograph.graph.dtype import bool_, float64, int64
from duograph.graph.errors import ArgumentError, GraphError, IndexOutOfRange, ShapeError, UnreadableError
from duograph.graph.node import PRIMITIVES, Graph, Node, constant, make
from duograph.graph.text import read, write
from duograph.ops import control
from duograph.runtime.interpreter import Interpretation
from duograph.runtime.native import Native
from tests.compiled_tools import natively

TIERS = pytest.mark.parametrize("tier", ["interpreted", "compiled"])


def given(position: int, *shape: int, dtype=float64) -> Node:
    return make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)


def both(graph: Graph, *arrays: object) -> list[np.ndarray]:
    """The outputs by the interpreter, found to be those of machine code, and by a graph that went through text."""
    check(graph)
    found = [np.asarray(a) for a in arrays]
    expected = Interpretation(graph)(found)
    again = read(write(graph))
    assert again == graph
    for mine, reference in zip(natively(Native(again, [None] * len(found)), found), expected, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-12)
    return expected


# -- graphs ------------------------------------------------------------------------------------------------------------
def test_what_both_branches_hand_on_is_no_result_of_the_choice() -> None:
    p, x, y = given(0, dtype=bool_), given(1, 3), given(2, 3)
    a, b = given(0, 3), given(1, 3)
    zero = constant(0, int64)
    results = cond(p, Graph((a, b), (a, b * 2, zero)), Graph((a, b), (a, b * 3, zero)), (x, y))
    assert results[0] is x and results[2] is zero
    assert results[1].inputs == (p, y)  # x is not looked at


def test_what_a_loop_does_not_change_is_no_carry() -> None:
    n, x, y = given(0, dtype=int64), given(1, 3), given(2, 3)
    a, b, c = given(0, dtype=int64), given(1, 3), given(2, 3)
    results = while_loop(Graph((a, b, c), (a < 3,)), Graph((a, b, c), (a + 1, b, c + b)), (n, x, y), ())
    assert results[1] is x
    assert results[2]["carries"] == 2
    found = both(Graph((n, x, y), results), 0, np.ones(3), np.zeros(3))
    np.testing.assert_array_equal(found[2], [3, 3, 3])


def test_carries_that_nobody_wants_are_left_out() -> None:
    """By machine code: of two results of a loop only the one that is wanted, and what it needs, is computed."""
    n, x = given(0, dtype=int64), given(1, 2)
    a, b = given(0, dtype=int64), given(1, 2)
    counted, _ = while_loop(Graph((a, b), (a < 5,)), Graph((a, b), (a + 1, lang.sin(b))), (n, x), ())
    graph = Graph((n, x), (counted,))
    plan = Native(graph, [None] * 2)
    assert natively(plan, [np.array(0), np.zeros(2)])[0] == 5
    (driven,) = plan._driven.values()
    assert driven.count == 1


def test_cheap_branches_are_both_computed() -> None:
    p, x = given(0, dtype=bool_), given(1, 3)
    a = given(0, 3)
    (cheap,) = cond(p, Graph((a,), (a * 2,)), Graph((a,), (a + 1,)), (x,))
    assert [n.op.name for n in simplify(Graph((p, x), (cheap,))).nodes() if n.op.kind == "control"] == []
    index = given(1, dtype=int64)
    (guarded,) = cond(
        p, Graph((a, index), (lang.take(a, index),)), Graph((a, index), (lang.sum(a),)), (x, given(2, dtype=int64))
    )
    graph = Graph((p, x, given(2, dtype=int64)), (guarded,))
    assert any(n.op.name == "cond" for n in simplify(graph).nodes())
    assert both(graph, False, np.ones(3), 7)[0] == 3  # an index that would be refused is not looked up
    for run in (Interpretation(graph), lambda arrays: natively(Native(graph, [None] * 3), arrays)):
        with pytest.raises(IndexOutOfRange):
            run([np.array(True), np.ones(3), np.array(7)])


def test_a_known_predicate_leaves_one_branch() -> None:
    x, a = given(0, 2, 2), given(0, 2, 2)
    (found,) = cond(constant(True, bool_), Graph((a,), (lang.matmul(a, a),)), Graph((a,), (a,)), (x,))
    assert {n.op.name for n in simplify(Graph((x,), (found,))).nodes()} == {"input", "matmul"}


def test_loops_within_branches_within_loops() -> None:
    """The sum over i < n of i! for odd i, and of i for others."""
    n, total, limit = given(0, dtype=int64), given(1), given(2, dtype=int64)
    k, product, i = given(0, dtype=int64), given(1), given(2, dtype=int64)
    factors = Graph((k, product, i), (lang.apply("less", k, i),))
    turn = Graph((k, product, i), (k + 1, product * lang.cast(k + 1, float64)))
    inner = given(0, dtype=int64)
    factorial = while_loop(factors, turn, (constant(0, int64), constant(1.0, float64)), (inner,))[1]
    odd = lang.equal(lang.apply("remainder", n, 2), 1)
    (term,) = cond(odd, Graph((inner,), (factorial,)), Graph((inner,), (lang.cast(inner, float64),)), (n,))
    body = Graph((n, total, limit), (n + 1, total + term, limit))
    found = while_loop(Graph((n, total, limit), (n < limit,)), body, (n, total, limit), ())
    assert both(Graph((n, total, limit), found), 0, 0.0, 6)[1] == 1 + 6 + 120 + 0 + 2 + 4


def test_complex_numbers_in_branches_and_loops() -> None:
    z = torch.tensor([1 + 1j, 2 - 1j])
    (powers,) = control.while_loop(lambda z: z.abs().sum() < 50.0, lambda z: [z * z], [z])
    np.testing.assert_allclose(powers.numpy(), z.numpy() ** 8, rtol=1e-5)
    (chosen,) = control.cond(z.real.sum() > 0, lambda: [z.conj() @ torch.ones(2, 2, dtype=z.dtype)], lambda: [z])
    np.testing.assert_allclose(chosen.numpy(), z.numpy().conj() @ np.ones((2, 2)), rtol=1e-6)


def test_graphs_that_do_not_fit_are_refused() -> None:
    x, p = given(1, 3), given(0, dtype=bool_)
    a = given(0, 3)
    with pytest.raises(ShapeError, match="both branches to give the same"):
        cond(p, Graph((a,), (a * 2,)), Graph((a,), (lang.sum(a),)), (x,))
    with pytest.raises(ShapeError, match=r"carry 0: expected float64\[3\] after each turn as before it"):
        while_loop(Graph((a,), (lang.sum(a) < 3,)), Graph((a,), (lang.sum(a),)), (given(0, 3),), ())
    with pytest.raises(ShapeError, match="condition that gives one truth value"):
        while_loop(Graph((a,), (a < 3,)), Graph((a,), (a + 1,)), (given(0, 3),), ())
    with pytest.raises(ArgumentError, match="changes from turn to turn"):
        while_loop(Graph((a,), (lang.sum(a) < 3,)), Graph((a,), ()), (), (given(0, 3),))


# -- tensors -----------------------------------------------------------------------------------------------------------
@TIERS
def test_gradients_of_a_loop(tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOGRAPH_TIER", tier)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor(2.0, requires_grad=True)
    y, turns = control.while_loop(
        lambda y, n: y.sum() < 50, lambda y, n: [y * w, n + 1], [x, torch.tensor(0, dtype=torch.int64)]
    )
    assert turns.item() == 5
    y.sum().backward()
    assert x.grad.tolist() == [32.0, 32.0]
    assert w.grad.item() == 3 * 5 * 2**4


def test_derivatives_of_higher_order() -> None:
    def iterate(x):
        return control.while_loop(lambda y: y.sum() < 50, lambda y: [y * y + 1], [x])[0].sum()

    def closed(x):
        y = x * x + 1
        y = y * y + 1
        return (y * y + 1).sum()

    x = torch.tensor([1.0, 1.5], dtype=torch.float64)
    for order in (torch.func.grad, torch.func.hessian):
        found, expected = order(iterate)(x).detach(), order(closed)(x).detach()
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10)


def test_vmap() -> None:
    found = torch.func.vmap(lambda x: control.while_loop(lambda y: y < 50, lambda y: [y * y + 1], [x])[0])(
        torch.tensor([1.0, 2.0, 60.0])
    )
    assert found.tolist() == [677.0, 677.0, 60.0]


@TIERS
def test_what_is_written(tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors from outside, in branches and loops; those that were not reached stay as they were."""
    monkeypatch.setenv("DUOGRAPH_TIER", tier)
    state, other = torch.zeros(3), torch.ones(3)
    view = state[1:]

    def then():
        state.add_(1.0)
        return []

    def otherwise():
        other.mul_(2.0)
        return []

    def body(n):
        control.cond(n % 2 == 0, then, otherwise)
        return [n + 1]

    (n,) = control.while_loop(lambda n: n < 5, body, [torch.tensor(0)])
    assert (n.item(), state.tolist(), other.tolist()) == (5, [3.0] * 3, [4.0] * 3)
    assert view.tolist() == [3.0, 3.0]
    control.while_loop(lambda n: n < 5, body, [n])
    assert state.tolist() == [3.0] * 3
    with pytest.raises(GraphError, match="the condition gives a tensor other content"):
        control.while_loop(lambda n: state.add_(1.0).sum() < 3, lambda n: [n], [n])
    assert state.tolist() == [3.0] * 3


def test_numbers_drawn_in_a_loop_differ_from_turn_to_turn() -> None:
    def drawn() -> np.ndarray:
        def turn(n, rows):
            return [n + 1, torch.index_put(rows, (n.reshape(1),), torch.rand(1, 4))]

        start = [torch.tensor(0), torch.zeros(50, 4)]
        return control.while_loop(lambda n, rows: n < 50, turn, start)[1].numpy()

    torch.manual_seed(3)
    first, second = drawn(), drawn()
    torch.manual_seed(3)
    np.testing.assert_array_equal(first, drawn())
    everything = np.concatenate([first.ravel(), second.ravel()])
    assert len(np.unique(everything)) > 395
    assert abs(everything.mean() - 0.5) < 0.05


def test_a_value_inside_cannot_be_read() -> None:
    x = torch.ones(2)
    with pytest.raises(UnreadableError, match="cannot be read"):
        control.while_loop(lambda n: n < 5, lambda n: [n + int(n)], [torch.tensor(0)])
    with pytest.raises(ShapeError, match=r"Received: float32\[2\] and float32\[\]"):
        control.cond(x.sum() > 0, lambda: [x], lambda: [x.sum()])


def test_a_gradient_of_ones_own_would_be_lost() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy

    with pytest.raises(UnreadableError, match="a gradient of one's own"):
        control.while_loop(lambda x: x < 9, lambda x: [Double.apply(x)], [torch.tensor(1.0)])


def test_the_log_shows_the_loop_and_its_turn() -> None:
    x = torch.ones(4, dtype=torch.float64)
    with debug.plans("fusion") as plans:
        (y,) = control.while_loop(lambda y: y.sum() < 100, lambda y: [torch.exp(y * 0.5)], [x])
        y.numpy()
    text = str(plans)
    assert "while_loop by the host" in text
    assert "exp" in text
