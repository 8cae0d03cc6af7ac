"""Compiled functions: a replay does what the Python did, bit for bit, and notices when it would not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import duograph
import duograph.torch as torch
from duograph import nn, optim
from duograph.graph.trace import tree
from duograph.optim import lr_scheduler

Step = Callable[..., Any]


@pytest.fixture(autouse=True)
def one_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter and the compiler round differently, and a plan is compiled when it is seen again."""
    monkeypatch.setenv("DUOGRAPH_TIER", "interpreted")
    tree.clear()


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.last(self.drop(self.norm(self.first(x)).relu()))


def batch(k: int, size: int = 4) -> tuple[Any, Any]:
    random = np.random.default_rng(k)
    x, y = random.normal(size=(size, 5)).astype(np.float32), random.integers(0, 3, size)
    return torch.from_numpy(x), torch.from_numpy(y)


class Training:
    """A network, its optimiser and a step, compiled or not; both begin alike."""

    def __init__(self, compiled: bool, optimizer: str = "AdamW", **hyper: Any) -> None:
        torch.manual_seed(7)
        self.net = net = Network()
        self.optimizer: Any = getattr(optim, optimizer)(net.parameters(), lr=0.01, **hyper)
        loss_of = nn.CrossEntropyLoss()

        def step(x: Any, y: Any) -> Any:
            self.optimizer.zero_grad()
            loss = loss_of(net(x), y)
            loss.backward()
            self.optimizer.step()
            return loss

        self.runs = 0
        self.step: Any = duograph.compile(self.counted(step)) if compiled else step

    def counted(self, step: Step) -> Step:
        def counting(x: Any, y: Any) -> Any:
            self.runs += 1
            return step(x, y)

        return counting

    def state(self) -> list[Any]:
        held = [t.tolist() for t in self.net.state_dict().values()]
        held += [t.tolist() for s in self.optimizer.state.values() for t in s.values()]
        return held + [p.grad.tolist() for p in self.net.parameters() if p.grad is not None]


def both(program: Callable[[Training], list[Any]], *, runs: int, **keywords: Any) -> Training:
    """The program gives the same, compiled or not; the compiled step's Python ran `runs` times."""
    plain, compiled = Training(False, **keywords), Training(True, **keywords)
    torch.manual_seed(1)
    expected = program(plain)
    torch.manual_seed(1)
    assert program(compiled) == expected
    assert compiled.state() == plain.state()
    assert compiled.runs == runs, duograph.debug.compiled(compiled.step)
    return compiled


@pytest.mark.parametrize(
    ("optimizer", "hyper"),
    [
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("AdamW", {"weight_decay": 0.1}),
        ("NAdam", {}),
        ("RMSprop", {"momentum": 0.5, "centered": True}),
        ("ASGD", {"t0": 10.0}),
    ],
)
def test_fifty_steps_with_a_schedule_are_the_same(optimizer: str, hyper: dict[str, Any]) -> None:
    def program(training: Training) -> list[Any]:
        schedule = lr_scheduler.ExponentialLR(training.optimizer, 0.95)
        losses = []
        for k in range(50):
            losses.append(training.step(*batch(k)).item())
            schedule.step()
        return losses

    runs = 5 if optimizer == "ASGD" else 3  # a plain one, and two captured alike
    trained = both(program, runs=runs, optimizer=optimizer, **hyper)
    assert trained.net.norm.num_batches_tracked.item() == 50
    assert "replayed" in duograph.debug.compiled(trained.step)


def test_machine_code_trains_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOGRAPH_TIER", "compiled")
    both(lambda training: [training.step(*batch(k)).item() for k in range(12)], runs=3)


def test_a_smaller_last_batch_is_a_signature_of_its_own() -> None:
    def program(training: Training) -> list[Any]:
        return [training.step(*batch(k, 3 if k % 5 == 4 else 4)).item() for k in range(30)]

    both(program, runs=2 * 3)


def test_modes_and_frozen_parameters_are_noticed() -> None:
    def program(training: Training) -> list[Any]:
        losses: list[float] = []

        def steps(count: int) -> None:
            losses.extend(training.step(*batch(len(losses))).item() for _ in range(count))

        steps(5)
        training.net.eval()
        steps(5)
        training.net.train()
        steps(5)
        training.net.first.weight.requires_grad_(False)
        steps(5)
        training.net.first.weight.requires_grad_(True)
        steps(5)
        training.net.drop.p = 0.0
        steps(5)
        return losses

    both(program, runs=3 + 2 + 0 + 3 + 3 + 2)


