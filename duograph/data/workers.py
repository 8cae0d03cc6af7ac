"""Worker processes that make batches ahead of time.

Each worker has a pipe for its tasks and one for its results; workers take turns, so batches come in the order of the
sampler. The arrays of a batch do not go through the pipe: the worker writes them into memory without a name (memfd),
whose handle the loader receives and maps. Nothing is left behind by a process that is killed, and a worker whose loader
is gone ends itself. Where there is no such memory, arrays go through the pipe.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import mmap
import multiprocessing
import os
import pickle
import queue
import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from ..ops.random import manual_seed, randint
from ..tensor.convert import reduce_content
from ..tensor.core import Tensor

ALIGNMENT = 64
SMALL = 1 << 15
"""Batches of fewer bytes go through the pipe."""


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


class _Failed:
    """An error in a worker, on its way to the loader."""

    def __init__(self, worker: int, error: Exception) -> None:
        self.worker = worker
        self.kind = type(error).__name__
        self.trace = traceback.format_exc()
        try:
            self.type: Any = type(error) if pickle.loads(pickle.dumps(type(error))) is type(error) else RuntimeError
        except Exception:
            self.type = RuntimeError

    def error(self) -> Exception:
        """The error, of its own type where that takes a message, with the worker's traceback in it."""
        text = f"Caught {self.kind} in DataLoader worker process {self.worker}.\nOriginal {self.trace}"
        try:
            return self.type(_Text(text) if issubclass(self.type, KeyError) else text)
        except Exception:
            return RuntimeError(text)


class _Text(str):
    """A message that a KeyError, which shows the repr of its argument, shows line by line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _End:
    """A worker's stream is at its end."""


class _Pickler(ForkingPickler):
    """Takes the arrays of a batch's tensors out, so that they go into one piece of shared memory."""

    def __init__(self, file: Any, take: Any) -> None:
        super().__init__(file, 5, True, take)
        self.dispatch_table: Any = {**self.dispatch_table, Tensor: reduce_content}


def _send(pipe: Any, epoch: int, made: Any) -> None:
    """A result into the pipe, with its arrays in shared memory."""
    buffers: list[Any] = []
    written = io.BytesIO()
    _Pickler(written, buffers.append).dump((epoch, made))
    views = [b.raw() for b in buffers]
    places, end = [], 0
    for view in views:
        places.append((end, view.nbytes))
        end += -(-view.nbytes // ALIGNMENT) * ALIGNMENT
    if end < SMALL or not hasattr(os, "memfd_create"):
        pipe.send((written.getvalue(), [bytearray(v) for v in views], None))
        return
    handle = os.memfd_create("duograph-batch")
    try:
        os.ftruncate(handle, end)
        with mmap.mmap(handle, end) as memory:
            for view, (start, size) in zip(views, places, strict=True):
                memory[start : start + size] = view
        pipe.send((written.getvalue(), places, end))
        multiprocessing.reduction.send_handle(pipe, handle, None)
    finally:
        os.close(handle)


def _received(pipe: Any) -> tuple[int, Any]:
    """The epoch and content of the next result in the pipe."""
    written, places, size = pipe.recv()
    if size is None:
        return pickle.loads(written, buffers=places)
    handle = multiprocessing.reduction.recv_handle(pipe)
    try:
        memory = memoryview(mmap.mmap(handle, size))  # unmapped when the last array over it is gone
    finally:
        os.close(handle)
    return pickle.loads(written, buffers=[memory[start : start + length] for start, length in places])


def _listen(pipe: Any, tasks: queue.SimpleQueue[Any]) -> None:
    """In a thread of a worker: take tasks as they come, and end the process when the loader's is gone."""
    parent = multiprocessing.parent_process()
    watched = [pipe] if parent is None else [pipe, parent.sentinel]
    with contextlib.suppress(EOFError, OSError):
        while pipe in connection.wait(watched):
            tasks.put(task := pipe.recv())
            if task is None:
                return
    os._exit(1)


def _work(loader: Any, number: int, seed: int, tasks_pipe: Any, results: Any) -> None:
    """A worker's life: take an index list, give back its batch, until None comes."""
    global _worker
    manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    _worker = WorkerInfo(number, loader.num_workers, seed, loader.dataset)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks_pipe, tasks), daemon=True).start()
    epoch, stream, failed = -1, None, None
    try:
        if loader.worker_init_fn is not None:
            loader.worker_init_fn(number)
    except Exception as error:
        failed = _Failed(number, error)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        while (task := tasks.get()) is not None:
            try:
                if task[0] != epoch and loader.sampler is None:
                    stream = loader._stream()
                epoch = task[0]
                made = failed or (loader._fetch(task[1]) if stream is None else next(stream, _End()))
                _send(results, epoch, made)
            except (BrokenPipeError, ConnectionResetError):
                return
            except Exception as error:
                _send(results, epoch, _Failed(number, error))


