"""TensorFlow's names for data types. They are Duograph's own: `tf.float32 is duograph.float32`."""

from __future__ import annotations

from typing import Any

from duograph.graph import dtype as _dtype
from duograph.graph.dtype import (
    DType,
    bfloat16,
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

__all__ = [
    "DType",
    "as_dtype",
    "bfloat16",
    "bool",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


def as_dtype(type_value: Any) -> DType:
    """The data type that a DType, a name, a NumPy dtype or a Python type stands for. Raises TypeError for others."""
    return _dtype.dtype(type_value)
