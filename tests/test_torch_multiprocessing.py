"""`torch.multiprocessing`: shared memory, queues, and processes started in each way."""

from __future__ import annotations

import os
import pickle
import signal
import time
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
import duograph.torch.multiprocessing as mp
from duograph.graph.errors import DeviceError, GradientError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
METHODS = [m for m in ("fork", "spawn") if m in mp.get_all_start_methods()]


def test_shared_memory_is_that_of_the_base_and_its_views() -> None:
    x = torch.arange(6.0)
    rows, same, part = x.view(2, 3), x.detach(), x[1:3]
    assert not x.is_shared() and x.share_memory_() is x
    assert all(t.is_shared() for t in (x, rows, same, part, x[::2])) and not (x + 1).is_shared()
    part.mul_(10)
    assert x.tolist() == same.tolist() == [0, 10, 20, 3, 4, 5] and rows[0].tolist() == [0, 10, 20]
    with pytest.raises(DeviceError, match="meta"):
        torch.ones(2, device="meta").share_memory_()


def test_views_follow_what_others_write_after_a_write_in_place() -> None:
    array = np.zeros(3)
    x = torch.from_numpy(array)
    part, column = x[:2], x.view(3, 1)
    x.add_(1)
    array[0] = 7
    assert part.tolist() == [7, 1] and column.tolist() == [[7], [1], [1]]


def test_what_was_computed_from_shared_memory_stays() -> None:
    x = torch.ones(2).share_memory_()
    doubled = x * 2
    x.fill_(5)
    assert doubled.tolist() == [2, 2] and (x * 2).tolist() == [10, 10]


def test_gradients_and_optimisers_work_on_shared_parameters() -> None:
    layer = torch.nn.Linear(2, 1).share_memory()
    assert layer.weight.is_shared() and layer.bias.is_shared() and layer.weight.is_leaf
    before = layer.weight.detach().clone()
    window = layer.weight.detach()
    layer(torch.ones(3, 2)).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()
    np.testing.assert_allclose(window.numpy(), before.numpy() - 1.5, rtol=1e-6)
    assert layer.weight.is_shared()


def _write(tensor: Any, number: float) -> None:
    tensor.add_(number)


def test_a_forked_process_writes_to_shared_memory_only() -> None:
    context = mp.get_context("fork")
    mine, shared = torch.zeros(2), torch.zeros(2).share_memory_()
    for tensor in (mine, shared):
        process = context.Process(target=_write, args=(tensor, 3))
        process.start()
        process.join()
    assert mine.tolist() == [0, 0] and shared.tolist() == [3, 3]


def _converse(coming: Any, going: Any, argument: Any) -> None:
    x, part, weight = coming.get()
    x.add_(10)
    part.mul_(2)
    argument.neg_()
    made = torch.ones(2)
    going.put((made, weight.requires_grad, weight.grad is None, type(weight) is torch.nn.Parameter))
    coming.get()
    going.put(made.tolist())


@pytest.mark.parametrize("method", METHODS)
def test_tensors_in_queues_and_arguments_share_memory(method: str) -> None:
    context = mp.get_context(method)
    coming, going = context.Queue(), context.JoinableQueue()
    argument = torch.ones(2).share_memory_()
    process = context.Process(target=_converse, args=(coming, going, argument))
    process.start()
    x, weight = torch.arange(4.0) * 2, torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    coming.put((x, x[:2], weight))
    made, *facts = going.get(timeout=60)
    assert facts == [True, True, True]
    assert x.is_shared() and x.tolist() == [20, 24, 14, 16] and argument.tolist() == [-1, -1]
    made.add_(4)
    coming.put(None)
    assert going.get(timeout=60) == [5, 5]
    process.join()
    assert process.exitcode == 0


def test_what_cannot_go_into_a_queue_raises_at_once() -> None:
    queue = mp.Queue()
    with pytest.raises(GradientError, match="detach"):
        queue.put(torch.ones(2, requires_grad=True) * 2)
    queue.close()


def _square(x: Any) -> Any:
    return x * x


def test_pools_take_and_give_tensors() -> None:
    with mp.get_context("fork").Pool(2) as pool:
        results = pool.map(_square, [torch.tensor(2.0), torch.tensor([3, 4])])
    assert [r.tolist() for r in results] == [4, [9, 16]]


def _enter(index: int, places: Any) -> None:
    places[index] = index + 1


def _fail(index: int, how: str) -> None:
    if index == 0:
        time.sleep(60)
    if how == "raise":
        raise ValueError("of its own")
    if how == "exit":
        os._exit(7)
    os.kill(os.getpid(), signal.SIGKILL)


def test_spawn_calls_a_function_with_the_number_of_the_process() -> None:
    places = torch.zeros(2)
    mp.spawn(_enter, args=(places,), nprocs=2)
    assert places.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("raise", mp.ProcessRaisedException, "ValueError: of its own"),
        ("exit", mp.ProcessExitedException, "exit code 7"),
        ("kill", mp.ProcessExitedException, "SIGKILL"),
    ],
)
def test_a_process_that_fails_ends_the_others(how: str, kind: Any, said: str) -> None:
    context = mp.start_processes(_fail, args=(how,), nprocs=2, join=False, start_method="fork")
    assert context is not None and len(context.pids()) == 2
    with pytest.raises(kind, match=said) as caught:
        while not context.join():
            pass
    assert caught.value.error_index == 1 and not context.processes[0].is_alive()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is kind and again.error_pid == caught.value.error_pid


def test_names_of_strategies_are_kept() -> None:
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    before = mp.get_sharing_strategy()
    mp.set_sharing_strategy("file_system")
    assert mp.get_sharing_strategy() == "file_system"
    mp.set_sharing_strategy(before)
    with pytest.raises(ValueError, match="Received: 'x'"):
        mp.set_sharing_strategy("x")
