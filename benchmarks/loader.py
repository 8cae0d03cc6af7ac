"""`python -m benchmarks.loader`: batches per second of Duograph's DataLoader and of PyTorch's, with as many workers.

Each measurement is a process of its own, and the two frameworks take turns; the median of the rounds counts. A batch is
touched when it arrives, as a training step would.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

FRAMEWORKS = {"duograph": "duograph.torch", "pytorch": "torch"}
CASES = {
    "arrays, 64 of 3x32x32": ((3, 32, 32), 64, 6400, "array"),
    "tensors, 64 of 3x32x32": ((3, 32, 32), 64, 6400, "tensor"),
    "arrays, 32 of 3x224x224": ((3, 224, 224), 32, 960, "array"),
    "TensorDataset, 64 of 784": ((784,), 64, 12800, "rows"),
}


class Images:
    """Samples made by NumPy, as decoding and augmentation would."""

    def __init__(self, shape: tuple[int, ...], count: int, convert: Any) -> None:
        self.pool = np.random.default_rng(0).standard_normal((16, *shape), dtype=np.float32)
        self.count = count
        self.convert = convert

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.convert(self.pool[index % 16] * 2 + 1), index % 10


def measure(framework: str, case: str, workers: int) -> float:
    """Batches per second over one epoch, the start of the workers included."""
    torch = importlib.import_module(FRAMEWORKS[framework])
    data = importlib.import_module(f"{FRAMEWORKS[framework]}.utils.data")
    shape, batch, count, kind = CASES[case]
    if kind == "rows":
        dataset = data.TensorDataset(torch.zeros(count, *shape), torch.zeros(count, dtype=torch.int64))
    else:
        dataset = Images(shape, count, torch.from_numpy if kind == "tensor" else lambda array: array)
    loader = data.DataLoader(dataset, batch, shuffle=True, num_workers=workers)
    start = time.perf_counter()
    total = 0.0
    for x, _ in loader:
        total += x.numpy().reshape(-1)[0]
    return len(loader) / (time.perf_counter() - start)


def main() -> None:
    """Measure each case and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        framework, case, workers = arguments.one
        print(json.dumps(measure(framework, case, int(workers))))
        return
    print(f"{'batches per second':28}{'workers':>8}{'duograph':>12}{'pytorch':>12}{'ratio':>8}")
    for case in CASES:
        for workers in arguments.workers:
            rates: dict[str, list[float]] = {framework: [] for framework in FRAMEWORKS}
            for _ in range(arguments.rounds):
                for framework in FRAMEWORKS:
                    command = [sys.executable, "-m", "benchmarks.loader", "--one", framework, case, str(workers)]
                    rates[framework].append(json.loads(subprocess.check_output(command)))
            ours, theirs = (statistics.median(rates[framework]) for framework in FRAMEWORKS)
            print(f"{case:28}{workers:8}{ours:12.1f}{theirs:12.1f}{ours / theirs:8.2f}", flush=True)


if __name__ == "__main__":
    main()
