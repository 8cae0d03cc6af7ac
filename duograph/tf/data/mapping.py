"""Users' functions of elements: called one by one, by threads, or for many elements at once."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.replay import compile
from duograph.transforms import vmap

from .elements import Element, leaves_of, map_leaves, stacked, to_element, to_tensors

FIRST = 4
"""So many calls are made one by one before it is known what a function does."""
TOGETHER, HANDED = 64, 8
"""How many elements are computed at once, and how many are given to a thread at once."""


class Mapped:
    """A user's function of elements: called with tensors, and replayed without its Python where it can be.

    Where its replays read and write nothing but arguments and results, many elements can be computed at once, by the
    same function under `vmap`. That is done if it gives the same bits, which the first chunk shows.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.compiled: Any = compile(function)
        self._chosen: Callable[..., Any] | None = None
        self._together: Any = None  # the function of many elements; False where there is none

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
        """Several results; what is computed for them is computed together."""
        return [to_element(result) for result in [self(element) for element in given]]

    def is_host_code(self) -> bool:
        """Whether calls run Python each time, and may wait for files or other programs."""
        return self._chosen is self.function or getattr(self.compiled, "reason", None) is not None

    def is_pure(self) -> bool:
        """Whether calls were found to compute results from arguments and to do nothing else."""
        return self._chosen is not None and self._chosen is not self.function and bool(self.compiled.is_pure)

    def chunk(self, given: list[Element]) -> list[Element]:
        """As `elements`, of a pure function: in one computation where that is possible."""
        if self._together is False or len(given) < TOGETHER:
            return [self.element(element) for element in given]
        try:
            made = self._at_once(given)
        except Exception:  # shapes that differ, or what vmap does not take: one by one, errors come at their element
            made = None
        if self._together is None:
            single = [self.element(element) for element in given]
            self._together = made is not None and all(map(_same, made, single)) and self._function
            return single
        return [self.element(element) for element in given] if made is None else made

    def _at_once(self, given: list[Element]) -> list[Element]:
        if self._together is None:
            self._function = compile(vmap(self.function))
        results = to_element(_called(self._function, to_tensors(stacked(given))))
        return [map_leaves(lambda leaf, i=i: leaf[i].copy(), results) for i in range(len(given))]


def _called(function: Callable[..., Any], arguments: Any) -> Any:
    with torch.no_grad():
        result = function(*arguments) if type(arguments) is tuple else function(arguments)
    return tuple(result) if isinstance(result, list) else result


def _same(x: Element, y: Element) -> bool:
    """Whether two elements are equal, bit for bit."""
    of_x, of_y = leaves_of(x), leaves_of(y)
    return len(of_x) == len(of_y) and all(
        a.dtype == b.dtype and np.shape(a) == np.shape(b) and a.tobytes() == b.tobytes()
        for a, b in zip(of_x, of_y, strict=True)
    )


def map_ordered(
    source: Iterable[Element], function: Mapped, calls: int | None, is_ahead_free: Callable[[], bool]
) -> Iterator[Element]:
    """`function` of each element, in order.

    `calls` threads call it where it is host code, which may wait. Elements are taken before they are needed only with
    `calls`, or where `is_ahead_free` says that nobody can tell.
    """
    iterator = iter(source)
    for element in itertools.islice(iterator, FIRST):
        yield function.element(element)
    if function.is_host_code():
        if calls is None or calls == 1:
            yield from map(function.element, iterator)
        else:
            yield from _by_threads(iterator, function, calls if calls > 0 else min(16, os.cpu_count() or 1))
        return
    for element in iterator:
        if (calls is not None or is_ahead_free()) and function.is_pure():
            yield from function.chunk([element, *itertools.islice(iterator, TOGETHER - 1)])
        else:
            yield function.element(element)


def _by_threads(iterator: Iterator[Element], function: Mapped, workers: int) -> Iterator[Element]:
    handed = iter(lambda: list(itertools.islice(iterator, HANDED)), [])
    pool = ThreadPoolExecutor(workers, thread_name_prefix="duograph-map")
    try:
        waiting = deque(pool.submit(function.elements, part) for part in itertools.islice(handed, 2 * workers))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(function.elements, part) for part in itertools.islice(handed, 1))
            yield from made
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
