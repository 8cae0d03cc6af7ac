"""`tf.train.Example` and its parts: features by name, in the wire format of protocol buffers."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .errors import DataLossError
from .wire import BYTES, FIXED32, VARINT, field, fields, read_varint, signed, varint

__all__ = [
    "BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List",
    "SequenceExample",
]  # fmt: skip


class _Message:
    """What messages have in common: comparison, text, and the two directions of the wire format."""

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        """The message as bytes."""
        raise NotImplementedError

    def ParseFromString(self, serialized: Any) -> int:
        """Take the content of `serialized`; gives its length. Raises DataLossError for what is no such message."""
        from .text import as_bytes

        data = as_bytes(serialized)[()]
        self.__dict__.update(type(self)._read(data).__dict__)
        return len(data)

    @classmethod
    def FromString(cls, serialized: Any) -> Any:
        """The message that `serialized` holds."""
        made = cls()
        made.ParseFromString(serialized)
        return made

    @classmethod
    def _read(cls, data: bytes) -> Any:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class _List(_Message):
    def __init__(self, value: Any = ()) -> None:
        self.value: list[Any] = [self._checked(v) for v in value]

    @staticmethod
    def _checked(value: Any) -> Any:
        return value


class BytesList(_List):
    """Byte strings."""

    @staticmethod
    def _checked(value: Any) -> bytes:
        if hasattr(value, "numpy"):
            value = value.numpy()
        if not isinstance(value, bytes | bytearray):
            raise TypeError(f"BytesList expected bytes. Received: {type(value).__name__}")
        return bytes(value)

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return b"".join(field(1, v) for v in self.value)

    @classmethod
    def _read(cls, data: bytes) -> BytesList:
        return cls([value for number, _, value in fields(data) if number == 1])


class FloatList(_List):
    """Floats of 32 bits."""

    @staticmethod
    def _checked(value: Any) -> float:
        return float(np.float32(value))

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return field(1, struct.pack(f"<{len(self.value)}f", *self.value)) if self.value else b""

    @classmethod
    def _read(cls, data: bytes) -> FloatList:
        made: list[float] = []
        for number, kind, value in fields(data):
            if number == 1:
                if kind not in (BYTES, FIXED32) or len(value) % 4:
                    raise DataLossError("a list of floats that holds something else")
                made += np.frombuffer(value, "<f4").tolist()
        return cls(made)


class Int64List(_List):
    """Integers of 64 bits."""

    @staticmethod
    def _checked(value: Any) -> int:
        if isinstance(value, float | np.floating):
            raise TypeError(f"Int64List expected integers. Received: {value!r}")
        return int(value)

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return field(1, b"".join(map(varint, self.value))) if self.value else b""

    @classmethod
    def _read(cls, data: bytes) -> Int64List:
        made = []
        for number, kind, value in fields(data):
            if number == 1:
                if kind not in (BYTES, VARINT):
                    raise DataLossError("a list of integers that holds something else")
                place = 0
                while place < len(value):
                    one, place = read_varint(value, place)
                    made.append(signed(one))
        return cls(made)


_LISTS: tuple[tuple[int, str, type[_List]], ...] = (
    (1, "bytes_list", BytesList), (2, "float_list", FloatList), (3, "int64_list", Int64List),
)  # fmt: skip


class Feature(_Message):
    """One of the three lists: `bytes_list`, `float_list` or `int64_list`. The other ones read as empty."""

    def __init__(self, bytes_list: Any = None, float_list: Any = None, int64_list: Any = None) -> None:
        given = {"bytes_list": bytes_list, "float_list": float_list, "int64_list": int64_list}
        self._kind = next((k for k, v in given.items() if v is not None), None)
        self._lists = {name: given[name] or kind() for _, name, kind in _LISTS}

    def __getattr__(self, name: str) -> Any:
        if name in ("bytes_list", "float_list", "int64_list"):
            return self._lists[name]
        raise AttributeError(f"Feature has no attribute {name!r}")

    def WhichOneof(self, oneof_group: str) -> str | None:
        """The name of the list that is there."""
        return self._kind or next((k for k, v in self._lists.items() if v.value), None)

    def HasField(self, field_name: str) -> bool:
        """Whether that list is there."""
        return self.WhichOneof("kind") == field_name

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        kind = self.WhichOneof("kind")
        return b"".join(field(n, self._lists[k].SerializeToString()) for n, k, _ in _LISTS if k == kind)

    @classmethod
    def _read(cls, data: bytes) -> Feature:
        given = {}
        for number, _, value in fields(data):
            given.update({name: kind._read(value) for n, name, kind in _LISTS if n == number})
        return cls(**given)


def _map(entries: dict[str, Any]) -> bytes:
    return b"".join(
        field(1, field(1, key.encode()) + field(2, entries[key].SerializeToString())) for key in sorted(entries)
    )


def _read_map(data: bytes, kind: type[Any]) -> dict[str, Any]:
    made = {}
    for number, _, entry in fields(data):
        if number == 1:
            parts = {n: value for n, _, value in fields(entry)}
            made[parts.get(1, b"").decode()] = kind._read(parts.get(2, b""))
    return made


class Features(_Message):
    """Features by name."""

    def __init__(self, feature: dict[str, Feature] | None = None) -> None:
        self.feature = dict(feature or {})

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return _map(self.feature)

    @classmethod
    def _read(cls, data: bytes) -> Features:
        return cls(_read_map(data, Feature))


class Example(_Message):
    """The features of one example."""

    def __init__(self, features: Features | None = None) -> None:
        self.features = features or Features()

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return field(1, self.features.SerializeToString())

    @classmethod
    def _read(cls, data: bytes) -> Example:
        return cls(next((Features._read(value) for number, _, value in fields(data) if number == 1), None))


class FeatureList(_Message):
    """One feature for each step of a sequence."""

    def __init__(self, feature: Any = ()) -> None:
        self.feature = list(feature)

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return b"".join(field(1, f.SerializeToString()) for f in self.feature)

    @classmethod
    def _read(cls, data: bytes) -> FeatureList:
        return cls([Feature._read(value) for number, _, value in fields(data) if number == 1])


class FeatureLists(_Message):
    """Sequences of features by name."""

    def __init__(self, feature_list: dict[str, FeatureList] | None = None) -> None:
        self.feature_list = dict(feature_list or {})

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return _map(self.feature_list)

    @classmethod
    def _read(cls, data: bytes) -> FeatureLists:
        return cls(_read_map(data, FeatureList))


class SequenceExample(_Message):
    """The features of one example whose others are sequences."""

    def __init__(self, context: Features | None = None, feature_lists: FeatureLists | None = None) -> None:
        self.context = context or Features()
        self.feature_lists = feature_lists or FeatureLists()

    def SerializeToString(self, deterministic: bool = True) -> bytes:
        return field(1, self.context.SerializeToString()) + field(2, self.feature_lists.SerializeToString())

    @classmethod
    def _read(cls, data: bytes) -> SequenceExample:
        parts = {number: value for number, _, value in fields(data)}
        return cls(Features._read(parts.get(1, b"")), FeatureLists._read(parts.get(2, b"")))
