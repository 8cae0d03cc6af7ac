"""The size of a batch as layers are built with it: that of the first, or None where another batch may have another.

Keras on TensorFlow builds a model from what all batches have in common. Here it is built from the first batch, and
between that and the layers the size is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Building(threading.local):
    size: int | None = None


_building = _Building()


def forget(size: int | None) -> None:
    """From here on, until the end of `building`, sizes of `size` in the first axis are None in layers' `build`."""
    _building.size = size


@contextmanager
def building() -> Iterator[None]:
    """A model is built in the block."""
    try:
        yield
    finally:
        _building.size = None


def common(shape: tuple[int | None, ...] | None) -> tuple[int | None, ...] | None:
    """The shape of a layer's input as far as all batches have it."""
    size = _building.size
    return (None, *shape[1:]) if shape and size is not None and shape[0] == size else shape
