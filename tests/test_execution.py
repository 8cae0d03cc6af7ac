"""Who runs plans and when, what may be overwritten, and what is left after errors, interrupts and forks."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
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
from duograph.runtime import driver, execute, native, objects, pool, targets
from duograph.runtime.buffer import Buffer
from duograph.runtime.execute import Plan
from duograph.runtime.jit import CompileError
from duograph.runtime.native import Native
from duograph.runtime.objects import ObjectCache

ROOT = Path(__file__).resolve().parent.parent
WITH_TIMERS = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timers")
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


# interrupts


class Interrupting:
    """The driver, and an interrupt once it is `armed`: `"before"` it runs, or `"after"`."""

    armed = ""

    def __call__(self, address: int) -> None:
        armed, self.armed = self.armed, ""
        if armed == "before":
            raise KeyboardInterrupt
        driver.entry()[1](address)
        if armed == "after":
            raise KeyboardInterrupt


INTERRUPTING = Interrupting()
"""One for all tests: plans are kept from one to the next."""


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Interrupting:
    """The driver of all plans that are made in the test."""
    monkeypatch.setattr(native, "driver", SimpleNamespace(**{**vars(driver), "entry": lambda: (None, INTERRUPTING)}))
    return INTERRUPTING


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("turn", [0, 1, 5])
def test_an_interrupted_step_is_made_or_not(when: str, turn: int, interrupting: Interrupting, compiled: None) -> None:
    """Wholly: after an interrupt the parameters are those of before or after the step, and the training goes on from
    there as if nothing had been."""
    here, there = Net(width=9), Net(width=9)
    for net in (here, there):
        net.optimizer = torch.optim.SGD(net.net.parameters(), lr=0.1)
        net.train(turn)
    interrupting.armed = when
    with pytest.raises(KeyboardInterrupt):
        here.step()
        here.numbers()
    assert not interrupting.armed
    trajectory = [there.numbers(), *(there.train(1) for _ in range(3))]
    now = here.numbers()
    (place,) = [k for k in (0, 1) if np.array_equal(trajectory[k], now)]
    if when == "after":
        assert place == 1
    np.testing.assert_array_equal(here.train(2), trajectory[place + 2])


@WITH_TIMERS
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a signal within a destructor
def test_interrupts_at_any_time(compiled: None) -> None:
    """Signals while it computes: whoever asks again gets the right numbers."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    generator = np.random.default_rng(0)
    a = generator.standard_normal((150, 150)).astype(np.float32) / 12
    before = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for turn in range(60):
            start = torch.tensor(a)
            y = start + turn
            for _ in range(12):
                y = torch.tanh(y @ start)
            try:
                signal.setitimer(signal.ITIMER_REAL, generator.uniform(1e-4, 3e-3))
                y.numpy()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            expected = a + np.float32(turn)
            for _ in range(12):
                expected = np.tanh(expected @ a)
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-3, atol=1e-3)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted


COMPILING = """
    import signal
    import numpy as np
    from duograph.graph import language as lang
    from duograph.graph.dtype import float32
    from duograph.graph.node import PRIMITIVES, Graph, make
    import duograph.runtime.drawing  # which is not what is interrupted
    from duograph.runtime.buffer import Buffer
    from duograph.runtime.native import Native

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    rng, interrupted = np.random.default_rng(0), 0
    x = make(PRIMITIVES["input"], position=0, shape=(33,), dtype=float32)
    for turn in range(60):
        shifted = x + float(rng.random())
        graph = Graph((x,), (lang.tanh(shifted), lang.sum(lang.sin(shifted)), lang.reshape(lang.cos(shifted), (3, 11))))
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-3, 4e-2))
            Native(graph, [None])
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if turn % 10 == 0:
            Native(graph, [None])([Buffer(np.ones(33, np.float32))])
    print(interrupted > 10)
"""


@WITH_TIMERS
def test_interrupts_while_it_compiles() -> None:
    """LLVM's objects are not left half made: the process goes on."""
    assert finished(started(COMPILING, "off")) == "True\n"


# threads and processes


def test_threads_record_and_compute_at_the_same_time(compiled: None) -> None:
    """Each its own trace over shared tensors; the same plan in several threads; one reads what another has recorded."""
    shared = torch.linspace(-1, 1, 1001)
    handed_over: list[Any] = []
    errors: list[BaseException] = []
    x = np.linspace(-1, 1, 1001, dtype=np.float32)

    def work(number: int) -> None:
        try:
            for turn in range(30):
                total = torch.sin(shared * (turn % 3 + 1)) + number
                handed_over.append((number, turn, total * 2))
                np.testing.assert_allclose(total.numpy(), np.sin(x * (turn % 3 + 1)) + number, rtol=1e-5, atol=1e-6)
                other, its_turn, seen = handed_over[(turn * 7 + number) % len(handed_over)]
                expected = (np.sin(x * (its_turn % 3 + 1)) + other) * 2
                np.testing.assert_allclose(seen.numpy(), expected, rtol=1e-5, atol=1e-5)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]


def test_threads_train_models_of_their_own(compiled: None) -> None:
    expected = Net(width=11).train(6)
    found: dict[int, np.ndarray] = {}
    models = [Net(width=11) for _ in range(4)]

    def work(number: int) -> None:
        found[number] = models[number].train(6)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        np.testing.assert_array_equal(found[number], expected)


