"""`tf.sparse.cross` and `cross_hashed`: every combination of one feature of each column, row by row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes
from .errors import InvalidArgumentError
from .farmhash import fingerprint64, joined
from .tensors import convert_to_tensor
from .text import StringTensor

__all__ = ["cross", "cross_hashed"]

_KEY = 0xDECAFCAFFE
"""Where hashes begin, unless a key is given."""


def cross(inputs: Sequence[Any], name: str | None = None, separator: str = "_X_") -> Any:
    """The combinations as strings, with `separator` between their parts; those of sparse inputs come first.

    Each input is a matrix, dense or sparse, of strings or integers, one row for each example; the result is a sparse
    matrix of as many rows. Raises InvalidArgumentError for inputs of other shapes or dtypes.
    """
    between = separator.encode()

    def together(parts: Sequence[Any]) -> bytes:
        return between.join(part if isinstance(part, bytes) else b"%d" % part for part in parts)

    return _crossed(inputs, together, dtypes.string)


def cross_hashed(
    inputs: Sequence[Any], num_buckets: int = 0, hash_key: int | None = None, name: str | None = None
) -> Any:
    """The combinations as hashes of int64, TensorFlow's, modulo `num_buckets` if that is not 0. See `cross`."""
    start = _KEY if hash_key is None else int(hash_key)
    modulus = int(num_buckets) or 2**63 - 1

    def together(parts: Sequence[Any]) -> int:
        value = start
        for part in parts:
            value = joined(value, fingerprint64(part) if isinstance(part, bytes) else part)
        return value % modulus

    return _crossed(inputs, together, dtypes.int64)


def _crossed(inputs: Sequence[Any], together: Callable[[Sequence[Any]], Any], dtype: Any) -> Any:
    from .sparse import SparseTensor

    columns = [_rows(x) for x in sorted(inputs, key=lambda x: not hasattr(x, "dense_shape"))]
    counts = set(map(len, columns))
    if len(counts) != 1:
        raise InvalidArgumentError(f"expected matrices of one number of rows. Received: {sorted(counts)}")
    crossed = [[together(parts) for parts in itertools.product(*features)] for features in zip(*columns, strict=True)]
    places = [(row, place) for row, values in enumerate(crossed) for place in range(len(values))]
    flat: Any = np.empty(len(places), object)
    flat[:] = [value for values in crossed for value in values]
    values = StringTensor.of(flat) if dtype is dtypes.string else torch.tensor(flat.astype(np.int64))
    widest = max(map(len, crossed), default=0)
    return SparseTensor(np.array(places, np.int64).reshape(-1, 2), values, [len(crossed), widest])


def _rows(matrix: Any) -> list[list[Any]]:
    """The features of each example: byte strings or integers."""
    is_sparse = hasattr(matrix, "dense_shape")
    if is_sparse:
        values, shape = matrix.values, tuple(matrix.shape)
    else:
        matrix = values = convert_to_tensor(matrix)
        shape = tuple(matrix.shape)
    if len(shape) != 2 or values.dtype.is_floating_point or values.dtype.is_complex:
        raise InvalidArgumentError(
            f"expected a matrix of strings or integers. Received: {values.dtype.name} of shape {shape}"
        )
    if not is_sparse:
        return matrix.tolist()
    rows: list[list[Any]] = [[] for _ in range(shape[0])]
    for (row, _), value in zip(matrix.indices.tolist(), values.tolist(), strict=True):
        rows[row].append(value)
    return rows
