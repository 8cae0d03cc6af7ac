"""What pipelines are made of: rows in memory, chunks of elements, orders that a seed fixes, iterators of tensors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import duograph.torch as torch

from ..errors import InvalidArgumentError, OutOfRangeError
from .elements import leaves_of, map_leaves, owned, to_numpy, to_tensors

if TYPE_CHECKING:
    from .dataset import Dataset


NONE = object()
"""What stands for an element where there is none."""


class Rows:
    """Where a data set is rows of arrays in memory: the arrays, and the data set of the rows' numbers."""

    def __init__(self, columns: Any, numbers: Dataset) -> None:
        self.columns = columns
        self.numbers = numbers

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.columns, np.ndarray):
            column = self.columns
            return (column[i, ...].copy() for i in self.numbers.iterate())
        if type(self.columns) is tuple and all(isinstance(c, np.ndarray) for c in self.columns):
            columns = self.columns
            return (tuple([c[i, ...].copy() for c in columns]) for i in self.numbers.iterate())
        return (map_leaves(lambda c, i=i: c[i, ...].copy(), self.columns) for i in self.numbers.iterate())

    def peek(self) -> Any:
        """Any row, or `NONE`."""
        columns = leaves_of(self.columns)
        return map_leaves(lambda c: c[0, ...].copy(), self.columns) if len(columns[0]) else NONE

    def batches(self, size: int, drop_remainder: bool) -> Iterator[Any]:
        """Batches gathered at once, instead of element by element."""
        for chunk in chunks(self.numbers.iterate(), size, drop_remainder):
            index = np.array(chunk)
            yield map_leaves(lambda column, index=index: column[index], self.columns)


class Seeds:
    """The sources of random numbers of the iterations of one data set."""

    def __init__(self, seed: Any, each_iteration: bool) -> None:
        drawn = int(torch.randint(0, 2**31 - 1, ())) if seed is None else int(seed)
        self.seed = (torch.initial_seed() & 0xFFFFFFFF, drawn & 0xFFFFFFFFFFFFFFFF)
        self.each_iteration = each_iteration
        self.iteration = 0

    def next(self) -> np.random.Generator:
        """That of a new iteration."""
        self.iteration += self.each_iteration
        return np.random.default_rng([*self.seed, self.iteration])


class TensorIterator:
    """Iterates over tensors. Also TensorFlow's `get_next`, which raises OutOfRangeError at the end."""

    def __init__(self, dataset: Dataset) -> None:
        self._elements = dataset.iterate()
        self._dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return to_tensors(next(self._elements))

    def get_next(self) -> Any:
        """The next element."""
        try:
            return next(self)
        except StopIteration:
            raise OutOfRangeError("End of sequence") from None

    @property
    def element_spec(self) -> Any:
        return self._dataset.element_spec


class NumpyIterator:
    """Iterates over arrays, also by a method `next`."""

    def __init__(self, dataset: Dataset) -> None:
        self._elements = dataset.iterate()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return map_leaves(to_numpy, owned(next(self._elements)))

    def next(self) -> Any:
        """The next element."""
        return next(self)


def chunks(elements: Iterator[Any], size: int, drop_remainder: bool) -> Iterator[list[Any]]:
    while len(chunk := list(itertools.islice(elements, size))) == size:
        yield chunk
    if chunk and not drop_remainder:
        yield chunk


def batch_count(count: int, size: int, drop_remainder: bool) -> int:
    return count if count < 0 else count // size if drop_remainder else math.ceil(count / size)


def positive(name: str, size: Any) -> int:
    if int(size) < 1:
        raise InvalidArgumentError(f"{name} expected a size of at least 1. Received: {int(size)}")
    return int(size)
