"""Tensors in forked and worker processes, threads, pickles and deep copies."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import threading
from typing import Any

import pytest

import duograph.torch as torch


class Squares(torch.utils.data.Dataset):
    """Reads a tensor that was made in the parent."""

    def __init__(self) -> None:
        self.base = torch.arange(4)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, k: int) -> Any:
        return self.base[k] ** 2


def test_worker_processes_read_tensors_of_the_parent() -> None:
    batches = list(torch.utils.data.DataLoader(Squares(), batch_size=2, num_workers=1))
    assert [batch.tolist() for batch in batches] == [[0, 1], [4, 9]]


def _send(pipe: Any, x: Any) -> None:
    x.add_(1)
    pipe.send((x.sum().item(), x.numpy()))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_a_copy() -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    x = torch.ones(3)
    x.sum().item()
    process = context.Process(target=_send, args=(there, x))
    process.start()
    total, array = here.recv()
    process.join()
    assert total == 6 and array.tolist() == [2, 2, 2] and x.tolist() == [1, 1, 1]


def test_a_thread_shares_them() -> None:
    x, w = torch.ones(3), torch.ones(3, requires_grad=True)

    def work() -> None:
        x.mul_(3)
        (w * x).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.tolist() == [3, 3, 3] == w.grad.tolist()


def test_pickles() -> None:
    x = torch.arange(3.0, requires_grad=True)
    again = pickle.loads(pickle.dumps(x))
    assert again.requires_grad and again.grad is None and again.tolist() == [0, 1, 2]
    weight = pickle.loads(pickle.dumps(torch.nn.Linear(2, 1))).weight
    assert isinstance(weight, torch.nn.Parameter) and weight.requires_grad
    with pytest.raises(RuntimeError, match="detach"):
        pickle.dumps(x * 2)


def test_deep_copies() -> None:
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    made = copy.deepcopy([layer, layer.weight])
    assert made[0].weight is made[1] and made[1] is not layer.weight
    assert isinstance(made[1], torch.nn.Parameter) and made[1].grad.tolist() == layer.weight.grad.tolist()
    assert made[1].grad is not layer.weight.grad
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(layer.weight * 2)
