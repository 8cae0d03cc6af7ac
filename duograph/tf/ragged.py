"""Ragged tensors: rows of different lengths, as the values of all rows and where each row ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes
from .array import concat, gather
from .missing import missing
from .shapes import TensorShape
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor, is_text

__all__ = ["RaggedTensor", "boolean_mask", "constant", "map_flat_values", "range", "stack"]


class RaggedTensor:
    """A tensor whose rows may differ in length: row i is values[row_splits[i]:row_splits[i + 1]].

    `values` may be ragged itself. Made by `tf.ragged.constant` and the `from_` functions. Operators and
    `tf.ragged.map_flat_values` work on all values at once; other functions need `to_tensor()` first.
    """

    def __init__(self, values: Any, row_splits: Any) -> None:
        self._values = values if isinstance(values, RaggedTensor) else convert_to_tensor(values)
        splits = convert_to_tensor(row_splits)
        self._splits = splits.numpy().astype(np.int64)
        if not len(self._splits) or self._splits[0] != 0 or np.any(np.diff(self._splits) < 0):
            raise ValueError(f"a ragged tensor expected row splits that rise from 0. Received: {self._splits.tolist()}")
        if self._splits[-1] != len(self._values):
            raise ValueError(
                f"a ragged tensor expected row splits that end at {len(self._values)}, the number of values. "
                f"Received: {self._splits[-1]}"
            )

    # -- making one ----------------------------------------------------------------------------------------------------
    @classmethod
    def from_row_splits(
        cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Row i is values[row_splits[i]:row_splits[i + 1]]."""
        return cls(values, row_splits)

    @classmethod
    def from_row_lengths(
        cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Rows of the given lengths, one after the other."""
        lengths = convert_to_tensor(row_lengths).numpy().astype(np.int64)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    @classmethod
    def from_row_starts(
        cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """Rows that begin at the given places."""
        values = values if isinstance(values, RaggedTensor) else convert_to_tensor(values)
        return cls(values, np.append(convert_to_tensor(row_starts).numpy().astype(np.int64), len(values)))

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        """The row of each value, in rising order."""
        ids = convert_to_tensor(value_rowids).numpy().astype(np.int64)
        count = int(nrows) if nrows is not None else int(ids[-1]) + 1 if len(ids) else 0
        return cls.from_row_lengths(values, np.bincount(ids, minlength=count))

    @classmethod
    def from_tensor(
        cls, tensor: Any, lengths: Any = None, padding: Any = None, ragged_rank: int = 1, name: str | None = None
    ) -> RaggedTensor:
        """The rows of a tensor: of the given lengths, without the `padding` at their ends, or whole."""
        x = convert_to_tensor(tensor)
        rows, width = x.shape[:2]
        if lengths is not None:
            counts = np.minimum(convert_to_tensor(lengths).numpy(), width)
        elif padding is not None:
            other: Any = np.asarray(x.numpy() != np.asarray(convert_to_tensor(padding).numpy()))
            filled = other.reshape(rows, width, -1).any(-1)
            counts = np.where(filled.any(1), width - np.argmax(filled[:, ::-1], 1), 0)
        else:
            counts = np.full(rows, width)
        flat = x.reshape(rows * width, *x.shape[2:]) if isinstance(x, Tensor) else StringTensor(x.numpy().ravel())
        kept = (np.arange(width) < counts[:, None]).ravel().nonzero()[0]
        return cls.from_row_lengths(gather(flat, kept), counts)

    # -- what it is ----------------------------------------------------------------------------------------------------
    @property
    def values(self) -> Any:
        """The rows one after the other."""
        return self._values

    @property
    def flat_values(self) -> Any:
        """The innermost values."""
        return self._values.flat_values if isinstance(self._values, RaggedTensor) else self._values

    def with_values(self, new_values: Any) -> RaggedTensor:
        """The same rows of other values."""
        return RaggedTensor(new_values, self._splits)

    def with_flat_values(self, new_values: Any) -> RaggedTensor:
        """The same rows of other innermost values."""
        inner = self._values
        return self.with_values(inner.with_flat_values(new_values) if isinstance(inner, RaggedTensor) else new_values)

    @property
    def row_splits(self) -> Tensor:
        return torch.tensor(self._splits)

    @property
    def nested_row_splits(self) -> tuple[Tensor, ...]:
        inner = self._values.nested_row_splits if isinstance(self._values, RaggedTensor) else ()
        return (self.row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        """How many axes are ragged."""
        return 1 + (self._values.ragged_rank if isinstance(self._values, RaggedTensor) else 0)

    @property
    def dtype(self) -> Any:
        return self._values.dtype

    @property
    def shape(self) -> TensorShape:
        """The shape, None for ragged axes."""
        return TensorShape((len(self), None, *self._values.shape[1:]))

    def get_shape(self) -> TensorShape:
        """The shape, None for ragged axes."""
        return self.shape

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        """The length of each row."""
        if axis == 1:
            return torch.tensor(np.diff(self._splits))
        return self.with_values(self._values.row_lengths(axis - 1))

    def row_starts(self, name: str | None = None) -> Tensor:
        return torch.tensor(self._splits[:-1])

    def row_limits(self, name: str | None = None) -> Tensor:
        return torch.tensor(self._splits[1:])

    def value_rowids(self, name: str | None = None) -> Tensor:
        """The row of each value."""
        return torch.tensor(np.repeat(np.arange(len(self)), np.diff(self._splits)))

    def nrows(self, out_type: Any = None, name: str | None = None) -> Tensor:
        """The number of rows."""
        return torch.tensor(len(self), dtype=dtypes.int64 if out_type is None else dtypes.as_dtype(out_type))

    def bounding_shape(self, axis: int | None = None, name: str | None = None, out_type: Any = None) -> Tensor:
        """The shape of the dense tensor that holds all rows."""
        longest = int(np.diff(self._splits).max(initial=0))
        inner = self._values.bounding_shape().tolist() if isinstance(self._values, RaggedTensor) else self._values.shape
        sizes = [len(self), longest, *inner[1:]]
        made = torch.tensor(sizes, dtype=dtypes.int64 if out_type is None else dtypes.as_dtype(out_type))
        return made if axis is None else made[axis]

    # -- other forms ---------------------------------------------------------------------------------------------------
    def to_tensor(self, default_value: Any = None, name: str | None = None, shape: Any = None) -> Any:
        """A dense tensor, short rows filled up with `default_value` (0 or ""); a given `shape` cuts or widens it."""
        wanted = None if shape is None else tuple(shape)
        inner = self._values
        if isinstance(inner, RaggedTensor):
            inner = inner.to_tensor(default_value, shape=None if wanted is None else (None, *wanted[2:]))
        lengths = np.diff(self._splits)
        width = int(lengths.max(initial=0)) if wanted is None or wanted[1] is None else int(wanted[1])
        rows = len(self) if wanted is None or wanted[0] is None else int(wanted[0])
        places = np.full((rows, width), len(inner), np.int64)  # behind the values stands what fills up
        for row, (begin, length) in enumerate(zip(self._splits[:rows], lengths[:rows], strict=True)):
            count = min(length, width)
            places[row, :count] = np.arange(begin, begin + count)
        if isinstance(inner, StringTensor):
            filler = np.full((1, *inner.shape[1:]), b"" if default_value is None else default_value, object)
            return gather(concat([inner, StringTensor(filler)], 0), places)
        filler = torch.zeros((1, *inner.shape[1:]), dtype=inner.dtype)
        if default_value is not None:
            filler = filler + convert_to_tensor(default_value, inner.dtype)
        return gather(torch.cat([inner, filler]), places)

    def to_sparse(self, name: str | None = None) -> Any:
        """A sparse tensor of the values."""
        from .sparse import SparseTensor

        within = np.concatenate([np.arange(n) for n in np.diff(self._splits)] or [np.empty(0, np.int64)])
        indices = np.stack([self.value_rowids().numpy(), within], 1).astype(np.int64)
        return SparseTensor(indices, self._values, self.bounding_shape().tolist())

    def to_list(self) -> list[Any]:
        """Nested lists."""
        every = self._values.to_list() if isinstance(self._values, RaggedTensor) else self._values.tolist()
        return [every[a:b] for a, b in zip(self._splits, self._splits[1:], strict=False)]

    def numpy(self) -> np.ndarray:
        """An array of the rows: of objects where they differ in length."""
        rows = [row.numpy() for row in self]
        if len({row.shape for row in rows}) <= 1:
            return np.stack(rows) if rows else np.empty((0, 0))
        made = np.empty(len(rows), object)
        made[:] = rows
        return made

    def __len__(self) -> int:
        return len(self._splits) - 1

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in np.arange(len(self)).tolist())

    def __getitem__(self, key: Any) -> Any:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, Tensor):
            first = int(first)
        if isinstance(first, int | np.integer):
            row = range_of(first, len(self))
            found = self._values[self._splits[row] : self._splits[row + 1]]
            return found[tuple(rest)] if rest else found
        if not isinstance(first, slice):
            raise NotImplementedError(f"a ragged tensor takes integers and slices. Received: {type(first).__name__}")
        rows = np.arange(len(self))[first].tolist()
        picked = [self[r] for r in rows]
        if not rest:
            return _joined(picked, self)
        if isinstance(rest[0], slice):
            return _joined([row[tuple(rest)] for row in picked], self)
        return (
            stack([row[tuple(rest)] for row in picked])
            if isinstance(self._values, RaggedTensor)
            else (
                torch.stack([row[tuple(rest)] for row in picked])
                if not is_text(self._values)
                else StringTensor([row[tuple(rest)] for row in picked])
            )
        )

    def __repr__(self) -> str:
        return f"<tf.RaggedTensor {self.to_list()}>"

    __hash__ = object.__hash__

    def _with(self, function: Callable[..., Any], other: Any) -> RaggedTensor:
        if isinstance(other, RaggedTensor):
            if not np.array_equal(self._splits, other._splits):
                raise ValueError("ragged tensors expected rows of equal lengths. Received: different ones")
            return self.with_values(function(self._values, other._values))
        return self.with_values(function(self._values, other))

    def __add__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: a + b, other)

    def __sub__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: a - b, other)

    def __mul__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: a * b, other)

    def __truediv__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: a / b, other)

    def __radd__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: b + a, other)

    def __rmul__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: b * a, other)

    def __neg__(self) -> RaggedTensor:
        return self.with_values(-self._values)

    def __eq__(self, other: Any) -> Any:
        return self._with(lambda a, b: a == b, other)

    def __gt__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: a > b, other)

    def __lt__(self, other: Any) -> RaggedTensor:
        return self._with(lambda a, b: a < b, other)


def range_of(index: Any, length: int) -> int:
    """An index counted from the front. Raises IndexError outside."""
    if not -length <= index < length:
        raise IndexError(f"row {index} is out of range for {length} rows")
    return int(index) % length


def _joined(rows: list[Any], like: RaggedTensor) -> RaggedTensor:
    """Rows under one another."""
    if not rows:
        return RaggedTensor(like._values[:0], [0])
    lengths = [len(row) for row in rows]
    if isinstance(rows[0], RaggedTensor):
        inner = [part for row in rows for part in row]
        return RaggedTensor.from_row_lengths(_joined(inner, rows[0]), lengths)
    return RaggedTensor.from_row_lengths(concat(rows, 0), lengths)


def constant(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> Any:
    """Nested lists as a ragged tensor; a flat list as a tensor. Raises ValueError for lists of mixed depth."""
    rows = pylist.tolist() if isinstance(pylist, np.ndarray) else list(pylist)
    depth = _depth(rows)
    rank = depth - 1 if ragged_rank is None else ragged_rank
    if ragged_rank is None and inner_shape is not None:
        rank = depth - 1 - len(tuple(inner_shape))
    return _built(rows, rank, dtype)


def _depth(part: Any) -> int:
    if not isinstance(part, list | tuple | np.ndarray):
        return 0
    depths = {_depth(item) for item in part if not (isinstance(item, list | tuple) and not item)}
    if len(depths) > 1:
        raise ValueError("tf.ragged.constant expected lists of one depth. Received: a mixture")
    empty = 1 if any(isinstance(item, list | tuple) for item in part) else 0
    return 1 + max(depths.pop() if depths else 0, empty)


def _built(rows: list[Any], rank: int, dtype: Any) -> Any:
    if rank == 0:
        if dtype is None and not rows:
            dtype = dtypes.float32
        if dtypes.string is (None if dtype is None else dtypes.as_dtype(dtype)):
            return StringTensor(rows or np.empty(0, object))
        return convert_to_tensor(rows, dtype)
    flat = [item for row in rows for item in row]
    return RaggedTensor.from_row_lengths(_built(flat, rank - 1, dtype), np.array([len(row) for row in rows], np.int64))


def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> RaggedTensor:
    """`op` of the innermost values of ragged tensors, in the same rows."""
    first = next(a for a in (*args, *kwargs.values()) if isinstance(a, RaggedTensor))

    def flat(value: Any) -> Any:
        return value.flat_values if isinstance(value, RaggedTensor) else value

    return first.with_flat_values(op(*map(flat, args), **{k: flat(v) for k, v in kwargs.items()}))


def range(
    starts: Any,
    limits: Any = None,
    deltas: Any = 1,
    dtype: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> RaggedTensor:
    """A row start, start + delta, ... up to but without limit, for each of them."""
    if limits is None:
        starts, limits = 0, starts
    begin, end, step = np.broadcast_arrays(
        *(np.atleast_1d(convert_to_tensor(x).numpy()) for x in (starts, limits, deltas))
    )
    return constant([np.arange(b, e, s).tolist() for b, e, s in zip(begin, end, step, strict=True)], dtype, 1)


def stack(values: Any, axis: int = 0, name: str | None = None) -> RaggedTensor:
    """Tensors or ragged tensors as the rows of one. Only along axis 0."""
    if axis != 0:
        raise NotImplementedError(f"tf.ragged.stack is built for axis 0. Received: {axis}")
    rows = [v if isinstance(v, RaggedTensor) else convert_to_tensor(v) for v in values]
    if isinstance(rows[0], RaggedTensor):
        return RaggedTensor.from_row_lengths(_joined([r for row in rows for r in row], rows[0]), [len(r) for r in rows])
    return RaggedTensor.from_row_lengths(concat(rows, 0), [len(r) for r in rows])


def reduced(function: Callable[..., Any], x: RaggedTensor, axis: Any, keepdims: bool) -> Any:
    """A reduction of all elements, or of each row (axis 1)."""
    if axis is None:
        return function(x.flat_values)
    if axis not in (1, -1) or x.ragged_rank != 1 or keepdims or (axis == -1 and x.flat_values.ndim > 1):
        raise NotImplementedError(
            f"reductions of ragged tensors are built for each row (axis 1), and for all elements. Received: {axis}. "
            "Use to_tensor() and a mask"
        )
    bounds = zip(x._splits, x._splits[1:], strict=False)
    return convert_to_tensor([function(x.values[begin:end], 0) for begin, end in bounds])


def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """The elements of each row where the mask is true."""
    if not isinstance(data, RaggedTensor):
        data = RaggedTensor.from_tensor(data)
    if not isinstance(mask, RaggedTensor):
        mask = RaggedTensor.from_tensor(mask)
    kept = mask.flat_values.numpy().astype(bool)
    counts = [int(kept[a:b].sum()) for a, b in zip(mask._splits, mask._splits[1:], strict=False)]
    return RaggedTensor.from_row_lengths(gather(data.values, kept.nonzero()[0]), counts)


__getattr__ = missing(__name__, globals())
