"""One event file: a time, a step and a message in each record."""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
import weakref
from typing import Any

from .records import framed
from .wire import field

_numbers = itertools.count()


class EventFile:
    """A new file in `directory`, which is made. What is written waits until `most` events or `seconds` have passed.

    Threads may write to one file.
    """

    def __init__(self, directory: Any, suffix: str = "", most: int = 10, seconds: float = 120.0) -> None:
        self.directory = os.fspath(directory)
        self._most, self._seconds = most, seconds
        self._lock = threading.Lock()
        os.makedirs(self.directory, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._file: Any = open(os.path.join(self.directory, name + suffix), "wb")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._waiting, self._due = 0, 0.0  # the first event is on the disk at once
        self.write(field(3, b"brain.Event:2"))

    def write(self, content: bytes, step: int = 0, wall_time: float | None = None) -> None:
        """Add an event, whose fields beyond time and step are `content`. Raises ValueError for a closed file."""
        clock = field(1, float(time.time() if wall_time is None else wall_time), double=True)
        record = framed(clock + (field(2, step) if step else b"") + content)
        with self._lock:
            self._file.write(record)
            self._waiting += 1
            if self._waiting > self._most or time.monotonic() > self._due:
                self._flush()

    def flush(self) -> None:
        """Write what is waiting."""
        with self._lock:
            if not self._file.closed:
                self._flush()

    def _flush(self) -> None:
        self._file.flush()
        self._waiting, self._due = 0, time.monotonic() + self._seconds

    def close(self) -> None:
        """Complete the file."""
        with self._lock:
            self._file.close()

    @property
    def closed(self) -> bool:
        """Whether the file is complete."""
        return bool(self._file.closed)
