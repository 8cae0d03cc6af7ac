"""Batches: gathered in this process, or by worker processes ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..graph import trace as tracing
from ..graph.errors import ArgumentError
from ..ops.joining import stack
from ..ops.random import Generator
from ..runtime import memory
from ..runtime.buffer import Buffer
from ..tensor.convert import copy, from_buffer, tensor
from ..tensor.core import Tensor
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .workers import Batches, Crew

_NUMBERS = {bool: np.bool_, int: np.int64, float: np.float64}


def default_collate(batch: list[Any]) -> Any:
    """A batch of samples as one: tensors and arrays are stacked, numbers become a tensor, containers stay."""
    first = batch[0]
    if isinstance(first, Tensor):
        return _tensors(batch)
    if isinstance(first, np.generic) and set(map(type, batch)) == {type(first)}:
        return from_buffer(np.array(batch, first.dtype))
    if isinstance(first, np.ndarray | np.generic):
        return from_buffer(_stacked([np.asarray(b) for b in batch]))
    if type(first) in _NUMBERS and set(map(type, batch)) == {type(first)}:
        return from_buffer(np.array(batch, _NUMBERS[type(first)]))
    if isinstance(first, bool | int):
        return tensor(batch)
    if isinstance(first, float):
        return tensor(batch, dtype="float64")
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return type(first)({k: default_collate([b[k] for b in batch]) for k in first})  # type: ignore[call-arg]
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(column)) for column in zip(*batch, strict=True)))
    if isinstance(first, tuple | list):
        lengths = {len(b) for b in batch}
        if len(lengths) > 1:
            raise ArgumentError(f"collate: expected samples of equal length. Received: lengths {sorted(lengths)}")
        return [default_collate(list(column)) for column in zip(*batch, strict=True)]
    raise TypeError(
        "collate: expected samples of tensors, arrays, numbers, strings, or dictionaries, lists and tuples of them. "
        f"Received: {type(first).__name__}; pass collate_fn= to say how such samples become a batch"
    )


def _tensors(batch: list[Tensor]) -> Tensor:
    """Tensors of one shape beside each other."""
    rows = [t._row if isinstance(t, Tensor) else None for t in batch]
    if None not in rows and len({id(source) for source, _ in rows}) == 1:  # type: ignore[misc]
        return from_buffer(np.take(rows[0][0].buffer.array, [index for _, index in rows], 0))  # type: ignore[misc, index]
    first = batch[0]
    if first._base is not None and first._value.buffer is None and first._value.origin is None:
        first._array()  # samples of a data set that was recorded: it is computed once, and not in parts
    arrays = _arrays(batch)
    if arrays is None or len({t._value.kind for t in batch}) > 1:
        return stack(batch)
    return from_buffer(_joined(arrays))


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """As `numpy.stack`, in half the time where the arrays are alike."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    if any(a.shape != shape or a.dtype is not dtype for a in arrays):
        return np.stack(arrays)
    return _joined(arrays)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    """`numpy.stack` of arrays of one shape and dtype."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    if not shape:
        return np.array(arrays, dtype)
    made = memory.empty((len(arrays), *shape), dtype)
    np.concatenate(arrays, out=made.reshape(len(arrays) * shape[0], *shape[1:]))
    return made


def _arrays(tensors: Any) -> list[np.ndarray] | None:
    """The memory of tensors that hold results and are on no tape: copying it is quicker than recording that."""
    if tracing.local.capture is not None or not all(isinstance(t, Tensor) for t in tensors):
        return None
    values = [t._value for t in tensors]
    buffers = [v.buffer for v in values]
    if set(map(type, buffers)) != {Buffer} or any(v.origin is not None for v in values):
        return None
    return [b.array for b in buffers]


class DataLoader:
    """Batches of a data set: shuffled, collated, dropped, and prefetched by `num_workers` processes.

    With a TensorDataset and the default collation whole batches are indexed at once, with the same result.
    Raises ArgumentError for options that exclude each other.
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None, batch_sampler: Iterable[Any] | None = None, num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None, pin_memory: bool = False, drop_last: bool = False,
        timeout: float = 0, worker_init_fn: Callable[[int], Any] | None = None, multiprocessing_context: Any = None,
        generator: Generator | None = None, *, prefetch_factor: int | None = None, persistent_workers: bool = False,
        pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        if num_workers < 0:
            raise ArgumentError(f"num_workers: expected 0 or more. Received: {num_workers}")
        if not num_workers and (prefetch_factor is not None or persistent_workers or timeout):
            raise ArgumentError(
                "prefetch_factor, persistent_workers and timeout are for worker processes. Received: num_workers=0"
            )
        if timeout < 0 or (prefetch_factor is not None and prefetch_factor < 1):
            raise ArgumentError(
                f"expected timeout >= 0 and prefetch_factor >= 1. Received: {timeout} and {prefetch_factor}"
            )
        if isinstance(dataset, IterableDataset) and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError(
                "a stream (IterableDataset) comes in its own order: shuffle and samplers are not for it"
            )
        if sampler is not None and shuffle:
            raise ArgumentError("sampler and shuffle exclude each other: the sampler is the order")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError("batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        self.dataset = dataset
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = prefetch_factor if prefetch_factor is not None else 2 if num_workers else None
        self.persistent_workers = persistent_workers
        self.multiprocessing_context = multiprocessing_context
        self.drop_last = drop_last
        self.batch_size = None if batch_sampler is not None else batch_size
        if isinstance(dataset, IterableDataset):
            self.sampler: Any = None
        else:
            order = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
            self.sampler = sampler if sampler is not None else order
        if batch_sampler is None and batch_size is not None and self.sampler is not None:
            batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self._batched = batch_sampler is not None or (self.sampler is None and batch_size is not None)
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)
        self._crew: Crew | None = None

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        if self.sampler is not None:
            return len(self.sampler)
        count = len(self.dataset)
        return (
            count
            if self.batch_size is None
            else count // self.batch_size
            if self.drop_last
            else -(-count // self.batch_size)
        )

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers:
            if not self.persistent_workers:
                return Batches(self, Crew(self), False)
            if self._crew is None or not self._crew.workers:
                self._crew = Crew(self)
            return Batches(self, self._crew, True)
        if self.sampler is None:
            return self._stream()
        keys = self.batch_sampler if self.batch_sampler is not None else self.sampler
        return (self._fetch(key) for key in keys)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process gets that does not share this memory: all but the workers."""
        return {**vars(self), "_crew": None}

    def _stream(self) -> Iterator[Any]:
        """The batches of a data set that is a stream."""
        return _stream(self.dataset, self.batch_size, self.drop_last, self.collate_fn)

    def _fetch(self, key: Any) -> Any:
        """The batch (or, without batching, the sample) of an index list."""
        dataset = self.dataset
        if not self._batched:
            return self.collate_fn(dataset[key])
        if self.collate_fn is default_collate:
            indices = key
            while type(dataset) is Subset:
                dataset, indices = dataset.dataset, [dataset.indices[k] for k in indices]
            if type(dataset) is TensorDataset:
                return _taken(dataset.tensors, indices)
            dataset = self.dataset
        if hasattr(dataset, "__getitems__"):
            return self.collate_fn(dataset.__getitems__(key))
        return self.collate_fn([dataset[k] for k in key])


def _taken(tensors: tuple[Tensor, ...], indices: list[int]) -> list[Tensor]:
    """The places `indices` of the first axis. Neighbours are a slice: copied, so that a batch is memory of its own."""
    arrays = _arrays(tensors)
    if arrays is not None:
        return [from_buffer(np.take(array, indices, 0)) for array in arrays]
    first, count = indices[0], len(indices)
    if first >= 0 and indices == list(range(first, first + count)):
        return [copy(t[first : first + count]) for t in tensors]
    return [t[indices] for t in tensors]


def default_convert(data: Any) -> Any:
    """Arrays as tensors, in containers that keep their form; what `DataLoader` does to samples without batching."""
    if isinstance(data, np.ndarray) and data.dtype.kind in "biufV":
        return from_buffer(np.array(data))
    if isinstance(data, Mapping):
        return {k: default_convert(v) for k, v in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, list | tuple):
        return type(data)(map(default_convert, data))
    return data


def _stream(dataset: Any, size: int | None, drop_last: bool, collate: Callable[[list[Any]], Any]) -> Iterator[Any]:
    if size is None:
        for sample in dataset:
            yield collate(sample)
        return
    batch: list[Any] = []
    for sample in dataset:
        batch.append(sample)
        if len(batch) == size:
            yield collate(batch)
            batch = []
    if batch and not drop_last:
        yield collate(batch)
