"""The stages of a pipeline, as generators over elements."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .elements import Element

AHEAD = 2
"""How many elements `prefetch(AUTOTUNE)` makes ahead."""


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
