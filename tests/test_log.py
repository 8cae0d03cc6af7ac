"""What `DUOGRAPH_LOG` and `debug.plans()` show of plans."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import duograph.torch as torch
import duograph.torch.nn as nn
from duograph import debug
from duograph.codegen.launch import Launch
from duograph.graph import trace as tracing
from duograph.graph.errors import ArgumentError
from duograph.graph.text import read
from duograph.runtime import log, peak
from duograph.runtime.native import Native
from duograph.runtime.report import floor_of, place_of, scaled, short, sized

HERE = "test_log.py"


def mlp() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 40), nn.ReLU(), nn.LayerNorm(40), nn.Linear(40, 7)), torch.randn(16, 24)


def conv_net() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 7))
    return nn.Sequential(*layers), torch.randn(4, 3, 8, 8)


def trained(make: Callable[[], tuple[nn.Module, torch.Tensor]], steps: int = 3) -> list[float]:
    """The losses of some steps of training."""
    net, x = make()
    y = torch.arange(x.shape[0]) % 7
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)  # the loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every plan of a test is compiled, and anew."""
    tracing.tree.clear()
    monkeypatch.setenv("DUOGRAPH_TIER", "compiled")
    monkeypatch.delenv("DUOGRAPH_LOG", raising=False)


def collected(make: Callable[[], tuple[nn.Module, torch.Tensor]], *stages: str) -> dict[str, str]:
    """The texts of the stages for the plan of a later step of training, which has only what a step has."""
    with debug.plans(*stages) as seen:
        trained(make)
    last = max(record.plan for record in seen.records if record.stage == stages[0])
    return {record.stage: record.text for record in seen.records if record.plan == last}


