"""`tf.function`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np

from duograph.replay import compile

from . import dtypes, structure
from .errors import InvalidArgumentError
from .tensors import Tensor, convert_to_tensor

__all__ = ["Function", "TensorSpec", "TypeSpec", "function"]


_eagerly = False


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Whether functions run as the Python they are, without being replayed."""
    global _eagerly
    _eagerly = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether functions run as the Python they are, without being replayed."""
    return _eagerly


class TypeSpec:
    """What describes a value that a function takes or a data set gives: the base of `TensorSpec`."""


class TensorSpec(TypeSpec):
    """The shape (None: any size, or any shape) and dtype of a tensor."""

    def __init__(self, shape: Any = None, dtype: Any = dtypes.float32, name: str | None = None) -> None:
        self.shape = None if shape is None else tuple(shape)
        self.dtype = dtypes.as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The shape and dtype of a tensor."""
        return cls(tuple(tensor.shape), tensor.dtype, name)

    def is_compatible_with(self, tensor: Any) -> bool:
        """Whether a tensor has this dtype and a shape that fits."""
        if tensor.dtype is not self.dtype:
            return False
        if self.shape is None:
            return True
        return len(self.shape) == len(tensor.shape) and all(
            n is None or n == m for n, m in zip(self.shape, tensor.shape, strict=True)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype=tf.{self.dtype.name}, name={self.name!r})"


class Function:
    """A Python function whose operations run as compiled plans.

    Duograph compiles what a program records, inside such a function or outside, so this class changes no result and
    needs no rewriting of the function's `if` and `for`. The first calls with a signature run the Python code and record
    it; once two have done the same, further ones are replayed, as by `duograph.compile`. So Python side effects
    (prints, counters) happen at the first calls, as in TensorFlow, unless the function is one that cannot be replayed,
    such as one whose `if` looks at a tensor: then they happen at each.

    NumPy arrays become tensors. With an `input_signature`, other arguments raise InvalidArgumentError.
    """

    def __init__(
        self, python_function: Callable[..., Any], input_signature: Any = None, name: str | None = None
    ) -> None:
        self.python_function = python_function
        self.input_signature = None if input_signature is None else tuple(input_signature)
        self._compiled: Callable[..., Any] = compile(python_function)
        self._signatures: set[Any] = set()
        functools.update_wrapper(self, python_function)
        if name is not None:
            self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = structure.map_structure(_as_argument, (args, kwargs))
        if self.input_signature is not None:
            args = self._checked(args, kwargs)
        if _eagerly:
            return self.python_function(*args, **kwargs)
        self._signatures.add(_signature(args, kwargs))
        return self._compiled(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        bound = Function(self.python_function.__get__(instance, owner), self.input_signature, self.__name__)
        bound._signatures = self._signatures
        bound._compiled = MethodType(self._compiled, instance)
        return bound

    def experimental_get_tracing_count(self) -> int:
        """With how many signatures (structure, shapes, dtypes, Python values) it was called."""
        return len(self._signatures)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Function:
        """This function for one signature, given as TensorSpecs or examples."""
        specs = [a if isinstance(a, TensorSpec) else TensorSpec.from_tensor(convert_to_tensor(a)) for a in args]
        return Function(functools.partial(self.python_function, **kwargs), specs or self.input_signature, self.__name__)

    def _checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        specs = structure.flatten(self.input_signature)
        tensors = [convert_to_tensor(a) for a in structure.flatten(args)]
        if len(tensors) != len(specs) or kwargs:
            raise InvalidArgumentError(
                f"{self.__name__} expected {len(specs)} positional arguments, by its input_signature. "
                f"Received: {len(tensors)} and the keywords {sorted(kwargs)}"
            )
        for place, (tensor, spec) in enumerate(zip(tensors, specs, strict=True)):
            if not spec.is_compatible_with(tensor):
                raise InvalidArgumentError(
                    f"{self.__name__} expected argument {place} to be {spec}. "
                    f"Received: shape {tuple(tensor.shape)}, dtype {tensor.dtype.name}"
                )
        return structure.pack_like(args, tensors)


def _as_argument(argument: Any) -> Any:
    return convert_to_tensor(argument) if isinstance(argument, np.ndarray) else argument


def _signature(args: Any, kwargs: Any) -> Any:
    def leaf(x: Any) -> Any:
        if isinstance(x, Tensor):
            return tuple(x.shape), x.dtype
        return x if isinstance(x, bool | int | float | str | None) else id(x)

    return (
        tuple(leaf(x) for x in structure.flatten(args)),
        tuple(sorted(kwargs)),
        tuple(leaf(x) for x in structure.flatten(kwargs)),
    )


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    **_: Any,
) -> Any:
    """Decorator: see `Function`. `autograph`, `jit_compile` and `reduce_retracing` need no choice here."""
    if func is None:
        return lambda f: Function(f, input_signature)
    return Function(func, input_signature)
