"""Linear maps, look-up tables, distances and dropout under PyTorch's names and arguments."""

from __future__ import annotations

from typing import Any

from ...autograd import no_grad
from ...functional import distance, normalization
from ...functional import dropout as drops
from ...functional import embedding as tables
from ...functional import linear as maps
from ...graph.errors import ArgumentError, ShapeError
from ...ops import FUNCTIONS
from ...ops.define import into
from ...ops.random import default_generator
from ...tensor.core import Tensor, apply
from .common import floats, in_place, promoted


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input @ weight.T + bias`."""
    return apply(maps.linear, (input, weight, bias))


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input1 @ weight[o] @ input2` for each output o, plus bias."""
    return apply(maps.bilinear, (input1, input2, weight, bias))


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Rows of `weight` at integer indices; row `padding_idx` gets no gradient.

    With `scale_grad_by_freq` gradients are divided by how often the row occurs. Rows that are looked up are first
    scaled in place to a norm of at most `max_norm`. Gradients are dense, `sparse` or not. Raises ArgumentError for a
    `padding_idx` outside.
    """
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight: expected 2 dimensions. Received: shape {tuple(weight.shape)}")
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ArgumentError(f"embedding: padding_idx: expected an index of {rows} rows. Received: {padding_idx}")
    if max_norm is not None:
        _limit_rows(weight, input, max_norm, norm_type)
    result = apply(tables.embedding, (input, weight), (("padding_idx", padding_idx),))
    if not scale_grad_by_freq:
        return result
    places = input.reshape(-1)
    count = weight.new_zeros(rows).index_add(0, places, weight.new_ones(places.shape[0]))
    frozen = result.detach()
    return frozen + (result - frozen) / count[input].unsqueeze(-1)


@no_grad()
def _limit_rows(weight: Any, indices: Any, max_norm: float, norm_type: float) -> None:
    chosen = indices.reshape(-1).unique()
    rows = weight[chosen]
    norms = apply(distance.vector_norm, (rows,), (("p", float(norm_type)), ("axis", 1), ("keepdims", True)))
    weight[chosen] = rows * FUNCTIONS["where"](norms > max_norm, max_norm / (norms + 1e-7), 1.0)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at each index of a new last axis, else 0. Without `num_classes` the largest index is observed to find it.

    Raises ArgumentError for an index outside.
    """
    indices: Any = tensor
    if num_classes == -1:
        if indices.numel() == 0:
            raise ArgumentError("one_hot: expected num_classes for an empty tensor. Received: -1")
        num_classes = int(indices.max()) + 1
    if num_classes < 1:
        raise ArgumentError(f"one_hot: num_classes: expected at least 1, or -1 to find out. Received: {num_classes}")
    return apply(tables.one_hot, (indices,), (("classes", num_classes),))


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`."""
    return promoted(distance.cosine_similarity, (x1, x2), (("axis", dim), ("eps", eps)))


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of `x1 - x2 + eps` along the last axis."""
    return promoted(distance.pairwise_distance, floats(x1, x2), (("p", float(p)), ("eps", eps), ("keepdims", keepdim)))


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances between all pairs of rows."""
    return apply(distance.pdist, (input,), (("p", float(p)),))


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """`input` divided by its p-norm along `dim`, or by `eps` where that is larger."""
    return into(out, apply(normalization.normalize, (input,), (("p", float(p)), ("axis", dim), ("eps", eps))))


def _dropped(op: Any, input: Tensor, p: float, training: bool, inplace: bool, channels: bool) -> Tensor:
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p: expected a probability from 0 to 1. Received: {p}")
    if not training:
        return input
    seed, offset = default_generator.draw(input.numel())
    attributes = (("p", float(p)), ("channels", channels))
    if inplace:
        return in_place(op, input, (seed, offset), attributes)
    return apply(op, (input, seed, offset), attributes)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, elements zeroed with probability `p`, the others divided by 1 - p."""
    return _dropped(drops.dropout, input, p, training, inplace, False)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance under SELU."""
    return _dropped(drops.alpha_dropout, input, p, training, inplace, False)


def _channel_dropout(
    name: str, op: Any, input: Any, p: float, training: bool, inplace: bool, ranks: tuple[int, ...]
) -> Tensor:
    """Whole channels dropped; the first of `ranks` is a sample without batch."""
    if input.ndim not in ranks:
        raise ShapeError(
            f"{name}: expected {' or '.join(map(str, ranks))} dimensions. Received: shape {tuple(input.shape)}"
        )
    if input.ndim == ranks[0] and len(ranks) > 1:
        if inplace:
            _dropped(op, input.unsqueeze(0), p, training, True, True)
            return input
        return _dropped(op, input.unsqueeze(0), p, training, False, True).squeeze(0)
    return _dropped(op, input, p, training, inplace, True)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels [N, C, L] or [C, L]."""
    return _channel_dropout("dropout1d", drops.dropout, input, p, training, inplace, (2, 3))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels [N, C, H, W]."""
    return _channel_dropout("dropout2d", drops.dropout, input, p, training, inplace, (4,) if input.ndim != 3 else (3,))


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels [N, C, D, H, W] or [C, D, H, W]."""
    return _channel_dropout("dropout3d", drops.dropout, input, p, training, inplace, (4, 5))


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels."""
    return _dropped(drops.alpha_dropout, input, p, training, inplace, True)
