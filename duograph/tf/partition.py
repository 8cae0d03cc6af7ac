"""Top-level array functions that are asked for less often: partitions, blocks, sequences, histograms, bit patterns."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

import duograph.torch as torch

from . import dtypes
from .array import _scatter, unique
from .errors import InvalidArgumentError, report
from .tensors import Tensor, _sizes, convert_to_tensor
from .text import rearranging

__all__ = [
    "batch_to_space", "bitcast", "broadcast_dynamic_shape", "broadcast_static_shape", "dynamic_partition",
    "dynamic_stitch", "ensure_shape", "histogram_fixed_width", "histogram_fixed_width_bins", "identity_n",
    "parallel_stack", "reverse_sequence", "shape_n", "space_to_batch", "space_to_batch_nd", "strided_slice",
    "tensor_scatter_nd_max", "tensor_scatter_nd_min", "tensor_scatter_nd_sub", "unique_with_counts", "unravel_index",
]  # fmt: skip


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """`x`, whose shape must be `shape` (None: any size). Raises InvalidArgumentError otherwise."""
    x = convert_to_tensor(x)
    wanted = tuple(shape)
    if len(wanted) != x.ndim or any(w is not None and w != n for w, n in zip(wanted, x.shape, strict=True)):
        raise InvalidArgumentError(f"ensure_shape expected shape {wanted}. Received: {tuple(x.shape)}")
    return x


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> Any:
    """The shape that two shapes broadcast to. Raises ValueError where they do not."""
    return torch.broadcast_shapes(tuple(shape_x), tuple(shape_y))


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape that two shapes broadcast to, all three as tensors."""
    shape = torch.broadcast_shapes(_sizes(shape_x), _sizes(shape_y))
    return torch.tensor(list(shape), dtype=getattr(shape_x, "dtype", dtypes.int32))


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """Tensors of the same contents."""
    return [convert_to_tensor(x).clone() for x in input]


