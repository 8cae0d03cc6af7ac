"""What PyTorch has and no other room does: constructors by type name, and powers of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.dtype import DType, bfloat16, float16, float32, float64, int8, int32
from ..graph.dtype import dtype as as_dtype
from ..graph.errors import DTypeError, ShapeError
from ..ops.factors import vander as powers
from ..tensor.convert import from_numpy, of_sizes_or_data
from ..tensor.core import Tensor, get_default_dtype, set_default_dtype


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with a message unless the condition holds; a tensor's content is observed."""
    if not condition:
        raise AssertionError(message)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The matrix of the powers 0 to N - 1 of the numbers `x [n]`, N = n by default: the highest first, or last."""
    if x.ndim != 1:
        raise ShapeError(f"vander: expected one axis. Received: shape {tuple(x.shape)}")
    made = powers(x, N)
    return made if increasing else made.flip(-1)


def _int_mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two int8 matrices in int32, in which it does not overflow. Raises DTypeError for other dtypes."""
    if input.dtype is not int8 or mat2.dtype is not int8:
        raise DTypeError(f"_int_mm: expected int8. Received: {input.dtype.name} and {mat2.dtype.name}")
    return input.to(int32) @ mat2.to(int32)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A vector over the memory of an object that has the buffer protocol: a write to either is seen by both.

    Memory that must not be written is copied. Raises ValueError for an empty or too short buffer.
    """
    made = from_numpy(np.frombuffer(buffer, as_dtype(dtype).numpy, count, offset))
    return made.requires_grad_() if requires_grad else made


def set_default_tensor_type(t: Any) -> None:
    """`set_default_dtype` by a type such as `torch.DoubleTensor`, or by its name."""
    names = {"HalfTensor": float16, "BFloat16Tensor": bfloat16, "FloatTensor": float32, "DoubleTensor": float64}
    found = names.get(t.rpartition(".")[2]) if isinstance(t, str) else getattr(t, "dtype", None)
    if found is None:
        raise TypeError(f"set_default_tensor_type: expected one of {', '.join(names)}. Received: {t!r}")
    set_default_dtype(found)


class _LegacyType(type):
    """`isinstance(x, torch.FloatTensor)` asks for the dtype."""

    dtype: DType

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *data: Any) -> Tensor:
        return of_sizes_or_data(data, cls.dtype)


def legacy_type(name: str, dtype: DType) -> Any:
    """`torch.FloatTensor` and its kin: from data, or of sizes."""
    return _LegacyType(name, (), {"dtype": dtype, "__doc__": f"Makes tensors of {dtype.name}."})


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises where a device has too little memory; here that is Python's MemoryError."""


class AcceleratorError(RuntimeError):
    """What PyTorch raises where a device fails. There is none here."""


def from_file(
    filename: Any, shared: bool | None = None, size: int | None = 0, *, dtype: Any = None, device: Any = None, **_: Any
) -> Tensor:
    """A vector of `size` numbers that lies in a file: with `shared` a write goes to the file, else to a copy."""
    kind = as_dtype(get_default_dtype() if dtype is None else dtype).numpy
    memory = np.memmap(filename, kind, "r+" if shared else "c", 0, (size or 0,))
    return from_numpy(memory)


def compiled_with_cxx11_abi() -> bool:
    """True, as of PyTorch's own builds."""
    return True
