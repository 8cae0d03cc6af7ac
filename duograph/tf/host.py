"""What happens on the host: printing, the clock and the log."""

from __future__ import annotations

import builtins
import logging
import sys
import time
from typing import Any

from . import dtypes
from .strings import shortened
from .structure import is_nested, map_structure
from .tensors import Tensor, convert_to_tensor, is_tensor

__all__ = ["get_logger", "print", "timestamp"]


def print(
    *inputs: Any,
    output_stream: Any = sys.stderr,
    summarize: int = 3,
    sep: str = " ",
    end: str = "\n",
    name: str | None = None,
) -> None:
    """Tensors and other things as text, to a stream, a `logging` function, or "file://path".

    `summarize` elements are shown at each end of each axis, -1 shows all.
    """

    def show(item: Any) -> Any:
        return _Shown(shortened(item, summarize) if is_tensor(item) else str(item))

    text = sep.join(str(map_structure(show, i)) if is_nested(i) else str(show(i)) for i in inputs) + end
    if isinstance(output_stream, str):
        with open(output_stream.removeprefix("file://"), "a", encoding="utf-8") as file:
            file.write(text)
    elif callable(output_stream):
        output_stream(text.removesuffix("\n"))
    else:
        stream = sys.stderr if output_stream is None else output_stream
        builtins.print(text, end="", file=stream, flush=True)


class _Shown(str):
    """A text that stands without quotes inside a container."""

    __slots__ = ()
    __repr__ = str.__str__


def timestamp(name: str | None = None) -> Tensor:
    """Seconds since 1970, float64."""
    return convert_to_tensor(time.time(), dtypes.float64)


def get_logger() -> logging.Logger:
    """The logger named "tensorflow"."""
    return logging.getLogger("tensorflow")
