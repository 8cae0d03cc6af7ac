"""Loaders with worker processes: their seeds, errors, deaths, and what they leave behind."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import duograph.torch as torch
from duograph.data import DataLoader, Dataset, IterableDataset, StackDataset, Subset, default_convert, get_worker_info
from duograph.graph.errors import ArgumentError

ROOT = Path(__file__).resolve().parent.parent


class Drawn(Dataset):
    """Samples that say who made them, and what that process draws."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None and info.num_workers == 2 and info.dataset is self
        draws = np.array([random.random(), np.random.rand(), torch.rand(()).item()])
        return {"pid": os.getpid(), "id": info.id, "seed": info.seed, "draws": draws, "index": index}


class Large(Dataset):
    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Any:
        return np.full((64, 64), index, np.float32), torch.full((50,), index, dtype=torch.bfloat16), "name"


class Misbehaves(Dataset):
    def __init__(self, how: str) -> None:
        self.how = how

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            if self.how == "dies":
                os._exit(3)
            if self.how == "sleeps":
                time.sleep(60)
            if self.how == "lambda":
                return lambda: index
        return index


class Shards(IterableDataset):
    def __iter__(self) -> Any:
        info = get_worker_info()
        assert info is not None
        return iter(range(info.id, 11, info.num_workers))


def children() -> int:
    return len(multiprocessing.active_children())


def test_seeds_follow_the_generator() -> None:
    def draw(seed: int, persistent: bool = False) -> list[Any]:
        generator = torch.Generator().manual_seed(seed)
        loader = DataLoader(
            Drawn(), 2, shuffle=True, num_workers=2, generator=generator, persistent_workers=persistent,
            worker_init_fn=lambda number: random.seed(100 + number),
        )  # fmt: skip
        return [b["draws"].tolist() + b["index"].tolist() + b["seed"].tolist() for b in loader]

    assert draw(1) == draw(1) == draw(1, persistent=True) != draw(2)
    assert children() == 0


def test_workers_persist_if_asked() -> None:
    loader = DataLoader(Drawn(), 2, num_workers=2, persistent_workers=True, prefetch_factor=3, pin_memory=True)
    first, second = ([tuple(b["pid"].tolist()) for b in loader] for _ in range(2))
    assert first == second and len(set(first)) == 2 and children() == 2
    for batch in loader:  # left in the middle: what was under way does not come in the next round
        assert batch["index"].tolist() == [0, 1]
        break
    assert [b["index"].tolist() for b in loader] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    del loader, batch
    assert children() == 0


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_large_batches_come_whole_and_are_memory_of_their_own(method: str) -> None:
    batches = list(DataLoader(Large(), 4, num_workers=2, multiprocessing_context=method))
    for number, (images, halves, names) in enumerate(batches):
        expected = [float(4 * number + k) for k in range(4)]
        assert images[:, 3, 5].tolist() == halves[:, 7].tolist() == expected
        assert halves.dtype is torch.bfloat16 and names == ["name"] * 4
        images.add_(1)
        assert images[0, 0, 0].item() == expected[0] + 1


def test_streams_are_shared_out() -> None:
    loader = DataLoader(Shards(), batch_size=2, num_workers=3, persistent_workers=True)
    for _ in range(2):
        assert sorted(v for b in loader for v in b.tolist()) == list(range(11))


def test_errors_of_workers() -> None:
    def init(number: int) -> None:
        raise ValueError(f"no data for {number}")

    with pytest.raises(
        ValueError, match=r"Caught ValueError in DataLoader worker process 0[\s\S]*in init[\s\S]*no data"
    ):
        list(DataLoader(Large(), 2, num_workers=1, worker_init_fn=init))
    with pytest.raises(RuntimeError, match=r"exited unexpectedly, with exit code 3"):
        list(DataLoader(Misbehaves("dies"), 1, num_workers=2))
    with pytest.raises(RuntimeError, match=r"timed out after 0.3 seconds"):
        list(DataLoader(Misbehaves("sleeps"), 1, num_workers=2, timeout=0.3))
    with pytest.raises(Exception, match=r"DataLoader worker process 1[\s\S]*lambda"):
        list(DataLoader(Misbehaves("lambda"), 1, num_workers=2, collate_fn=lambda batch: batch[0]))
    assert children() == 0


def test_options_for_workers_alone() -> None:
    for options in ({"prefetch_factor": 2}, {"persistent_workers": True}, {"num_workers": 1, "prefetch_factor": 0},
                    {"num_workers": 1, "timeout": -1}):  # fmt: skip
        with pytest.raises(ArgumentError):
            DataLoader(Large(), **options)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="reads /proc")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_no_worker_outlives_its_loader(how: str) -> None:
    program = (
        "import time\nfrom duograph.data import *\n"
        "class D(Dataset):\n    def __len__(self): return 1000\n"
        "    def __getitem__(self, k):\n        time.sleep(0.01); return k\n"
        "loader = DataLoader(D(), 2, num_workers=2)\nbatches = iter(loader)\nnext(batches)\n"
        "print(*(w.process.pid for w in batches._crew.workers), flush=True)\n"
        "for b in batches: pass\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    process.send_signal(getattr(signal, how))
    process.communicate(timeout=60)
    end = time.monotonic() + 20
    while any(_runs(pid) for pid in workers):
        assert time.monotonic() < end, "a worker outlived its loader"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_conversion_and_subsets() -> None:
    made = default_convert({"a": np.ones(2), "b": [np.int64(3), "x"], "c": (np.zeros(1),)})
    assert made["a"].tolist() == [1, 1] and made["b"][1] == "x" and isinstance(made["c"], tuple)
    assert Subset(Subset(Large(), [5, 6, 7]), [2, 0]).__getitems__([0])[0][0][0, 0] == 7
    assert StackDataset(a=range(3), b=range(3, 6))[1] == {"a": 1, "b": 4}
