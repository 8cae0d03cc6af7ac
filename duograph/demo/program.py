"""The program: learn in both dialects, compare, draw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from .. import __version__
from ..show import learning_curves, network, require_matplotlib, samples
from . import keras_dialect, torch_dialect
from .task import DataSet, Learnt, Progress, Task, accuracy, load

SHOWN = 15
"""How many test images the sheet of samples has."""


def demo(data: DataSet, folder: Path | None, out: Path, epochs: int | None, seed: int = 0) -> dict[str, float]:
    """Train the network in both dialects, save, load back, predict, and write pictures into `out`.

    Returns the test accuracy of each dialect in percent; they are also the last two lines printed. Raises MissingExtra
    if nothing can be drawn, and the errors of `load`.
    """
    require_matplotlib()
    console = Console(highlight=False, soft_wrap=True)
    task = load(data, folder, epochs, seed)
    size = f"{task.x_train.shape[1]} × {task.x_train.shape[2]}"
    console.print(f"[bold]Duograph {__version__}[/]")
    console.print(
        f"{task.title}: {len(task.x_train):,} images of {size} to learn from, {len(task.x_test):,} for the test\n"
    )
    out.mkdir(parents=True, exist_ok=True)
    learnt = [
        _learn("torch dialect", torch_dialect.learn, task, out, console),
        _learn("keras dialect", keras_dialect.learn, task, out, console),
    ]
    console.print("\nPictures:")
    for picture in _draw(task, learnt, out):
        console.print(f"  {picture}")
    console.print()
    results = {one.run.name: 100 * accuracy(one.probabilities, task.y_test) for one in learnt}
    for name, percent in results.items():
        print(f"{name}: test accuracy {percent:.1f} %", flush=True)
    return results


def _learn(
    name: str, learn: Callable[[Task, Path, Progress], Learnt], task: Task, out: Path, console: Console
) -> Learnt:
    start = time.perf_counter()
    with _progress(name, task, console) as progress:
        learnt = learn(task, out, progress)
    seconds = time.perf_counter() - start
    console.print(f"  {seconds:.1f} s; saved, loaded back and found the same: {learnt.file}")
    return learnt


class _Bar:
    """A line that grows with the steps, and tells the loss and the accuracy."""

    def __init__(self, bars: Bars, name: str, task: Task) -> None:
        self._bars = bars
        self._epochs = task.epochs
        self._epoch = 1
        self._accuracy = ""
        self._bar = bars.add_task(name, total=task.epochs * task.steps, said="")

    def step(self, loss: float | None = None) -> None:
        self._bars.update(self._bar, advance=1, said=self._said(loss))

    def epoch(self, loss: float, accuracy: float) -> None:
        self._accuracy = f"  test accuracy {100 * accuracy:.1f} %"
        self._bars.update(self._bar, said=self._said(loss))
        self._epoch = min(self._epoch + 1, self._epochs)

    def _said(self, loss: float | None) -> str:
        shown = "" if loss is None else f"  loss {loss:.4f}"
        return f"epoch {self._epoch}/{self._epochs}{shown}{self._accuracy}"


@contextmanager
def _progress(name: str, task: Task, console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("[bold]{task.description}[/]"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Bars(*columns, console=console) as bars:
        yield _Bar(bars, name, task)


def _draw(task: Task, learnt: list[Learnt], out: Path) -> Iterator[Path]:
    """Draw the learning curves, some predictions and the network; yields the files."""
    chosen = _worth_showing(learnt, task.y_test)
    probabilities = {one.run.name: one.probabilities[chosen] for one in learnt}
    pictures = {
        "learning-curves.png": learning_curves([one.run for one in learnt], f"{task.title}: learning curves"),
        "predictions.png": samples(
            task.x_test[chosen],
            task.y_test[chosen],
            probabilities,
            task.classes,
            f"{task.title}: one of each class, and the least certain",
        ),
        "network.png": network(learnt[0].layers, "The network, the same in both dialects"),
    }
    for name, figure in pictures.items():
        figure.savefig(out / name)
        yield out / name


def _worth_showing(learnt: list[Learnt], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first test image of each class, then those whose true class was given the least probability."""
    firsts = np.unique(labels, return_index=True)[1]
    certainty = np.mean([one.probabilities[np.arange(len(labels)), labels] for one in learnt], axis=0)
    doubtful = [index for index in np.argsort(certainty, kind="stable") if index not in firsts]
    return np.concatenate([firsts, doubtful])[:SHOWN].astype(np.int64)
