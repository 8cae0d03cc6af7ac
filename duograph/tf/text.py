"""Tensors of strings: byte strings on the host. They exist outside graphs, as in input pipelines and look-ups."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.tensor.core import Size

from .dtypes import string
from .errors import InvalidArgumentError

Tensor = torch.Tensor


class TextError(InvalidArgumentError, AttributeError):
    """Strings where numbers were expected."""


def described(array: np.ndarray, plain: bool) -> str:
    """An array as TensorFlow's texts have it: as `str` gives it if `plain`, else as `repr` does."""
    text = str(array) if plain or not array.ndim else repr(array)
    return f"\n{text}" if "\n" in text else text


class StringTensor:
    """An n-dimensional array of byte strings. `shape`, `dtype`, indexing and comparison are those of other tensors.

    Made by `tf.constant("...")` and the functions of `tf.strings` and `tf.io`. It cannot enter a computation: functions
    of numbers raise InvalidArgumentError.
    """

    dtype = string

    def __init__(self, content: Any) -> None:
        self._content = as_bytes(content)

    @classmethod
    def of(cls, content: np.ndarray) -> StringTensor:
        """The tensor of an array of bytes objects, which is not looked at."""
        made = object.__new__(cls)
        made._content = content
        return made

    @property
    def shape(self) -> Size:
        return Size(self._content.shape)

    @property
    def ndim(self) -> int:
        return self._content.ndim

    def get_shape(self) -> Size:
        """The shape."""
        return self.shape

    def numpy(self) -> Any:
        """An array of bytes objects; of a single string the bytes object itself."""
        return self._content.copy() if self.ndim else self._content[()]

    def tolist(self) -> Any:
        """Nested lists of bytes objects."""
        return self._content.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._content.copy()

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._content)

    def __iter__(self) -> Iterator[StringTensor]:
        return (StringTensor(part) for part in self._content)

    def __getitem__(self, key: Any) -> StringTensor:
        parts = key if isinstance(key, tuple) else (key,)
        return StringTensor(self._content[tuple(p.numpy() if isinstance(p, Tensor) else p for p in parts)])

    def __eq__(self, other: Any) -> Any:
        return _compared(np.equal, self, other)

    def __ne__(self, other: Any) -> Any:
        return _compared(np.not_equal, self, other)

    def __add__(self, other: Any) -> StringTensor:
        return StringTensor(self._content + as_bytes(other))

    def __radd__(self, other: Any) -> StringTensor:
        return StringTensor(as_bytes(other) + self._content)

    def __bool__(self) -> bool:
        return bool(self._content)

    def ref(self) -> int:
        """A key that stands for this very tensor."""
        return id(self)

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        raise TextError(
            f"strings have no {name!r}: a tensor of strings is host data, which cannot enter a computation. "
            "Turn it into numbers first, with tf.strings.to_number, tf.lookup or tf.keras.layers.TextVectorization"
        )

    def __repr__(self) -> str:
        return f"<tf.Tensor: shape={tuple(self.shape)}, dtype=string, numpy={self._described(plain=False)}>"

    def __str__(self) -> str:
        return f"tf.Tensor({self._described(plain=True)}, shape={tuple(self.shape)}, dtype=string)"

    def _described(self, plain: bool) -> str:
        return described(self._content, plain)

    def __format__(self, spec: str) -> str:
        return str(self.numpy())


def as_bytes(content: Any) -> Any:
    """Strings, bytes, arrays or nested lists of them as an array of bytes objects. Raises InvalidArgumentError for
    others."""
    if isinstance(content, StringTensor):
        return content._content
    array = np.empty((), object)
    if isinstance(content, str | bytes):
        array[()] = content  # NumPy's own strings lose the zeros at their end
    else:
        array = _nested(content)
    encoded = np.empty(array.shape, object)
    for place, item in np.ndenumerate(array):
        if isinstance(item, np.ndarray) and not item.ndim:
            item = item[()]
        if not isinstance(item, str | bytes):
            raise InvalidArgumentError(f"a string tensor expected strings. Received: {type(item).__name__}")
        encoded[place] = item.encode() if isinstance(item, str) else bytes(item)
    return encoded


def _nested(content: Any) -> np.ndarray:
    if isinstance(content, StringTensor):
        return content._content
    if isinstance(content, list | tuple):
        if any(isinstance(item, StringTensor | list | tuple | np.ndarray) for item in content):
            return np.stack([_nested(item) for item in content])
        array = np.empty(len(content), object)
        array[:] = content
        return array
    if isinstance(content, str | bytes):
        array = np.empty((), object)
        array[()] = content
        return array
    return np.asarray(content, object)


def is_text(value: Any) -> bool:
    """Whether `value` is a string or holds strings."""
    if isinstance(value, list | tuple):
        return any(is_text(item) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "SU" or (value.dtype.kind == "O" and is_text(value.ravel()[:1].tolist()))
    return isinstance(value, str | bytes | StringTensor)


def _compared(function: Callable[..., Any], x: Any, y: Any) -> Any:
    if not is_text(y):
        return NotImplemented
    return torch.tensor(np.asarray(function(as_bytes(x), as_bytes(y)), bool))


def rearranging(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which moves elements of tensors and does not look at them, for string tensors too.

    It runs on the positions of the strings in a pool, and its results pick from that.
    """

    @functools.wraps(function)
    def rearrange(*args: Any, **kwargs: Any) -> Any:
        if not any(_holds_text(a) for a in (*args, *kwargs.values())):
            return function(*args, **kwargs)
        pool: list[np.ndarray] = []

        def position(value: Any) -> Any:
            if isinstance(value, list | tuple) and not (value and all(isinstance(v, str | bytes) for v in value)):
                return type(value)(position(item) for item in value)
            if not is_text(value):
                return value
            content = as_bytes(value)
            begin = sum(part.size for part in pool)
            pool.append(content.ravel())
            return torch.tensor(np.arange(begin, begin + content.size).reshape(content.shape))

        def pick(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(pick(item) for item in value)
            return StringTensor(np.concatenate(pool)[value.numpy()])

        moved = function(*(position(a) for a in args), **{k: position(v) for k, v in kwargs.items() if k != "name"})
        return pick(moved)

    return rearrange


def _holds_text(value: Any) -> bool:
    return isinstance(value, StringTensor) or (
        isinstance(value, list | tuple) and any(_holds_text(item) for item in value)
    )
