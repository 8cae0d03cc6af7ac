"""`torch.futures`: results that are waited for."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Any

from .missing import missing

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value that someone sets later, over Python's own future."""

    def __init__(self, *, devices: Any = None) -> None:
        self._inner: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def done(self) -> bool:
        """Whether the value or an exception has been set."""
        return self._inner.done()

    def wait(self) -> Any:
        """The value, once it is there. Raises the exception that was set instead."""
        return self._inner.result()

    def value(self) -> Any:
        """The value. Raises RuntimeError before it is there, and the exception that was set instead."""
        if not self.done():
            raise RuntimeError("Future.value: expected a complete future. Received: one that waits; use wait()")
        return self.wait()

    def set_result(self, result: Any) -> None:
        """Set the value. Raises an error if it has been set."""
        self._inner.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Let `wait` raise this. Raises an error if a value has been set."""
        self._inner.set_exception(result)

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        """Call the function with this future when it is complete."""
        self._inner.add_done_callback(lambda _: callback(self))

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """A future of what the function gives for this one when it is complete."""
        after = Future()

        def go_on(done: Future) -> None:
            try:
                after.set_result(callback(done))
            except Exception as error:  # it belongs to whoever waits
                after.set_exception(error)

        self.add_done_callback(go_on)
        return after


def collect_all(futures: Sequence[Future]) -> Future:
    """A future of the futures, which is complete when all of them are."""
    left, found = len(futures), Future()
    if not left:
        found.set_result([])

    def count(_: Future) -> None:
        nonlocal left
        left -= 1
        if not left:
            found.set_result(list(futures))

    for future in futures:
        future.add_done_callback(count)
    return found


def wait_all(futures: Sequence[Future]) -> list[Any]:
    """The values of all."""
    return [future.wait() for future in futures]


__getattr__ = missing(__name__, __all__)
