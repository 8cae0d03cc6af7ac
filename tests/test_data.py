"""Data sets, samplers and loaders."""

from __future__ import annotations

import numpy as np
import pytest

import duograph.torch as torch
from duograph.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
    random_split,
)
from duograph.graph.errors import ArgumentError


class Squares(Dataset):
    def __init__(self, n: int, broken: int = -1) -> None:
        self.n, self.broken = n, broken

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k: int) -> dict[str, object]:
        if k == self.broken:
            raise KeyError("sample is broken")
        return {"x": np.full(3, k, np.float32), "y": k * k, "name": str(k)}


class Stream(IterableDataset):
    def __iter__(self):  # type: ignore[no-untyped-def]
        info = get_worker_info()
        first, hop = (info.id, info.num_workers) if info else (0, 1)
        yield from range(first, 10, hop)


def test_batches_in_order_and_the_last_one_shorter() -> None:
    batches = list(DataLoader(Squares(7), batch_size=3))
    assert [b["y"].tolist() for b in batches] == [[0, 1, 4], [9, 16, 25], [36]]
    assert batches[0]["x"].shape == (3, 3) and batches[0]["x"].dtype is torch.float32
    assert batches[0]["y"].dtype is torch.int64 and batches[2]["name"] == ["6"]
    assert len(DataLoader(Squares(7), batch_size=3, drop_last=True)) == 2


def test_shuffling_is_a_permutation_and_repeats_by_seed() -> None:
    def order(seed: int) -> list[int]:
        g = torch.Generator().manual_seed(seed)
        return [y for b in DataLoader(Squares(20), 4, shuffle=True, generator=g) for y in b["y"].tolist()]

    assert sorted(order(1)) == [k * k for k in range(20)] and order(1) == order(1) != order(2)


def test_a_tensor_dataset_is_indexed_by_batches_with_the_same_result() -> None:
    x, y = torch.arange(20.0).reshape(10, 2), torch.arange(10)
    fast = list(DataLoader(TensorDataset(x, y), 4))
    slow = list(DataLoader(TensorDataset(x, y), 4, collate_fn=lambda b: [torch.stack(c) for c in zip(*b, strict=True)]))
    for (a, b), (c, d) in zip(fast, slow, strict=True):
        assert a.tolist() == c.tolist() and b.tolist() == d.tolist()
    for shuffle in (False, True):
        for a, _ in DataLoader(Subset(TensorDataset(x, y), [3, 4, 9]), 2, shuffle=shuffle):
            a.add_(100)
    assert x.tolist() == torch.arange(20.0).reshape(10, 2).tolist()


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_what_one_process_gives(workers: int) -> None:
    alone = [b["y"].tolist() for b in DataLoader(Squares(23), 4)]
    assert [b["y"].tolist() for b in DataLoader(Squares(23), 4, num_workers=workers)] == alone
    stream = DataLoader(Stream(), batch_size=2, num_workers=workers)
    assert sorted(v for b in stream for v in b.tolist()) == list(range(10))


def test_an_error_in_a_worker_comes_with_its_traceback() -> None:
    with pytest.raises(KeyError, match=r"KeyError in DataLoader worker process[\s\S]*sample is broken"):
        list(DataLoader(Squares(8, broken=5), 2, num_workers=2))


def test_splits_subsets_and_concatenation() -> None:
    parts = random_split(Squares(10), [0.7, 0.3])
    assert [len(p) for p in parts] == [7, 3] and sorted(parts[0].indices + parts[1].indices) == list(range(10))
    assert ConcatDataset([Squares(2), Squares(3)])[4]["y"] == 4
    assert Subset(Squares(5), [4, 1])[0]["y"] == 16
    drawn = list(WeightedRandomSampler([0.0, 1.0, 3.0], 400))
    assert 0 not in drawn and 200 < drawn.count(2) < 390


def test_options_that_exclude_each_other() -> None:
    for options in ({"sampler": [0], "shuffle": True}, {"batch_sampler": [[0]], "batch_size": 2}, {"batch_size": 0},
                    {"num_workers": -1}):  # fmt: skip
        with pytest.raises(ArgumentError):
            DataLoader(Squares(3), **options)
    with pytest.raises(ArgumentError, match="lengths"):
        random_split(Squares(10), [3, 3])
    with pytest.raises(TypeError, match="collate_fn"):
        next(iter(DataLoader([object()], 1)))


def test_shares_of_processes_cover_the_data() -> None:
    shares = [list(DistributedSampler(range(10), 3, rank)) for rank in range(3)]
    assert [len(s) for s in shares] == [4, 4, 4]
    assert set().union(*shares) == set(range(10))
    sampler = DistributedSampler(range(10), 3, 2, shuffle=False, drop_last=True)
    assert list(sampler) == [2, 5, 8]
    assert len(sampler) == 3
    shuffled = DistributedSampler(range(100), 1, 0)
    first = list(shuffled)
    shuffled.set_epoch(1)
    assert sorted(first) == list(range(100))
    assert list(shuffled) != first
    with pytest.raises(ArgumentError, match="rank"):
        DistributedSampler(range(10), 3, 3)
