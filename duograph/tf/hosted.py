"""Functions that the host computes, such as decoding, inside functions that are recorded once.

Where a data set's function is recorded, strings have no content, and a hosted function is not called but noted: it
becomes a step that is later done for the strings of many elements.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np

from duograph.graph.body import unreadable
from duograph.tensor.core import Size

from .structure import flatten
from .text import StringTensor

__all__ = ["Recorder", "UnknownStrings", "hosted", "recording"]

Slow = Callable[[np.ndarray], bool]
"""Whether a hosted function takes so long for these strings, without holding up Python, that threads pay."""

Many = Callable[..., list[Any] | None]
"""A hosted function of many elements: in the place of the strings it is given an array of bytes objects `[elements,
*shape]`, and all other arguments are the same for all elements. It gives a list of the leaves of the result, in the
order of `tf.nest`: of each a tensor or array with one more axis in front, or a list of arrays, one for each element. It
gives None where that cannot be done."""


class Recorder(Protocol):
    """What is told of calls while a function is recorded."""

    def call(self, function: Hosted, args: tuple[Any, ...], keywords: Any) -> Any:
        """The result of a call, which may be made of strings and tensors without content."""


@dataclass(frozen=True)
class Hosted:
    """A function, and how it is done for many elements."""

    single: Callable[..., Any]
    many: Many | None
    slow: Slow | None


class _State(threading.local):
    recorder: Recorder | None = None


_state = _State()


@contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """Within the block calls of hosted functions on this thread are told to `recorder`; they run if it is None."""
    before, _state.recorder = _state.recorder, recorder
    try:
        yield
    finally:
        _state.recorder = before


class UnknownStrings(StringTensor):
    """A tensor of strings that is not there yet. Raises UnreadableError where its content is asked for."""

    def __init__(self, place: int, shape: tuple[int, ...]) -> None:
        self.place = place
        self._shape = shape

    @property
    def _content(self) -> NoReturn:
        raise unreadable()

    @property
    def shape(self) -> Size:
        return Size(self._shape)

    @property
    def ndim(self) -> int:
        return len(self._shape)

    def __len__(self) -> int:
        return self._shape[0] if self._shape else super().__len__()


def hosted(
    function: Any = None, *, many: Many | None = None, elementwise: bool = False, slow: Slow | None = None
) -> Any:
    """Decorator: a function of strings and of Python's values, which has no effect and gives strings and tensors.

    Args:
        many: The same function of many elements.
        elementwise: Whether it treats each string of an array by itself, so that it is a function of many itself.
        slow: Whether it is worth threads, which never are used without it.
    """
    if function is None:
        return lambda f: hosted(f, many=many, elementwise=elementwise, slow=slow)

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        if _state.recorder is None:
            return function(*args, **keywords)
        return _state.recorder.call(described, args, keywords)

    def each(*args: Any, **keywords: Any) -> list[Any]:
        given = [StringTensor.of(a) if isinstance(a, np.ndarray) and a.dtype == object else a for a in args]
        return flatten(function(*given, **keywords))

    described = Hosted(function, each if elementwise else many, slow)
    return call
