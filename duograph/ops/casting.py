"""Other dtypes, other devices, and questions about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import dtype as dtypes
from ..graph.dtype import DType
from ..graph.node import PRIMITIVES as P
from ..tensor import convert, core
from ..tensor.core import Tensor, apply, cast, method
from ..tensor.device import Device
from .define import function


@method
def to(
    self: Tensor,
    *arguments: Any,
    dtype: Any = None,
    device: Any = None,
    copy: bool = False,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """The tensor in a dtype, on a device, or as another tensor is; itself where nothing changes and `copy` is False."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            dtype, device = argument.dtype, argument.device
        elif isinstance(argument, DType) or (isinstance(argument, type) and argument in (float, int, bool, complex)):
            dtype = argument
        elif isinstance(argument, Device | str):
            device = argument
        elif isinstance(argument, bool) or argument is None:
            continue
        else:
            raise TypeError(f"to: expected a dtype, a device or a tensor. Received: {argument!r}")
    made = self if dtype is None else cast(self, dtypes.dtype(dtype))
    if device is not None:
        made = convert.to_device(made, device)
    return apply(P["copy"], (made,)) if copy and made is self else made


method(lambda self, other: cast(self, other.dtype), "type_as")
method(lambda self, **_: convert.to_device(self, "cpu"), "cpu")


def _caster(found: DType) -> Callable[..., Tensor]:
    def made(self: Tensor, memory_format: Any = None) -> Tensor:
        return cast(self, found)

    made.__doc__ = f"The tensor as {found.name}."
    return made


for _name, _dtype in {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16,
    "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8,
    "bool": dtypes.bool_, "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}.items():  # fmt: skip
    method(_caster(_dtype), _name)


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor in a dtype, or in that of a type such as `torch.FloatTensor`; without one, the name of its own."""
    if dtype is None:
        return f"torch.{_LEGACY.get(self.dtype.name, self.dtype.name)}"
    if isinstance(dtype, str):
        dtype = {v: k for k, v in _LEGACY.items()}.get(dtype.removeprefix("torch."), dtype.removeprefix("torch."))
    of_type = getattr(dtype, "dtype", None)
    return cast(self, of_type if isinstance(of_type, dtypes.DType) else dtypes.dtype(dtype))


_LEGACY = {
    "float32": "FloatTensor", "float64": "DoubleTensor", "float16": "HalfTensor", "bfloat16": "BFloat16Tensor",
    "uint8": "ByteTensor", "int8": "CharTensor", "int16": "ShortTensor", "int32": "IntTensor", "int64": "LongTensor",
    "bool": "BoolTensor", "complex64": "ComplexFloatTensor", "complex128": "ComplexDoubleTensor",
}  # fmt: skip
method(type_, "type")
method(lambda self: self.dtype.is_floating_point, "is_floating_point")
method(lambda self: self.dtype.signed, "is_signed")
method(property(lambda self: self._device.type == "meta"), "is_meta")
method(lambda self: -1, "get_device")
method(lambda self, device=None: self, "pin_memory")
method(lambda self, device=None: False, "is_pinned")
method(Tensor.numel, "nelement")
method(Tensor.dim, "ndimension")


@function("result_type", is_method=False)
def common_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype of an operation between two operands."""
    return core.result_type(tensor1, tensor2)


@function(is_method=False)
def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest dtype both fit in."""
    return dtypes.promote(type1, type2)


@function(is_method=False)
def can_cast(from_: DType, to: DType) -> bool:
    """Whether a cast keeps the category: not from floats to integers, nor from numbers to bool."""
    return from_.rank <= to.rank


@function("is_tensor", is_method=False)
def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


@function(is_method=False)
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating point one."""
    return input.dtype.is_floating_point


@function()
def is_complex(input: Tensor) -> bool:
    """Whether the dtype is a complex one."""
    return input.dtype.is_complex


@function(is_method=False)
def numel(input: Tensor) -> int:
    """Number of elements."""
    return input.numel()


class finfo:
    """Limits of a floating point dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, dtype: Any = None) -> None:
        import ml_dtypes

        found = (core.get_default_dtype() if dtype is None else dtypes.dtype(dtype)).to_real()
        if not found.differentiable:
            raise TypeError(f"finfo: expected a floating point dtype. Received: {found.name}; use iinfo")
        info = ml_dtypes.finfo(found.numpy) if found is dtypes.bfloat16 else np.finfo(found.numpy)
        self.dtype = found.name
        self.bits = found.itemsize * 8
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = float(info.resolution)

    def __repr__(self) -> str:
        return f"finfo(dtype={self.dtype}, eps={self.eps}, max={self.max}, min={self.min}, tiny={self.tiny})"


class iinfo:
    """Limits of an integer dtype: bits, max, min."""

    def __init__(self, dtype: Any) -> None:
        found = dtypes.dtype(dtype)
        if found.category != "int":
            raise TypeError(f"iinfo: expected an integer dtype. Received: {found.name}")
        info = np.iinfo(found.numpy)
        self.dtype, self.bits, self.max, self.min = found.name, found.itemsize * 8, int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
