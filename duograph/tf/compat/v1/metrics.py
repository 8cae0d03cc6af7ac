"""`tf.metrics` of TensorFlow 1: a value, and an operation that brings it up to date with a batch."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from ...graph import GraphVariable
from ...graph.dispatch import deferring
from ...graph.variables import LOCAL
from ...missing import missing
from ...tensors import convert_to_tensor
from .scopes import variable_scope

__all__ = ["accuracy", "mean", "mean_absolute_error", "mean_squared_error", "precision", "recall"]


def _ratio(name: str, default: str, above: Any, below: Any) -> tuple[Any, Any]:
    """The quotient of two sums over batches, in local variables; and the operation that adds a batch to them."""
    with variable_scope(name, default):
        total, count = (
            GraphVariable(0.0, trainable=False, collections=[LOCAL], name=part) for part in ("total", "count")
        )
        value = _quotient(total, count)
        update = _quotient(total.assign_add(above), count.assign_add(below))
    return value, update


@deferring
def _quotient(above: Any, below: Any) -> Any:
    """The quotient; 0 where nothing was counted."""
    return torch.where(below > 0, above / torch.clamp(below, min=1e-38), torch.zeros_like(above))


def _spread(values: Any, weights: Any) -> tuple[Any, Any]:
    values = convert_to_tensor(values).to(torch.float32)
    weights = convert_to_tensor(1.0 if weights is None else weights).to(torch.float32)
    return values, torch.broadcast_to(weights, values.shape)


@deferring
def _sum(values: Any, weights: Any) -> Any:
    values, weights = _spread(values, weights)
    return (values * weights).sum()


@deferring
def _count(values: Any, weights: Any) -> Any:
    return _spread(values, weights)[1].sum()


@deferring
def _hits(labels: Any, predictions: Any) -> Any:
    return convert_to_tensor(predictions).to(labels.dtype) == labels


@deferring
def _difference(labels: Any, predictions: Any, power: int) -> Any:
    return torch.abs(predictions - labels) ** power


@deferring
def _both(labels: Any, predictions: Any) -> Any:
    return labels.to(torch.bool) & predictions.to(torch.bool)


@deferring
def _truth(values: Any) -> Any:
    return values.to(torch.bool)


def mean(values: Any, weights: Any = None, name: Any = None, **_: Any) -> tuple[Any, Any]:
    """The weighted mean of all values so far."""
    return _ratio(name, "mean", _sum(values, weights), _count(values, weights))


def accuracy(labels: Any, predictions: Any, weights: Any = None, name: Any = None, **_: Any) -> tuple[Any, Any]:
    """The share of predictions so far that equal their labels."""
    return mean(_hits(labels, predictions), weights, name or "accuracy")


def mean_squared_error(
    labels: Any, predictions: Any, weights: Any = None, name: Any = None, **_: Any
) -> tuple[Any, Any]:
    """The mean of the squared differences so far."""
    return mean(_difference(labels, predictions, 2), weights, name or "mean_squared_error")


def mean_absolute_error(
    labels: Any, predictions: Any, weights: Any = None, name: Any = None, **_: Any
) -> tuple[Any, Any]:
    """The mean of the differences so far, without their signs."""
    return mean(_difference(labels, predictions, 1), weights, name or "mean_absolute_error")


def precision(labels: Any, predictions: Any, weights: Any = None, name: Any = None, **_: Any) -> tuple[Any, Any]:
    """The share of what was predicted true so far that is true."""
    found = _both(labels, predictions)
    return _ratio(name, "precision", _sum(found, weights), _sum(_truth(predictions), weights))


def recall(labels: Any, predictions: Any, weights: Any = None, name: Any = None, **_: Any) -> tuple[Any, Any]:
    """The share of what is true so far that was predicted true."""
    found = _both(labels, predictions)
    return _ratio(name, "recall", _sum(found, weights), _sum(_truth(labels), weights))


__getattr__ = missing(__name__, globals())
