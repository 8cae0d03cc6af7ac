"""Who runs plans and when, what may be overwritten, and what is left after errors, interrupts, forks and other threads."""

from __future__ import annotations

import copy
import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph import nn
from duograph.codegen.loops.kernel import Loops
from duograph.graph import language as lang
from duograph.graph.dtype import float32
from duograph.graph.errors import ArgumentError, DuographError, IndexOutOfRange
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime import code, execute, objects, pool
from duograph.runtime.buffer import Buffer
from duograph.runtime.execute import Plan
from duograph.runtime.jit import CompileError
from duograph.runtime.native import Native

ROOT = Path(__file__).resolve().parent.parent
WITH_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans made in the test are compiled at once."""
    monkeypatch.setenv("DUOGRAPH_TIER", "compiled")


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
    ("tier", "size", "expected"),
    [
        ("auto", 10, ["interpreter", "native", "native"]),
        ("auto", 20_000_000, ["native"] * 3),
        ("", 10, ["interpreter", "native", "native"]),
        (" Compiled ", 10, ["native"] * 3),
        ("interpreted", 10, ["interpreter"] * 3),
    ],
)
def test_who_runs_a_plan(
    tier: str, size: int, expected: list[str], ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default a small graph is compiled when it comes again, one that would take long at once."""
    monkeypatch.setenv("DUOGRAPH_TIER", tier)
    x = leaf((3,))
    outputs = lang.sum(x) + lang.sum(lang.broadcast_to(x, (size, 3)) * 2.0)
    plan = Plan(Graph((x,), (outputs,)), [None])
    if size > 1000:  # what it would take is what is asked, not the answer
        plan.graph = Graph((x,), (lang.sum(x),))
        monkeypatch.setattr(execute, "patience", lambda _: execute.PATIENCE * 2)
    else:
        assert execute.patience(plan.graph) < execute.PATIENCE
    for _ in expected:
        plan([Buffer(np.ones(3, np.float32))])
    assert ways.runs == expected


def test_how_long_the_interpreter_would_take_is_a_rule() -> None:
    """Nodes, elements and products; a network's training step is too much, a loss of a few numbers is not."""
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


class Net:
    """A small model and an optimiser; shapes of its own, so that its plans are made in the test."""

    def __init__(self, width: int = 5) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.05)
        self.x = torch.linspace(-1, 1, 24).reshape(8, 3)
        self.y = torch.linspace(0, 1, 16).reshape(8, 2)

    @property
    def weight(self) -> Any:
        return self.net[0].weight

    def step(self) -> Any:
        self.optimizer.zero_grad()
        loss = ((self.net(self.x) - self.y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, steps: int) -> np.ndarray:
        for _ in range(steps):
            self.step()
        return self.numbers()

    def numbers(self) -> np.ndarray:
        """All parameters, copied."""
        return np.concatenate([np.array(p.detach().numpy()).ravel() for p in self.net.parameters()])


def address(parameter: Any) -> int:
    return parameter._value.buffer.address


def test_parameters_are_overwritten_where_they_lie(compiled: None) -> None:
    net = Net()
    net.train(3)
    places = [address(p) for p in net.net.parameters()]
    before = net.numbers()
    net.step()
    assert [address(p) for p in net.net.parameters()] == places
    assert (net.numbers() != before).all()


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


def _embedding_step(indices: Any) -> tuple[Any, Any, Callable[[], None]]:
    """A table, an optimiser with momentum, and a step that looks up `indices`."""
    table = nn.Parameter(torch.linspace(-1, 1, 40).reshape(10, 4))
    head = nn.Parameter(torch.linspace(0, 1, 4))
    optimizer = torch.optim.SGD([table, head], lr=0.1, momentum=0.9)

    def step(indices: Any = indices) -> None:
        optimizer.zero_grad()
        chosen = nn.functional.embedding(indices, table)
        (torch.tanh(chosen) * head).sum().backward()
        optimizer.step()

    return table, head, step


def test_an_index_out_of_range_leaves_everything_as_it_was(compiled: None) -> None:
    """The error names the user's line, and no parameter is half overwritten; the next step is the next step."""
    good, bad = torch.tensor([1, 2, 3, 3]), torch.tensor([1, 2, 10, 3])
    table, head, step = _embedding_step(good)
    other_table, other_head, other_step = _embedding_step(good)
    for _ in range(3):
        step()
        other_step()
    before = [np.array(t.detach().numpy()) for t in (table, head)]
    with pytest.raises(IndexOutOfRange, match="index 10 is out of range for axis 0 of size 10") as caught:
        step(bad)
        table.detach().numpy()
    assert "test_execution.py" in str(caught.value)
    after = [np.array(t.detach().numpy()) for t in (table, head)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    step()
    other_step()
    np.testing.assert_allclose(table.detach().numpy(), other_table.detach().numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(head.detach().numpy(), other_head.detach().numpy(), rtol=1e-6, atol=1e-6)
