"""`tf.sets`: the rows of tensors as sets; results are sparse tensors of sorted elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .missing import missing
from .sparse import SparseTensor
from .tensors import Tensor, convert_to_tensor

Rows = dict[tuple[int, ...], set[Any]]


def _rows(x: Any) -> tuple[Rows, tuple[int, ...], Any]:
    """The set of each row, the shape without the last axis, and the dtype."""
    if isinstance(x, SparseTensor):
        rows: Rows = {}
        for place, value in zip(x.indices.tolist(), x.values.tolist(), strict=True):
            rows.setdefault(tuple(place[:-1]), set()).add(value)
        return rows, tuple(x.shape)[:-1], x.dtype
    x = convert_to_tensor(x)
    array = np.asarray(x.numpy(), object)
    return {place: set(array[place].tolist()) for place in np.ndindex(array.shape[:-1])}, array.shape[:-1], x.dtype


def _combined(a: Any, b: Any, combine: Callable[[set[Any], set[Any]], set[Any]]) -> SparseTensor:
    first, shape, dtype = _rows(a)
    second, other, _ = _rows(b)
    if shape != other:
        raise ValueError(f"expected equal shapes but for the last axis. Received: {shape} and {other}")
    places, values = [], []
    width = 0
    for row in np.ndindex(shape):
        found = sorted(combine(first.get(row, set()), second.get(row, set())))
        width = max(width, len(found))
        places += [(*row, i) for i in range(len(found))]
        values += found
    indices = np.array(places, np.int64).reshape(-1, len(shape) + 1)
    return SparseTensor(indices, convert_to_tensor(values, dtype), [*shape, width])


def intersection(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """What is in both rows."""
    return _combined(a, b, set.intersection)


def union(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
    """What is in either row."""
    return _combined(a, b, set.union)


def difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    """What is in the one row and not in the other."""
    return _combined(a, b, set.difference) if aminusb else _combined(b, a, set.difference)


def size(a: Any, validate_indices: bool = True) -> Tensor:
    """How many different elements each row has: int32."""
    rows, shape, _ = _rows(a)
    made = np.zeros(shape, np.int32)
    for row, found in rows.items():
        made[row] = len(found)
    return convert_to_tensor(made)


__getattr__ = missing(__name__, globals())
