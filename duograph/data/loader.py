"""Batches: gathered in this process, or by worker processes ahead of time."""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph.errors import ArgumentError
from ..ops.joining import stack
from ..ops.random import Generator, manual_seed, randint
from ..tensor.convert import copy, from_buffer, tensor
from ..tensor.core import Tensor
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def default_collate(batch: list[Any]) -> Any:
    """A batch of samples as one: tensors and arrays are stacked, numbers become a tensor, containers stay."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray | np.generic):
        return from_buffer(np.stack([np.asarray(b) for b in batch]))
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


@dataclass(frozen=True)
class WorkerInfo:
    """Of which worker process this is: its number, how many there are, its seed and its copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Within a worker process, what it is; elsewhere None."""
    return _worker


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
        self.collate_fn = collate_fn or (default_collate if self._batched else _as_tensors)

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
            return _from_workers(self)
        if self.sampler is None:
            return _stream(self.dataset, self.batch_size, self.drop_last, self.collate_fn)
        keys = self.batch_sampler if self.batch_sampler is not None else self.sampler
        return (self._fetch(key) for key in keys)

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
    first, count = indices[0], len(indices)
    if first >= 0 and indices == list(range(first, first + count)):
        return [copy(t[first : first + count]) for t in tensors]
    return [t[indices] for t in tensors]


def _as_tensors(sample: Any) -> Any:
    """Without batching: arrays become tensors, containers keep their form."""
    if isinstance(sample, np.ndarray):
        return from_buffer(np.array(sample))
    if isinstance(sample, Mapping):
        return {k: _as_tensors(v) for k, v in sample.items()}
    if isinstance(sample, list):
        return [_as_tensors(v) for v in sample]
    return (
        tuple(_as_tensors(v) for v in sample)
        if isinstance(sample, tuple) and not hasattr(sample, "_fields")
        else sample
    )


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


class _Failed:
    """An error in a worker, on its way to the loader."""

    def __init__(self, worker: int, error: Exception) -> None:
        self.worker = worker
        self.kind = type(error).__name__
        self.trace = traceback.format_exc()


class _End:
    """A worker's stream is at its end."""


def _work(loader: DataLoader, number: int, seed: int, tasks: Any, results: Any) -> None:
    """A worker's life: take an index list, give back its batch, until None comes."""
    global _worker
    manual_seed(seed)
    np.random.seed(seed % 2**32)
    _worker = WorkerInfo(number, loader.num_workers, seed, loader.dataset)
    try:
        if loader.worker_init_fn is not None:
            loader.worker_init_fn(number)
        stream = None
        if loader.sampler is None:
            stream = _stream(loader.dataset, loader.batch_size, loader.drop_last, loader.collate_fn)
        while (task := tasks.get()) is not None:
            results.put(loader._fetch(task[0]) if stream is None else next(stream, _End()))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        results.put(_Failed(number, error))


class _Worker:
    """A worker process with its own queues: what goes in first comes out first."""

    def __init__(self, context: Any, loader: DataLoader, number: int, seed: int) -> None:
        self.tasks = context.SimpleQueue()
        self.results = context.Queue()
        self.under_way = 0
        self.process = context.Process(target=_work, args=(loader, number, seed, self.tasks, self.results), daemon=True)
        self.process.start()

    def send(self, key: Any) -> None:
        self.tasks.put((key,))
        self.under_way += 1

    def receive(self, timeout: float) -> Any:
        """The next batch; RuntimeError if the process failed, died, or gave nothing in time (0: no limit)."""
        waited = 0.0
        while True:
            try:
                made = self.results.get(timeout=1.0)
                break
            except queue.Empty:
                waited += 1.0
                if not self.process.is_alive():
                    raise RuntimeError(
                        f"a DataLoader worker process died (exit code {self.process.exitcode})"
                    ) from None
                if timeout and waited >= timeout:
                    raise RuntimeError(f"DataLoader: no batch came in {timeout} seconds") from None
        if isinstance(made, _Failed):
            raise RuntimeError(
                f"{made.kind} in DataLoader worker process {made.worker}. Original traceback:\n{made.trace}"
            )
        self.under_way -= 1
        return made

    def stop(self) -> None:
        self.tasks.put(None)
        self.process.join(0.2)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()
        self.results.close()
        self.results.cancel_join_thread()


def _from_workers(loader: DataLoader) -> Iterator[Any]:
    """Batches in order, `prefetch_factor` of them under way in each worker process.

    Workers take turns, so the order is that of the sampler; of a stream each worker reads its own copy.
    """
    context = loader.multiprocessing_context
    if context is None or isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context(context or ("fork" if "fork" in methods else "spawn"))
    seed = int(randint(0, 2**31, (1,), generator=loader.generator).item())
    keys: Iterator[Any] = itertools.repeat(None)
    if loader.sampler is not None:
        keys = iter(loader.batch_sampler if loader.batch_sampler is not None else loader.sampler)
    workers = [_Worker(context, loader, k, seed + k) for k in range(loader.num_workers)]
    try:
        for worker, key in zip(workers * (loader.prefetch_factor or 2), keys, strict=False):
            worker.send(key)
        turns = deque(workers)
        while turns:
            worker = turns.popleft()
            if not worker.under_way:
                continue
            made = worker.receive(loader.timeout)
            if isinstance(made, _End):
                continue
            for key in itertools.islice(keys, 1):
                worker.send(key)
            turns.append(worker)
            yield made
    finally:
        for worker in workers:
            worker.stop()