def test_hyper_parameters_and_groups_are_noticed() -> None:
    def program(training: Training) -> list[Any]:
        losses = []
        extra = nn.Parameter(torch.ones(2))
        for k in range(24):
            if k == 8:
                training.optimizer.param_groups[0]["betas"] = (0.5, 0.9)
            if k == 12:
                training.optimizer.param_groups[0]["weight_decay"] = 0.0
            if k == 16:
                training.optimizer.add_param_group({"params": [extra]})
            if k == 20:
                training.optimizer.load_state_dict(training.optimizer.state_dict())
            losses.append(training.step(*batch(k)).item())
        return losses

    trained = Training(True)
    program(trained)
    both(program, runs=trained.runs)
    assert trained.runs < 20


def test_weights_loaded_set_or_seen_from_outside_are_the_ones_used() -> None:
    def program(training: Training) -> list[Any]:
        losses: list[Any] = []
        weight = training.net.last.weight
        view = weight.detach()[0]
        for k in range(20):
            if k == 6:
                training.net.load_state_dict({n: t * 0.5 for n, t in training.net.state_dict().items()})
            if k == 9:
                weight.data = torch.ones(3, 8)
            if k == 12:
                array = weight.detach().numpy()
            if k == 15:
                with torch.no_grad():
                    weight[0] = 2.0
            losses.append(training.step(*batch(k)).item())
            losses.append(weight.detach()[0].tolist())
            if k < 9:
                losses.append(view.tolist())
            if k >= 12:
                losses.append(array.tolist())
        return losses

    plain, compiled = Training(False), Training(True)
    torch.manual_seed(1)
    expected = program(plain)
    torch.manual_seed(1)
    assert program(compiled) == expected and compiled.state() == plain.state() and compiled.runs < 10


def test_gradients_kept_from_before_are_not_overwritten() -> None:
    training = Training(True)
    for k in range(6):
        training.step(*batch(k))
    held = training.net.last.weight.grad
    assert held is not None
    kept, weights = held.tolist(), training.net.last.weight.detach().clone()
    before = weights.tolist()
    training.step(*batch(9))
    assert held.tolist() == kept and weights.tolist() == before
    assert training.net.last.weight.grad is not held


def test_accumulation_without_zero_grad() -> None:
    def run(compiled: bool) -> tuple[list[Any], int]:
        torch.manual_seed(0)
        net = nn.Linear(5, 3)

        def accumulate(x: Any, y: Any) -> Any:
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            return loss.detach()

        step, runs = counting(accumulate) if compiled else (accumulate, [])
        made: list[Any] = []
        for k in range(24):
            if k % 6 == 0:
                net.zero_grad()
            made.append(step(*batch(k)).item())
            assert net.weight.grad is not None
            made.append(net.weight.grad.tolist())
        return made, len(runs)

    plain, compiled = run(False), run(True)
    assert plain[0] == compiled[0] and compiled[1] < 8


def counting(function: Step) -> tuple[Any, list[int]]:
    """The function compiled, and a list that grows when its Python runs."""
    runs: list[int] = []

    def counted(*args: Any, **keywords: Any) -> Any:
        runs.append(1)
        return function(*args, **keywords)

    return duograph.compile(counted), runs


def test_nests_keywords_and_several_results() -> None:
    f, runs = counting(lambda pair, scale=1.0, *, names: {n: (pair["a"] * scale, [pair["b"], None, n]) for n in names})
    for k in range(6):
        a, b = torch.full((2,), float(k)), torch.ones(3)
        made = f({"a": a, "b": b}, scale=2.0, names=("x", "y"))
        assert made["x"][0].tolist() == [2 * k, 2 * k] and made["y"][1][0] is b and made["x"][1][1:] == [None, "x"]
    assert len(runs) == 3
    assert f({"a": a, "b": b}, scale=3.0, names=("x",))["x"][0].tolist() == [15, 15] and len(runs) == 4


def test_arguments_that_share_memory_are_another_signature() -> None:
    f, runs = counting(lambda a, b: a - b)
    for k in range(4):
        assert f(torch.full((2,), float(k)), torch.ones(2)).tolist() == [k - 1] * 2
    x = torch.ones(2)
    assert f(x, x).tolist() == [0, 0] and len(runs) == 4


