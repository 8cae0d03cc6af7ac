"""From serialised examples to tensors: `tf.io.parse_example` and the descriptions of features it takes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import duograph.torch as torch

from . import dtypes
from .errors import DataLossError, InvalidArgumentError
from .example import Feature, SequenceExample
from .hosted import hosted
from .layouts import Layout, Layouts, packed
from .sparse import SparseTensor
from .tensors import _sizes, convert_to_tensor
from .text import StringTensor, as_bytes

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "RaggedFeature", "VarLenFeature", "parse_example",
    "parse_single_example", "parse_single_sequence_example",
]  # fmt: skip


class FixedLenFeature(NamedTuple):
    """A feature of a fixed shape; `default_value` stands for one that is missing."""

    shape: Any
    dtype: Any
    default_value: Any = None


class VarLenFeature(NamedTuple):
    """A feature of any length, given as a sparse tensor."""

    dtype: Any


class FixedLenSequenceFeature(NamedTuple):
    """A feature of any number of steps of a fixed shape."""

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


class RaggedFeature(NamedTuple):
    """A feature of any length, given as a vector or, in a batch, as a ragged tensor."""

    dtype: Any
    value_key: str | None = None
    partitions: Any = ()
    row_splits_dtype: Any = dtypes.int32
    validate: bool = False


class _Wanted:
    """What is wanted of one feature: a description and what follows from it."""

    def __init__(self, key: str, spec: Any) -> None:
        self.key, self.spec = key, spec
        self.name = getattr(spec, "value_key", None) or key
        self.dtype = dtypes.as_dtype(spec.dtype)
        if self.dtype not in _LISTS:
            raise InvalidArgumentError(
                f"feature {key!r}: expected dtype string, int64 or float32. Received: {self.dtype.name}"
            )
        self.shape = _sizes(spec.shape) if isinstance(spec, FixedLenFeature | FixedLenSequenceFeature) else ()
        self.size = math.prod(self.shape)
        if isinstance(spec, RaggedFeature) and spec.partitions:
            raise NotImplementedError("tf.io.RaggedFeature with partitions is not built: build it with RaggedTensor")

    def of(self, kind: str | None, values: Any) -> np.ndarray:
        """The values of one example as an array: of the shape that is wanted, or flat where any length is.

        Raises InvalidArgumentError for values of another kind or number.
        """
        if kind not in (None, _LISTS[self.dtype]):
            raise InvalidArgumentError(
                f"feature {self.key!r}: expected {self.dtype.name}, that is {_LISTS[self.dtype]}. Received: {kind}"
            )
        count = len(values)
        if isinstance(self.spec, FixedLenFeature):
            if not count and self.size:
                return self._default()
            if count != self.size:
                raise InvalidArgumentError(
                    f"feature {self.key!r}: expected {self.size} values, of shape {self.shape}. Received: {count}"
                )
            return _array(values, self.dtype).reshape(self.shape)
        if isinstance(self.spec, FixedLenSequenceFeature):
            if count % max(self.size, 1):
                raise InvalidArgumentError(
                    f"feature {self.key!r}: expected steps of {self.size} values. Received: {count}"
                )
            return _array(values, self.dtype).reshape(count // max(self.size, 1), *self.shape)
        return _array(values, self.dtype)

    def _default(self) -> np.ndarray:
        if self.spec.default_value is None:
            raise InvalidArgumentError(f"feature {self.key!r} is missing, and it has no default value")
        default = self.spec.default_value
        array = as_bytes(default) if self.dtype is dtypes.string else convert_to_tensor(default, self.dtype).numpy()
        return np.broadcast_to(array, self.shape)


_LISTS = {dtypes.string: "bytes_list", dtypes.int64: "int64_list", dtypes.float32: "float_list"}


def _array(values: Any, dtype: Any) -> np.ndarray:
    if dtype is not dtypes.string:
        return np.asarray(values, dtype.numpy)
    made = np.empty(len(values), object)
    made[:] = values
    return made


def _tensor(array: np.ndarray) -> Any:
    return StringTensor.of(array) if array.dtype == object else torch.from_numpy(np.array(array))


def _single(wanted: _Wanted, kind: str | None, values: Any) -> Any:
    """The tensor that one description makes of one example."""
    array = wanted.of(kind, values)
    if isinstance(wanted.spec, VarLenFeature):
        return SparseTensor(np.arange(len(array), dtype=np.int64)[:, None], _tensor(array), [len(array)])
    return _tensor(array)


def _rows(wanted: _Wanted, layouts: list[Layout], examples: list[bytes]) -> list[tuple[str | None, Any]]:
    """For each example the kind and the values of a feature. Raises InvalidArgumentError for damaged examples."""
    try:
        return [layout.values(data, wanted.name) for layout, data in zip(layouts, examples, strict=True)]
    except DataLossError as error:
        raise _invalid(error) from error


def _layouts_of(examples: list[bytes]) -> list[Layout]:
    """The layouts of examples. Raises InvalidArgumentError for what is none."""
    try:
        return _layouts.of_all(examples)
    except (DataLossError, UnicodeDecodeError) as error:
        raise _invalid(error) from error


def _invalid(error: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(f"parse_example expected serialised Examples: {error}")


_layouts = Layouts()
_known: dict[int, tuple[dict[str, Any], dict[str, Any], list[_Wanted]]] = {}


def _wanted(features: dict[str, Any]) -> list[_Wanted]:
    """What these descriptions say, looked at once while they stay as they are."""
    known = _known.get(id(features))
    if known is None or known[0] is not features or known[1] != features:
        if len(_known) > 64:
            _known.clear()
        known = _known[id(features)] = features, dict(features), [_Wanted(*item) for item in features.items()]
    return known[2]


def _fixed(wanted: _Wanted, layouts: list[Layout], examples: list[bytes]) -> np.ndarray | None:
    """The column of a feature of a fixed shape, if all examples have it in one piece."""
    if not isinstance(wanted.spec, FixedLenFeature) or not wanted.size:
        return None
    values = packed(layouts, examples, wanted.name, _LISTS[wanted.dtype], wanted.size)
    return None if values is None else _array(values, wanted.dtype).reshape(-1, *wanted.shape)


def _single_of_many(
    serialized: np.ndarray, features: dict[str, Any], example_names: Any = None, name: str | None = None
) -> list[Any] | None:
    """`parse_single_example` of many: see `hosted`."""
    if serialized.ndim != 1:
        return None
    examples = serialized.tolist()
    try:
        layouts = _layouts.of_all(examples)
    except (DataLossError, UnicodeDecodeError):
        return None
    columns = []
    for wanted in sorted(_wanted(features), key=lambda w: w.key):
        made = _fixed(wanted, layouts, examples)
        if made is None:
            return None
        columns.append(made)
    return columns


@hosted(many=_single_of_many)
def parse_single_example(
    serialized: Any, features: dict[str, Any], example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """The features of a serialised `tf.train.Example` as tensors, as `features` describes them.

    Raises InvalidArgumentError for a missing feature without a default value and for other dtypes or sizes.
    """
    examples = [as_bytes(serialized)[()]]
    layouts = _layouts_of(examples)
    return {wanted.key: _single(wanted, *_rows(wanted, layouts, examples)[0]) for wanted in _wanted(features)}


@hosted
def parse_example(
    serialized: Any, features: dict[str, Any], example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """As `parse_single_example`, of a vector of serialised examples: tensors with a batch axis."""
    from .ragged import RaggedTensor

    batch = as_bytes(serialized)
    if not batch.ndim:
        return parse_single_example(serialized, features)
    made: dict[str, Any] = {}
    examples = batch.tolist()
    layouts = _layouts_of(examples)
    for wanted in _wanted(features):
        column = _fixed(wanted, layouts, examples)
        if column is not None:
            made[wanted.key] = StringTensor.of(column) if column.dtype == object else torch.from_numpy(column)
            continue
        spec, parts = wanted.spec, [wanted.of(*row) for row in _rows(wanted, layouts, examples)]
        if isinstance(spec, FixedLenFeature):
            empty = np.empty((0, *wanted.shape), wanted.dtype.numpy)
            made[wanted.key] = _tensor(np.stack(parts) if parts else empty)
            continue
        joined = _tensor(np.concatenate(parts)) if parts else _tensor(np.empty(0, wanted.dtype.numpy))
        lengths = [len(p) for p in parts]
        if isinstance(spec, VarLenFeature):
            places = [(row, place) for row, n in enumerate(lengths) for place in range(n)]
            indices = np.array(places, np.int64).reshape(-1, 2)
            made[wanted.key] = SparseTensor(indices, joined, [len(parts), max(lengths, default=0)])
        else:
            ragged = RaggedTensor.from_row_lengths(joined, lengths)
            is_sequence = isinstance(spec, FixedLenSequenceFeature)
            made[wanted.key] = ragged.to_tensor(spec.default_value) if is_sequence else ragged
    return made


def _list_of(feature: Feature | None) -> tuple[str | None, list[Any]]:
    """The kind and values of a feature of a message."""
    kind = None if feature is None else feature.WhichOneof("kind")
    return (None, []) if feature is None or kind is None else (kind, feature._lists[kind].value)


def parse_single_sequence_example(
    serialized: Any,
    context_features: dict[str, Any] | None = None,
    sequence_features: dict[str, Any] | None = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The context and the sequences of a serialised `tf.train.SequenceExample` as tensors."""
    message = SequenceExample.FromString(serialized)
    context = {}
    for key, spec in (context_features or {}).items():
        wanted = _Wanted(key, spec)
        context[key] = _single(wanted, *_list_of(message.context.feature.get(wanted.name)))
    sequences = {}
    for key, spec in (sequence_features or {}).items():
        found = message.feature_lists.feature_list.get(key)
        steps = [] if found is None else found.feature
        if found is None and not getattr(spec, "allow_missing", True):
            raise InvalidArgumentError(f"feature list {key!r} is missing")
        wanted = _Wanted(key, spec if isinstance(spec, FixedLenSequenceFeature) else VarLenFeature(spec.dtype))
        rows = [wanted.of(*_list_of(step)).ravel() for step in steps]
        flat = np.concatenate(rows) if rows else np.empty(0, wanted.dtype.numpy)
        if isinstance(spec, FixedLenSequenceFeature):
            sequences[key] = _tensor(flat.reshape(len(rows), *wanted.shape))
        else:
            from .ragged import RaggedTensor

            ragged = RaggedTensor.from_row_lengths(_tensor(flat), np.array([len(r) for r in rows], np.int64))
            sequences[key] = ragged.to_sparse() if isinstance(spec, VarLenFeature) else ragged
    return context, sequences
