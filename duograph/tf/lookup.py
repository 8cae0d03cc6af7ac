"""`tf.lookup`: tables from keys to values, on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dtypes
from .errors import FailedPreconditionError, InvalidArgumentError
from .farmhash import fingerprint64
from .hosted import hosted
from .missing import missing
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor

__all__ = [
    "KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable", "TextFileIndex", "TextFileInitializer",
    "experimental",
]  # fmt: skip


class TextFileIndex:
    """What of a file's line is a key or a value: a column's number, the whole line, or the line's number."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


def _tensor(content: Any, dtype: Any) -> Any:
    return convert_to_tensor(content, None if dtype is None or isinstance(content, Tensor | StringTensor) else dtype)


class KeyValueTensorInitializer:
    """Keys and values, given as vectors."""

    def __init__(
        self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: Any = None
    ) -> None:
        self.keys, self.values = _tensor(keys, key_dtype), _tensor(values, value_dtype)
        if self.keys.shape != self.values.shape:
            raise InvalidArgumentError(
                f"expected as many keys as values. Received: {tuple(self.keys.shape)} and {tuple(self.values.shape)}"
            )

    def initialize(self, table: _Table) -> None:
        """Fill a table. Raises FailedPreconditionError where one key is given two values."""
        for key, value in zip(_keys(self.keys), _keys(self.values), strict=True):
            if (there := table._content.setdefault(key, value)) != value:
                raise FailedPreconditionError(f"key {key!r} is given two values: {there!r} and {value!r}")

    @property
    def key_dtype(self) -> Any:
        return self.keys.dtype

    @property
    def value_dtype(self) -> Any:
        return self.values.dtype


class TextFileInitializer(KeyValueTensorInitializer):
    """Keys and values from the lines of a file."""

    def __init__(
        self,
        filename: Any,
        key_dtype: Any,
        key_index: int,
        value_dtype: Any,
        value_index: int,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str | None = None,
        value_index_offset: int = 0,
    ) -> None:
        from .io import read_file

        lines = read_file(filename).numpy().decode().splitlines()[:vocab_size]

        def column(index: int, dtype: Any, offset: int) -> Any:
            if index == TextFileIndex.LINE_NUMBER:
                return np.arange(len(lines)) + offset
            texts = lines if index == TextFileIndex.WHOLE_LINE else [line.split(delimiter)[index] for line in lines]
            return texts if dtypes.as_dtype(dtype) is dtypes.string else np.array(texts, dtypes.as_dtype(dtype).numpy)

        super().__init__(
            column(key_index, key_dtype, 0),
            column(value_index, value_dtype, value_index_offset),
            key_dtype,
            value_dtype,
        )


class _Table:
    """A dictionary, asked with tensors."""

    def __init__(self, key_dtype: Any, value_dtype: Any, name: str | None) -> None:
        self.key_dtype, self.value_dtype = dtypes.as_dtype(key_dtype), dtypes.as_dtype(value_dtype)
        self.name = name or "table"
        self._content: dict[Any, Any] = {}

    def _asked(self, keys: Any) -> Any:
        if hasattr(keys, "with_flat_values"):
            return keys
        keys = convert_to_tensor(keys, None if isinstance(keys, Tensor | StringTensor) else self.key_dtype)
        if keys.dtype is not self.key_dtype:
            raise TypeError(f"{self.name} expected keys of {self.key_dtype.name}. Received: {keys.dtype.name}")
        return keys

    def _found(self, keys: Any, default: Any) -> Any:
        asked = np.asarray(keys.numpy(), object)
        made = np.empty(asked.shape, object)
        for place, key in np.ndenumerate(asked):
            made[place] = self._content.get(key, default(key) if callable(default) else default)
        return _as(made, self.value_dtype)

    def size(self, name: str | None = None) -> Tensor:
        """The number of entries."""
        return convert_to_tensor(len(self._content), dtypes.int64)

    def export(self, name: str | None = None) -> tuple[Any, Any]:
        """All keys and values."""
        keys = np.empty(len(self._content), object)
        keys[:] = list(self._content)
        values = np.empty((len(self._content), *self._default_shape()), object)
        for place, value in enumerate(self._content.values()):
            values[place] = value
        return _as(keys, self.key_dtype), _as(values, self.value_dtype)

    def _default_shape(self) -> tuple[int, ...]:
        """The shape of one value."""
        return ()

    def __getitem__(self, keys: Any) -> Any:
        return self.lookup(keys)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        raise NotImplementedError


