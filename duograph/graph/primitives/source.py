"""Where values begin: inputs, constants and counters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtype import DType, bool_, complex64, float32, int64
from ..errors import ArgumentError, DTypeError
from ..node import Primitive, Sample, Shape, register


def _evaluate_input(**_: Any) -> np.ndarray:
    raise AssertionError("an input has no value of its own: bind it to an array")


register(
    Primitive(
        name="input",
        kind="source",
        arity=0,
        attributes=("position", "shape", "dtype"),
        shape=lambda *, position, shape, dtype: shape,
        dtype=lambda *, position, shape, dtype: dtype,
        evaluate=_evaluate_input,
    )
)

register(
    Primitive(
        name="constant",
        kind="source",
        arity=0,
        attributes=("value", "dtype"),
        shape=lambda *, value, dtype: (),
        dtype=lambda *, value, dtype: dtype,
        evaluate=lambda *, value, dtype: np.array(value, dtype.numpy),
        torch=lambda torch, *, value, dtype: torch.tensor(value, dtype=getattr(torch, dtype.name)),
        samples=lambda: [
            Sample((), {"value": 2.5, "dtype": float32}),
            Sample((), {"value": -3, "dtype": int64}),
            Sample((), {"value": True, "dtype": bool_}),
            Sample((), {"value": -0.5 + 2j, "dtype": complex64}),
        ],
        moves_bits=True,
    )
)


def _iota_shape(*, size: int, dtype: DType) -> Shape:
    if size < 0:
        raise ArgumentError(f"iota: expected a size of at least 0. Received: {size}")
    return (size,)


def _iota_dtype(*, size: int, dtype: DType) -> DType:
    if dtype is bool_ or dtype.is_complex:
        raise DTypeError(f"iota: expected an integer or float dtype. Received: {dtype.name}")
    return dtype


register(
    Primitive(
        name="iota",
        kind="source",
        arity=0,
        attributes=("size", "dtype"),
        shape=_iota_shape,
        dtype=_iota_dtype,
        evaluate=lambda *, size, dtype: np.arange(size).astype(dtype.numpy),
        torch=lambda torch, *, size, dtype: torch.arange(size, dtype=getattr(torch, dtype.name)),
        samples=lambda: [
            Sample((), {"size": 7, "dtype": int64}),
            Sample((), {"size": 0, "dtype": float32}),
        ],
        moves_bits=True,
    )
)