def test_arguments_written_in_place() -> None:
    f, runs = counting(lambda x, k: x.mul_(2).add_(k))
    for n in range(6):
        array = np.full(3, n, np.float32)
        x = torch.from_numpy(array)
        view = x[1:]
        assert f(x, 1) is x and array.tolist() == [2 * n + 1] * 3 and view.tolist() == [2 * n + 1] * 2
    assert len(runs) == 3 or "read" in duograph.debug.compiled(f)
    for n in range(6):
        x = torch.full((3,), float(n))
        view = x[1:]
        assert f(x, 1) is x and x.tolist() == [2 * n + 1] * 3 and view.tolist() == [2 * n + 1] * 2


def test_what_reads_a_value_is_recorded_each_time() -> None:
    f, runs = counting(lambda x: x * 2 if x.sum().item() > 0 else -x)
    for k in range(-6, 6):
        x = torch.full((2,), float(k))
        assert f(x).tolist() == ([2 * k] * 2 if k > 0 else [-k] * 2)
    assert len(runs) == 12 and "read" in duograph.debug.compiled(f)
    flag = torch.tensor(True)
    g, runs = counting(lambda x: x if flag else -x)
    assert [g(torch.ones(1)).item() for _ in range(3)] == [1, 1, 1] and len(runs) == 3


def test_tensors_kept_in_lists_and_attributes_are_noticed() -> None:
    losses: list[Any] = []

    def keeps(x: Any) -> Any:
        losses.append(x.sum())
        return x + 1

    f = duograph.compile(keeps)
    for k in range(12):
        f(torch.full((2,), float(k)))
    assert [loss.item() for loss in losses] == [2.0 * k for k in range(12)]
    assert "kept outside" in duograph.debug.compiled(f)


def test_python_that_computes_no_tensor_does_not_run_in_a_replay() -> None:
    calls: list[str] = []

    def f(x: Any) -> Any:
        calls.append("called")
        return x + 1

    compiled = duograph.compile(f)
    for _ in range(10):
        compiled(torch.ones(2))
    assert len(calls) == 3, "docs/compile.md says so"


def test_variables_and_globals_are_noticed() -> None:
    scale = 1.0
    weight = torch.ones(2)

    def f(x: Any) -> Any:
        return x * scale + weight

    compiled = duograph.compile(f)
    x = torch.ones(2)
    for _ in range(4):
        assert compiled(x).tolist() == [2, 2]
    scale = 3.0
    for _ in range(4):
        assert compiled(x).tolist() == [4, 4]
    weight = torch.zeros(2)
    for _ in range(4):
        assert compiled(x).tolist() == [3, 3]
    weight.add_(1)
    assert compiled(x).tolist() == [4, 4]


def test_random_numbers_go_on() -> None:
    f, runs = counting(lambda x: (x + torch.rand(2), torch.randn(2)))
    x = torch.zeros(2)
    torch.manual_seed(3)
    expected = [[t.tolist() for t in (x + torch.rand(2), torch.randn(2))] for _ in range(8)]
    torch.manual_seed(3)
    assert [[t.tolist() for t in f(x)] for _ in range(8)] == expected and len(runs) == 3
    after = torch.rand(1).item()
    torch.manual_seed(3)
    assert [[t.tolist() for t in f(x)] for _ in range(8)] == expected and torch.rand(1).item() == after
    assert len(runs) == 3


def test_errors_inside_are_those_of_the_function() -> None:
    def f(x: Any, fail: bool) -> Any:
        if fail:
            raise KeyError("mine")
        return x @ torch.ones(3, 2)

    compiled = duograph.compile(f)
    for _ in range(4):
        assert compiled(torch.ones(2, 3), False).tolist() == [[3, 3], [3, 3]]
        with pytest.raises(KeyError, match="mine"):
            compiled(torch.ones(2, 3), True)
        with pytest.raises(RuntimeError, match="test_compile.py"):
            compiled(torch.ones(2, 4), False)
    index = torch.tensor([1])
    g = duograph.compile(lambda x, k: x[k])
    for _ in range(4):
        assert g(torch.ones(2), index).tolist() == [1]
    for _ in range(2):
        with pytest.raises(IndexError):
            g(torch.ones(2), torch.tensor([7])).tolist()
    assert g(torch.ones(2), index).tolist() == [1]