def _as(content: np.ndarray, dtype: Any) -> Any:
    return StringTensor(content) if dtype is dtypes.string else convert_to_tensor(content.astype(dtype.numpy))


def _keys(tensor: Any) -> list[Any]:
    return np.asarray(tensor.numpy(), object).ravel().tolist()


class StaticHashTable(_Table):
    """Values by key, `default_value` for keys that are not there.

    Raises FailedPreconditionError where one key is given two values.
    """

    def __init__(
        self, initializer: Any, default_value: Any, name: str | None = None, experimental_is_anonymous: bool = False
    ) -> None:
        super().__init__(initializer.key_dtype, initializer.value_dtype, name)
        initializer.initialize(self)
        self.default_value = np.asarray(convert_to_tensor(default_value, self.value_dtype).numpy(), object)[()]

    @hosted(elementwise=True)
    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The value of each key."""
        keys = self._asked(keys)
        if hasattr(keys, "with_flat_values"):
            return keys.with_flat_values(self.lookup(keys.flat_values))
        return self._found(keys, self.default_value)


class StaticVocabularyTable(_Table):
    """Numbers by key; other keys share `num_oov_buckets` numbers behind those, by the fingerprint of the key."""

    def __init__(
        self,
        initializer: Any,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: str | None = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        if num_oov_buckets < 1:
            raise ValueError(f"StaticVocabularyTable expected num_oov_buckets > 0. Received: {num_oov_buckets}")
        key_dtype = lookup_key_dtype or (dtypes.string if initializer is None else initializer.key_dtype)
        super().__init__(key_dtype, dtypes.int64, name)
        self._buckets = int(num_oov_buckets)
        if initializer is not None:
            initializer.initialize(self)

    @hosted(elementwise=True)
    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The number of each key."""
        keys = self._asked(keys)
        if hasattr(keys, "with_flat_values"):
            return keys.with_flat_values(self.lookup(keys.flat_values))
        return self._found(keys, self._bucket)

    def _bucket(self, key: Any) -> int:
        raw = key if isinstance(key, bytes) else str(key).encode()
        return len(self._content) + fingerprint64(raw) % self._buckets

    def size(self, name: str | None = None) -> Tensor:
        """The number of entries and buckets."""
        return convert_to_tensor(len(self._content) + self._buckets, dtypes.int64)


class MutableHashTable(_Table):
    """Values by key, which may change."""

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, name: str = "MutableHashTable", **_: Any
    ) -> None:
        super().__init__(key_dtype, value_dtype, name)
        self._default = np.asarray(convert_to_tensor(default_value, self.value_dtype).numpy(), object)
        self._default = self._default[()] if not self._default.ndim else self._default

    def insert(self, keys: Any, values: Any, name: str | None = None) -> None:
        """Set the values of keys."""
        asked = np.asarray(self._asked(keys).numpy(), object).ravel().tolist()
        values = convert_to_tensor(values, None if isinstance(values, Tensor | StringTensor) else self.value_dtype)
        self._content.update(
            zip(
                asked, list(np.asarray(values.numpy(), object).reshape(len(asked), *self._default_shape())), strict=True
            )
        )

    def _default_shape(self) -> tuple[int, ...]:
        return np.shape(self._default)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The value of each key."""
        asked = np.asarray(self._asked(keys).numpy(), object)
        rows = [self._content.get(key, self._default) for key in asked.ravel().tolist()]
        made = np.empty((len(rows), *self._default_shape()), object)
        for place, row in enumerate(rows):
            made[place] = row
        return _as(made.reshape(*asked.shape, *self._default_shape()), self.value_dtype)

    def remove(self, keys: Any, name: str | None = None) -> None:
        """Take keys out."""
        for key in np.asarray(self._asked(keys).numpy(), object).ravel().tolist():
            self._content.pop(key, None)


class experimental:
    """`tf.lookup.experimental`."""

    MutableHashTable = MutableHashTable


class DenseHashTable(MutableHashTable):
    """As `MutableHashTable`; the keys reserved for empty and deleted places are not needed here."""

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, empty_key: Any, deleted_key: Any, **_: Any
    ) -> None:
        super().__init__(key_dtype, value_dtype, default_value)


experimental.DenseHashTable = DenseHashTable  # type: ignore[attr-defined]

__getattr__ = missing(__name__, globals())
