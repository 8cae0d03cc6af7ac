"""`tf.function`."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from duograph.graph.body import is_recording
from duograph.graph.errors import UnreadableError
from duograph.graph.trace import local
from duograph.replay import compile

from . import dtypes, structure
from .autograph.conversion import convert
from .autograph.data_loops import DataLoopError, DataLoops
from .autograph.signature import Signature
from .autograph.tracing import NewVariableError, Traced
from .errors import InvalidArgumentError
from .tensors import Tensor, convert_to_tensor

__all__ = ["Function", "TensorSpec", "TypeSpec", "function"]


SIGNATURES = 256
"""A function that was called with more signatures than this forgets them all."""

_Traces = dict[Any, tuple[Traced | DataLoops | None, Any]]
"""By signature, what was recorded (None for what runs as Python), and the objects that the signature names."""

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
    """A Python function that is recorded once for each signature of its arguments, and then is one operation.

    The signature is the structure of the arguments, the shapes and dtypes of tensors and arrays, the values of Python's
    numbers and strings, and the identity of everything else, such as variables. Python side effects (prints, counters)
    happen when a signature is recorded. `if`, `while` and `for` over tensors become control flow of the graph: see
    `tf.autograph`. A function that cannot be recorded before its data are there, since it reads a value, for example,
    runs as Python each time; `python_reason` says why then.

    NumPy arrays become tensors. With an `input_signature`, other arguments raise InvalidArgumentError.
    """

    def __init__(
        self, python_function: Callable[..., Any], input_signature: Any = None, name: str | None = None,
        autograph: bool = True,
    ) -> None:  # fmt: skip
        self.python_function = python_function
        self.input_signature = None if input_signature is None else tuple(input_signature)
        self.python_reason: str | None = None
        self._autograph = autograph
        self._compiled: Callable[..., Any] = compile(python_function)
        self._signatures: _Traces = {}
        self._instances: WeakKeyDictionary[Any, _Traces] = WeakKeyDictionary()  # of methods
        self._lasting: dict[int, tuple[Any, _Traces]] = {}
        self._converted: Callable[..., Any] | None = None
        functools.update_wrapper(self, python_function)
        self.__name__: Any = name or getattr(python_function, "__name__", type(python_function).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = structure.map_structure(_as_argument, (args, kwargs))
        if self.input_signature is not None:
            args = self._checked(args, kwargs)
        if _eagerly:
            return self.python_function(*args, **kwargs)
        if is_recording():  # a part of what is being recorded
            return self._function()(*args, **kwargs)
        signature = Signature()
        if not signature.sign((args, kwargs)) or local.eager:
            return self._compiled(*args, **kwargs)
        key = tuple(signature.key)
        if key not in self._signatures:
            if len(self._signatures) >= SIGNATURES:
                self._signatures.clear()
            try:
                self._signatures[key] = self._trace(args, kwargs, signature), signature.kept
            except NewVariableError:
                return self.python_function(*args, **kwargs)
        traced, _ = self._signatures[key]
        if isinstance(traced, DataLoops):
            with traced.running():
                return self._function()(*args, **kwargs)
        if traced is None or traced.misses_gradients(signature.tensors):
            return self._compiled(*args, **kwargs)
        return traced(signature.tensors)

    def _function(self) -> Callable[..., Any]:
        """The function with control flow over tensors."""
        if self._converted is None:
            self._converted = convert(self.python_function) if self._autograph else self.python_function
        return self._converted

    def _trace(self, args: Any, kwargs: Any, signature: Signature) -> Traced | DataLoops | None:
        flat = structure.flatten((args, kwargs))
        places = [k for k, x in enumerate(flat) if any(x is t for t in signature.tensors)]

        def call(tensors: Sequence[Tensor]) -> Any:
            given = list(flat)
            for place, tensor in zip(places, tensors, strict=True):
                given[place] = tensor
            own_args, own_kwargs = structure.pack_like((args, kwargs), given)
            return self._function()(*own_args, **own_kwargs)

        try:
            return Traced(call, signature.tensors, self.__name__)
        except NewVariableError:
            raise
        except UnreadableError as error:
            self.python_reason = str(error)
            return DataLoops() if isinstance(error, DataLoopError) else None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        bound = copy.copy(self)
        bound.python_function = self.python_function.__get__(instance, owner)
        bound._compiled = MethodType(self._compiled, instance)
        bound._converted = None
        try:
            bound._signatures = self._instances.setdefault(instance, {})
        except TypeError:  # it cannot be hashed, or referred to weakly
            bound._signatures = self._lasting.setdefault(id(instance), (instance, {}))[1]
        return bound

    def experimental_get_tracing_count(self) -> int:
        """With how many signatures (structure, shapes, dtypes, Python values) it was called."""
        return len(self._signatures)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Function:
        """This function for one signature, given as TensorSpecs or examples."""
        specs = [a if isinstance(a, TensorSpec) else TensorSpec.from_tensor(convert_to_tensor(a)) for a in args]
        return Function(
            functools.partial(self.python_function, **kwargs), specs or self.input_signature, self.__name__,
            self._autograph,
        )  # fmt: skip

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


def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    **_: Any,
) -> Any:
    """Decorator: see `Function`. With `autograph=False`, `if` and loops stay Python's.

    `jit_compile` and `reduce_retracing` need no choice here: all is compiled, and shapes are part of a signature.
    """
    if func is None:
        return lambda f: Function(f, input_signature, autograph=autograph)
    return Function(func, input_signature, autograph=autograph)
