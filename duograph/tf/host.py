"""What happens on the host: printing, functions of arrays, the clock and the log."""

from __future__ import annotations

import builtins
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .strings import shortened
from .structure import flatten, is_nested, map_structure
from .tensors import Tensor, convert_to_tensor, is_tensor
from .text import StringTensor

__all__ = ["get_logger", "numpy_function", "print", "py_function", "timestamp"]


def print(  # noqa: A001
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


def numpy_function(func: Callable[..., Any], inp: Any, Tout: Any, stateful: bool = True, name: str | None = None) -> Any:  # noqa: N803
    """`func` of the arrays of tensors, its results as tensors of the dtypes `Tout`. No gradient flows through it."""
    arrays = [convert_to_tensor(x).numpy() for x in inp]
    return _results(func(*arrays), Tout, exact=True)


def py_function(func: Callable[..., Any], inp: Any, Tout: Any, name: str | None = None) -> Any:  # noqa: N803
    """`func` of tensors, run as plain Python; its results as tensors of the dtypes `Tout`. Gradients flow."""
    return _results(func(*(x if hasattr(x, "with_flat_values") else convert_to_tensor(x) for x in inp)), Tout)


def _results(made: Any, wanted: Any, exact: bool = False) -> Any:
    """Results of the given dtypes. Raises InvalidArgumentError for another dtype if `exact`, else converts."""
    from .errors import InvalidArgumentError

    if not isinstance(wanted, list | tuple):
        if made is None:
            raise InvalidArgumentError("the function expected to return a value. Received: None")
        dtype = dtypes.as_dtype(getattr(wanted, "dtype", wanted))
        if exact and isinstance(made, np.ndarray | np.generic) and dtype is not dtypes.string and made.dtype != dtype.numpy:
            raise InvalidArgumentError(f"the function expected to return {dtype.name}. Received: {made.dtype}")
        if isinstance(made, Tensor):
            return made if made.dtype is dtype else made.to(dtype)
        return made if isinstance(made, StringTensor) else convert_to_tensor(made, dtype)
    if not wanted:
        return []
    found = flatten(made)
    if len(found) != len(wanted):
        raise InvalidArgumentError(f"the function expected to return {len(wanted)} values. Received: {len(found)}")
    return [_results(value, dtype, exact) for value, dtype in zip(found, wanted, strict=True)]


def timestamp(name: str | None = None) -> Tensor:
    """Seconds since 1970, float64."""
    return convert_to_tensor(time.time(), dtypes.float64)


def get_logger() -> logging.Logger:
    """The logger named "tensorflow"."""
    return logging.getLogger("tensorflow")
