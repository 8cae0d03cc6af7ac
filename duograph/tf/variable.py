"""`tf.Variable`: a tensor whose content can be assigned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from duograph.autograd import no_grad
from duograph.graph.body import is_recording
from duograph.graph.trace import ReadableLeaf, alias, local

from . import dtypes
from .autograph.tracing import NewVariableError
from .errors import InvalidArgumentError
from .scattering import Scattering
from .shapes import TensorShape
from .tensors import Tensor
from .tensors import convert_to_tensor as as_tensor
from .text import described

__all__ = ["Variable", "convert_to_tensor"]

in_graph: Callable[[Any, Any], Any] | None = None
"""What makes a variable of a graph from the arguments, or None where none is being built. Set by `tf.graph`."""


class Variable(Scattering, Tensor):
    """A tensor that can be assigned, and that gradient tapes and optimisers know.

    `initial_value` is anything `convert_to_tensor` takes, or a function without arguments that returns it. A trainable
    variable of a floating point dtype is watched by every tape. With a `shape` of unknown sizes, values of other sizes
    can be assigned.
    Raises InvalidArgumentError when `shape` is given and is not that of the initial value.
    """

    constraint: Any = None
    regularizer: Any = None
    overwrite_with_gradient = False
    _leaf = ReadableLeaf

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = None if in_graph is None or cls is not Variable else in_graph(args, kwargs)
        return super().__new__(cls) if made is None else made

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        if is_recording():
            raise NewVariableError("a variable is made while a function is recorded")
        if initial_value is None:
            raise ValueError("tf.Variable expected an initial value. Received: None")
        given = initial_value() if callable(initial_value) and not isinstance(initial_value, Tensor) else initial_value
        if isinstance(given, Tensor) or hasattr(given, "__torch_function__"):
            content = as_tensor(given).detach().clone()
            content = content if dtype is None else content.to(dtypes.as_dtype(dtype))
        else:
            content = as_tensor(given, dtype)
        self._fits = TensorShape(tuple(content.shape) if shape is None else shape)
        if not self._fits.is_compatible_with(content.shape):
            raise InvalidArgumentError(
                f"tf.Variable expected a value of shape {self._fits}. Received: {tuple(content.shape)}"
            )
        self.trainable = trainable is None or bool(trainable)
        self.path = name or "Variable"
        self.name = f"{self.path}:0"
        self.constraint = constraint
        watched = self.trainable and content.dtype.is_floating_point
        self._value = alias(content._value, self._leaf(self) if watched else None)

    @property
    def value(self) -> Variable:
        """The content; also as a method, `v.value()`."""
        return self

    def __call__(self) -> Tensor:
        return self.read_value()

    def read_value(self) -> Tensor:
        """The content as a tensor that later assignments do not change."""
        return self.clone()

    def numpy(self) -> Any:
        """The content as an array of its own, of a scalar as one of NumPy's."""
        return np.array(self.detach()._array())[()]

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Replace the content. What was computed from the old one, and its gradient, stays as it was.

        Raises InvalidArgumentError for another shape or dtype.
        """
        new = (
            value
            if isinstance(value, Tensor)
            else as_tensor(value, None if hasattr(value, "__torch_function__") else self.dtype)
        )
        if new.dtype is not self.dtype or not (new.shape == self.shape or self._fits.is_compatible_with(new.shape)):
            raise InvalidArgumentError(
                f"{self.name}.assign expected shape {self._fits} and dtype {self.dtype.name}. "
                f"Received: shape {tuple(new.shape)} and dtype {new.dtype.name}"
            )
        local.trace.writes(self, False)
        self._value = alias(new._value, self._value.origin)
        return self

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add to the content."""
        with no_grad():
            return self.assign(self + self._like(delta))

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract from the content."""
        with no_grad():
            return self.assign(self - self._like(delta))

    def _like(self, delta: Any) -> Tensor:
        """What is to be added, of this shape and dtype."""
        new = as_tensor(delta, self.dtype)
        if new.shape != self.shape:
            raise InvalidArgumentError(
                f"{self.name}: expected a change of shape {tuple(self.shape)}. Received: {tuple(new.shape)}"
            )
        return new

    def _in_place(self, other: Any) -> Any:
        raise RuntimeError(
            "`variable += value` and the like are not defined for variables: use variable.assign_add(value) to change "
            "the variable, or variable + value for a new tensor"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = _in_place

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        made = memo[id(self)] = type(self)(self, trainable=self.trainable, name=self.path, constraint=self.constraint)
        return made

    def __repr__(self) -> str:
        kind = f"shape={tuple(self.shape)} dtype={self.dtype.name}"
        return f"<tf.Variable {self.name!r} {kind}, numpy={described(np.asarray(self.numpy()), plain=False)}>"

    __str__ = __repr__


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Any:
    """`value` (a tensor, variable, array, number or nested sequence) as a tensor: see `duograph.tf.tensors`.

    Of a variable it is the present content, which later assignments do not change.
    """
    made = as_tensor(value, dtype, dtype_hint, name)
    of_keras = not isinstance(value, Tensor) and hasattr(value, "__torch_function__")
    return made.clone() if of_keras or isinstance(value, Variable) else made
