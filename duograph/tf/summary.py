"""`tf.summary`: event files for TensorBoard, which are records of Event messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from duograph.events import EventFile
from duograph.events.wire import field

from . import dtypes
from .errors import FailedPreconditionError
from .missing import missing
from .tensors import convert_to_tensor
from .text import as_bytes

__all__ = [
    "SummaryWriter", "audio", "create_file_writer", "create_noop_writer", "experimental", "flush", "histogram", "image",
    "record_if", "scalar", "should_record_summaries", "text", "write",
]  # fmt: skip


class SummaryWriter:
    """Writes summaries to a file of `logdir`; without one, nowhere. Use it as the default in `with w.as_default():`."""

    def __init__(
        self, logdir: Any = None, max_queue: int = 10, flush_millis: int = 120_000, filename_suffix: str = ".v2"
    ) -> None:
        self._described: set[str] = set()
        self._file = None if logdir is None else EventFile(logdir, filename_suffix, max_queue, flush_millis / 1000)

    def _event(self, content: bytes, step: int) -> None:
        if self._file is not None:
            if self._file.closed:
                raise FailedPreconditionError("the summary writer is closed")
            self._file.write(content, step)

    def _add(self, tag: str, tensor: bytes, step: int, plugin: str, content: bytes) -> None:
        described = b""
        if tag not in self._described:  # what a tag is stands in the file once
            self._described.add(tag)
            described = field(9, field(1, field(1, plugin.encode()) + (field(2, content) if content else b"")))
        self._event(field(5, field(1, field(1, tag.encode()) + described + field(8, tensor))), step)

    def flush(self) -> None:
        """Write what is waiting."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            self._file.close()

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """Within it, summaries go here, and `step` is theirs."""
        before = _state.step
        _state.writers.append(self)
        _state.step = before if step is None else step
        try:
            yield self
        finally:
            self.flush()
            _state.writers.pop()
            _state.step = before

    def set_as_default(self, step: Any = None) -> None:
        """From here on summaries go here."""
        _state.writers[:] = [self]
        _state.step = _state.step if step is None else step

    def __enter__(self) -> SummaryWriter:
        self._scope = self.as_default()
        return self._scope.__enter__()

    def __exit__(self, *caught: Any) -> None:
        self._scope.__exit__(*caught)


class _State:
    def __init__(self) -> None:
        self.writers: list[SummaryWriter] = []
        self.step: Any = None
        self.recorded: Any = True


_state = _State()


def create_file_writer(
    logdir: Any, max_queue: int | None = None, flush_millis: int | None = None, filename_suffix: str | None = None,
    name: str | None = None, experimental_trackable: bool = False, experimental_mesh: Any = None,
) -> SummaryWriter:  # fmt: skip
    """A writer of event files in `logdir`."""
    return SummaryWriter(logdir, max_queue or 10, flush_millis or 120_000, filename_suffix or ".v2")


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing."""
    return SummaryWriter()


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Write what is waiting in a writer, or in the default one."""
    for one in [writer] if writer is not None else _state.writers[-1:]:
        one.flush()


@contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """Within it, summaries are recorded if the condition, or what it gives when called, is true."""
    before, _state.recorded = _state.recorded, condition
    try:
        yield
    finally:
        _state.recorded = before


def should_record_summaries() -> bool:
    """Whether there is a writer and the condition of `record_if` holds."""
    recorded = _state.recorded() if callable(_state.recorded) else _state.recorded
    return bool(_state.writers) and bool(recorded)


def _record(tag: str, make: Callable[[], bytes], step: Any, plugin: str, content: bytes = b"") -> bool:
    """Write a summary if one is wanted. Raises ValueError without a step."""
    if not should_record_summaries():
        return False
    step = _state.step if step is None else step
    if step is None:
        raise ValueError("a summary expected a step: give step=..., or tf.summary.experimental.set_step")
    _state.writers[-1]._add(tag, make(), int(step), plugin, content)
    return True


