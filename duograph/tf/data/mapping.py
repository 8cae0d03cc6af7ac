"""Users' functions of elements: for many elements at once, or called one by one, on threads where they may wait."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

import duograph.torch as torch
from duograph.replay import compile

from ..errors import OutOfRangeError
from .columns import Columns
from .elements import Element, leaves_of, spec_of, to_element, to_tensors, without_sizes
from .program import HANDED, Program
from .rows import NONE, chunks
from .settings import UNKNOWN_CARDINALITY

if TYPE_CHECKING:
    from .dataset import Dataset

FIRST = 4
"""So many calls are made one by one before it is known whether a function that is not recorded runs as Python."""
TOGETHER, BYTES = 64, 1 << 20
"""How many elements are computed at once, and of how many bytes in all."""


class Mapped:
    """A user's function of elements.

    It is recorded once, and computed for many elements together, where it can be: `chunk` says whether. Else it is
    called with the tensors of each element, and replayed without its Python after some calls if it does the same in
    each. That is so for functions that read values, assign to variables, or call Python functions of their own.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.compiled: Any = compile(function)
        self.program = Program(function)
        self._chosen: Callable[..., Any] | None = None

    def __call__(self, element: Element) -> Any:
        """The result, still made of tensors. A list is a tuple here, as in TensorFlow."""
        arguments = to_tensors(element)
        function = self._chosen
        if function is None:
            numeric = all(isinstance(leaf, torch.Tensor) for leaf in leaves_of(arguments))
            function = self._chosen = self.compiled if numeric else self.function
        return _called(function, arguments)

    def element(self, element: Element) -> Element:
        return to_element(self(element))

    def elements(self, given: list[Element]) -> list[Element]:
        """Several results, one by one."""
        return [to_element(result) for result in [self(element) for element in given]]

    def is_host_code(self) -> bool:
        """Whether calls run Python each time, and may wait for files or other programs."""
        return self._chosen is self.function or getattr(self.compiled, "reason", None) is not None

    def stay_python(self) -> None:
        """Do not try any more whether calls are alike."""
        self._chosen = self.function

    def chunk(self, element: Element) -> int:
        """How many elements like this one are computed at once; 0 where the function is not recorded."""
        end = self.program.learn(element)
        return 0 if end is None else max(1, min(TOGETHER, BYTES // max(end.bytes, 1)))

    def together(self, given: Columns, pool: Executor | None = None) -> Columns:
        """The results for all elements; threads of the pool do what may take long."""
        try:
            return self.program(given, pool)
        except Exception:  # what the function raises, it raises at its element
            return Columns.of([self.element(element) for element in given.elements()])

    def each(self, given: list[Element], pool: Executor | None = None) -> Iterator[Element]:
        """The results one by one, computed together."""
        try:
            made = self.program(Columns.of(given), pool).elements()
        except Exception:
            return map(self.element, given)
        return iter(made)


def _called(function: Callable[..., Any], arguments: Any) -> Any:
    with torch.no_grad():
        result = function(*arguments) if type(arguments) is tuple else function(arguments)
    return tuple(result) if isinstance(result, list) else result


def map_ordered(
    elements: Iterator[Element], function: Mapped, calls: int | None, is_ahead_free: bool
) -> Iterator[Element]:
    """`function` of each element, in order.

    Elements are taken before they are needed only with `calls`, or where nobody can tell, as `is_ahead_free` says.
    `calls` threads call a function that is host code, which may wait.
    """
    for first in elements:
        iterator = itertools.chain([first], elements)
        break
    else:
        return
    if (calls is not None or is_ahead_free) and (size := function.chunk(first)):
        with _threads(calls) as pool:
            if pool is not None:  # enough for all of them
                size = min(TOGETHER, max(size, 2 * HANDED * _count(calls)))
            yield from _in_chunks(iterator, function, size, pool)
        return
    for element in itertools.islice(iterator, FIRST):
        yield function.element(element)
    if _count(calls) == 1 or not function.is_host_code():
        yield from map(function.element, iterator)
    else:
        function.stay_python()
        with _threads(calls) as pool:
            yield from _by_threads(iterator, function, pool, 2 * _count(calls))


class Mapping:
    """A data set of the results of a function: of which elements, by which function, on how many threads."""

    def __init__(self, source: Dataset, function: Mapped, calls: int | None) -> None:
        self.source, self.function, self.calls = source, function, calls
        self._example: Any = NONE

    def iterate(self) -> Iterator[Any]:
        """The results, in order."""
        return map_ordered(self.source.iterate(), self.function, self.calls, self.source._peek() is not NONE)

    def spec(self) -> Any:
        """The specs of the first result, which is made for that. A size that varies among the sources does so here."""
        first = next(self.source.iterate(), NONE)
        if first is NONE:
            raise OutOfRangeError("element_spec: the data set has no element to find it from")
        pairs = zip(leaves_of(first), leaves_of(self.source.element_spec), strict=True)
        varying = {np.shape(leaf)[0] for leaf, spec in pairs if getattr(spec, "shape", None) and spec.shape[0] is None}
        return without_sizes(spec_of(self.function.element(first)), varying)

    def is_exact(self) -> bool:
        """Whether the results are the same whenever, and with whichever others, they are computed."""
        first = self.source._peek()
        return first is not NONE and self.function.chunk(first) > 0

    def peek(self) -> Any:
        """See `Dataset._peek`."""
        if self._example is NONE and self.is_exact():
            self._example = self.function.together(Columns.of([self.source._peek()])).elements()[0]
        return self._example

    def after(self, stage: Callable[[Callable[[], Iterator[Any]]], Iterable[Any]]) -> Mapping:
        """The results for the elements that `stage` selects."""
        return Mapping(self.source._selected(stage, UNKNOWN_CARDINALITY), self.function, self.calls)

    def batches(self, size: int, drop_remainder: bool) -> Iterator[Columns] | None:
        """See `Dataset._batches`."""
        if not self.is_exact():
            return None
        given = self.source._batches(size, drop_remainder)
        if given is None:
            given = map(Columns.of, chunks(self.source.iterate(), size, drop_remainder))
        return self._together(given)

    def _together(self, given: Iterator[Columns]) -> Iterator[Columns]:
        with _threads(self.calls) as pool:
            for columns in given:
                yield self.function.together(columns, pool)


def _in_chunks(iterator: Iterator[Element], function: Mapped, size: int, pool: Executor | None) -> Iterator[Element]:
    error: Exception | None = None
    while error is None:
        given: list[Element] = []
        try:
            given.extend(itertools.islice(iterator, size))
        except Exception as raised:  # after the elements before it
            error = raised
        if given:
            yield from function.each(given, pool)
        if len(given) < size:
            break
    if error is not None:
        raise error


def _by_threads(iterator: Iterator[Element], function: Mapped, pool: Any, ahead: int) -> Iterator[Element]:
    handed = iter(lambda: list(itertools.islice(iterator, HANDED)), [])
    waiting = deque(pool.submit(function.elements, part) for part in itertools.islice(handed, ahead))
    while waiting:
        made = waiting.popleft().result()
        waiting.extend(pool.submit(function.elements, part) for part in itertools.islice(handed, 1))
        yield from made


def _count(calls: int | None) -> int:
    """How many threads `num_parallel_calls` asks for."""
    return 1 if calls is None else calls if calls > 0 else min(16, os.cpu_count() or 1)


@contextmanager
def _threads(calls: int | None) -> Iterator[ThreadPoolExecutor | None]:
    """Threads, which begin when they have something to do and end with the block; None where one is enough."""
    if _count(calls) == 1:
        yield None
        return
    pool = ThreadPoolExecutor(_count(calls), thread_name_prefix="duograph-map")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
