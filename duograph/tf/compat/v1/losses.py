"""`tf.losses`: means over a batch, which the graph collects."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from ... import nn as _nn
from ...graph import get_default_graph
from ...graph.dispatch import deferring
from ...missing import missing
from ...tensors import convert_to_tensor

_sparse, _dense, _sigmoid = (
    _nn.sparse_softmax_cross_entropy_with_logits,
    _nn.softmax_cross_entropy_with_logits,
    _nn.sigmoid_cross_entropy_with_logits,
)


def add_loss(loss: Any, loss_collection: str | None = "losses") -> None:
    """Collect a loss."""
    if loss_collection:
        get_default_graph().add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = "losses") -> list[Any]:
    """The losses collected."""
    return get_default_graph().get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection("regularization_losses", scope)


def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None) -> Any:
    """The sum of the losses collected."""
    parts = get_losses(scope) + (get_regularization_losses(scope) if add_regularization_losses else [])
    return sum(parts[1:], parts[0])


def _mean(losses: Any, weights: Any) -> Any:
    """The weighted mean over the elements whose weight is not zero."""
    weights = convert_to_tensor(weights, None if isinstance(weights, torch.Tensor) else losses.dtype)
    spread = torch.broadcast_to(weights, losses.shape)
    count = (spread != 0).to(losses.dtype).sum()
    return (losses * spread).sum() / torch.clamp(count, min=1)


@deferring
def _sparse_loss(labels: Any, logits: Any, weights: Any) -> Any:
    return _mean(_sparse(labels, logits), weights)


@deferring
def _dense_loss(labels: Any, logits: Any, weights: Any, smoothing: float) -> Any:
    labels = convert_to_tensor(labels).to(logits.dtype)
    if smoothing:
        labels = labels * (1 - smoothing) + smoothing / labels.shape[-1]
    return _mean(_dense(labels, logits), weights)


@deferring
def _sigmoid_loss(labels: Any, logits: Any, weights: Any) -> Any:
    return _mean(_sigmoid(convert_to_tensor(labels).to(logits.dtype), logits), weights)


@deferring
def _squared_loss(labels: Any, predictions: Any, weights: Any) -> Any:
    return _mean((predictions - labels) ** 2, weights)


@deferring
def _absolute_loss(labels: Any, predictions: Any, weights: Any) -> Any:
    return _mean(torch.abs(predictions - labels), weights)


def _collected(loss: Any, collection: str | None) -> Any:
    add_loss(loss, collection)
    return loss


def sparse_softmax_cross_entropy(
    labels: Any, logits: Any, weights: Any = 1.0, scope: Any = None, loss_collection: str | None = "losses", **_: Any
) -> Any:
    """The mean cross entropy of logits with classes."""
    return _collected(_sparse_loss(labels, logits, weights), loss_collection)


def softmax_cross_entropy(
    onehot_labels: Any, logits: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: Any = None,
    loss_collection: str | None = "losses", **_: Any,
) -> Any:  # fmt: skip
    """The mean cross entropy of logits with probabilities."""
    return _collected(_dense_loss(onehot_labels, logits, weights, label_smoothing), loss_collection)


def sigmoid_cross_entropy(
    multi_class_labels: Any, logits: Any, weights: Any = 1.0, scope: Any = None,
    loss_collection: str | None = "losses", **_: Any,
) -> Any:  # fmt: skip
    """The mean cross entropy of single logits."""
    return _collected(_sigmoid_loss(multi_class_labels, logits, weights), loss_collection)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: Any = None,
    loss_collection: str | None = "losses",
    **_: Any,
) -> Any:
    """The mean of the squared differences."""
    return _collected(_squared_loss(labels, predictions, weights), loss_collection)


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: Any = None,
    loss_collection: str | None = "losses",
    **_: Any,
) -> Any:
    """The mean of the absolute differences."""
    return _collected(_absolute_loss(labels, predictions, weights), loss_collection)


__getattr__ = missing(__name__, globals())
