"""Collections of samples, by index or as a stream."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..graph.errors import ArgumentError
from ..ops.random import Generator
from ..ops.random import randperm as permutation
from ..tensor.core import Tensor


class Dataset:
    """Samples by index: define `__getitem__`, and `__len__` where a loader is to shuffle or count."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])

    def __class_getitem__(cls, _: Any) -> type:
        return cls


class IterableDataset(Dataset):
    """Samples as a stream: define `__iter__`."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class TensorDataset(Dataset):
    """Samples are the places of the first axis of one or more tensors of equal length."""

    def __init__(self, *tensors: Tensor) -> None:
        lengths = [t.shape[0] for t in tensors]
        if len(set(lengths)) > 1:
            raise ArgumentError(f"TensorDataset: expected tensors of equal first size. Received: {lengths}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class ConcatDataset(Dataset):
    """Data sets one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset: expected at least one data set")
        self.cumulative_sizes: list[int] = []
        total = 0
        for d in self.datasets:
            total += len(d)
            self.cumulative_sizes.append(total)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        index %= len(self)
        place = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[place][index - (self.cumulative_sizes[place - 1] if place else 0)]


class ChainDataset(IterableDataset):
    """Streams one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for d in self.datasets:
            yield from d


class StackDataset(Dataset):
    """Samples of several data sets side by side: tuples, or dictionaries by keyword."""

    def __init__(self, *datasets: Any, **named: Any) -> None:
        self.datasets: Any = named or datasets
        lengths = {len(d) for d in (named.values() if named else datasets)}
        if len(lengths) != 1:
            raise ArgumentError(f"StackDataset: expected data sets of equal length. Received: {sorted(lengths)}")
        self._length = lengths.pop()

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {k: d[index] for k, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset):
    """Some samples of a data set, by their indices."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[k] for k in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """The samples of several indices at once, where the data set can give them so."""
        places = [self.indices[k] for k in indices]
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(places)
        return [self.dataset[k] for k in places]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Subsets at random, of given lengths or fractions that add up to 1.

    Raises ArgumentError where the lengths do not add up to that of the data set.
    """
    total = len(dataset)
    sizes = list(lengths)
    if abs(sum(sizes) - 1) < 1e-9 and sum(sizes) <= 1 + 1e-9 and total != 1:
        whole = [int(total * f) for f in lengths]
        for k in range(total - sum(whole)):
            whole[k % len(whole)] += 1
        sizes = list(whole)
    if sum(sizes) != total:
        raise ArgumentError(
            f"random_split: expected lengths that add up to {total} (or fractions to 1). Received: {lengths}"
        )
    order = permutation(total, generator=generator).tolist()
    parts, start = [], 0
    for size in sizes:
        parts.append(Subset(dataset, order[start : start + int(size)]))
        start += int(size)
    return parts
