"""The stages of a pipeline, as generators over elements."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.replay import compile

from .elements import Element, leaves_of, to_element, to_tensors

AHEAD = 2
"""How many elements `prefetch(AUTOTUNE)` makes ahead."""


class Mapped:
    """A user's function of elements: called with tensors, and replayed without its Python where it can be."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.compiled = compile(function)
        self._chosen: Callable[..., Any] | None = None

    def __call__(self, element: Element) -> Any:
        """The result, still made of tensors. A list is a tuple here, as in TensorFlow."""
        arguments = to_tensors(element)
        function = self._chosen
        if function is None:
            numeric = all(isinstance(leaf, torch.Tensor) for leaf in leaves_of(arguments))
            function = self._chosen = self.compiled if numeric else self.function
        with torch.no_grad():
            result = function(*arguments) if type(arguments) is tuple else function(arguments)
        return tuple(result) if isinstance(result, list) else result

    def element(self, element: Element) -> Element:
        return to_element(self(element))

    def is_host_code(self) -> bool:
        """Whether calls run Python each time, and may wait for files or other programs."""
        return self._chosen is self.function or getattr(self.compiled, "reason", None) is not None


def map_ordered(source: Iterable[Element], function: Mapped, calls: int | None) -> Iterator[Element]:
    """`function` of each element, in order. `calls` threads call it where it is host code, which may wait."""
    iterator = iter(source)
    for element in itertools.islice(iterator, 4):
        yield function.element(element)
    if calls is None or calls == 1 or not function.is_host_code():
        yield from map(function.element, iterator)
        return
    workers = calls if calls > 0 else min(16, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="duograph-map")
    try:
        waiting = deque(pool.submit(function.element, e) for e in itertools.islice(iterator, 2 * workers))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(function.element, e) for e in itertools.islice(iterator, 1))
            yield made
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def shuffled(source: Iterable[Any], size: int, rng: np.random.Generator) -> Iterator[Any]:
    """A buffer of `size` elements is kept full; each time a random one of it is given."""
    iterator = iter(source)
    buffer = list(itertools.islice(iterator, size))
    full = len(buffer) == size
    while full:
        for place in rng.integers(0, size, 1024).tolist():
            try:
                new = next(iterator)
            except StopIteration:
                full = False
                break
            given, buffer[place] = buffer[place], new
            yield given
    for place in rng.permutation(len(buffer)).tolist():
        yield buffer[place]


def ahead(source: Callable[[], Iterator[Element]], size: int) -> Iterator[Element]:
    """The elements, made up to `size` ahead by a thread, which ends when the iterator is closed or forgotten."""
    made: queue.Queue[tuple[bool, Any]] = queue.Queue(size)
    stop = threading.Event()

    def put(item: tuple[bool, Any]) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                made.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        end: Any = None
        try:
            for element in source():
                if not put((True, element)):
                    return
        except BaseException as error:  # it goes on in the thread that iterates, with its traceback
            end = error
        put((False, end))

    thread = threading.Thread(target=work, name="duograph-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            more, item = made.get()
            if not more:
                if item is not None:
                    raise item
                return
            yield item
    finally:
        stop.set()


def interleaved(
    source: Iterator[Element], open_one: Callable[[Element], Iterator[Element]], cycle: int, block: int
) -> Iterator[Element]:
    """`block` elements in turn from each of `cycle` data sets; a new one takes the place of one that ended."""
    slots: list[Iterator[Element] | None] = [None] * cycle
    exhausted = False
    while True:
        living = False
        for place in range(cycle):
            if slots[place] is None and not exhausted:
                try:
                    slots[place] = open_one(next(source))
                except StopIteration:
                    exhausted = True
            current = slots[place]
            if current is None:
                continue
            living = True
            given = 0
            for element in itertools.islice(current, block):
                given += 1
                yield element
            if given < block:
                slots[place] = None
        if exhausted and not living:
            return


def windows(
    source: Iterator[Element], size: int, shift: int, stride: int, drop_remainder: bool
) -> Iterator[list[Element]]:
    """Lists of up to `size` elements, `stride` apart, each beginning `shift` after the last."""
    span = (size - 1) * stride + 1
    buffer: list[Element] = []
    while True:
        buffer += itertools.islice(source, max(span - len(buffer), 0))
        if not buffer or (drop_remainder and len(buffer) < span):
            return
        yield buffer[:span:stride]
        if len(buffer) < shift:
            skipped = shift - len(buffer)
            buffer = []
            if len(list(itertools.islice(source, skipped))) < skipped:
                return
        else:
            buffer = buffer[shift:]


def grouped(
    source: Iterator[Element],
    key_of: Callable[[Element], int],
    reduce: Callable[[int, list[Element]], Iterator[Element]],
    size_of: Callable[[int], int],
) -> Iterator[Element]:
    """Elements gathered by key; a key's elements are reduced once there are as many as its size, or at the end."""
    groups: dict[int, list[Element]] = {}
    for element in source:
        key = key_of(element)
        group = groups.setdefault(key, [])
        group.append(element)
        if len(group) >= size_of(key):
            del groups[key]
            yield from reduce(key, group)
    for key in sorted(groups):
        yield from reduce(key, groups[key])
