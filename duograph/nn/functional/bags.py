"""Embedding bags under PyTorch's name and arguments."""

from __future__ import annotations

from typing import Any

from ...graph.dtype import int64
from ...graph.errors import ArgumentError, ShapeError
from ...ops.creation import arange
from ...tensor.core import Tensor
from .dense import embedding


def embedding_bag(
    input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None, norm_type: float = 2,
    scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """Sums, means or maxima of the rows of `weight` at the indices of each bag.

    Bags are the rows of a 2-d `input`, or begin at `offsets` in a 1-d one. The row `padding_idx` counts nowhere; an
    empty bag gives zeros. `per_sample_weights` scale the rows of a sum.
    """
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(f"embedding_bag: mode: expected 'sum', 'mean' or 'max'. Received: {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise ArgumentError(f"embedding_bag: per_sample_weights: expected None with mode {mode!r}. Received: a tensor")
    if (input.ndim == 2) != (offsets is None) or input.ndim not in (1, 2):
        raise ShapeError(
            "embedding_bag: expected a 2-d input, or a 1-d one with offsets. "
            f"Received: shape {tuple(input.shape)} {'without' if offsets is None else 'with'} offsets"
        )
    if padding_idx is not None:
        padding_idx %= weight.shape[0]
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    counted = None if padding_idx is None else input != padding_idx
    if input.ndim == 2:
        if per_sample_weights is not None:
            rows = rows * per_sample_weights.unsqueeze(-1)
        return _reduced(rows, counted, mode)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    bags = offsets.shape[0] - include_last_offset
    place = (offsets[:bags].unsqueeze(0) <= arange(input.shape[0]).unsqueeze(1)).sum(1) - 1
    ones = rows.new_ones(input.shape[0]) if counted is None else counted.to(rows.dtype)
    if mode == "max":
        lowest = rows if counted is None else rows.masked_fill(~counted.unsqueeze(-1), float("-inf"))
        result = rows.new_full((bags, rows.shape[1]), float("-inf")).scatter_reduce(
            0, place.unsqueeze(-1).expand(rows.shape), lowest, "amax"
        )
        return result.masked_fill(result == float("-inf"), 0.0)
    total = rows.new_zeros(bags, rows.shape[1]).index_add(0, place, rows * ones.unsqueeze(-1))
    if mode == "sum":
        return total
    number = rows.new_zeros(bags).index_add(0, place, ones)
    return total / number.clamp(min=1).unsqueeze(-1)


def _reduced(rows: Any, counted: Any, mode: str) -> Any:
    """[bags, rows, features] reduced over the rows that count."""
    if counted is None:
        return getattr(rows, "amax" if mode == "max" else mode)(1) if rows.shape[1] else rows.sum(1)
    shown = counted.unsqueeze(-1)
    if mode == "max":
        top = rows.masked_fill(~shown, float("-inf")).amax(1)
        return top.masked_fill(top == float("-inf"), 0.0)
    total = (rows * shown).sum(1)
    return total if mode == "sum" else total / counted.to(int64).sum(1, keepdim=True).clamp(min=1)
