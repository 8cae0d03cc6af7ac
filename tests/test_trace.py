"""Recording: one trace for one program, run-time scalars, liveness, threads, failures, eager mode."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import numpy as np
import pytest

import duograph
import duograph.torch as torch
from duograph.graph import trace as tracing
from duograph.graph.errors import GradientError
from duograph.graph.node import Graph
from duograph.runtime import execute
from duograph.runtime.buffer import STRIDED, Buffer


def test_a_repeated_program_is_one_trace() -> None:
    x = torch.ones(3, 5)
    with duograph.debug.traces(echo=False) as report:
        for _ in range(10):
            ((x * 2).exp() + 1).sum().item()
    assert report.count <= 1


def test_a_changing_number_becomes_a_run_time_input() -> None:
    x = torch.ones(3, 6)
    with duograph.debug.traces(echo=False) as report:
        results = [(x * (0.5 * k)).sum().item() for k in range(10)]
    assert results == [9.0 * k for k in range(10)]
    assert report.count == 2, "once as a constant, once as an input"
    assert "constant" in report.reasons[1] and "test_trace.py" in report.reasons[1]


def test_numbers_that_compare_equal_are_told_apart() -> None:
    x = torch.tensor([1.0, -1.0])
    assert torch.copysign(x, torch.zeros(2) * -1).tolist() == [-1, -1]
    results = [(x * z).tolist() for z in (0.0, -0.0)]
    assert np.signbit(results[0]).tolist() == [False, True] and np.signbit(results[1]).tolist() == [True, False]
    assert (torch.tensor([1]) + True).dtype is torch.int64 and (torch.tensor([1]) + 1.0).dtype is torch.float32


def test_what_nobody_holds_is_never_computed() -> None:
    x = torch.ones(2)
    computed: list[str] = []
    lost = (x + 1).exp()
    del lost
    kept = x * 3
    duograph.runtime.execute.watch = lambda node, *_: computed.append(node.op.name)
    try:
        duograph.realize()
    finally:
        duograph.runtime.execute.watch = None
    assert set(computed) == {"constant", "multiply"} and kept.tolist() == [3, 3]


def test_ten_thousand_changing_steps_stay_flat() -> None:
    w = torch.ones(4, requires_grad=True)
    sizes = []
    with duograph.debug.traces(echo=False) as report:
        for step in range(10_000):
            loss = (w * w).sum()
            loss.backward()
            with torch.no_grad():
                w -= torch.tensor(1e-6 * (step + 1)) * w.grad
            w.grad = None
            duograph.realize()
            if step in (100, 9_999):
                gc.collect()
                sizes.append((tracing.tree.size, len(gc.get_objects())))
    assert report.count <= 3
    assert sizes[1][0] == sizes[0][0], "the tree of traces does not grow"
    assert sizes[1][1] - sizes[0][1] < 100, "nor does the number of live objects"


def test_eager_gives_the_same_results() -> None:
    def program() -> list[float]:
        x = torch.linspace(-1, 1, 7).requires_grad_()
        y = (x.tanh() * 3).exp() * 1
        y[2:4] = 0
        y.sum().backward()
        assert x.grad is not None
        return x.grad.tolist() + y.tolist()

    with duograph.eager():
        eager = program()
        pending = torch.ones(2) + 1
        assert pending._value.buffer is not None
    assert eager == program()


def test_threads_record_apart_and_share_values() -> None:
    shared = torch.ones(64) * 2  # pending in this thread
    results: dict[int, float] = {}

    def work(k: int) -> None:
        total = shared
        for _ in range(50):
            total = total + k
        results[k] = total.sum().item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {k: 64.0 * (2 + 50 * k) for k in range(8)}


def test_a_failed_computation_says_so_each_time_and_leaves_the_rest_usable() -> None:
    x = torch.ones(13)  # a shape of this test alone: a line belongs to the program that was recorded first
    bad = x[torch.tensor([17])] + 1
    with pytest.raises(IndexError, match=r"test_trace.py"):
        bad.numpy()
    with pytest.raises(IndexError):
        bad.item()
    assert (x + 1).tolist() == [2] * 13


def test_pending_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "PENDING_BYTES", 10_000)
    tracing.tree.clear()
    duograph.realize()
    x = torch.zeros(1000)
    ys = [x + k for k in range(10)]
    assert sum(y._value.buffer is not None for y in ys) >= 6
    assert [y[0].item() for y in ys] == list(range(10))


def inputs_of_the_next_plan() -> tuple[list[Graph], Callable[[], None]]:
    seen: list[Graph] = []

    def observe(_: object, graph: Graph) -> None:
        seen.append(graph)

    execute.observers.append(observe)
    return seen, lambda: execute.observers.remove(observe)


def test_memory_of_others_enters_a_trace_once_for_forward_and_backward() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = np.ones((2, 5), np.float32), np.array([0, 2])
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    seen, stop = inputs_of_the_next_plan()
    try:
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    finally:
        stop()
    shapes = [node.shape for node in seen[-1].inputs]
    assert shapes.count((2, 5)) == 1, "x"
    assert shapes.count((2,)) == 1, "labels"


def test_gradients_are_those_of_what_the_forward_pass_saw() -> None:
    array = np.array([1.0, 2.0], np.float32)
    x = torch.from_numpy(array).requires_grad_()
    w = torch.ones(2, requires_grad=True)
    loss = (w * x * x).sum()
    array[:] = 10
    again = (w.detach() * x.detach()).sum()
    loss.backward()
    assert w.grad is not None and w.grad.tolist() == [1, 4]
    assert x.grad is not None and x.grad.tolist() == [2, 4]
    assert again.item() == 20, "a later use sees the memory as it is then"


def test_an_in_place_write_to_memory_of_others_is_noticed_by_backward() -> None:
    array = np.ones(2, np.float32)
    x = torch.from_numpy(array)
    w = torch.ones(2, requires_grad=True)
    loss = (w * x).sum()
    x.mul_(2)
    assert array.tolist() == [2, 2]
    with pytest.raises(GradientError, match="in-place"):
        loss.backward()


def test_a_write_through_an_exported_array_does_not_reach_what_is_pending() -> None:
    x = torch.ones(3) * 2
    duograph.realize()
    y, z = x + 1, x[1:] + 1
    array = x.numpy()
    array[1] = 5
    assert y.tolist() == [3, 3, 3] and z.tolist() == [3, 3] and x.tolist() == [2, 5, 2]


def test_how_a_leaf_lies_in_memory_is_part_of_the_trace() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    permuted = Buffer(array.transpose(1, 2, 0))
    assert permuted.order == (2, 0, 1) and Buffer(array).order is None
    assert Buffer(np.zeros((4, 1, 3)).transpose(2, 1, 0)).order == (1, 2, 0)
    assert Buffer(array[:, ::2]).order is STRIDED and Buffer(array[::-1]).order is STRIDED
    assert Buffer(array).address == array.ctypes.data
    rows, columns = torch.ones(3, 4), torch.ones(4, 3).T
    duograph.realize()

    def program(x: torch.Tensor) -> tracing.Step:
        duograph.realize()
        total = (x * 2).sum()
        step = tracing.local.trace.step
        assert total.item() == 24
        return step

    assert columns._value.buffer.order == (1, 0)
    first = program(rows)
    assert program(columns) is not first and program(rows) is first
    strided = torch.ones(3, 8)[:, ::2]
    program(strided)
    seen = tracing.local.trace
    (strided * 2).exp()
    assert tracing.local.trace is seen and seen.leaves[-1].order is None


def test_debug_finds_the_first_nan() -> None:
    x = torch.tensor([1.0, -1.0])
    with pytest.raises(duograph.debug.NanError, match=r"log[\s\S]*test_trace.py"), duograph.debug.nans():
        y = x.log()
        (y * 2).sum().item()


def test_random_numbers_repeat_by_seed_and_are_one_trace() -> None:
    def draw() -> list[list[float]]:
        torch.manual_seed(3)
        return [torch.rand(4).tolist() for _ in range(3)]

    first = draw()
    with duograph.debug.traces(echo=False) as report:
        assert draw() == first
    assert report.count == 0 and first[0] != first[1]
    torch.manual_seed(0)
    numbers = torch.randn(100_000)
    assert abs(numbers.mean().item()) < 0.01 and abs(numbers.std().item() - 1) < 0.01
    assert sorted(torch.randperm(100).tolist()) == list(range(100))
