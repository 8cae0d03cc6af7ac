"""Methods and attributes of tensors that only ask, or that PyTorch keeps beside others of the same meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.errors import ArgumentError, GradientError, ShapeError
from ..graph.trace import Leaf
from ..tensor.convert import from_buffer, of_sizes_or_data, to_device
from ..tensor.core import CPU, NUMBERS, Tensor, method
from ..tensor.operators import update
from ..tensor.views import base_of, detach
from . import copies, solving  # noqa: F401 - defines narrow_copy
from .define import FUNCTIONS, function
from .layout import layout

for _place in ("ipu", "maia", "mkldnn", "mps", "mtia", "nested", "sparse_csr", "vulkan", "xla", "xpu"):
    setattr(Tensor, f"is_{_place}", False)
for _name in ("swapaxes_", "swapdims_"):
    method(vars(Tensor)["transpose_"], _name)
for _name, _body in {"narrow_copy": FUNCTIONS["narrow_copy"], "inverse": solving.inverse}.items():
    method(_body, _name)

method(property(lambda self: self._device is CPU), "is_cpu")
method(lambda self: self, "to_dense")
method(lambda self: False, "is_distributed")


@function()
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not 0. Raises ArgumentError for more or fewer."""
    if input.numel() != 1:
        raise ArgumentError(f"is_nonzero: expected one element. Received: {input.numel()}")
    return bool(input.item())


@function()
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    return input.shape == other.shape


@function()
def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return input.dtype.is_signed


@method
def detach_(self: Tensor) -> Tensor:
    """Off the tape, in place. Raises GradientError for a view, which cannot leave its base."""
    if self._base is not None:
        raise GradientError("detach_: a view cannot be detached in place: use detach()")
    if self._value.origin is not None:
        self._value = detach(self)._value
    return self


@method
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """The tensor on a GPU. Raises DeviceError: there is none."""
    return to_device(self, "cuda" if device is None else device)


@method
def as_subclass(self: Tensor, cls: type[Tensor]) -> Tensor:
    """The same content as an object of a subclass."""
    made = cls.__new__(cls)
    made._value, made._device = self._value, self._device
    return made


@method
def new(self: Tensor, *data: Any) -> Tensor:
    """A tensor of the same dtype: of sizes (integers or a `Size`), with undefined content, or of data."""
    return of_sizes_or_data(data, self.dtype)


@method
def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Write a number to the main diagonal; with `wrap`, again below each square of a tall matrix.

    Raises ShapeError for one axis, or for more than two of several sizes.
    """
    shape = tuple(self.shape)
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(f"fill_diagonal_: expected a matrix, or axes of one size. Received: shape {shape}")
    mask = np.zeros(shape, bool)
    if len(shape) == 2 and wrap and shape[0] > shape[1]:
        mask.reshape(-1)[:: shape[1] + 1] = True
    else:
        mask[(np.arange(min(shape)),) * len(shape)] = True
    return update(self, FUNCTIONS["where"](from_buffer(mask), fill_value, self))


@method
def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """In-place form of `float_power`. Raises DTypeError for a tensor that is not float64 or complex128."""
    return update(self, FUNCTIONS["float_power"](self, exponent))


def _elementwise(self: Tensor, function: Callable[..., Any], *others: Tensor) -> Tensor:
    if isinstance(self._value.origin, Leaf) or self.requires_grad:
        raise GradientError("apply_, map_ and map2_ call a Python function of numbers: expected no gradients")
    columns = [x.expand_as(self)._array().ravel().tolist() for x in (self, *others)]
    made = np.array([function(*row) for row in zip(*columns, strict=True)], self.dtype.numpy)
    return update(self, from_buffer(made.reshape(self.shape)))


@method
def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Each element replaced by a Python function of it. Slow; no gradients."""
    return _elementwise(self, callable)


@method
def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Each element replaced by a Python function of it and of that of another tensor."""
    return _elementwise(self, callable, tensor)


@method
def __contains__(self: Tensor, element: Any, /) -> bool:
    """Whether an element is this number, or equal to that of a tensor that broadcasts. Raises ArgumentError (a
    RuntimeError) for something else."""
    if not isinstance(element, (*NUMBERS, Tensor)):
        raise ArgumentError(f"in: expected a number or a tensor. Received: {type(element).__name__}")
    return bool((self == element).any())


@method
def __reversed__(self: Tensor, /) -> Tensor:
    """The tensor with its first axis backwards, as PyTorch's `reversed` gives."""
    return FUNCTIONS["flip"](self, 0) if self.ndim else self


@method
def dim_order(self: Tensor) -> tuple[int, ...]:
    """The axes from the one whose neighbours lie farthest apart in memory to the nearest."""
    hops = self.stride()
    return tuple(sorted(range(self.ndim), key=lambda axis: -hops[axis]))


@method
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether another tensor is the same elements of the same memory."""
    return base_of(self) is base_of(tensor) and self.shape == tensor.shape and layout(self) == layout(tensor)


method(lambda self: False, "is_inference")
