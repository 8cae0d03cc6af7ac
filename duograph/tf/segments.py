"""Reductions over the rows of a tensor that share a segment: `tf.math.segment_*` and `tf.math.unsorted_segment_*`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duograph.torch as torch

from . import dtypes
from .errors import InvalidArgumentError
from .math import unsorted_segment_max, unsorted_segment_mean, unsorted_segment_sum
from .tensors import Tensor, convert_to_tensor

__all__ = [
    "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum", "unsorted_segment_min",
    "unsorted_segment_prod", "unsorted_segment_sqrt_n",
]  # fmt: skip


def unsorted_segment_min(data: Any, segment_ids: Any, num_segments: int, name: str | None = None) -> Tensor:
    """Minima of the rows of `data` that share a segment; the largest number of the dtype for an empty one."""
    return _scattered(data, segment_ids, num_segments, "amin", None)


def unsorted_segment_prod(data: Any, segment_ids: Any, num_segments: int, name: str | None = None) -> Tensor:
    """Products of the rows of `data` that share a segment; 1 for an empty one."""
    return _scattered(data, segment_ids, num_segments, "prod", 1)


def _scattered(data: Any, segment_ids: Any, num_segments: int, reduction: str, empty: Any) -> Tensor:
    data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids).to(dtypes.int64)
    rest = data.shape[ids.ndim :]
    if empty is None:
        empty = (torch.finfo if data.dtype.is_floating_point else torch.iinfo)(data.dtype).max
    rows = data.reshape(-1, *rest)
    ids = ids.reshape(-1, *(1,) * len(rest)).expand(rows.shape)
    start = torch.full((int(num_segments), *rest), empty, dtype=data.dtype)
    return torch.scatter_reduce(start, 0, ids, rows, reduce=reduction, include_self=True)


def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: int, name: str | None = None) -> Tensor:
    """Sums of the rows of `data` that share a segment, over the square root of their number; 0 for an empty one."""
    data = convert_to_tensor(data)
    ones = torch.ones(convert_to_tensor(segment_ids).shape, dtype=data.dtype)
    count = unsorted_segment_sum(ones, segment_ids, num_segments)
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return total / torch.sqrt(torch.clamp(count, min=1)).reshape(-1, *(1,) * (total.ndim - 1))


def _sorted(name: str, function: Callable[..., Tensor], blank: bool = False) -> Callable[..., Tensor]:
    """`function` over segments whose ids rise; `blank` puts zeros where a segment is empty."""
    label = name

    def reduce(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        ids = convert_to_tensor(segment_ids)
        numbers = ids.tolist()
        if numbers != sorted(numbers) or (numbers and numbers[0] < 0):
            raise InvalidArgumentError(f"tf.math.{label} expected segment ids that rise from 0. Received: {numbers}")
        count = numbers[-1] + 1 if numbers else 0
        reduced = function(data, ids, count)
        if not blank:
            return reduced
        there = unsorted_segment_sum(torch.ones_like(ids), ids, count) > 0
        return torch.where(there.reshape(-1, *(1,) * (reduced.ndim - 1)), reduced, torch.zeros_like(reduced))

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"{name}: over the rows of `data` that share a segment, whose ids rise; shape (segments, ...)."
    return reduce


segment_sum = _sorted("segment_sum", unsorted_segment_sum)
segment_mean = _sorted("segment_mean", unsorted_segment_mean)
segment_prod = _sorted("segment_prod", unsorted_segment_prod)
segment_max = _sorted("segment_max", unsorted_segment_max, blank=True)
segment_min = _sorted("segment_min", unsorted_segment_min, blank=True)