def shape_n(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> list[Tensor]:
    """The shape of each tensor as a tensor."""
    return [torch.tensor(list(convert_to_tensor(x).shape), dtype=dtypes.as_dtype(out_type)) for x in input]


def parallel_stack(values: Any, name: str = "parallel_stack") -> Tensor:
    """Tensors joined along a new first axis."""
    return torch.stack([convert_to_tensor(v) for v in values])


def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """The same bytes read as another dtype; a dtype of another size takes or adds a last axis. Not differentiable."""
    array, dtype = convert_to_tensor(input).numpy(), dtypes.as_dtype(type).numpy
    if array.dtype.itemsize < dtype.itemsize:
        return torch.tensor(np.ascontiguousarray(array).view(dtype)[..., 0])
    widened = array[..., None] if array.dtype.itemsize > dtype.itemsize else array
    return torch.tensor(
        np.ascontiguousarray(widened)
        .view(dtype)
        .reshape(widened.shape[: array.ndim] + (-1,) * (widened.ndim - array.ndim))
    )


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The different values of a vector in the order of their first occurrence, the index of each element's value, and
    how often each value occurs."""
    values, places = unique(x, out_idx)
    counts = torch.bincount(places.to(dtypes.int64), minlength=values.shape[0])
    return values, places, counts.to(dtypes.as_dtype(out_idx))


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """Flat indices as index vectors into an array of shape `dims`: shape (len(dims),) + indices.shape."""
    indices = convert_to_tensor(indices)
    return torch.stack(torch.unravel_index(indices, _sizes(dims))).to(indices.dtype)


@rearranging
def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """The rows of `data` of each partition 0 ... num_partitions - 1, in order."""
    data, partitions = convert_to_tensor(data), convert_to_tensor(partitions)
    return [data[partitions == place] for place in builtins.range(int(num_partitions))]


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """One tensor whose row indices[m][i] is data[m][i]; a later one wins."""
    places = [convert_to_tensor(i) for i in indices]
    pieces = [convert_to_tensor(d) for d in data]
    rest = pieces[0].shape[places[0].ndim :]
    flat = torch.cat([i.reshape(-1) for i in places]).to(dtypes.int64)
    rows = torch.cat([d.reshape(-1, *rest) for d in pieces])
    last = {index: row for row, index in enumerate(flat.tolist())}
    made = torch.zeros((max(last, default=-1) + 1, *rest), dtype=rows.dtype)
    return torch.index_put(made, (torch.tensor(list(last)),), rows[torch.tensor(list(last.values()))])


def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` subtracted at index vectors; equal ones add up."""
    return _scatter(tensor, indices, -convert_to_tensor(updates, convert_to_tensor(tensor).dtype), accumulate=True)


def tensor_scatter_nd_max(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with the larger of what is there and `updates` at index vectors."""
    return _extremes(tensor, indices, updates, "amax")


def tensor_scatter_nd_min(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with the smaller of what is there and `updates` at index vectors."""
    return _extremes(tensor, indices, updates, "amin")


def _extremes(tensor: Any, indices: Any, updates: Any, reduction: str) -> Tensor:
    tensor, indices = convert_to_tensor(tensor), convert_to_tensor(indices).to(dtypes.int64)
    depth = indices.shape[-1]
    lead, rest = tensor.shape[:depth], tensor.shape[depth:]
    strides = torch.tensor([math.prod(lead[i + 1 :]) for i in builtins.range(depth)])
    flat = torch.sum(indices * strides, -1).reshape(-1, 1)
    width = math.prod(rest)
    rows = convert_to_tensor(updates, tensor.dtype).reshape(-1, width)
    table = torch.scatter_reduce(tensor.reshape(-1, width), 0, flat.expand(rows.shape), rows, reduce=reduction)
    return table.reshape(tensor.shape)


@rearranging
def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """`input_[begin[0]:end[0]:strides[0], ...]`; bit i of a mask says that bound i is open, or is `...`, a new axis or
    a single index."""
    begins, ends = _sizes(begin), _sizes(end)
    steps = (1,) * len(begins) if strides is None else _sizes(strides)
    if not len(begins) == len(ends) == len(steps) or 0 in steps:
        raise InvalidArgumentError(
            "tf.strided_slice expected as many ends and strides, none of them 0, as begins. "
            f"Received: begin {begins}, end {ends}, strides {steps}"
        )
    key: list[Any] = []
    for i, (b, e, s) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            key.append(...)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            key.append(b)
        else:
            key.append(slice(None if begin_mask & bit else b, None if end_mask & bit else e, s))
    tensor = convert_to_tensor(input_)
    backwards = [i for i, k in enumerate(key) if isinstance(k, slice) and k.step < 0]
    if not backwards:
        return tensor[tuple(key)]
    if ellipsis_mask or new_axis_mask:
        raise InvalidArgumentError("strided_slice: negative strides beside an ellipsis or a new axis are not built")
    for i in backwards:  # turned round, a backward range is a list of indices
        places = list(builtins.range(tensor.shape[i]))[key[i]]
        tensor = torch.index_select(tensor, i, torch.tensor(places, dtype=dtypes.int64))
        key[i] = slice(None)
    return tensor[tuple(key)]


def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None, name: str | None = None
) -> Tensor:
    """Along `seq_axis` the first seq_lengths[b] elements reversed, for each b along `batch_axis`."""
    x, lengths = convert_to_tensor(input), convert_to_tensor(seq_lengths).to(dtypes.int64)
    if seq_axis is None:
        raise ValueError("tf.reverse_sequence expected seq_axis. Received: None")
    seq, batch = seq_axis % x.ndim, (batch_axis or 0) % x.ndim
    moved = x.movedim((batch, seq), (0, 1))
    step = torch.arange(moved.shape[1])
    places = torch.where(step < lengths.unsqueeze(1), lengths.unsqueeze(1) - 1 - step, step)
    turned = moved[torch.arange(moved.shape[0]).unsqueeze(1), places]
    return turned.movedim((0, 1), (batch, seq))


def space_to_batch(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    """Blocks of the axes after the first become batches, after zeros were added: the inverse of `batch_to_space`."""
    blocks = _sizes(block_shape)
    pairs = [_sizes(p) for p in (paddings.tolist() if isinstance(paddings, Tensor) else paddings)]
    x = convert_to_tensor(input)
    rest = x.ndim - 1 - len(blocks)
    flat = [n for pair in reversed([(0, 0), *pairs, *[(0, 0)] * rest]) for n in pair]
    x = torch.nn.functional.pad(x, flat)
    batch, sizes, tail = x.shape[0], x.shape[1 : 1 + len(blocks)], x.shape[1 + len(blocks) :]
    split = [n for size, b in zip(sizes, blocks, strict=True) for n in (size // b, b)]
    n = len(blocks)
    order = [*(2 + 2 * i for i in range(n)), 0, *(1 + 2 * i for i in range(n))]
    x = x.reshape(batch, *split, *tail).permute(*order, *range(1 + 2 * n, 1 + 2 * n + len(tail)))
    return x.reshape(batch * math.prod(blocks), *(s // b for s, b in zip(sizes, blocks, strict=True)), *tail)


space_to_batch_nd = space_to_batch


def batch_to_space(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """Batches become blocks of the axes after the first, of which `crops` is cut off."""
    blocks = _sizes(block_shape)
    pairs = [_sizes(p) for p in (crops.tolist() if isinstance(crops, Tensor) else crops)]
    x = convert_to_tensor(input)
    n, count = len(blocks), math.prod(blocks)
    batch, sizes, tail = x.shape[0] // count, x.shape[1 : 1 + n], x.shape[1 + n :]
    order = [n, *(place for i in range(n) for place in (n + 1 + i, i))]
    x = x.reshape(*blocks, batch, *sizes, *tail).permute(*order, *range(2 * n + 1, 2 * n + 1 + len(tail)))
    x = x.reshape(batch, *(s * b for s, b in zip(sizes, blocks, strict=True)), *tail)
    cut = [slice(a, size * b - z) for (a, z), size, b in zip(pairs, sizes, blocks, strict=True)]
    return x[(slice(None), *cut)]


def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: int = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """In which of `nbins` equal parts of `value_range` each value lies; values outside go to the first and last."""
    values = convert_to_tensor(values)
    low, high = (float(v) for v in (value_range.tolist() if isinstance(value_range, Tensor) else value_range))
    if low >= high:
        raise InvalidArgumentError(f"histogram_fixed_width expected a range that rises. Received: [{low}, {high}]")
    places = torch.floor((values - low) / (high - low) * nbins)
    return torch.clamp(places, 0, nbins - 1).to(dtypes.as_dtype(dtype))


def histogram_fixed_width(
    values: Any, value_range: Any, nbins: int = 100, dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """How many values lie in each of `nbins` equal parts of `value_range`."""
    places = histogram_fixed_width_bins(values, value_range, nbins).reshape(-1).to(dtypes.int64)
    return torch.bincount(places, minlength=int(nbins)).to(dtypes.as_dtype(dtype))


report(globals(), [name for name in __all__ if name != "space_to_batch_nd"])
