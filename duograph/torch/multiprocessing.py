"""`torch.multiprocessing`: Python's multiprocessing, through which tensors go as shared memory.

A tensor that is put into a queue or a pipe, or is an argument of a process that is started anew, moves into memory that
both processes share, as by `share_memory_()`: what either writes in place, the other sees. A forked process shares
with its parent what was shared before the fork.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import *
from multiprocessing import connection, queues
from multiprocessing.context import BaseContext
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

from ..tensor.core import Tensor
from ..tensor.sharing import reduce_shared
from .missing import missing

__all__ = [
    *multiprocessing.__all__, "ProcessContext", "ProcessExitedException", "ProcessRaisedException", "SpawnContext",
    "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn", "start_processes",
]  # fmt: skip

ForkingPickler.register(Tensor, reduce_shared)


class _Queue(queues.Queue):
    """A queue of processes.

    What is put in is pickled at once, and not by the thread that writes into the pipe: tensors move to shared memory
    then, and the program may go on writing to them in the meantime.
    """

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(bytes(ForkingPickler.dumps(obj)), block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return pickle.loads(super().get(block, timeout))


class _JoinableQueue(queues.JoinableQueue, _Queue):
    """A queue of processes with `task_done()` and `join()`."""

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        queues.JoinableQueue.put(self, bytes(ForkingPickler.dumps(obj)), block, timeout)


class _Context(BaseContext):
    """A way to start processes, whose queues are those above."""

    def Queue(self, maxsize: int = 0) -> Any:
        return _Queue(maxsize, ctx=self.get_context())

    def JoinableQueue(self, maxsize: int = 0) -> Any:
        return _JoinableQueue(maxsize, ctx=self.get_context())


_contexts: dict[str, Any] = {}


def get_context(method: str | None = None) -> Any:  # type: ignore[no-redef]
    """Multiprocessing's functions for one way of starting processes: "fork", "spawn", "forkserver" or the default.

    Raises ValueError for another.
    """
    theirs = multiprocessing.get_context(method or multiprocessing.get_start_method())
    name = theirs.get_start_method()
    if name not in _contexts:
        kind = type(theirs)
        _contexts[name] = type(kind.__name__, (_Context, kind), {})()
    return _contexts[name]


def Queue(maxsize: int = 0) -> Any:  # type: ignore[no-redef]
    """A queue of processes, through which tensors go as shared memory."""
    return get_context().Queue(maxsize)


def JoinableQueue(maxsize: int = 0) -> Any:  # type: ignore[no-redef]
    """A queue of processes with `task_done()` and `join()`."""
    return get_context().JoinableQueue(maxsize)


_STRATEGIES = ("file_descriptor", "file_system")
_strategy = "file_descriptor"


def get_all_sharing_strategies() -> set[str]:
    """PyTorch's names of ways to pass memory on. Here it has no name and goes by its descriptor under either."""
    return set(_STRATEGIES)


def get_sharing_strategy() -> str:
    """What `set_sharing_strategy` was told."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Nothing but `get_sharing_strategy` changes. Raises ValueError for a name that PyTorch does not have."""
    global _strategy
    if new_strategy not in _STRATEGIES:
        raise ValueError(f"sharing strategy: expected one of {', '.join(_STRATEGIES)}. Received: {new_strategy!r}")
    _strategy = new_strategy


class _ProcessError(Exception):
    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, error_pid

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(_ProcessError):
    """A function that `spawn` started raised an exception, whose traceback is the message."""


class ProcessExitedException(_ProcessError):
    """A process that `spawn` started ended with an exit code or by a signal."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)


def _begin(fn: Callable[..., Any], index: int, args: Sequence[Any], complaints: Any) -> None:
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        complaints.send(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """Processes that `spawn` has started and not waited for."""

    def __init__(self, processes: Sequence[Any], complaints: Sequence[Any]) -> None:
        self.processes = list(processes)
        self.sentinels: dict[Any, int] = {process.sentinel: index for index, process in enumerate(processes)}
        self._complaints = list(complaints)

    def pids(self) -> list[int]:
        """The processes' numbers."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for processes to end, at most `timeout` seconds for the next. Returns whether all have.

        The first that fails ends the others, after `grace_period` seconds if given, and is raised as
        ProcessRaisedException or ProcessExitedException.
        """
        for sentinel in connection.wait(list(self.sentinels), timeout) if self.sentinels else ():
            index = self.sentinels.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode:
                self._end_others(grace_period)
                self._raise(index)
        return not self.sentinels

    def _end_others(self, grace_period: float | None) -> None:
        if grace_period:
            connection.wait(list(self.sentinels), grace_period)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()

    def _raise(self, index: int) -> NoReturn:
        process, complaint = self.processes[index], self._complaints[index]
        code = process.exitcode
        try:
            told = complaint.recv() if complaint.poll() else None
        except EOFError:
            told = None
        if told is not None:
            raise ProcessRaisedException(f"process {index} ended with this error:\n\n{told}", index, process.pid)
        if code < 0:
            name = signal.Signals(-code).name
            raise ProcessExitedException(
                f"process {index} terminated with signal {name}", index, process.pid, code, name
            )
        raise ProcessExitedException(f"process {index} terminated with exit code {code}", index, process.pid, code)


SpawnContext = ProcessContext


def start_processes(
    fn: Callable[..., Any], args: Sequence[Any] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """Call `fn(k, *args)` in process k of `nprocs`, and wait for all unless `join=False`.

    Raises what `ProcessContext.join` raises.
    """
    context: Any = get_context(start_method)
    processes, complaints = [], []
    for index in range(nprocs):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_begin, args=(fn, index, tuple(args), there), daemon=daemon)
        process.start()
        there.close()
        processes.append(process)
        complaints.append(here)
    started = ProcessContext(processes, complaints)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any], args: Sequence[Any] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """`start_processes`, by starting Python anew."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)


__getattr__ = missing(__name__, __all__)
