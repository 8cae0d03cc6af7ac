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


def test_each_thread_has_its_own_gradient_mode() -> None:
    seen = []

    def work() -> None:
        seen.append(torch.is_grad_enabled())
        torch.set_grad_enabled(False)

    with torch.no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [True] and not torch.is_grad_enabled()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert torch.is_grad_enabled()


def test_backward_runs_in_another_thread() -> None:
    x = torch.ones(3, requires_grad=True)
    thread = threading.Thread(target=(x * 3).sum().backward)
    thread.start()
    thread.join()
    assert x.grad.tolist() == [3, 3, 3]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_computes_what_is_pending() -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    x = torch.arange(3.0, requires_grad=True)
    pending = (x * 3).exp()
    process = context.Process(target=_gradient, args=(there, x, pending))
    process.start()
    value, gradient = here.recv()
    process.join()
    assert value == pytest.approx(pending.tolist()) and gradient == pytest.approx((3 * pending).tolist())
    assert x.grad is None


def _gradient(pipe: Any, x: Any, pending: Any) -> None:
    pending.sum().backward()
    pipe.send((pending.tolist(), x.grad.tolist()))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_give_batches_of_tensors_however_they_start(context: str) -> None:
    loader = torch.utils.data.DataLoader(
        Squares(), batch_size=2, num_workers=2, multiprocessing_context=context, generator=torch.Generator()
    )
    assert [batch.tolist() for batch in loader] == [[0, 1], [4, 9]]


def again(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))


def test_pickles() -> None:
    x = torch.arange(3.0, requires_grad=True)
    made = again(x)
    assert made.requires_grad and made.grad is None and made.tolist() == [0, 1, 2]
    result = again(x * 2)
    assert result.is_leaf and result.requires_grad and result.tolist() == [0, 2, 4]
    weight = again(torch.nn.Linear(2, 1)).weight
    assert isinstance(weight, torch.nn.Parameter) and weight.requires_grad
    part, whole = again((x.detach()[1:], x.detach()))
    part.zero_()
    assert whole.tolist() == [0, 1, 2]  # unlike deep copies, pickles keep no memory in common


@pytest.mark.parametrize("value", [torch.float32, torch.bool, torch.device("cpu"), torch.Size([2, 3])])
def test_what_describes_tensors_is_pickled_and_copied(value: Any) -> None:
    for made in (again(value), copy.deepcopy(value)):
        assert made == value and type(made) is type(value)


def test_generators_go_on_where_they_were() -> None:
    generator = torch.Generator().manual_seed(3)
    torch.randn(5, generator=generator)
    pickled, copied = again(generator), copy.deepcopy(generator)
    expected = torch.randn(4, generator=generator).tolist()
    assert torch.randn(4, generator=pickled).tolist() == expected == torch.randn(4, generator=copied).tolist()


def test_optimisers_and_schedules_are_pickled_with_their_state() -> None:
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(2):
        layer(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        schedule.step()
    made, made_schedule = again((layer, schedule))
    made_optimizer = made_schedule.optimizer
    assert made_optimizer.param_groups[0]["lr"] == 0.025 and made_schedule.last_epoch == 2
    assert made_optimizer.param_groups[0]["params"][0] is made.weight
    for one, its_optimizer in ((layer, optimizer), (made, made_optimizer)):
        its_optimizer.zero_grad()
        one(torch.ones(1, 2)).sum().backward()
        its_optimizer.step()
    assert made.weight.tolist() == layer.weight.tolist()


@pytest.mark.parametrize("function", [torch.relu, torch.add, torch.zeros, torch.nn.functional.relu, torch.fft.fft])
def test_functions_are_pickled_by_name(function: Any) -> None:
    assert again(function) is function


def test_modules_that_hold_functions_are_pickled() -> None:
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8, activation=torch.nn.functional.relu, batch_first=True).eval()
    x = torch.randn(1, 3, 4)
    assert torch.equal(again(layer)(x), layer(x))


def test_deep_copies() -> None:
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    made = copy.deepcopy([layer, layer.weight])
    assert made[0].weight is made[1] and made[1] is not layer.weight
    assert isinstance(made[1], torch.nn.Parameter) and made[1].grad is None
    leaf = torch.ones(2, requires_grad=True)
    (leaf * 2).sum().backward()
    assert copy.deepcopy(leaf).grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(layer.weight * 2)


def test_deep_copies_of_views_share_memory_as_the_views_do() -> None:
    x = torch.arange(6.0)
    whole, part, rows, same = copy.deepcopy([x, x[1:3], x.view(2, 3), x.detach()])
    part.zero_()
    assert whole.tolist() == same.tolist() == [0, 0, 0, 3, 4, 5] and rows[0].tolist() == [0, 0, 0]
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    alone, beside = copy.deepcopy([x[:2], x[1:]])
    alone.fill_(7)
    assert beside.tolist() == [7, 2, 3, 4, 5]


def test_deep_copies_keep_ties() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for made, its_optimizer in (copy.deepcopy((model, optimizer)), again((model, optimizer))):
        assert made[0].weight is made[1].weight is its_optimizer.param_groups[0]["params"][0]
        assert len(list(made.parameters())) == 3


def test_shallow_copies_share_memory() -> None:
    x = torch.ones(3)
    x.note = "mine"
    made = copy.copy(x)
    made[0] = 5
    assert made is not x and x.tolist() == [5, 1, 1] and made.note == "mine" and made.data_ptr() == x.data_ptr()
    weight = torch.nn.Parameter(torch.ones(2))
    assert type(copy.copy(weight)) is torch.nn.Parameter and copy.copy(weight).requires_grad


def test_addresses_tell_which_memory_is_shared() -> None:
    x = torch.arange(12.0).view(3, 4)
    assert x[1].data_ptr() - x.data_ptr() == 16 and x.t().data_ptr() == x.data_ptr() != x.clone().data_ptr()
    assert x[:, 2].data_ptr() - x.data_ptr() == 8 == x[:, 2].numpy().__array_interface__["data"][0] - x.data_ptr()
