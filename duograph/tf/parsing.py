"""From serialised examples to tensors: `tf.io.parse_example` and the descriptions of features it takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import dtypes
from .array import stack
from .errors import DataLossError, InvalidArgumentError
from .example import Example, Feature, SequenceExample
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


def _content(feature: Feature | None, dtype: Any, key: str) -> list[Any]:
    """The values of a feature. Raises InvalidArgumentError for those of another kind."""
    if feature is None or feature.WhichOneof("kind") is None:
        return []
    wanted = "bytes_list" if dtype is dtypes.string else "int64_list" if dtype is dtypes.int64 else "float_list"
    if dtype not in (dtypes.string, dtypes.int64, dtypes.float32):
        raise InvalidArgumentError(f"feature {key!r}: expected dtype string, int64 or float32. Received: {dtype.name}")
    if feature.WhichOneof("kind") != wanted:
        raise InvalidArgumentError(
            f"feature {key!r}: expected {dtype.name}, that is {wanted}. Received: {feature.WhichOneof('kind')}"
        )
    return feature._lists[wanted].value


def _tensor(values: list[Any], dtype: Any, shape: Any) -> Any:
    if dtype is dtypes.string:
        made = np.empty(len(values), object)
        made[:] = values
        return StringTensor(made.reshape(shape))
    return convert_to_tensor(np.array(values, dtype.numpy).reshape(shape))


def _one(features: dict[str, Feature], key: str, spec: Any) -> Any:
    """The tensor that one description makes of one example."""
    dtype = dtypes.as_dtype(spec.dtype)
    values = _content(features.get(getattr(spec, "value_key", None) or key), dtype, key)
    if isinstance(spec, VarLenFeature):
        places = np.arange(len(values), dtype=np.int64)[:, None]
        return SparseTensor(places, _tensor(values, dtype, (len(values),)), [len(values)])
    if isinstance(spec, RaggedFeature):
        if spec.partitions:
            raise NotImplementedError("tf.io.RaggedFeature with partitions is not built: build it with RaggedTensor")
        return _tensor(values, dtype, (len(values),))
    shape = _sizes(spec.shape)
    size = int(np.prod(shape))
    if isinstance(spec, FixedLenSequenceFeature):
        if len(values) % max(size, 1):
            raise InvalidArgumentError(f"feature {key!r}: expected steps of {size} values. Received: {len(values)}")
        return _tensor(values, dtype, (len(values) // max(size, 1), *shape))
    if not values and size:
        if spec.default_value is None:
            raise InvalidArgumentError(f"feature {key!r} is missing, and it has no default value")
        default = convert_to_tensor(spec.default_value, dtype).numpy()
        return _tensor(np.broadcast_to(default, shape).ravel().tolist(), dtype, shape)
    if len(values) != size:
        raise InvalidArgumentError(
            f"feature {key!r}: expected {size} values, of shape {shape}. Received: {len(values)}"
        )
    return _tensor(values, dtype, shape)


def parse_single_example(
    serialized: Any, features: dict[str, Any], example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """The features of a serialised `tf.train.Example` as tensors, as `features` describes them.

    Raises InvalidArgumentError for a missing feature without a default value and for other dtypes or sizes.
    """
    try:
        own = Example.FromString(serialized).features.feature
    except DataLossError as error:
        raise InvalidArgumentError(f"parse_single_example expected a serialised Example: {error}") from error
    return {key: _one(own, key, spec) for key, spec in features.items()}


def parse_example(
    serialized: Any, features: dict[str, Any], example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """As `parse_single_example`, of a vector of serialised examples: tensors with a batch axis."""
    from .ragged import RaggedTensor

    batch = as_bytes(serialized)
    if not batch.ndim:
        return parse_single_example(serialized, features)
    parsed = [parse_single_example(one, features) for one in batch]
    made: dict[str, Any] = {}
    for key, spec in features.items():
        parts = [row[key] for row in parsed]
        if isinstance(spec, VarLenFeature):
            lengths = [len(p.values) for p in parts]
            places = [(row, place) for row, n in enumerate(lengths) for place in range(n)]
            values = _joined([p.values for p in parts])
            made[key] = SparseTensor(
                np.array(places, np.int64).reshape(-1, 2), values, [len(parts), max(lengths, default=0)]
            )
        elif isinstance(spec, RaggedFeature):
            made[key] = RaggedTensor.from_row_lengths(_joined(parts), [len(p) for p in parts])
        elif isinstance(spec, FixedLenSequenceFeature):
            rows = RaggedTensor.from_row_lengths(_joined(parts), [len(p) for p in parts])
            made[key] = rows.to_tensor(spec.default_value)
        else:
            made[key] = stack(parts)
    return made


def _joined(parts: list[Any]) -> Any:
    from .array import concat

    return concat(parts, 0)


def parse_single_sequence_example(
    serialized: Any,
    context_features: dict[str, Any] | None = None,
    sequence_features: dict[str, Any] | None = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The context and the sequences of a serialised `tf.train.SequenceExample` as tensors."""
    message = SequenceExample.FromString(serialized)
    context = {key: _one(message.context.feature, key, spec) for key, spec in (context_features or {}).items()}
    sequences = {}
    for key, spec in (sequence_features or {}).items():
        found = message.feature_lists.feature_list.get(key)
        steps = [] if found is None else found.feature
        if found is None and not getattr(spec, "allow_missing", True):
            raise InvalidArgumentError(f"feature list {key!r} is missing")
        dtype = dtypes.as_dtype(spec.dtype)
        rows = [_content(step, dtype, key) for step in steps]
        if isinstance(spec, FixedLenSequenceFeature):
            flat = [v for row in rows for v in row]
            sequences[key] = _tensor(flat, dtype, (len(rows), *_sizes(spec.shape)))
        else:
            from .ragged import RaggedTensor

            ragged = RaggedTensor.from_row_lengths(
                _tensor([v for row in rows for v in row], dtype, (-1,)), np.array([len(r) for r in rows], np.int64)
            )
            sequences[key] = ragged.to_sparse() if isinstance(spec, VarLenFeature) else ragged
    return context, sequences
