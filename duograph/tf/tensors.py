"""Making tensors, and asking what they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.graph.body import is_recording
from duograph.tensor.core import method

from . import dtypes
from .dtypes import DType
from .errors import InvalidArgumentError, UnimplementedError, report
from .shapes import TensorShape
from .text import StringTensor, is_text, rearranging

Tensor = torch.Tensor

__all__ = [
    "Tensor",
    "cast",
    "constant",
    "convert_to_tensor",
    "eye",
    "fill",
    "identity",
    "is_tensor",
    "linspace",
    "meshgrid",
    "one_hot",
    "ones",
    "ones_like",
    "range",
    "rank",
    "shape",
    "size",
    "stop_gradient",
    "zeros",
    "zeros_like",
]


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Any:
    """`value` (a tensor, variable, array, number or nested sequence) as a tensor.

    Python integers become int32 and floats float32, as in TensorFlow; arrays keep their dtype.
    Raises InvalidArgumentError when `value` is a tensor of another dtype than `dtype` (use `tf.cast`), or Python's
    numbers are of a kind that it does not hold (floats of int32, integers of bool), and ValueError for None.
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if not isinstance(value, Tensor) and hasattr(value, "__torch_function__"):
        value = value.value  # a Keras variable
    if isinstance(value, Tensor):
        if wanted is not None and value.dtype is not wanted:
            raise InvalidArgumentError(
                f"convert_to_tensor expected a tensor of {wanted.name}. Received: {value.dtype.name}. "
                f"Use tf.cast(x, tf.{wanted.name})"
            )
        return value
    if wanted is dtypes.string or is_text(value):
        if wanted not in (None, dtypes.string):
            raise InvalidArgumentError(
                f"expected a tensor of {wanted.name}. Received: strings, which are host data: turn them into numbers "
                "first, with tf.strings.to_number, tf.lookup or tf.keras.layers.TextVectorization"
            )
        return StringTensor(value)
    if isinstance(value, list | tuple) and _holds_tensors(value):
        return torch.stack([convert_to_tensor(item, dtype) for item in value])
    if not isinstance(value, np.ndarray | np.generic) and not hasattr(value, "__array__"):
        value = np.asarray(value)
        kind = value.dtype.kind
        if kind == "O":
            raise ValueError(f"expected numbers or strings, in rows of one length. Received: {value.tolist()!r}")
        if wanted is None:
            wanted = _default(value) or (None if dtype_hint is None else dtypes.as_dtype(dtype_hint))
        elif _RANKS[kind] > wanted.rank:
            raise InvalidArgumentError(
                f"expected a tensor of {wanted.name}. Received: numbers of {value.dtype.name}. Use tf.cast"
            )
    return torch.tensor(value, dtype=wanted)


_RANKS = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
"""The weakest category that takes Python's numbers of this kind: see `DType.rank`."""


def _default(array: np.ndarray) -> DType | None:
    """The dtype of Python's numbers."""
    if array.dtype.kind == "i":
        return dtypes.int32 if not array.size or np.abs(array).max() < 2**31 else dtypes.int64
    return dtypes.float32 if array.dtype.kind == "f" else None


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_tensors(item) for item in value)
    return isinstance(value, Tensor) or hasattr(value, "__torch_function__")


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Any:
    """A tensor of `value`; one number fills `shape`."""
    made = convert_to_tensor(np.asarray(value) if isinstance(value, Tensor) else value, dtype)
    if shape is None or isinstance(made, StringTensor):
        return made
    shape = _sizes(shape)
    if made.numel() == 1:
        return torch.broadcast_to(made, shape).clone()
    if made.numel() != math.prod(shape):
        raise InvalidArgumentError(f"tf.constant expected a value for shape {shape}. Received: {tuple(made.shape)}")
    return made.reshape(shape)


@method
def get_shape(self: Tensor) -> Any:
    """The shape, by TensorFlow's older name."""
    return self.shape


@method
def set_shape(self: Tensor, shape: Any) -> None:
    """Nothing: the shape is known. Raises ValueError where it is not `shape`."""
    if not TensorShape(shape).is_compatible_with(self.shape):
        raise ValueError(f"set_shape expected a shape like {tuple(self.shape)}. Received: {shape}")


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or a variable."""
    return isinstance(x, Tensor | StringTensor) or hasattr(x, "__torch_function__")


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`x` in another dtype. Strings stay strings: `tf.strings.to_number` reads numbers."""
    if hasattr(x, "with_flat_values"):
        return x.with_flat_values(cast(x.flat_values, dtype))
    x, wanted = convert_to_tensor(x), dtypes.as_dtype(dtype)
    if isinstance(x, StringTensor) and wanted is not dtypes.string:
        raise UnimplementedError(f"strings cannot be cast to {wanted.name}: use tf.strings.to_number")
    return x if x.dtype is wanted else x.to(wanted)


