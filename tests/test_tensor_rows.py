"""`x[k]` of content in memory, which is a window made when it is looked at: it behaves as any view."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import duograph
import duograph.torch as torch


def made(*shape: int) -> Any:
    x = torch.arange(float(np.prod(shape))).reshape(*shape)
    return torch.from_numpy(x.numpy().copy()).clone() if x.sum().item() else x


def test_values_shapes_and_strides() -> None:
    x = made(3, 2, 4)
    assert x[1].shape == (2, 4) and x[1].tolist() == x.tolist()[1] and x[-1].tolist() == x.tolist()[2]
    row = x[2][1]
    assert row.stride() == (1,) and row.storage_offset() == 20 and row[3].storage_offset() == 23
    assert row[3].shape == () and row[3].item() == 23 and row.data_ptr() == x.data_ptr() + 80
    assert x.transpose(0, 1)[1].stride() == (8, 1) and x.transpose(0, 1)[1].tolist() == [r[1] for r in x.tolist()]
    assert made(1, 3)[0].tolist() == [0, 1, 2]
    for index in (3, -4):
        with pytest.raises(IndexError, match="out of range for axis 0 of size 3"):
            x[index]
    with pytest.raises(IndexError, match="too many indices"):
        row[0][0]


def test_writes_go_both_ways() -> None:
    x = made(3, 2)
    first, second = x[0], x[1]
    x += 10
    assert first.tolist() == [10, 11]
    second.mul_(2)
    assert x.tolist() == [[10, 11], [24, 26], [14, 15]]
    x[1][0] = -1
    assert second.tolist() == [-1, 26] and x[1, 0].item() == -1
    x[1] = 7
    assert second.tolist() == [7, 7]
    assert second._version_counter == x._version_counter > 0


def test_memory_of_others() -> None:
    array = np.arange(6.0).reshape(3, 2)
    x = torch.from_numpy(array)
    row = x[1]
    array[1] = 9
    assert row.tolist() == [9, 9]
    row.zero_()
    assert array[1].tolist() == [0, 0]
    x[2].numpy()[0] = 5
    assert array[2, 0] == 5 and x[2, 0].item() == 5


def test_the_content_is_that_of_when_it_was_taken() -> None:
    x = made(2, 2)
    row = x[0]
    x.data = torch.full((2, 2), 5.0)
    assert row.tolist() == [0, 1]
    y = made(2, 2)
    row = y[1]
    y.requires_grad_()
    assert not row.requires_grad and y[1].requires_grad
    y[1].sum().backward()
    assert y.grad.tolist() == [[0, 0], [1, 1]]


def test_gradients_through_a_write() -> None:
    x, w = made(2, 2), torch.ones(2, requires_grad=True)
    row = x[1]
    x[1] = w * 3
    assert row.requires_grad and row.tolist() == [3, 3]
    row.sum().backward()
    assert w.grad.tolist() == [3, 3]


def test_copies_and_pickles() -> None:
    x = made(3, 2)
    assert copy.deepcopy(x[1]).tolist() == [2, 3] and copy.copy(x[1]).tolist() == [2, 3]
    assert pickle.loads(pickle.dumps(x[2])).tolist() == [4, 5]
    pair = copy.deepcopy([x, x[1]])
    pair[0][1] = 8
    assert pair[1].tolist() == [8, 8] and x[1].tolist() == [2, 3]
    assert "tensor([2., 3.])" in repr(x[1]) and hash(x[1]) and len(x[1]) == 2


def test_arguments_of_compiled_functions() -> None:
    x = made(6, 2)
    function = torch.compile(lambda row: row * 2 + 1)
    for k in range(6):
        row = x[k]
        assert function(row).tolist() == [4.0 * k + 1, 4.0 * k + 3]
    with duograph.eager():
        assert (x[3] + 1).tolist() == [7, 8]


def test_threads_that_look_at_once() -> None:
    x = made(200, 50)
    rows = [x[k] for k in range(200)]
    wrong: list[Any] = []

    def look() -> None:
        for k, row in enumerate(rows):
            if row.sum().item() != sum(range(50 * k, 50 * k + 50)):
                wrong.append(k)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_batches_of_rows() -> None:
    collate = torch.utils.data.default_collate
    x, y = made(10, 3), torch.arange(10)
    y.sum().item()
    samples = [(x[k], y[k]) for k in (4, 2, 2)]
    a, b = collate(samples)
    assert a.tolist() == x[[4, 2, 2]].tolist() and b.tolist() == [4, 2, 2] and b.dtype is torch.int64
    a.zero_()
    assert x[4].tolist() == [12, 13, 14]
    looked = [x[1], x[2]]
    assert looked[0].sum().item() == 12 and collate(looked).tolist() == x[1:3].tolist()
    assert collate([x[1], torch.zeros(3)]).tolist() == [[3, 4, 5], [0, 0, 0]]
    half = x.to(torch.bfloat16)
    half.sum().item()
    assert collate([half[1], half[0]]).tolist() == [[3, 4, 5], [0, 1, 2]]
    taped = x.clone().requires_grad_()
    collate([taped[0], taped[1]]).sum().backward()
    assert taped.grad[:3].tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    recorded = torch.arange(12.0).reshape(4, 3) * 2  # never looked at
    assert collate([recorded[1], recorded[3]]).tolist() == [[6, 8, 10], [18, 20, 22]]


@pytest.mark.parametrize(
    ("batch", "dtype"),
    [([1, 2], "int64"), ([True, False], "bool"), ([0.5, 1.5], "float64"), ([1, 0.5], "float32"),
     ([np.float32(1), np.float32(2)], "float32"), ([np.int16(3), np.int16(4)], "int16"),
     ([np.float32(1), np.float64(2)], "float64"), ([np.array(1), np.array(2)], "int64")],
)  # fmt: skip
def test_batches_of_numbers(batch: list[Any], dtype: str) -> None:
    found = torch.utils.data.default_collate(batch)
    assert found.tolist() == batch and found.dtype is getattr(torch, dtype)