def _in_child(work: Callable[[], bool]) -> bool:
    """Whether `work` is true in a forked process, which ends without any clean-up."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return status == 0


@WITH_FORK
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_compute(compiled: None) -> None:
    """Before any thread of the pool runs and after; what is pending; with plans that are known and such as are new."""
    net = Net(width=13)
    pending = torch.exp(torch.linspace(0, 1, 40_001)) * 2
    expected_pending = np.exp(np.linspace(0, 1, 40_001, dtype=np.float32)) * 2
    assert _in_child(lambda: np.allclose(pending.numpy(), expected_pending, rtol=1e-5))
    state = copy.deepcopy(net.net.state_dict())
    expected = net.train(4)
    net.net.load_state_dict(state)
    net.optimizer = torch.optim.Adam(net.net.parameters(), lr=0.05)
    large = torch.linspace(0, 1, 500_003)
    assert (large * 2 + 1).sum().item() == pytest.approx(2 * 500_003, rel=1e-5)

    def child() -> bool:
        total = (large * 2 + 1).sum().item() + (large * 3 - 1).max().item()
        return np.array_equal(net.train(4), expected) and abs(total - 2 * 500_003 - 2) < 20

    assert _in_child(child)
    assert _in_child(child)
    np.testing.assert_array_equal(net.train(4), expected)


PROGRAM = """
    import numpy as np, warnings
    import duograph.torch as torch
    from duograph import nn

    torch.manual_seed(0)
    conv = [nn.Conv2d(2, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    net = nn.Sequential(*conv, nn.Linear(5 * 16, 7), nn.Tanh(), nn.Linear(7, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    x = torch.sin(torch.linspace(0, 20, 4 * 2 * 64)).reshape(4, 2, 8, 8)
    y = torch.tensor([0, 1, 2, 1])
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    numbers = [p.detach().double().sum().item() for p in net.parameters()]
    print(*[format(v, ".9g") for v in [loss.item(), *numbers]])
"""


def environment(cache: Path | str, **more: str) -> dict[str, str]:
    return {**os.environ, "DUOGRAPH_CACHE": str(cache), "DUOGRAPH_TIER": "compiled", **more}


def started(program: str, cache: Path | str, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment(cache, **more), stdout=pipe, stderr=pipe, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert errors == ""
    return output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A cache that two processes filled at the same time, and what both printed."""
    cache = tmp_path_factory.mktemp("cache")
    first, second = started(PROGRAM, cache), started(PROGRAM, cache)
    output = finished(first)
    assert finished(second) == output
    return cache, output


COUNTED = (
    PROGRAM
    + """
    from duograph.runtime import code
    print(len(code.compiled), len(code.known()))
"""
)


def test_a_second_process_compiles_nothing(trained: tuple[Path, str]) -> None:
    cache, output = trained
    numbers, counts = finished(started(COUNTED, cache)).splitlines()
    assert numbers == output.strip()
    compiled, known = map(int, counts.split())
    assert compiled == 0
    assert known > 10


def test_damaged_kernels_are_compiled_again_and_never_run(trained: tuple[Path, str], tmp_path: Path) -> None:
    """Half of the entries truncated, in half some bits changed."""
    cache, output = trained
    damaged = tmp_path / "damaged"
    shutil.copytree(cache, damaged)
    entries = sorted(damaged.iterdir())
    for k, path in enumerate(entries):
        content = path.read_bytes()
        path.write_bytes(
            content[: len(content) // 2] if k % 2 else content[:-64] + bytes(b ^ 0xFF for b in content[-64:])
        )
    numbers, counts = finished(started(COUNTED, damaged)).splitlines()
    assert numbers == output.strip()
    compiled, known = map(int, counts.split())
    assert compiled == known
    assert len(list(damaged.iterdir())) == len(entries)
    _, counts = finished(started(COUNTED, damaged)).splitlines()
    assert counts.split()[0] == "0"


def test_a_cache_that_cannot_be_written_only_warns(trained: tuple[Path, str], tmp_path: Path) -> None:
    _, output = trained
    (tmp_path / "file").write_bytes(b"")
    program = "    import warnings; warnings.simplefilter('always')\n" + PROGRAM
    process = started(program, tmp_path / "file" / "folder")
    numbers, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert numbers == output
    assert errors.count("compiled code cannot be kept in") == 1


@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v3"])
def test_other_processors_train_alike(cpu: str, trained: tuple[Path, str], tmp_path: Path) -> None:
    """To 1e-4: their vectors are shorter, or there is no fused multiply-add, so that sums round otherwise."""
    if targets.target().architecture != "x86_64":
        pytest.skip("another architecture has other processors")
    _, output = trained
    found = [float(v) for v in finished(started(PROGRAM, tmp_path, DUOGRAPH_CPU=cpu)).split()]
    np.testing.assert_allclose(found, [float(v) for v in output.split()], rtol=1e-4, atol=1e-4)


def test_the_number_of_threads_changes_no_bits(compiled: None) -> None:
    before = torch.get_num_threads()
    x = torch.linspace(-3, 3, 700_001)
    found = []
    try:
        for threads in (1, 3, 2, 1):
            torch.set_num_threads(threads)
            assert torch.get_num_threads() == pool.get_num_threads() == threads
            found.append((torch.tanh(x) * x).sum().item())
    finally:
        torch.set_num_threads(before)
    assert len(set(found)) == 1
    exact = np.linspace(-3, 3, 700_001)
    assert found[0] == pytest.approx((np.tanh(exact) * exact).sum(), rel=1e-5)
