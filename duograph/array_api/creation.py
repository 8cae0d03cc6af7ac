"""Tensors from nothing and from other things."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import dtype as dtypes
from ..ops import FUNCTIONS as F
from ..ops.creation import placed
from ..tensor import convert
from ..tensor.core import Tensor, get_default_dtype
from ..tensor.device import device as find_device


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """`obj` (numbers, sequences, anything that speaks the buffer protocol, DLPack or NumPy's) as a tensor.

    Memory is shared where possible; always copied with `copy`. Raises ValueError where `copy=False` cannot be had.
    """
    if copy:
        return convert.tensor(obj, dtype=dtype, device=device)
    made = convert.as_tensor(obj, dtype=dtype, device=device)
    if copy is False and not (made is obj or (isinstance(obj, np.ndarray) and made._value.buffer.foreign)):
        raise ValueError(f"asarray(copy=False): this needs a copy. Received: {type(obj).__name__}, dtype={dtype}")
    return made


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of any CPU array that speaks DLPack; a copy of it with `copy`."""
    made = convert.from_dlpack(x)
    if device is not None:
        made = convert.to_device(made, find_device(device))
    return F["clone"](made) if copy else made


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """start, start + step, ... before stop; none if the step leads away from it."""
    if stop is None:
        start, stop = 0, start
    if dtype is None and any(isinstance(v, float) for v in (start, stop, step)):
        dtype = get_default_dtype()
    if step and (stop - start) / step < 0:
        stop = start
    return F["arange"](start, stop, step, dtype=dtype, device=device)


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """`num` numbers evenly from start to stop (included if `endpoint`)."""
    found = dtypes.dtype(dtype or get_default_dtype())
    return placed(np.linspace(start, stop, num, endpoint=endpoint).astype(found.numpy), find_device(device))


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones on the k-th diagonal."""
    found = dtypes.dtype(dtype or get_default_dtype())
    return placed(np.eye(n_rows, n_cols, k, dtype=found.numpy), find_device(device))


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros."""
    return F["zeros"](shape, dtype=dtype, device=device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones."""
    return F["ones"](shape, dtype=dtype, device=device)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Content to be written: zeros, so that every run is the same."""
    return F["empty"](shape, dtype=dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """One number everywhere; its dtype is that of the number unless given."""
    return F["full"](shape, fill_value, dtype=dtype, device=device)


zeros_like, ones_like, empty_like, full_like = F["zeros_like"], F["ones_like"], F["empty_like"], F["full_like"]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinate grids of 1-d tensors."""
    return list(F["meshgrid"](*arrays, indexing=indexing)) if arrays else []


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The lower triangle of matrices."""
    return F["tril"](x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The upper triangle of matrices."""
    return F["triu"](x, k)
