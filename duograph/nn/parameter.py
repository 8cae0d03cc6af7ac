"""Parameters: tensors that a module owns and an optimiser trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd import no_grad
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, GradientError
from ..graph.trace import Leaf, alias
from ..ops.creation import empty
from ..tensor import convert
from ..tensor.core import Tensor
from ..tensor.device import CPU, Device


class Parameter(Tensor):
    """A tensor that becomes one of a module's parameters when it is assigned to an attribute of the module.

    It takes over the content of `data`, and requires gradients unless told otherwise.
    Raises GradientError for a dtype that has no gradients, unless `requires_grad=False`.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = empty(0)
        elif not isinstance(data, Tensor):
            raise TypeError(f"Parameter: expected a Tensor. Received: {type(data).__name__}")
        value = data._value
        if requires_grad and not value.dtype.differentiable:
            raise GradientError(
                f"Parameter: only floating point and complex tensors can require gradients; pass requires_grad=False. "
                f"Received: {value.dtype.name}"
            )
        self._value = alias(value, self._leaf(self) if requires_grad else None)
        if data._device is not CPU:
            self._device = data._device

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    __str__ = __repr__

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) in memo:
            return memo[id(self)]
        with no_grad():
            made = type(self)(convert.copy(self.detach()), self.requires_grad)
        memo[id(self)] = made
        return made

    def __copy__(self) -> Parameter:
        return type(self)(self.detach(), self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.detach(), self.requires_grad)


class Buffer(Tensor):
    """A tensor that becomes a buffer when it is assigned to an attribute of a module."""

    persistent: bool

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        data = empty(0) if data is None else data
        self._value = data._value
        self.persistent = persistent
        if data._device is not CPU:
            self._device = data._device


class Uninitialized:
    """What a lazy module holds until its first input tells the shape: it has a dtype and a device, but no shape."""

    _wanted: tuple[DType, Device]

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary tensor of this shape, with content yet to be initialised."""
        raise NotImplementedError

    @property
    def shape(self) -> Any:
        raise ArgumentError(
            "the shape of a lazy module's parameter is not known yet: call the module on an input first, "
            "or initialise it by hand"
        )


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape is not known yet."""

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        Parameter.__init__(self, empty(0, device=device, dtype=dtype), requires_grad)

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        _materialize(self, Parameter, shape, device, dtype)

    def __repr__(self) -> str:
        return "<UninitializedParameter>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        made = memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad, self.device, self.dtype)


class UninitializedBuffer(Uninitialized, Tensor):
    """A buffer whose shape is not known yet."""

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        made = empty(0, device=device, dtype=dtype)
        self._value, self._device = made._value, made._device

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        _materialize(self, Tensor, shape, device, dtype)

    def __repr__(self) -> str:
        return "<UninitializedBuffer>"


def _materialize(tensor: Any, kind: type, shape: Sequence[int], device: Any, dtype: Any) -> None:
    made = empty(tuple(shape), device=device or tensor._device, dtype=dtype or tensor._value.dtype)
    origin = tensor._value.origin
    tensor.__class__ = kind
    tensor._value = alias(made._value, None if origin is None else Leaf(tensor))
    tensor._device = made._device


def is_lazy(tensor: Any) -> bool:
    """Whether the tensor's shape is still to be found out."""
    return isinstance(tensor, Uninitialized)
