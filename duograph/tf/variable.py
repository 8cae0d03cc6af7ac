"""`tf.Variable`: a tensor whose content can be assigned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from duograph.autograd import no_grad
from duograph.graph.trace import ReadableLeaf, alias

from . import dtypes
from .errors import InvalidArgumentError
from .tensors import Tensor, _sizes, convert_to_tensor

__all__ = ["Variable"]

in_graph: Callable[[Any, Any], Any] | None = None
"""What makes a variable of a graph from the arguments, or None where none is being built. Set by `tf.graph`."""


class Variable(Tensor):
    """A tensor that can be assigned, and that gradient tapes and optimisers know.

    `initial_value` is anything `convert_to_tensor` takes, or a function without arguments that returns it. A trainable
    variable of a floating point dtype is watched by every tape.
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
        if initial_value is None:
            raise ValueError("tf.Variable expected an initial value. Received: None")
        given = initial_value() if callable(initial_value) and not isinstance(initial_value, Tensor) else initial_value
        if isinstance(given, Tensor) or hasattr(given, "__torch_function__"):
            content = convert_to_tensor(given).detach().clone()
            content = content if dtype is None else content.to(dtypes.as_dtype(dtype))
        else:
            content = convert_to_tensor(given, dtype)
        if shape is not None and _sizes(shape) != tuple(content.shape):
            raise InvalidArgumentError(
                f"tf.Variable expected a value of shape {_sizes(shape)}. Received: {tuple(content.shape)}"
            )
        self.trainable = trainable is None or bool(trainable)
        self.name = self.path = name or "Variable"
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

    def numpy(self) -> np.ndarray:
        """The content as an array of its own."""
        return np.array(self.detach()._array())

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Replace the content. What was computed from the old one, and its gradient, stays as it was.

        Raises InvalidArgumentError for another shape or dtype.
        """
        new = (
            value
            if isinstance(value, Tensor)
            else convert_to_tensor(value, None if hasattr(value, "__torch_function__") else self.dtype)
        )
        if new.shape != self.shape or new.dtype is not self.dtype:
            raise InvalidArgumentError(
                f"{self.name}.assign expected shape {tuple(self.shape)} and dtype {self.dtype.name}. "
                f"Received: shape {tuple(new.shape)} and dtype {new.dtype.name}"
            )
        self._value = alias(new._value, self._value.origin)
        return self

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add to the content."""
        with no_grad():
            return self.assign(self + convert_to_tensor(delta, None if isinstance(delta, Tensor) else self.dtype))

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract from the content."""
        with no_grad():
            return self.assign(self - convert_to_tensor(delta, None if isinstance(delta, Tensor) else self.dtype))

    def __iadd__(self, other: Any) -> Tensor:  # type: ignore[misc]
        return self + other

    def __isub__(self, other: Any) -> Tensor:  # type: ignore[misc]
        return self - other

    def __imul__(self, other: Any) -> Tensor:  # type: ignore[misc]
        return self * other

    def __itruediv__(self, other: Any) -> Tensor:  # type: ignore[misc]
        return self / other

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        made = memo[id(self)] = type(self)(self, trainable=self.trainable, name=self.name, constraint=self.constraint)
        return made

    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={tuple(self.shape)} dtype={self.dtype.name}, numpy=\n{self.numpy()}>"

    __str__ = __repr__
