"""`tf.summary` of TensorFlow 1: summaries are values of the graph, which a program writes to event files itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ... import summary as _summary
from ...dtypes import string
from ...errors import DataLossError
from ...graph import GraphTensor, get_default_graph
from ...missing import missing
from ...tensors import convert_to_tensor
from ...text import StringTensor
from ...wire import field, fields

__all__ = ["FileWriter", "Summary", "histogram", "merge", "merge_all", "scalar"]

_SUMMARIES = "summaries"


class Summary:
    """Values with their tags, as they stand in an event file."""

    class Value:
        """A number under a tag."""

        def __init__(self, tag: str = "", simple_value: float = 0.0) -> None:
            self.tag, self.simple_value = tag, float(simple_value)

        def _bytes(self) -> bytes:
            return field(1, field(1, self.tag.encode()) + field(2, self.simple_value))

    def __init__(self, value: Iterable[Value] = ()) -> None:
        self.value = list(value)

    def SerializeToString(self) -> bytes:
        return b"".join(value._bytes() for value in self.value)


def _recorded(name: str, tensor: Any, collections: Any, make: Callable[[str, Any], bytes]) -> GraphTensor:
    tag = "/".join([*get_default_graph()._scopes, name])

    def summarized(value: Any) -> Any:
        return StringTensor(np.asarray(make(tag, convert_to_tensor(value)), object))

    made = GraphTensor(summarized, (tensor,), name=tag, spec=((), string))
    made.is_host = True
    for collection in [_SUMMARIES] if collections is None else collections:
        get_default_graph().add_to_collection(collection, made)
    return made


def scalar(name: str, tensor: Any, collections: Any = None, family: str | None = None) -> GraphTensor:
    """A number under a name."""
    return _recorded(name, tensor, collections, lambda tag, x: Summary.Value(tag, x.item())._bytes())


def histogram(name: str, values: Any, collections: Any = None, family: str | None = None) -> GraphTensor:
    """How values are distributed: left edge, right edge and number of each bucket."""

    def make(tag: str, x: Any) -> bytes:
        described = field(9, field(1, field(1, b"histograms")))
        return field(1, field(1, tag.encode()) + described + field(8, _summary.histogram_content(x)))

    return _recorded(name, values, collections, make)


def _joined(*parts: Any) -> Any:
    return StringTensor(np.asarray(b"".join(part.numpy() for part in parts), object))


def merge(inputs: Any, collections: Any = None, name: str | None = None) -> GraphTensor:
    """Several summaries as one."""
    made = GraphTensor(_joined, tuple(inputs), name=name or "Merge/MergeSummary", spec=((), string))
    made.is_host = True
    return made


def merge_all(key: str = _SUMMARIES, scope: str | None = None, name: str | None = None) -> GraphTensor | None:
    """All summaries of the graph as one; None where there is none."""
    found = get_default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None


class FileWriter:
    """Writes summaries to an event file of a folder."""

    def __init__(self, logdir: Any, graph: Any = None, max_queue: int = 10, flush_secs: int = 120, **_: Any) -> None:
        self._logdir = logdir
        self._writer = _summary.SummaryWriter(logdir, max_queue, flush_secs * 1000, "")

    def get_logdir(self) -> Any:
        return self._logdir

    def add_summary(self, summary: bytes | Summary, global_step: Any = None) -> None:
        """Write a summary, as a run gave it or made by hand. Raises DataLossError for other bytes."""
        content = summary.SerializeToString() if isinstance(summary, Summary) else bytes(summary)
        if any(number != 1 for number, _kind, _value in fields(content)):
            raise DataLossError("add_summary expected a summary. Received: a message of another kind")
        self._writer._event(field(5, content), int(global_step or 0))

    def add_graph(self, graph: Any, global_step: Any = None) -> None:
        """Nothing: the graph has no form that TensorBoard draws. `duograph.show` draws compiled steps."""

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


__getattr__ = missing(__name__, globals())
