"""TensorFlow's names for data types. They are Duograph's own: `tf.float32 is duograph.float32`."""

from __future__ import annotations

from typing import Any

import numpy as np

from duograph.graph import dtype as _dtype
from duograph.graph.dtype import (
    DType,
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

bool = _dtype.bool_
half = float16
double = float64


class StringType:
    """The dtype of tensors of strings, `tf.string`."""

    name = category = "string"
    numpy = np.dtype(object)
    is_floating_point = is_floating = is_integer = is_complex = signed = differentiable = False

    def __repr__(self) -> str:
        return "tf.string"

    def __str__(self) -> str:
        return "<dtype: 'string'>"

    def __reduce__(self) -> str:
        return "string"


string = StringType()

__all__ = [
    "DType",
    "as_dtype",
    "bfloat16",
    "bool",
    "complex64",
    "complex128",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int8",
    "int16",
    "int32",
    "int64",
    "string",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


def as_dtype(type_value: Any) -> Any:
    """The data type that a DType, a name, a NumPy dtype or a Python type stands for. Raises TypeError for others."""
    if type_value is string or type_value is str or type_value is bytes or type_value == "string":
        return string
    if type_value is float or (isinstance(type_value, str) and type_value == "float"):
        return float32  # NumPy means float64 by that
    return _dtype.dtype(type_value)
