"""Rearranging, joining, picking and scattering: TensorFlow's array functions."""

from __future__ import annotations

import builtins
from typing import Any

import duograph.torch as torch

from . import dtypes
from .errors import InvalidArgumentError, report
from .math import axes, check_kind, operands
from .tensors import Tensor, _sizes, convert_to_tensor
from .text import StringTensor, rearranging

__all__ = [
    "argsort",
    "boolean_mask",
    "broadcast_to",
    "concat",
    "expand_dims",
    "gather",
    "gather_nd",
    "pad",
    "repeat",
    "reshape",
    "reverse",
    "roll",
    "scatter_nd",
    "searchsorted",
    "sequence_mask",
    "slice",
    "sort",
    "split",
    "squeeze",
    "stack",
    "tensor_scatter_nd_add",
    "tensor_scatter_nd_update",
    "tile",
    "transpose",
    "unique",
    "unstack",
    "where",
]


@rearranging
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The same content in another shape; one size may be -1."""
    return convert_to_tensor(tensor).reshape(_sizes(shape))


@rearranging
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str = "transpose") -> Tensor:
    """Axes in the order `perm` (by default reversed)."""
    a = convert_to_tensor(a)
    return a.permute(_sizes(perm) if perm is not None else tuple(builtins.range(a.ndim))[::-1])


@rearranging
def expand_dims(input: Any, axis: int, name: str | None = None) -> Tensor:
    """A new axis of size 1 at `axis`."""
    return convert_to_tensor(input).unsqueeze(int(axis))


@rearranging
def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Without the axes of size 1, or without those named. Raises InvalidArgumentError where a named one is larger."""
    input = convert_to_tensor(input)
    if axis is None or axis == []:
        return torch.squeeze(input)
    chosen = [axis] if isinstance(axis, int) else list(axis)
    for one in chosen:
        if input.shape[one] != 1:
            raise InvalidArgumentError(
                f"tf.squeeze expected axis {one} to have size 1. Received: shape {tuple(input.shape)}"
            )
    return torch.squeeze(input, tuple(chosen))


@rearranging
def concat(values: Any, axis: int, name: str = "concat") -> Any:
    """Tensors joined along an axis they have; ragged ones along the first."""
    if any(hasattr(v, "row_splits") for v in values):
        from .ragged import stack as under

        if int(axis) != 0:
            raise NotImplementedError(f"tf.concat of ragged tensors is built for axis 0. Received: {axis}")
        return under([row for v in values for row in v])
    return torch.cat([convert_to_tensor(v) for v in values], dim=int(axis))


@rearranging
def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Tensors joined along a new axis."""
    return torch.stack([convert_to_tensor(v) for v in values], dim=axis)


@rearranging
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The slices along `axis`, without it."""
    value = convert_to_tensor(value)
    if num is not None and num != value.shape[axis]:
        raise InvalidArgumentError(f"tf.unstack expected {num} slices. Received: shape {tuple(value.shape)}")
    return list(torch.unbind(value, axis))