def test_gradients_through_a_compiled_function() -> None:
    f, runs = counting(lambda x: (x * x).sum())
    for k in range(4):
        x = torch.full((2,), float(k)).requires_grad_()
        f(x).backward()
        assert x.grad is not None and x.grad.tolist() == [2 * k, 2 * k]
    with torch.no_grad():
        runs.clear()
        assert [f(torch.ones(2)).item() for _ in range(4)] == [2] * 4 and len(runs) == 3


def test_a_loss_that_was_differentiated_cannot_be_once_more() -> None:
    training = Training(True)
    for k in range(5):
        loss = training.step(*batch(k))
    assert training.runs == 3 and loss.requires_grad
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_modules_and_methods() -> None:
    torch.manual_seed(0)
    net = Network()
    compiled = torch.compile(net)
    x, _ = batch(0)
    compiled.eval()
    assert not net.training and list(compiled.parameters()) == list(net.parameters()) and compiled.drop is net.drop
    expected = net(x).tolist()
    with torch.no_grad():
        assert all(compiled(x).tolist() == expected for _ in range(4))
        assert "replayed" in duograph.debug.compiled(compiled)
        net.last = nn.Linear(8, 2)
        assert compiled(x).shape == (4, 2)

    class Scaler:
        def __init__(self, by: float) -> None:
            self.by = torch.tensor(by)

        @torch.compile(mode="max-autotune")
        def scale(self, x: Any) -> Any:
            return x * self.by

    two, three = Scaler(2.0), Scaler(3.0)
    for _ in range(4):
        assert two.scale(torch.ones(1)).item() == 2 and three.scale(torch.ones(1)).item() == 3


def test_compiled_functions_call_each_other_and_stay_out_of_eager_mode() -> None:
    inner, inside = counting(lambda x: x + 1)
    outer, outside = counting(lambda x: inner(x) * 2)
    for k in range(5):
        assert outer(torch.full((1,), float(k))).item() == 2 * k + 2
    assert len(inside) == len(outside) == 3
    with duograph.eager():
        assert outer(torch.ones(1)).item() == 4
    assert len(outside) == 4


def test_pending_work_around_a_replay_is_right() -> None:
    weight = torch.ones(2)

    def f(x: Any) -> Any:
        weight.add_(x)
        return weight * 2

    compiled = duograph.compile(f)
    for k in range(6):
        before = weight * 10
        made = compiled(torch.ones(2))
        after = weight * 10
        assert before.tolist() == [10 * (k + 1)] * 2
        assert made.tolist() == [2 * (k + 2)] * 2 and after.tolist() == [10 * (k + 2)] * 2


def test_a_loss_whose_last_operation_keeps_nothing() -> None:
    weight = nn.Parameter(torch.ones(3))

    def f(x: Any) -> Any:
        weight.grad = None
        loss = ((weight * x) ** 2).mean()
        loss.backward()
        return loss

    compiled, runs = counting(f)
    for k in range(6):
        assert compiled(torch.full((3,), float(k))).item() == k * k
        assert weight.grad is not None and weight.grad.tolist() == pytest.approx([2 * k * k / 3] * 3)
    assert len(runs) == 3


def test_a_function_that_computes_nothing() -> None:
    f = duograph.compile(lambda x: x)
    x = torch.ones(2)
    for _ in range(5):
        assert f(x) is x
    assert "computes nothing" in duograph.debug.compiled(f)


def test_schedules_inside_and_disabled_functions_are_recorded() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer = optim.SGD([weight], lr=1.0)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)

    @duograph.compile
    def step() -> None:
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()
        schedule.step()

    for _ in range(5):
        step()
    assert optimizer.param_groups[0]["lr"] == 0.5**5 and weight.item() == 1 - sum(0.5**k for k in range(5))
    assert "schedule" in duograph.debug.compiled(step)
    calls: list[int] = []
    always = torch.compiler.disable(lambda: calls.append(1))
    g = duograph.compile(lambda x: (always(), x + 1)[1])
    for _ in range(5):
        g(torch.ones(1))
    assert len(calls) == 5


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="function or a module"):
        duograph.compile(3)
    with pytest.raises(TypeError, match="duograph.compile made"):
        duograph.debug.compiled(len)
