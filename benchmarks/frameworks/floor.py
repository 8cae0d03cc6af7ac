"""The machine itself: a plain copy, which is what a memory-bound kernel is measured against."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..kernels import Kernel, Streaming

_pool = ThreadPoolExecutor(1)


def set_threads(count: int) -> None:
    global _pool
    _pool = ThreadPoolExecutor(count)


def kernels(kernel: Kernel) -> dict[str, Callable[[], object]]:
    if not (isinstance(kernel, Streaming) and kernel.operation == "copy"):
        raise NotImplementedError("the floor is a copy")
    source, target = np.ones(kernel.shape, np.float32), np.zeros(kernel.shape, np.float32)

    def copy() -> None:
        parts = _pool._max_workers  # NumPy releases its lock while it copies
        if parts == 1:  # timed by the processor time of this thread
            np.copyto(target, source)
            return
        pieces = zip(np.array_split(target, parts), np.array_split(source, parts), strict=True)
        list(_pool.map(lambda piece: np.copyto(*piece), pieces))

    return {"": copy}
