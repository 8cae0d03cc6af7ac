"""The thread pool: native code from end to end, with no Python in it.

A worker is a Python thread that calls a compiled loop once and does not come back before the pool stops, so it never
wants the interpreter's lock. Compiled code divides its work by calling

    void duograph_parallel_for(void (*body)(ptr argument, i64 chunk, i64 thread), ptr argument, i64 chunks)

which runs `body` for every chunk in `0 <= chunk < chunks`, on the caller and the workers, and returns when all are
done. Each thread begins with chunks of its own, the same in each step, and whoever is free helps the others. What a
chunk is depends on the problem and never on the number of threads, so results are the same bits for any number.
`thread` is less than `get_num_threads()`, and within a call no two bodies run under the same number at once: it picks
scratch memory. A body that needs none may leave the parameter out.

A call from within a body, or while another Python thread is using the workers, runs all its chunks on its caller, as
thread 0.

Workers start with the first call that has work for them, also in a child after `fork`. An idle worker spins for
`SPIN_MICROSECONDS`, then sleeps: on Linux on a futex, on other POSIX systems on a condition variable. On Windows there
is one thread.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import sys
import threading
import time

from ..graph.errors import ArgumentError, NotSupported
from . import jit, targets
from .linker import Image, link
from .pool_ir import pool_ir

__all__ = ["PARALLEL_FOR", "Pool", "get_num_threads", "image", "set_num_threads"]

PARALLEL_FOR = "duograph_parallel_for"

SPIN_MICROSECONDS = 250
"""How long an idle worker looks for work before it sleeps: as long as Python takes between two steps of a small model.
Waking a sleeper costs some 50 us until it runs, and a system call."""


class Pool:
    """Workers and the code they run. A process needs one, which the functions below stand for.

    Args:
        threads: The number of threads that work together, the caller included.
        system: `sys.platform`'s name of the system; it decides how workers sleep.
    """

    def __init__(self, threads: int, system: str = sys.platform) -> None:
        self.image = link(jit.compile_many([pool_ir(system, targets.architecture())]))  # its variables are not shared
        self._lock = threading.Lock()
        self._workers: list[threading.Thread] = []
        self._enter = self.image.function("duograph_pool_worker", None, ctypes.c_int64)
        self._ring = self.image.function("duograph_pool_ring")
        self._reset = self.image.function("duograph_pool_reset")
        self._wanted = self._variable("wanted")
        self._started = self._variable("started")
        self._stopping = self._variable("stopping")
        # Compiled code calls this when there is work for workers that do not run yet.
        self._starter = ctypes.CFUNCTYPE(None)(self._start)
        self._variable("starter").value = ctypes.cast(self._starter, ctypes.c_void_p).value or 0
        self._variable("spins").value = self._spins(SPIN_MICROSECONDS * 1e-6)
        self._reset()
        self._wanted.value = threads - 1

    @property
    def threads(self) -> int:
        """The number of threads that work together, the caller included."""
        return self._wanted.value + 1

    def resize(self, threads: int) -> None:
        """Another number of threads. A job that is under way is finished by its caller."""
        self.stop()
        self._wanted.value = threads - 1

    def stop(self) -> None:
        """Send all workers home. They come back when there is work again."""
        with self._lock:
            self._started.value = 0
            self._stopping.value = 1
            self._ring()
            for worker in self._workers:
                if worker.ident is not None:
                    worker.join()
            self._workers.clear()
            self._stopping.value = 0

    def forked(self) -> None:
        """In a child process: the workers stayed with the parent, and what was locked there is not locked here."""
        self._lock = threading.Lock()
        self._workers.clear()
        self._reset()

    def _start(self) -> None:
        with self._lock:
            while len(self._workers) < self._wanted.value:
                number = len(self._workers) + 1
                worker = threading.Thread(target=self._enter, args=(number,), name=f"duograph-{number}", daemon=True)
                self._workers.append(worker)
                try:
                    worker.start()
                except (
                    RuntimeError
                ):  # the interpreter is leaving, or the system has no more: make do with what there is
                    self._workers.pop()
                    self._wanted.value = len(self._workers)
            self._started.value = len(self._workers)

    def _variable(self, name: str) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(self.image[f"duograph_pool_{name}"])

    def _spins(self, seconds: float) -> int:
        """How many pauses of the processor take that long."""
        pause = self.image.function("duograph_pool_pause", None, ctypes.c_int64)
        best = 1.0
        for _ in range(3):
            start = time.perf_counter()
            pause(500)
            best = min(best, time.perf_counter() - start)
        return max(1, int(500 * seconds / best))


def image() -> Image:
    """The code of the pool, for `jit.load(..., using=[pool.image()])`."""
    return _pool().image


def get_num_threads() -> int:
    """The number of threads that compiled code runs on: by default the physical cores that this process may use, or
    `DUOGRAPH_NUM_THREADS`.

    Raises:
        ArgumentError: `DUOGRAPH_NUM_THREADS` is not a positive number.
    """
    return _pool().threads


def set_num_threads(count: int) -> None:
    """Set the number of threads that compiled code runs on. Results do not depend on it.

    Raises:
        ArgumentError: The count is not a positive number.
        NotSupported: More than one thread, on Windows.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"set_num_threads expects a positive integer, received {count!r}")
    if count > 1 and sys.platform == "win32":
        raise NotSupported(f"on Windows compiled code runs on one thread; set_num_threads received {count}")
    _pool().resize(count)


def default_num_threads() -> int:
    """`DUOGRAPH_NUM_THREADS`, or the physical cores that this process may use."""
    given = os.environ.get("DUOGRAPH_NUM_THREADS", "").strip()
    if given and (not given.isdecimal() or int(given) < 1):
        raise ArgumentError(f"DUOGRAPH_NUM_THREADS must be a positive integer, received {given!r}")
    if sys.platform == "win32":
        return 1
    return int(given) if given else targets.cores()


@functools.cache
def _pool() -> Pool:
    pool = Pool(default_num_threads())
    atexit.register(pool.stop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=pool.forked)
    return pool