@rearranging
def split(
    value: Any, num_or_size_splits: Any, axis: int = 0, num: int | None = None, name: str = "split"
) -> list[Tensor]:
    """Parts along `axis`: a number of equal ones, or ones of the given sizes (one may be -1).

    Raises InvalidArgumentError where the axis does not divide evenly.
    """
    value = convert_to_tensor(value)
    length = value.shape[axis]
    if isinstance(num_or_size_splits, int):
        if length % num_or_size_splits:
            raise InvalidArgumentError(
                f"tf.split expected a size divisible by {num_or_size_splits}. Received: {length} along axis {axis}"
            )
        return (
            list(torch.split(value, length // num_or_size_splits, dim=axis)) if length else [value] * num_or_size_splits
        )
    sizes = list(_sizes(num_or_size_splits))
    if -1 in sizes:
        sizes[sizes.index(-1)] = length - sum(s for s in sizes if s != -1)
    return list(torch.split(value, sizes, dim=axis))


@rearranging
def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """Copies side by side: `multiples` along each axis."""
    input, multiples = convert_to_tensor(input), _sizes(multiples)
    _check_rank("tile", input, len(multiples))
    return torch.tile(input, multiples)


@rearranging
def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """Each element (along `axis`; None: of the flattened input) `repeats` times, one number or one for each."""
    repeats = repeats if isinstance(repeats, int) else convert_to_tensor(repeats)
    return torch.repeat_interleave(convert_to_tensor(input), repeats, dim=axis)


@rearranging
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The order along each of the axes reversed."""
    return torch.flip(convert_to_tensor(tensor), _sizes(axis))


@rearranging
def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """Elements moved along `axis`, round the end."""
    return torch.roll(convert_to_tensor(input), axes(shift), axes(axis))


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None
) -> Tensor:
    """`paddings[i] = (before, after)` elements added to axis i; mode "CONSTANT", "REFLECT" or "SYMMETRIC"."""
    tensor = convert_to_tensor(tensor)
    pairs = [tuple(int(n) for n in p) for p in (paddings.tolist() if hasattr(paddings, "tolist") else paddings)]
    _check_rank("pad", tensor, len(pairs))
    mode = mode.upper()
    if mode == "CONSTANT":
        widths = [n for pair in reversed(pairs) for n in pair]
        if not isinstance(constant_values, Tensor):
            return torch.nn.functional.pad(tensor, widths, value=constant_values)
        inside = torch.nn.functional.pad(torch.ones_like(tensor, dtype=dtypes.bool), widths)
        return torch.where(inside, torch.nn.functional.pad(tensor, widths), constant_values)
    if mode not in ("REFLECT", "SYMMETRIC"):
        raise InvalidArgumentError(f'tf.pad expected mode "CONSTANT", "REFLECT" or "SYMMETRIC". Received: {mode!r}')
    edge = 1 if mode == "REFLECT" else 0  # whether the edge itself is left out of the mirror image
    for axis, (before, after) in enumerate(pairs):
        length = tensor.shape[axis]
        parts = [torch.flip(tensor.narrow(axis, edge, before), (axis,)), tensor]
        parts.append(torch.flip(tensor.narrow(axis, length - after - edge, after), (axis,)))
        tensor = torch.cat(parts, dim=axis) if before or after else tensor
    return tensor


@rearranging
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """`input` repeated along the axes it lacks or has with size 1."""
    return torch.broadcast_to(convert_to_tensor(input), _sizes(shape))


@rearranging
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """The box that begins at `begin` and has sizes `size` (-1: to the end)."""
    input_, begin, size = convert_to_tensor(input_), _sizes(begin), _sizes(size)
    _check_rank("slice", input_, len(begin), len(size))
    box = [(b, n if s == -1 else b + s) for b, s, n in zip(begin, size, input_.shape, strict=True)]
    if any(not 0 <= start <= stop <= n for (start, stop), n in zip(box, input_.shape, strict=True)):
        raise InvalidArgumentError(
            f"tf.slice expected a box inside the shape {tuple(input_.shape)}. Received: begin {begin} and size {size}"
        )
    return input_[tuple(builtins.slice(*bounds) for bounds in box)]


@rearranging
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """x where the condition is true, y elsewhere; with the condition alone, the int64 indices where it is true."""
    condition = convert_to_tensor(condition)
    if x is None and y is None:
        return torch.nonzero(condition.to(dtypes.bool))
    check_kind("where", condition, "bool")
    return torch.where(condition, *operands("where", x, y))


@rearranging
def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: int | None = None,
    batch_dims: int = 0,
    name: str | None = None,
) -> Tensor:
    """Slices of `params` along `axis` (by default the first after the batch axes) at `indices`.

    Shape: params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:].
    """
    params, indices = convert_to_tensor(params), convert_to_tensor(indices).to(dtypes.int64)
    batch_dims = batch_dims % (indices.ndim + 1) if batch_dims < 0 else batch_dims
    axis = batch_dims if axis is None else axis
    if not -params.ndim <= axis < params.ndim:
        raise InvalidArgumentError(f"tf.gather expected an axis of {params.ndim} axes. Received: axis={axis}")
    axis %= params.ndim
    if axis < batch_dims:
        raise InvalidArgumentError(
            f"tf.gather expected axis >= batch_dims. Received: axis={axis}, batch_dims={batch_dims}"
        )
    picks: list[Any] = []
    for place in builtins.range(axis + 1):
        if place == axis:
            picks.append(
                indices.reshape(*indices.shape[:batch_dims], *(1,) * (axis - batch_dims), *indices.shape[batch_dims:])
            )
        else:  # the batch axes go together with those of the indices, the axes in between run freely
            ones = axis - place - 1 + indices.ndim - batch_dims
            picks.append(torch.arange(params.shape[place]).reshape(-1, *(1,) * ones))
    return params[tuple(picks)]


@rearranging
def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None) -> Tensor:
    """Slices of `params` at index vectors: the last axis of `indices` runs over the first axes of `params`."""
    params, indices = convert_to_tensor(params), convert_to_tensor(indices).to(dtypes.int64)
    picks: list[Any] = [
        torch.arange(params.shape[b]).reshape(-1, *(1,) * (indices.ndim - 2 - b)) for b in builtins.range(batch_dims)
    ]
    return params[(*picks, *torch.unbind(indices, -1))]


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of `shape` with `updates` added at index vectors; equal ones add up."""
    updates = convert_to_tensor(updates)
    return tensor_scatter_nd_add(torch.zeros(_sizes(shape), dtype=updates.dtype), indices, updates)


def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` added at index vectors; equal ones add up."""
    return _scatter(tensor, indices, updates, accumulate=True)


@rearranging
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """`tensor` with `updates` in place of what was at index vectors."""
    return _scatter(tensor, indices, updates, accumulate=False)


def _scatter(tensor: Any, indices: Any, updates: Any, accumulate: bool) -> Tensor:
    tensor, indices = convert_to_tensor(tensor), convert_to_tensor(indices).to(dtypes.int64)
    updates = convert_to_tensor(updates, tensor.dtype)
    wanted = (*indices.shape[:-1], *tensor.shape[indices.shape[-1] :])
    if tuple(updates.shape) != wanted:
        raise InvalidArgumentError(f"expected updates of shape {wanted}. Received: {tuple(updates.shape)}")
    return torch.index_put(tensor, tuple(torch.unbind(indices, -1)), updates, accumulate=accumulate)


def _check_rank(function: str, x: Tensor, *lengths: int) -> None:
    """Raises InvalidArgumentError unless there is one entry for each axis."""
    if any(length != x.ndim for length in lengths):
        raise InvalidArgumentError(
            f"tf.{function} expected {x.ndim} entries, one for each axis. Received: {lengths[-1]}"
        )


@rearranging
def boolean_mask(tensor: Any, mask: Any, axis: int | None = None, name: str = "boolean_mask") -> Tensor:
    """The slices of `tensor` where `mask` (over its axes from `axis` on) is true, in order."""
    tensor, mask = convert_to_tensor(tensor), convert_to_tensor(mask).to(dtypes.bool)
    return tensor[(*(builtins.slice(None),) * (axis or 0), mask)]


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool, name: str | None = None) -> Tensor:
    """Rows whose first `lengths` elements are true: shape lengths.shape + (maxlen,)."""
    lengths = convert_to_tensor(lengths)
    longest = int(lengths.max().item()) if maxlen is None else int(maxlen)
    return (torch.arange(longest, dtype=lengths.dtype) < lengths.unsqueeze(-1)).to(dtypes.as_dtype(dtype))


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """The values in order along `axis`."""
    return torch.sort(convert_to_tensor(values), dim=axis, descending=_descending(direction))[0]


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The int32 indices that put the values in order along `axis`."""
    order = torch.sort(convert_to_tensor(values), dim=axis, descending=_descending(direction), stable=True)[1]
    return order.to(dtypes.int32)


def _descending(direction: str) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise InvalidArgumentError(f'expected direction "ASCENDING" or "DESCENDING". Received: {direction!r}')
    return direction == "DESCENDING"


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """Where each value would have to be inserted into its sorted row."""
    rows, values = convert_to_tensor(sorted_sequence), convert_to_tensor(values)
    if rows.shape[:-1] != values.shape[:-1]:
        raise InvalidArgumentError(
            "tf.searchsorted expected as many rows of values as sorted ones. "
            f"Received: shapes {tuple(values.shape)} and {tuple(rows.shape)}"
        )
    found = torch.searchsorted(rows, values, right=side == "right")
    return found.to(dtypes.as_dtype(out_type))


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> tuple[Any, Tensor]:
    """The different values of a one-dimensional tensor in the order of their first occurrence, and for each element the
    index of its value."""
    x = convert_to_tensor(x)
    if isinstance(x, StringTensor):
        number = {key: place for place, key in enumerate(dict.fromkeys(x.numpy().tolist()))}
        places = [number[key] for key in x.numpy().tolist()]
        return convert_to_tensor(list(number), dtypes.string), convert_to_tensor(places, out_idx)
    values, inverse = torch.unique(x, return_inverse=True)
    first = torch.where(
        inverse.unsqueeze(0) == torch.arange(values.shape[0]).unsqueeze(1),
        torch.arange(x.shape[0]),
        torch.tensor(x.shape[0]),
    ).amin(1)
    order = torch.argsort(first)
    rank = torch.argsort(order)
    return values[order], rank[inverse].to(dtypes.as_dtype(out_idx))


report(globals(), __all__)