def _shape(sizes: Any) -> bytes:
    return field(2, b"".join(field(2, field(1, int(n)) if n else b"") for n in sizes))


def _floats(array: np.ndarray) -> bytes:
    return field(1, 1) + _shape(array.shape) + field(4, np.ascontiguousarray(array, np.float32).tobytes())


def _doubles(array: np.ndarray) -> bytes:
    return field(1, 2) + _shape(array.shape) + field(4, np.ascontiguousarray(array, np.float64).tobytes())


def _strings(items: Any, sizes: Any) -> bytes:
    return field(1, 7) + _shape(sizes) + b"".join(field(8, item) for item in items)


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Record a number; gives whether it was. Raises ValueError for a tensor with axes."""
    value = convert_to_tensor(data)
    if value.ndim:
        raise ValueError(f"tf.summary.scalar expected a number. Received: shape {tuple(value.shape)}")
    return _record(name, lambda: _floats(np.asarray(value.to(dtypes.float32).numpy())), step, "scalars")


def histogram_content(data: Any, buckets: int | None = None) -> bytes:
    """A tensor message of shape (buckets, 3): left edge, right edge and number of each bucket."""
    values = np.asarray(convert_to_tensor(data).numpy(), np.float64).ravel()
    count = 30 if buckets is None else buckets
    if not values.size or not count:
        return _doubles(np.zeros((count, 3)))
    low, high = values.min(), values.max()
    if low == high:
        rows = np.zeros((count, 3))
        rows[:, :2] = low
        rows[-1] = low - 0.5, low + 0.5, values.size
        return _doubles(rows)
    counts, edges = np.histogram(values, count, (low, high))
    return _doubles(np.stack([edges[:-1], edges[1:], counts], 1))


def histogram(
    name: str, data: Any, step: Any = None, buckets: int | None = None, description: str | None = None
) -> bool:
    """Record how values are distributed: left edge, right edge and number of each bucket."""
    return _record(name, lambda: histogram_content(data, buckets), step, "histograms")


def image(name: str, data: Any, step: Any = None, max_outputs: int = 3, description: str | None = None) -> bool:
    """Record images (batch, height, width, channels), floats in [0, 1]: at most `max_outputs`, as PNG."""

    def make() -> bytes:
        from .image import convert_image_dtype, encode_png

        images = convert_image_dtype(convert_to_tensor(data), dtypes.uint8, saturate=True)
        files = [encode_png(one).numpy() for one in images[:max_outputs]]
        _, height, width, _ = images.shape
        return _strings([str(width).encode(), str(height).encode(), *files], [2 + len(files)])

    return _record(name, make, step, "images")


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Record strings."""
    content = as_bytes(data)
    return _record(name, lambda: _strings(content.ravel().tolist(), content.shape), step, "text")


def audio(
    name: str, data: Any, sample_rate: int, step: Any = None, max_outputs: int = 3, encoding: Any = None,
    description: str | None = None,
) -> bool:  # fmt: skip
    """Record sounds (batch, samples, channels) in [-1, 1]: at most `max_outputs`, as WAV."""

    def make() -> bytes:
        from .audio import encode_wav

        files = [encode_wav(one, sample_rate).numpy() for one in convert_to_tensor(data)[:max_outputs]]
        return _strings([part for file in files for part in (file, b"")], [len(files), 2])

    return _record(name, make, step, "audio")


def write(tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None) -> bool:
    """Record a tensor."""

    def make() -> bytes:
        from .io import serialize_tensor

        return serialize_tensor(tensor).numpy()

    return _record(tag, make, step, "")


class experimental:
    """`tf.summary.experimental`."""

    @staticmethod
    def set_step(step: Any) -> None:
        """The step of summaries that name none."""
        _state.step = step

    @staticmethod
    def get_step() -> Any:
        """The step of summaries that name none."""
        return _state.step


_PROFILE = "use Python's cProfile, or duograph.show"
__getattr__ = missing(
    __name__, globals(), {"trace_on": _PROFILE, "trace_off": _PROFILE, "trace_export": _PROFILE, "graph": _PROFILE}
)
