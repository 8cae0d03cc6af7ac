"""Who runs plans and when, what may be overwritten, and what is left after errors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph import nn
from duograph.codegen.loops.kernel import Loops
from duograph.graph import language as lang
from duograph.graph.dtype import float32
from duograph.graph.errors import ArgumentError, IndexOutOfRange
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime import execute, objects
from duograph.runtime.buffer import Buffer
from duograph.runtime.execute import Plan
from duograph.runtime.jit import CompileError
from duograph.runtime.native import Native
from duograph.runtime.objects import ObjectCache
from tests.execution_tools import Net


def leaf(shape: tuple[int, ...]) -> Node:
    return make(PRIMITIVES["input"], position=0, shape=shape, dtype=float32)


# tiers


class Ways:
    """Counts who ran: `"interpreter"` or `"native"`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[str] = []
        interpreted, native = execute.interpreted, Native.__call__

        def watch(*args: Any) -> Any:
            self.runs.append("interpreter")
            return interpreted(*args)

        def run(plan: Native, *args: Any) -> Any:
            self.runs.append("native")
            return native(plan, *args)

        monkeypatch.setattr(execute, "interpreted", watch)
        monkeypatch.setattr(Native, "__call__", run)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


@pytest.mark.parametrize(
    ("tier", "kind", "expected"),
    [
        ("auto", "exact", ["interpreter", "native", "native"]),
        ("", "exact", ["interpreter", "native", "native"]),
        ("auto", "rounding", ["native"] * 3),
        ("auto", "long", ["native"] * 3),
        (" Compiled ", "exact", ["native"] * 3),
        ("interpreted", "rounding", ["interpreter"] * 3),
    ],
)
def test_who_runs_a_plan(
    tier: str, kind: str, expected: list[str], ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default a graph is compiled when it comes again; at once if it would take long or round otherwise."""
    monkeypatch.setenv("DUOGRAPH_TIER", tier)
    x = leaf((3,))
    plan = Plan(Graph((x,), (lang.tanh(x) if kind == "rounding" else -x,)), [None])
    if kind == "long":
        monkeypatch.setattr(execute, "patience", lambda _: execute.PATIENCE * 2)
    for _ in expected:
        plan([Buffer(np.ones(3, np.float32))])
    assert ways.runs == expected


def test_how_long_the_interpreter_would_take_is_a_rule() -> None:
    """By nodes, elements and products."""
    x = leaf((64, 64))
    assert execute.patience(Graph((x,), (lang.tanh(x),))) < 1e-4
    large = leaf((2000, 2000))
    assert execute.patience(Graph((large,), (lang.matmul(large, large),))) > execute.PATIENCE


def test_a_tier_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOGRAPH_TIER", "fast")
    with pytest.raises(ArgumentError, match="DUOGRAPH_TIER must be one of auto, compiled, interpreted.*'fast'"):
        Plan(Graph((leaf((2,)),), (leaf((2,)),)), [None])


def test_both_tiers_train_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """To 1e-5 after ten steps in float32."""
    found = []
    for tier in ("interpreted", "compiled", "auto"):
        monkeypatch.setenv("DUOGRAPH_TIER", tier)
        net = Net()
        found.append(net.train(10))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-5, atol=1e-5)


# an optimiser's step, in place


def test_parameters_and_states_are_overwritten_where_they_lie(compiled: None) -> None:
    """New ones take the memory of old ones, if not each its own."""
    weight = nn.Parameter(torch.linspace(-1, 1, 1003))
    optimizer = torch.optim.Adam([weight], lr=0.1)

    def step() -> set[int]:
        optimizer.zero_grad()
        ((weight - 0.5) ** 2).sum().backward()
        optimizer.step()
        tensors = [weight, *(t for t in optimizer.state[weight].values() if t.ndim)]
        return {t._value.buffer.address for t in tensors}

    for _ in range(3):
        places = step()
    assert len(places) == 3
    for _ in range(5):
        assert step() == places


def _later(t: Any) -> Callable[[], np.ndarray]:
    return lambda: np.array(t.detach().numpy())


HOLDERS: dict[str, Callable[[Net], Callable[[], np.ndarray]]] = {
    "a copy": lambda net: _later(net.weight.detach().clone()),
    "the same numbers": lambda net: _later(net.weight + 0),
    "a row": lambda net: _later(net.weight[1] * 1),
    "a tensor in a list": lambda net: _later([net.weight.clone()][0]),
    "a state that was copied": lambda net: _later(copy.deepcopy(net.net.state_dict())["0.weight"]),
    "what a network computes": lambda net: _later(net.net(net.x)),
    "a DLPack export of a copy": lambda net: (lambda a: lambda: np.array(a))(
        np.from_dlpack(net.weight.detach().clone())
    ),
}
"""Ways to come by numbers that are of before the step."""


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.parametrize("realised", [True, False])
def test_what_was_made_of_a_parameter_keeps_the_old_numbers(name: str, realised: bool, compiled: None) -> None:
    """Whether it had been computed when the parameter was overwritten or not."""
    net = Net(width=6)
    net.train(3)
    expected, before = HOLDERS[name](net)(), net.numbers()
    look = HOLDERS[name](net)
    if realised:
        look()
    net.step()
    net.step()
    np.testing.assert_array_equal(look(), expected)
    assert (net.numbers() != before).all()


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_packed_weights_follow_the_weights(mode: str, compiled: None) -> None:
    """A plan that predicts keeps its weights packed from call to call: after every way to change them it must not."""
    torch.manual_seed(0)
    net = getattr(nn.Sequential(nn.Linear(96, 80), nn.Linear(80, 64)), mode)()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.linspace(-1, 1, 64 * 96).reshape(64, 96)

    def predicted() -> np.ndarray:
        with torch.no_grad():
            return np.array(net(x).numpy())

    def right() -> np.ndarray:
        (v, a), (w, b) = ([np.array(p.detach().numpy()) for p in layer.parameters()] for layer in net)
        return (np.array(x.numpy()) @ v.T + a) @ w.T + b

    def in_place() -> None:
        with torch.no_grad():
            net[0].weight.mul_(0.5)

    def through_numpy() -> None:
        net[1].weight.detach().numpy()[3] = 7

    def step() -> None:
        optimizer.zero_grad()
        net(x).sum().backward()
        optimizer.step()

    def load() -> None:
        net.load_state_dict({name: value * 0.9 for name, value in net.state_dict().items()})

    held = net[1].weight.detach().numpy()

    def later_through_numpy() -> None:
        held[5] = -2

    def replaced() -> None:
        net[0].weight = nn.Parameter(torch.ones(80, 96))

    changes = (in_place, through_numpy, step, load, later_through_numpy, step, replaced, in_place)
    for change in (lambda: None, *changes):
        change()
        for _ in range(3):
            np.testing.assert_allclose(predicted(), right(), rtol=1e-4, atol=1e-3, err_msg=str(change))


def test_what_shares_a_parameter_s_memory_follows_it(compiled: None) -> None:
    """As in PyTorch: a detached tensor, a NumPy array and a DLPack export are the parameter, seen otherwise."""
    net = Net(width=7)
    net.train(3)
    detached, array = net.weight.detach(), net.weight.detach().numpy()
    exported = np.from_dlpack(net.weight.detach())
    net.train(2)
    for seen in (detached.numpy(), array, exported):
        np.testing.assert_array_equal(seen, net.weight.detach().numpy())


# errors


class Lookup:
    """A table and a weight that are trained by what `indices` and `divisor` look up."""

    def __init__(self) -> None:
        self.table = nn.Parameter(torch.linspace(-1, 1, 44).reshape(11, 4))
        self.head = nn.Parameter(torch.linspace(0, 1, 4))
        self.optimizer = torch.optim.SGD([self.table, self.head], lr=0.1, momentum=0.9)

    def step(self, indices: Any, divisor: Any) -> None:
        self.optimizer.zero_grad()
        (torch.tanh(nn.functional.embedding(indices // divisor, self.table)) * self.head).sum().backward()
        self.optimizer.step()

    def numbers(self) -> list[np.ndarray]:
        """Parameters and states, without a look at their own memory."""
        states = [self.optimizer.state[p]["momentum_buffer"] for p in (self.table, self.head)]
        with torch.no_grad():
            return [(t + 0).numpy() for t in (self.table, self.head, *states)]


@pytest.mark.parametrize("wrong", ["index", "negative index", "division"])
def test_data_that_are_refused_leave_everything_as_it_was(wrong: str, compiled: None) -> None:
    """The error names the user's line; no parameter and no state is overwritten, and the next step is the next step."""
    here, there = Lookup(), Lookup()
    good, one = torch.tensor([2, 4, 6, 7]), torch.tensor(2)
    for _ in range(3):
        here.step(good, one)
        there.step(good, one)
    before = here.numbers()
    bad, divisor, error, message = {
        "index": (torch.tensor([2, 4, 22, 6]), one, IndexOutOfRange, "index 11 is out of range for axis 0 of size 11"),
        "negative index": (torch.tensor([2, -23, 1, 6]), one, IndexOutOfRange, "is out of range for axis 0"),
        "division": (good, torch.tensor(0), ArgumentError, "division by zero"),
    }[wrong]
    for _ in range(2):
        with pytest.raises(error, match=message) as caught:
            here.step(bad, divisor)
        assert "test_execution.py" in str(caught.value)
    for a, b in zip(before, here.numbers(), strict=True):
        np.testing.assert_array_equal(a, b)
    for _ in range(2):
        here.step(good, one)
        there.step(good, one)
    for a, b in zip(there.numbers(), here.numbers(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_computed_before_the_refusal_is_computed_again(compiled: None) -> None:
    """One plan, by turns with good and bad data."""
    table = torch.linspace(0, 1, 33)
    for turn in range(4):
        index = torch.tensor([1, 2, 3]) + 30 * (turn % 2)
        looked_up = torch.take(table * 2, index)
        if turn % 2:
            with pytest.raises(IndexOutOfRange, match="index 33"):
                looked_up.numpy()
            with pytest.raises(IndexOutOfRange, match="index 33"):  # it stays failed
                looked_up.sum().numpy()
        else:
            np.testing.assert_allclose(looked_up.numpy(), np.linspace(0, 1, 33)[1:4] * 2, rtol=1e-6)


def test_a_kernel_that_cannot_be_compiled(monkeypatch: pytest.MonkeyPatch, compiled: None) -> None:
    """The error names the kernel and says what LLVM said; the process goes on, and so does the same computation."""
    body = Loops.body

    def broken(self: Loops, f: Any, *rest: Any) -> None:
        body(self, f, *rest)
        if "sinh" in self.title:
            f.emit("nonsense", "i64", "wrong")

    monkeypatch.setattr(Loops, "body", broken)
    monkeypatch.setattr(objects, "cache", lambda: ObjectCache(None))
    x, y = np.linspace(0, 1, 7, dtype=np.float32), np.linspace(0, 1, 9, dtype=np.float32)
    wrong = torch.sinh(torch.tensor(x)) * 1.28125
    with pytest.raises(CompileError, match=r"kernel \w*sinh\w* cannot be compiled: .*expected instruction opcode"):
        wrong.numpy()
    np.testing.assert_allclose((torch.cos(torch.tensor(y)) - 3).numpy(), np.cos(y) - 3, rtol=1e-6)
    monkeypatch.setattr(Loops, "body", body)
    np.testing.assert_allclose((torch.sinh(torch.tensor(x)) * 1.28125).numpy(), np.sinh(x) * 1.28125, rtol=1e-6)
