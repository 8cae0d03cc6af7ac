"""Data types and PyTorch's promotion rules."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .dialect import text
from .errors import DTypeError

CATEGORIES = ("bool", "int", "float", "complex")
"""From weakest to strongest: an operand of a stronger category decides the category of a result."""


class DType:
    """One data type: a singleton that compares by identity.

    Attributes: `name`; `category` (one of CATEGORIES) and its `rank` among them; `numpy`, the NumPy dtype; `itemsize`
    in bytes; `signed`; `is_floating_point`; `is_half`, true of the two 16-bit floats, whose arithmetic is in float32;
    `is_complex`; `differentiable`, true of floats and complex numbers.
    """

    __slots__ = (
        "category", "differentiable", "is_complex", "is_floating_point", "is_half", "itemsize", "name", "numpy",
        "rank", "signed",
    )  # fmt: skip

    def __init__(self, name: str, category: str, scalar: Any) -> None:
        self.name = name
        self.category = category
        self.rank = CATEGORIES.index(category)
        self.numpy: np.dtype[Any] = np.dtype(scalar)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = category == "float"
        self.is_half = self.is_floating_point and self.itemsize == 2
        self.is_complex = category == "complex"
        self.differentiable = self.is_floating_point or self.is_complex
        self.signed = self.differentiable or name.startswith("int")

    def __repr__(self) -> str:
        return text("dtype", self, False) or f"torch.{self.name}"

    def __str__(self) -> str:
        return text("dtype", self, True) or f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return dtype, (self.name,)

    @property
    def is_signed(self) -> bool:
        return self.signed

    @property
    def is_floating(self) -> bool:
        """TensorFlow's name of `is_floating_point`."""
        return self.is_floating_point

    @property
    def is_integer(self) -> bool:
        """Whether it is of integers, of which bool is none."""
        return self.category == "int"

    @property
    def min(self) -> Any:
        """The least finite number of this dtype, a real one."""
        return _limits(self).min

    @property
    def max(self) -> Any:
        """The greatest finite number of this dtype, a real one."""
        return _limits(self).max

    def to_real(self) -> DType:
        """The dtype of the two parts of a complex number; a real dtype itself."""
        return _PARTS.get(self, self)

    def to_complex(self) -> DType:
        """The complex dtype that holds this one: complex128 for float64, complex64 for all that is smaller or whole."""
        return self if self.is_complex else complex128 if self is float64 else complex64


bool_ = DType("bool", "bool", np.bool_)
uint8 = DType("uint8", "int", np.uint8)
uint16 = DType("uint16", "int", np.uint16)
uint32 = DType("uint32", "int", np.uint32)
uint64 = DType("uint64", "int", np.uint64)
int8 = DType("int8", "int", np.int8)
int16 = DType("int16", "int", np.int16)
int32 = DType("int32", "int", np.int32)
int64 = DType("int64", "int", np.int64)
float16 = DType("float16", "float", np.float16)
bfloat16 = DType("bfloat16", "float", ml_dtypes.bfloat16)
float32 = DType("float32", "float", np.float32)
float64 = DType("float64", "float", np.float64)
complex64 = DType("complex64", "complex", np.complex64)
complex128 = DType("complex128", "complex", np.complex128)
_PARTS = {complex64: float32, complex128: float64}


def _limits(dtype: DType) -> Any:
    return np.iinfo(dtype.numpy) if dtype.category == "int" else ml_dtypes.finfo(dtype.numpy)


COMPLEX = (complex64, complex128)
FLOATING = (float16, bfloat16, float32, float64)
INTEGRAL = (uint8, uint16, uint32, uint64, int8, int16, int32, int64)
REAL = (bool_, *INTEGRAL, *FLOATING)
ALL = (*REAL, *COMPLEX)
BY_NAME = {d.name: d for d in ALL}
BY_NUMPY = {d.numpy: d for d in ALL}
SIGNED_BY_SIZE = {1: int8, 2: int16, 4: int32, 8: int64}


def dtype(spec: Any) -> DType:
    """The data type that `spec` (a DType, its name, a NumPy dtype or a Python type) stands for.

    Raises DTypeError for anything else.
    """
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, str) and spec in BY_NAME:
        return BY_NAME[spec]
    if spec is float:
        return float32
    if spec is int:
        return int64
    try:
        return BY_NUMPY[np.dtype(spec)]
    except (TypeError, KeyError):
        expected = ", ".join(BY_NAME)
        raise DTypeError(f"unknown dtype: expected one of {expected}. Received: {spec!r}") from None


def of_number(number: bool | int | float | complex, default_float: DType = float32) -> DType:
    """The data type a Python number has when nothing else decides."""
    if isinstance(number, bool | np.bool_):
        return bool_
    if isinstance(number, complex | np.complexfloating):
        return default_float.to_complex()
    return int64 if isinstance(number, int | np.integer) else default_float


def promote(a: DType, b: DType) -> DType:
    """The smallest type both fit in, as PyTorch has it: int with float gives the float, uint8 with int8 gives int16,
    float64 with complex64 complex128.

    Raises DTypeError where no signed integer is wide enough (uint64 with a signed type).
    """
    if a is b:
        return a
    if a.rank != b.rank:
        strong, weak = (a, b) if a.rank > b.rank else (b, a)
        return complex128 if strong.is_complex and weak is float64 else strong
    if a.is_complex:
        return complex128
    if a.category == "float":
        if a.itemsize == b.itemsize:  # float16 with bfloat16: neither holds the other
            return float32
        return a if a.itemsize > b.itemsize else b
    if a.signed == b.signed:
        return a if a.itemsize >= b.itemsize else b
    unsigned, signed = (b, a) if a.signed else (a, b)
    if signed.itemsize > unsigned.itemsize:
        return signed
    wide = SIGNED_BY_SIZE.get(unsigned.itemsize * 2)
    if wide is None:
        raise DTypeError(
            f"no integer type holds both {a.name} and {b.name}: cast one of them first, e.g. x.to(duograph.int64)"
        )
    return wide


def combine(higher: DType, lower: DType) -> DType:
    """The type of an operation whose operands of most weight (tensors with axes, say) have come to `higher` and those
    of less weight (0-d tensors, numbers) to `lower`: these count by their category alone, if it is the stronger one."""
    if lower.rank <= higher.rank:
        return higher
    return higher.to_complex() if lower.is_complex and higher.is_floating_point else lower


class UnsupportedDType:
    """A data type that is known by name and that no tensor has: using it raises, naming it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return text("dtype", self, False) or f"torch.{self.name}"

    def __str__(self) -> str:
        return text("dtype", self, True) or f"torch.{self.name}"


UNSUPPORTED = {
    name: UnsupportedDType(name)
    for name in (
        "complex32", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
        "qint8", "quint8", "qint32",
    )
}  # fmt: skip