def numbers(text: str, pattern: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not in\n{text}"
    return [float(number) for number in found.groups()]


def test_nothing_is_printed_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    trained(mlp)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("make", [mlp, conv_net])
def test_plans(make: Callable[[], tuple[nn.Module, torch.Tensor]], monkeypatch: pytest.MonkeyPatch,
               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("DUOGRAPH_LOG", "plans")
    trained(make)
    out, printed = capsys.readouterr()
    assert not out
    lines = printed.splitlines()
    assert lines and all(line.startswith("duograph: plan ") for line in lines)
    for line in lines:
        assert HERE in line
        before, after, launches, waves = numbers(line, r"(\d+) nodes, (\d+) simplified; (\d+) launch\w* in (\d+) wave")
        assert before >= after > launches >= waves > 0
        kernels, new, disk, memory = numbers(
            line, r"(\d+) kernels? \((\d+) new, (\d+) from disk, (\d+) in memory\); arena "
        )
        assert launches >= kernels == new + disk + memory > 0
        total, *parts = numbers(
            line, r"; ([\d.]+) ms \(simplify ([\d.]+), schedule ([\d.]+), lower ([\d.]+), compile ([\d.]+)\)"
        )
        assert total == pytest.approx(sum(parts), abs=0.3)
        assert total > 0


def test_the_same_plan_again_takes_kernels_from_memory() -> None:
    with debug.plans("plans") as seen:
        for size in (30, 31):
            (torch.ones(size) * 2 + 1).tolist()
    assert seen.count == 2
    assert "0 new, 0 from disk, 1 in memory" in seen.records[1].text


def test_graph() -> None:
    text = collected(mlp, "graph")["graph"]
    recorded, simplified = re.split(r"duograph: plan \d+: graph \w+(?: \w+)?\n", text)[1:]
    assert len(read(recorded).nodes()) > len(read(simplified).nodes())
    assert "# the loss" in recorded


def test_fusion() -> None:
    text = collected(conv_net, "fusion")["fusion"]
    assert re.search(
        r"wave \d+: \w+\+add\S*\n    convolution, add.*  <- test_log.py:\d+: loss = nn.functional.cross_entropy", text
    ), text
    assert re.search(r"  <- test_log.py:\d+: optimizer.step\(\)", text)


def test_fusion_tells_why_nodes_are_apart() -> None:
    x = torch.randn(300, 400)
    with debug.plans("fusion") as seen:
        y = x.exp()
        pair = y.sum(0), y.sum(1)
        [value.tolist() for value in pair]
    text = repr(seen)
    assert "apart from what they need:" in text
    assert re.search(r"sum float32\[\d+\]: the nest reduces other axes  <- test_log.py:\d+: pair = ", text), text


def test_layout() -> None:
    text = collected(conv_net, "layout")["layout"]
    assert re.search(
        r"window_max float32\[4, 16, 4, 4\] in order 0, 2, 3, 1 \(channels last\)  <- test_log.py", text
    ), text
    assert numbers(text, r"copies: (\d+)")[0] == text.split("copies:")[1].count("\n") > 0
    assert re.search(r"input float32\[4, 3, 8, 8\] into order 0, 2, 3, 1 \(channels last\), by a copy", text), text


def test_memory() -> None:
    text = collected(mlp, "memory")["memory"]
    (count,) = numbers(text, r"inputs \S+ \w+, outputs \S+ \w+, (\d+) temporaries of \S+ \w+ in an arena of ")
    assert count == len(re.findall(r"^t\d+ ", text, re.MULTILINE)) > 3
    assert " in place" in text
    assert re.search(r"output \d+ may be written over input \d+, input float32\[40, 24\]", text), text


@pytest.mark.parametrize("make", [mlp, conv_net])
def test_kernels(make: Callable[[], tuple[nn.Module, torch.Tensor]]) -> None:
    text = collected(make, "kernels")["kernels"]
    assert all(number > 0 for number in numbers(text, r"at most ([\d.]+) GFLOP/s and ([\d.]+) GB/s"))
    rows = [line for line in text.splitlines() if re.match(r" *(\d+|once)  ", line)]
    assert len(rows) > 5
    assert any("matmul" in row for row in rows)
    for row in rows:
        chunks, floor = numbers(
            row, r"^ *(?:\d+|once)   \S+ +(\d+) +[\d.]+ \w+ +[\d.]+ ?\w? +([\d.]+)   (?:memory|operations)"
        )
        assert chunks >= 1
        assert floor >= 0


@pytest.mark.parametrize("make", [mlp, conv_net])
def test_profile(make: Callable[[], tuple[nn.Module, torch.Tensor]]) -> None:
    text = collected(make, "profile")["profile"]
    waves, whole = numbers(text, r"profile: ([\d.]+) us wave by wave, ([\d.]+) us as a whole")
    assert waves > 0
    assert whole > 0
    found = re.findall(
        r"^ *\d+   .*? +([\d.]+) +([\d.]+) +[\d.]+ +[\d.]+ +\d+(?:   test_log.py:\d+)?$", text, re.MULTILINE
    )
    times, shares = [float(time) for time, _ in found], [float(share) for _, share in found]
    assert len(times) > 3
    assert times == sorted(times, reverse=True)
    assert sum(times) == pytest.approx(waves, rel=0.02, abs=2)
    assert sum(shares) == pytest.approx(100, abs=2)


@pytest.mark.parametrize("make", [mlp, conv_net])
def test_a_profile_changes_no_result(make: Callable[[], tuple[nn.Module, torch.Tensor]]) -> None:
    plain = trained(make)
    with debug.plans("all") as seen:
        watched = trained(make)
    assert watched == plain
    del seen


def test_a_profile_leaves_what_was_written_in_place_alone() -> None:
    with debug.plans("profile") as seen:
        x = torch.zeros(5000)
        for k in range(4):
            x = x * 2 + k
            torch.tensor(0).item()
            x.sum().item()
    assert x[0].item() == ((0 * 2 + 1) * 2 + 2) * 2 + 3
    assert seen.count


def test_what_is_kept_from_run_to_run() -> None:
    net, x = mlp()
    with torch.no_grad(), debug.plans("plans", "fusion", "memory", "profile") as seen:
        first, second = net(x).tolist(), net(x).tolist()
    assert first == second
    texts = {record.stage: record.text for record in seen.records}
    before, kept = numbers(texts["plans"], r"(\d+) before them and kept; .* and ([\d.]+) \w+ kept")
    assert before == texts["fusion"].count("\n  once: pack_") > 0
    assert kept > 0
    assert re.search(r"^once   .*pack_", texts["profile"], re.MULTILINE)


def test_a_step_of_the_interpreter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from duograph.codegen import lower

    monkeypatch.delitem(lower.KERNELS, "cumsum")
    with debug.plans("plans", "fusion", "kernels", "profile") as seen:
        total = (torch.arange(700.0) + 1).cumsum(0) * 2
        assert total[-1].item() == 700 * 701
    texts = {record.stage: record.text for record in seen.records}
    assert "1 step of the interpreter" in texts["plans"]
    assert "cumsum by the interpreter" in texts["fusion"]
    assert "cumsum by the interpreter" in texts["profile"]


def test_several_stages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DUOGRAPH_LOG", " Memory, fusion,")
    (torch.ones(40) * 3 - 1).sum().item()
    printed = capsys.readouterr().err
    assert "fusion:" in printed
    assert "memory:" in printed
    assert "profile:" not in printed


def test_all_is_everything() -> None:
    with debug.plans("all") as seen:
        (torch.ones(41) * 3 - 1).sum().item()
    assert [record.stage for record in seen.records] == list(log.STAGES)


def test_an_unknown_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOGRAPH_LOG", "plans,fusoin")
    with pytest.raises(ArgumentError, match=r"DUOGRAPH_LOG takes the stages plans, graph, .* and all.*'fusoin'"):
        (torch.ones(42) * 3).tolist()
    with pytest.raises(ArgumentError, match=r"plans takes the stages .*'kernel'"), debug.plans("kernel"):
        pass


def test_plans_that_saw_nothing() -> None:
    with debug.plans() as seen:
        pass
    assert repr(seen) == "no plan was compiled"
    assert seen.count == 0


def test_plans_computes_what_is_pending() -> None:
    before = torch.ones(43) * 2
    with debug.plans("plans") as seen:
        after = torch.ones(44) * 2 + 1
    assert seen.count == 1
    assert before.tolist() == [2.0] * 43
    assert after.tolist() == [3.0] * 44


def test_launches_know_what_they_move_and_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Native] = []
    monkeypatch.setattr(log.Journal, "finish", lambda self, native: plans.append(native))
    a, b = torch.tensor(np.ones((32, 48), np.float32)), torch.tensor(np.ones((48, 64), np.float32))
    (a @ b).tolist()
    image, weight = torch.tensor(np.ones((2, 3, 9, 9), np.float32)), torch.tensor(np.ones((8, 3, 3, 3), np.float32))
    nn.functional.conv2d(image, weight).tolist()
    steps = [step for plan in plans for step in plan.drawn().launches if isinstance(step, Launch)]
    assert all(step.bytes > 0 for step in steps)
    matmul, convolution = (max(p.drawn().launches, key=lambda s: s.operations) for p in (plans[0], plans[1]))
    assert isinstance(matmul, Launch)
    assert matmul.operations == 2 * 32 * 48 * 64
    assert matmul.bytes >= 4 * (32 * 48 + 48 * 64 + 32 * 64)
    assert isinstance(convolution, Launch)
    assert convolution.operations == 2 * 2 * 8 * 7 * 7 * 27


def test_speed_is_that_of_a_machine() -> None:
    speed = peak.speed()
    assert 1e8 < speed.operations < 1e15
    assert 1e8 < speed.bytes < 1e14
    assert floor_of([], speed)[0] == 0


@pytest.mark.parametrize(
    ("line", "place", "text"),
    [
        ("/a/b.py:12: x = y[1:2]", "b.py:12", "b.py:12: x = y[1:2]"),
        ("<stdin>:1", "<stdin>:1", "<stdin>:1"),
        ("C:" + "/a/b.py:3: f()", "b.py:3", "b.py:3: f()"),
    ],
)
def test_lines(line: str, place: str, text: str) -> None:
    assert (place_of(line), short(line)) == (place, text)


def test_numbers_for_people() -> None:
    assert [sized(n) for n in (0, 999, 1 << 20, 5 << 30)] == ["0 B", "999 B", "1.0 MiB", "5.00 GiB"]
    assert [scaled(n) for n in (0, 999, 12_300, 4_560_000, 7_890_000_000)] == ["0", "999", "12.3 k", "4.6 M", "7.89 G"]