class _Worker:
    """A worker process and its two pipes: what goes in first comes out first."""

    def __init__(self, context: Any, loader: Any, number: int, seed: int) -> None:
        task_end, self.tasks = context.Pipe(duplex=False)
        self.results, result_end = context.Pipe()  # of sockets, through which handles can go
        self.under_way = 0
        arguments = (loader, number, seed, task_end, result_end)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        task_end.close()
        result_end.close()

    def send(self, epoch: int, key: Any) -> None:
        """Let the worker make the batch of an index list."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: receive() says so
            self.tasks.send((epoch, key))
        self.under_way += 1

    def receive(self, epoch: int, timeout: float) -> Any:
        """The next batch of an epoch; RuntimeError if the process died, or gave nothing in time (0: no limit)."""
        end = time.monotonic() + timeout if timeout else None
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            ready = connection.wait([self.results, self.process.sentinel], left)
            if not ready:
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds: no batch came from a worker")
            try:
                if self.results not in ready and not self.results.poll():
                    raise EOFError
                came, made = _received(self.results)
            except (EOFError, OSError):
                self.process.join(1)
                raise RuntimeError(
                    f"DataLoader worker (pid {self.process.pid}) exited unexpectedly, "
                    f"with exit code {self.process.exitcode}"
                ) from None
            if came == epoch:
                self.under_way -= 1
                return made

    def stop(self) -> None:
        """End the process, kindly at first."""
        with contextlib.suppress(OSError, ValueError):
            self.tasks.send(None)
        self.results.close()  # a worker that waits to be heard stops waiting
        self.process.join(0.5)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.tasks.close()


class Crew:
    """The workers of a loader, for one epoch or, if they persist, for all."""

    def __init__(self, loader: Any) -> None:
        context = loader.multiprocessing_context
        if context is None or isinstance(context, str):
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context(context or ("fork" if "fork" in methods else "spawn"))
        seed = int(randint(0, 2**31, (1,), generator=loader.generator).item())
        self.epoch = 0
        self.workers: list[_Worker] = []
        self.owner = os.getpid()
        for number in range(loader.num_workers):
            self.workers.append(_Worker(context, loader, number, seed + number))

    def stop(self) -> None:
        """Send all workers home."""
        if os.getpid() == self.owner:  # a process that was forked has a copy of this object, and no workers
            for worker in self.workers:
                worker.stop()
        self.workers = []

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.stop()


class Batches(Iterator[Any]):
    """Batches in order, `prefetch_factor` of them under way in each worker process.

    Workers take turns, so the order is that of the sampler; of a stream each worker reads its own copy.
    """

    def __init__(self, loader: Any, crew: Crew, persistent: bool) -> None:
        self._timeout = loader.timeout
        self._crew: Crew | None = crew
        self._persistent = persistent
        crew.epoch += 1
        self._epoch = crew.epoch
        self._keys: Iterator[Any] = itertools.repeat(None)
        if loader.sampler is not None:
            self._keys = iter(loader.batch_sampler if loader.batch_sampler is not None else loader.sampler)
        for worker in crew.workers:
            worker.under_way = 0
        for worker, key in zip(crew.workers * (loader.prefetch_factor or 2), self._keys, strict=False):
            worker.send(self._epoch, key)
        self._turns = deque(crew.workers)

    def __next__(self) -> Any:
        crew = self._crew
        if crew is None or crew.epoch != self._epoch:  # at its end, or workers that persist began another epoch
            raise StopIteration
        while self._turns:
            worker = self._turns.popleft()
            if not worker.under_way:
                continue
            try:
                made = worker.receive(self._epoch, self._timeout)
            except BaseException:
                crew.stop()  # a worker that died, or Ctrl-C
                self._crew = None
                raise
            if isinstance(made, _End):
                continue
            for key in itertools.islice(self._keys, 1):
                worker.send(self._epoch, key)
            self._turns.append(worker)
            if isinstance(made, _Failed):
                raise made.error()
            return made
        self._crew = None
        if not self._persistent:
            crew.stop()
        raise StopIteration

    def __del__(self) -> None:
        crew, self._crew = getattr(self, "_crew", None), None
        if crew is not None and not self._persistent:
            crew.stop()
