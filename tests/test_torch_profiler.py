"""`torch.profiler`: what is measured, when, and how it is shown."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import duograph.torch as torch
from duograph.runtime import execute
from duograph.torch.profiler import ProfilerAction, ProfilerActivity, profile, record_function, schedule


def work(x: Any, w: Any) -> float:
    with record_function("products"):
        y = x @ w
    with record_function("rest"):
        return torch.relu(y - 1).sum().item()


@pytest.fixture(scope="module")
def measured() -> profile:
    torch.manual_seed(0)
    x, w = torch.randn(64, 96), torch.randn(96, 32)
    prof = profile(activities=[ProfilerActivity.CPU], record_shapes=True, with_stack=True, with_flops=True)
    with prof:
        for _ in range(5):
            work(x, w)
    return prof


def test_blocks_hold_the_plans_that_they_recorded(measured: profile) -> None:
    averages = {event.key: event for event in measured.key_averages()}
    assert averages["products"].count == averages["rest"].count == 5
    events = measured.events()
    runs = [event for event in events if event.kind == "plan"]
    products = [run for run in runs if run.cpu_parent.name == "products"]
    assert len(products) == 5 and all(run.input_shapes == [[64, 96], [96, 32]] for run in products)
    assert all("y = x @ w" in run.stack[0] for run in products)
    for event in events:
        inside = sum(child.cpu_time_total for child in event.cpu_children)
        assert event.cpu_time_total >= inside * (1 - 1e-9) and event.self_cpu_time_total >= 0
    total = sum(event.cpu_time_total for event in events if event.cpu_parent is None)
    assert events.self_cpu_time_total == pytest.approx(total, rel=1e-6)


def test_compiled_plans_have_kernels(measured: profile) -> None:
    compiled = [e for e in measured.events() if e.kind == "plan" and e.cpu_children]
    assert compiled
    for run in compiled:
        assert all(kernel.kind == "kernel" for kernel in run.cpu_children)
        assert sum(kernel.cpu_time_total for kernel in run.cpu_children) == pytest.approx(run.cpu_time_total)
    kernels = [event for event in measured.key_averages() if "matmul" in event.key]
    assert kernels and all(event.flops == event.count * 2 * 64 * 96 * 32 for event in kernels)


def test_measuring_a_plan_is_not_counted() -> None:
    x, w = torch.randn(300, 300), torch.randn(300, 300)
    for _ in range(3):
        work(x, w)
    with profile() as prof:
        for _ in range(10):
            work(x, w)
    (block,) = [event for event in prof.key_averages() if event.key == "products"]
    start = time.perf_counter()
    for _ in range(10):
        with record_function("products"):
            (x @ w).sum().item()
    taken = 1e6 * (time.perf_counter() - start)
    assert block.cpu_time_total < 20 * taken + 1e5


def test_tables(measured: profile) -> None:
    text = measured.key_averages(group_by_stack_n=1).table(sort_by="self_cpu_time_total", row_limit=3, header="Mine")
    lines = text.splitlines()
    assert lines[0] == "Mine" and len(lines) == 9 and lines[-1].startswith("Self CPU time total: ")
    for head in ("Name", "Self CPU %", "CPU total", "CPU time avg", "# of Calls", "Source Location", "Total MFLOPs"):
        assert head in lines[2]
    grouped = measured.key_averages(group_by_input_shape=True)
    assert any(event.input_shapes == [[64, 96], [96, 32]] for event in grouped) and "[[64, 96], [96, 32]]" in str(
        grouped
    )
    assert measured.key_averages().total_average().key == "Total"
    assert "cuda" not in text.lower() and measured.key_averages().table(sort_by="cuda_time_total")
    with pytest.raises(AttributeError, match="sort_by"):
        measured.key_averages().table(sort_by="colour")


def test_traces_and_stacks_in_files(measured: profile, tmp_path: Path) -> None:
    measured.add_metadata("who", "me")
    measured.add_metadata_json("sizes", "[1, 2]")
    measured.export_chrome_trace(str(tmp_path / "trace.json"))
    written = json.loads((tmp_path / "trace.json").read_text())
    assert written["who"] == "me" and written["sizes"] == [1, 2]
    assert len(written["traceEvents"]) == len(measured.events())
    assert {event["cat"] for event in written["traceEvents"]} == {"user_annotation", "plan", "kernel"}
    measured.export_stacks(str(tmp_path / "stacks"))
    assert "y_=_x_@_w" in (tmp_path / "stacks").read_text()


def test_schedules_record_their_steps(tmp_path: Path) -> None:
    found: list[tuple[int, list[str]]] = []
    write = torch.profiler.tensorboard_trace_handler(str(tmp_path), "me", use_gzip=True)

    def ready(prof: profile) -> None:
        found.append((prof.step_num, [e.name for e in prof.events() if e.name.startswith("ProfilerStep")]))
        write(prof)

    x, w = torch.randn(8, 8), torch.randn(8, 8)
    with profile(schedule=schedule(skip_first=1, wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready) as prof:
        for _ in range(12):
            work(x, w)
            prof.step()
    assert found == [(5, ["ProfilerStep#3", "ProfilerStep#4"]), (9, ["ProfilerStep#7", "ProfilerStep#8"])]
    assert len(list(tmp_path.glob("me.*.pt.trace.json.gz"))) == 2
    assert not any("compiled" in event.name for event in prof.events())


def test_the_actions_of_a_schedule() -> None:
    act = schedule(wait=1, warmup=1, active=1, repeat=2, skip_first=1, skip_first_wait=1)
    names = [act(k).name for k in range(7)]
    assert names == ["NONE", "WARMUP", "RECORD_AND_SAVE", "NONE", "WARMUP", "RECORD_AND_SAVE", "NONE"]
    assert schedule(wait=0, warmup=0, active=2)(1) is ProfilerAction.RECORD_AND_SAVE
    for wrong in ({"wait": -1, "warmup": 0, "active": 1}, {"wait": 0, "warmup": 0, "active": 0}):
        with pytest.raises(AssertionError):
            schedule(**wrong)  # type: ignore[arg-type]


def test_functions_are_blocks_too_and_nothing_is_left_behind() -> None:
    @record_function("named")
    def function(x: Any) -> Any:
        return x + 1

    before = execute.run
    with profile() as prof:
        function(torch.ones(3))
        with pytest.raises(ValueError, match="one is being made"), profile():
            pass
    assert prof.events()[0].name == "named" and execute.run == before
    assert function(torch.ones(1)).item() == 2
    with pytest.raises(ZeroDivisionError), profile():
        _ = 1 / 0
    assert execute.run == before


def test_the_older_names() -> None:
    with torch.autograd.profiler.profile() as prof, torch.autograd.profiler.record_function("block"):
        torch.ones(3).sum().item()
    assert "block" in str(prof) and "block" in prof.table() and prof.self_cpu_time_total > 0
    with pytest.raises(NotImplementedError, match="CPU alone"):
        torch.autograd.profiler.profile(use_cuda=True)
    with pytest.raises(NotImplementedError, match="CPU alone"):
        profile(activities=[ProfilerActivity.CUDA])
    with pytest.raises(AssertionError, match="nothing was recorded"):
        profile().key_averages()
