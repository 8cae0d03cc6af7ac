"""What interrupts, threads, forks and other processes leave of a computation."""

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
from duograph.runtime import driver, native, pool, targets
from tests.execution_tools import Net

ROOT = Path(__file__).resolve().parent.parent
WITH_TIMERS = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timers")
WITH_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


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
