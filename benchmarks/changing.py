"""`python -m benchmarks.changing`: programs whose sizes change from step to step, on Duograph and on PyTorch.

Texts of any length, a context that grows by a word at a time, images of any size, batches of any number of rows: each
step has sizes that were not there before. Every framework runs the same lines in a process of its own, in turns, and
PyTorch runs eagerly, where a new shape costs it nothing; the losses must agree. Given are the median time of a step
after the first ten, and the time of all steps.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .models import gpt

FRAMEWORKS = {"duograph": "duograph.torch", "pytorch": "torch"}
WARM = 10
"""Steps whose times are not in the median: sizes are compiled for when the second ones come."""


def _batches(torch: Any, *shape: int) -> Any:
    return torch.tensor(np.random.default_rng(list(shape)).standard_normal(shape, dtype=np.float32))


def _labels(torch: Any, below: int, *shape: int) -> Any:
    return torch.tensor(np.random.default_rng([below, *shape]).integers(0, below, shape))


def _settled(torch: Any, model: Any) -> Any:
    """A model with weights that are the same in each framework."""
    generator = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(generator.normal(0, 0.05, tuple(parameter.shape)).astype(np.float32)))
    return model


def _trained(torch: Any, model: Any, loss_of: Callable[..., Any]) -> Callable[..., float]:
    optimizer = torch.optim.Adam(_settled(torch, model).parameters(), 1e-4)

    def step(*batch: Any) -> float:
        optimizer.zero_grad()
        loss = loss_of(model, *batch)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def rows(torch: Any) -> Callable[[int], float]:
    """An MLP on batches of any number of rows."""
    nn, functional = torch.nn, torch.nn.functional
    model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    step = _trained(torch, model, lambda model, x, y: functional.cross_entropy(model(x), y))
    return lambda n: step(_batches(torch, n, 784), _labels(torch, 10, n))


def texts(torch: Any) -> Callable[[int], float]:
    """A transformer on texts of any length."""
    functional = torch.nn.functional
    step = _trained(
        torch,
        gpt.build(torch),
        lambda model, x: functional.cross_entropy(model(x[:, :-1]), x[:, 1:].flatten()),
    )
    return lambda n: step(_labels(torch, 65, 8, n // 2))


def sequences(torch: Any) -> Callable[[int], float]:
    """An LSTM on sequences of any length."""
    nn, functional = torch.nn, torch.nn.functional

    class Classifier(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0][:, -1])

    step = _trained(torch, Classifier(), lambda model, x, y: functional.cross_entropy(model(x), y))
    return lambda n: step(_batches(torch, 16, n, 64), _labels(torch, 2, 16))


def images(torch: Any) -> Callable[[int], float]:
    """A convolutional network that looks at images of any size."""
    nn = torch.nn
    model = _settled(
        torch,
        nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        ),
    ).eval()  # fmt: skip

    def step(n: int) -> float:
        with torch.no_grad():
            return float(model(_batches(torch, 1, 3, n, n + 9)).sum().item())

    return step


def context(torch: Any) -> Callable[[int], float]:
    """A transformer that reads one word more each time."""
    model = _settled(torch, gpt.build(torch)).eval()

    def step(n: int) -> float:
        with torch.no_grad():
            return float(model(_labels(torch, 65, 1, n // 2))[-1].softmax(-1).max().item())

    return step


PROGRAMS: dict[str, tuple[Callable[[Any], Callable[[int], float]], bool]] = {
    "MLP, 32 to 128 rows": (rows, False),
    "GPT training, 16 to 64 tokens": (texts, False),
    "LSTM training, 32 to 128 steps": (sequences, False),
    "CNN inference, 32² to 128²": (images, False),
    "GPT, a context that grows to 64": (context, True),
}
"""The programs; whether sizes grow by one, or jump about."""


def measure(framework: str, name: str) -> dict[str, Any]:
    """Seconds of each step, and what each computed."""
    torch = importlib.import_module(FRAMEWORKS[framework])
    torch.set_num_threads(2)
    program, grows = PROGRAMS[name]
    step = program(torch)
    sizes = list(range(2, 130, 2)) if grows else random.Random(0).sample(range(32, 129), 60)
    times, values = [], []
    for n in sizes:
        start = time.perf_counter()
        values.append(step(n))
        times.append(time.perf_counter() - start)
    return {"times": times, "values": values}


def main() -> None:
    """Measure each program and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.changing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return
    print("| program | duograph, ms | PyTorch, ms | ratio | all steps, s | PyTorch, s | values |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in PROGRAMS:
        found: dict[str, list[Any]] = {framework: [] for framework in FRAMEWORKS}
        for _ in range(arguments.rounds):
            for framework in FRAMEWORKS:
                command = [sys.executable, "-m", "benchmarks.changing", "--one", framework, name]
                found[framework].append(json.loads(subprocess.check_output(command)))
        step = {f: statistics.median(statistics.median(r["times"][WARM:]) for r in runs) for f, runs in found.items()}
        total = {f: statistics.median(sum(r["times"]) for r in runs) for f, runs in found.items()}
        ours, theirs = (np.array(found[f][0]["values"]) for f in FRAMEWORKS)
        agree = "agree" if np.allclose(ours, theirs, rtol=1e-3) else f"differ by {np.abs(ours - theirs).max():.2g}"
        cells = [f"{step[f] * 1e3:.2f}" for f in FRAMEWORKS] + [f"{step['pytorch'] / step['duograph']:.2f}×"]
        cells += [f"{total[f]:.2f}" for f in FRAMEWORKS]
        print(f"| {' | '.join([name, *cells, agree])} |", flush=True)


if __name__ == "__main__":
    main()