@rearranging
def identity(input: Any, name: str | None = None) -> Tensor:
    """A tensor of the same content."""
    return convert_to_tensor(input).clone()


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same content, through which no gradient flows."""
    return convert_to_tensor(input).detach()


def shape(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """The shape as a tensor of one axis. (`x.shape` is a tuple.)"""
    return torch.tensor([int(n) for n in convert_to_tensor(input).shape], dtype=dtypes.as_dtype(out_type))


def size(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """The number of elements, as a tensor."""
    return torch.tensor(convert_to_tensor(input).shape.numel(), dtype=dtypes.as_dtype(out_type))


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes, as a tensor."""
    return torch.tensor(convert_to_tensor(input).ndim, dtype=dtypes.int32)


def _sizes(shape: Any) -> tuple[int, ...]:
    """Sizes given as numbers, tensors, or a tensor of them."""
    if isinstance(shape, Tensor):
        shape = shape.tolist()
    if isinstance(shape, int | np.integer):
        return (int(shape),)
    return tuple(int(n) for n in shape)


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    return torch.zeros(_sizes(shape), dtype=dtypes.as_dtype(dtype))


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    return torch.ones(_sizes(shape), dtype=dtypes.as_dtype(dtype))


def zeros_like(input: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    return torch.zeros_like(convert_to_tensor(input), dtype=_optional(dtype))


def ones_like(input: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    return torch.ones_like(convert_to_tensor(input), dtype=_optional(dtype))


def _optional(dtype: Any) -> DType | None:
    return None if dtype is None else dtypes.as_dtype(dtype)


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """A tensor of shape `dims` of one value, of the value's dtype."""
    value = convert_to_tensor(value)
    if isinstance(value, StringTensor):
        return StringTensor(np.broadcast_to(value.numpy(), _sizes(dims)))
    return torch.broadcast_to(value, _sizes(dims)).clone()


def eye(
    num_rows: int,
    num_columns: int | None = None,
    batch_shape: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    made = torch.eye(num_rows, num_rows if num_columns is None else num_columns, dtype=dtypes.as_dtype(dtype))
    return made if batch_shape is None else torch.broadcast_to(made, (*_sizes(batch_shape), *made.shape)).clone()


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Any:
    """start, start + delta, ... up to but without limit. Whole numbers give int32, others float32."""
    if is_recording():
        from .autograph.ranges import SymbolicRange

        symbolic = SymbolicRange.of(start, limit, delta, dtype)
        if symbolic is not None:
            return symbolic
    if limit is None:
        start, limit = 0, start
    bounds = [x.item() if isinstance(x, Tensor) else x for x in (start, limit, delta)]
    if dtype is None:
        tensors = [x.dtype for x in (start, limit, delta) if isinstance(x, Tensor)]
        whole = all(isinstance(x, int | np.integer) for x in bounds)
        dtype = tensors[0] if tensors else dtypes.int32 if whole else dtypes.float32
    return torch.arange(*bounds, dtype=dtypes.as_dtype(dtype))


def linspace(start: Any, stop: Any, num: int, name: str | None = None, axis: int = 0) -> Tensor:
    """`num` equidistant numbers from `start` to `stop`, both included."""
    start, stop = (x.item() if isinstance(x, Tensor) else x for x in (start, stop))
    return torch.linspace(float(start), float(stop), int(num))


def one_hot(
    indices: Any,
    depth: int,
    on_value: Any = 1,
    off_value: Any = 0,
    axis: int = -1,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Vectors of length `depth` along a new `axis`: `on_value` at each index, `off_value` elsewhere.

    An index outside [0, depth) gives a vector of `off_value`.
    """
    indices = convert_to_tensor(indices)
    if indices.dtype.category != "int":
        raise InvalidArgumentError(f"tf.one_hot expected integers. Received: {indices.dtype.name}")
    hits = indices.unsqueeze(-1) == torch.arange(int(depth), dtype=indices.dtype)
    made = torch.where(
        hits,
        torch.tensor(on_value, dtype=dtypes.as_dtype(dtype)),
        torch.tensor(off_value, dtype=dtypes.as_dtype(dtype)),
    )
    return made if axis in (-1, indices.ndim) else made.movedim(-1, axis)


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """Coordinate grids of one-dimensional tensors; `indexing` is "xy" (the first two axes swapped) or "ij"."""
    return list(torch.meshgrid(*(convert_to_tensor(a) for a in args), indexing=indexing))


report(globals(), ["eye", "fill", "linspace", "meshgrid", "ones", "range", "zeros"])
