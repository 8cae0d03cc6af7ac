"""What both dialects are given, and what each hands back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..data import sources
from ..graph.errors import ArgumentError
from ..show import Layer, Run


class DataSet(StrEnum):
    """The images to learn: bundled, or from a folder of idx files."""

    DIGITS = "digits"
    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"


GARMENTS = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


@dataclass(frozen=True)
class Task:
    """Labelled images, divided into training and test, and how they are to be learnt."""

    title: str
    classes: Sequence[str]
    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return -(-len(self.x_train) // self.batch_size)


@dataclass(frozen=True)
class Learnt:
    """A trained network, as its dialect left it."""

    run: Run
    file: Path
    """Where it was saved."""
    probabilities: NDArray[np.float32]
    """For each test image those of the classes, (n, classes), as said by the network that was loaded from `file`."""
    layers: list[Layer] = field(repr=False)


class Progress(Protocol):
    """What a training loop reports to."""

    def step(self, loss: float | None = None) -> None:
        """One more step was made; `loss`, if the loop has it at hand, is shown."""

    def epoch(self, loss: float, accuracy: float) -> None:
        """One more epoch was made, with this mean loss in training and this accuracy on the test images."""


def load(data: DataSet, folder: Path | None, epochs: int | None, seed: int) -> Task:
    """The task that goes with a data set.

    Raises ArgumentError if a folder is missing or is not wanted, and DataError if it does not hold the files.
    """
    if data is DataSet.DIGITS:
        if folder is not None:
            raise ArgumentError(f"the data set digits is part of Duograph: expected no folder. Received: {folder}")
        train, test = sources.digits()
        return Task("Handwritten digits", "0123456789", *train, *test, epochs or 12, 16, 3e-3, seed)
    if folder is None:
        raise ArgumentError(
            f"the data set {data} is read from idx files: expected the folder that holds them (--folder)"
        )
    train, test = sources.idx_folder(folder)
    title, classes = ("MNIST", "0123456789") if data is DataSet.MNIST else ("Fashion-MNIST", GARMENTS)
    return Task(title, classes, *train, *test, epochs or 2, 64, 2e-3, seed)


def accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The share of rows whose largest score is at the label."""
    return float((scores.argmax(1) == labels).mean())
