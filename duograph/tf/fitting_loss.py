"""Which loss fits a model's output and the targets: for a model that is trained without having been compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras.src import backend, losses, tree

import duograph.torch as torch

PROBABILITY_TOLERANCE = 1e-3
"""How far the sum of a distribution may be from 1."""


def fitting_loss(model: Any, x: Any, y: Any) -> tuple[Any, str]:
    """The loss for `model` on a first batch, and how to write it.

    For outputs of shape (batch, ..., classes): cross entropy, sparse for targets of shape (batch, ...) that are whole
    numbers, else for targets that are distributions over the classes. For one output in [0, 1] and targets that are 0
    or 1: binary cross entropy. Otherwise, for targets of the output's shape, mean squared error. Cross entropies are
    `from_logits` if the outputs are no probabilities.

    Raises ValueError where none of these fits, or the model has several outputs.
    """
    with torch.no_grad():
        outputs = model(x, training=False) if model._call_has_training_arg else model(x)
    if len(tree.flatten(outputs)) != 1 or len(tree.flatten(y)) != 1:
        raise ValueError(
            "train_step(x, y) expected a compiled model, or one with one output: "
            f"call {model.name}.compile(optimizer, loss) first. "
            f"Received: {len(tree.flatten(outputs))} outputs and {len(tree.flatten(y))} targets"
        )
    output, target = (backend.convert_to_numpy(tree.flatten(t)[0]) for t in (outputs, y))
    classes = output.shape[-1] if output.ndim > 1 else 1
    if classes > 1:
        logits = not _are_distributions(output)
        indices = target.shape in (output.shape[:-1], (*output.shape[:-1], 1))
        if indices and _are_whole(target) and target.min() >= 0 and target.max() < classes:
            return _named("SparseCategoricalCrossentropy", logits)
        if target.shape == output.shape and _are_distributions(target):
            return _named("CategoricalCrossentropy", logits)
    elif target.size == output.size and np.isin(target, (0, 1)).all():
        return _named("BinaryCrossentropy", not _are_probabilities(model, output))
    if target.shape == output.shape or (classes == 1 and target.size == output.size):
        return losses.MeanSquaredError(), "MeanSquaredError()"
    raise ValueError(
        f"train_step(x, y) found no loss that fits: call {model.name}.compile(optimizer, loss) first. "
        f"Received: outputs of shape {output.shape} and targets of shape {target.shape}, dtype {target.dtype}"
    )


def _named(name: str, from_logits: bool) -> tuple[Any, str]:
    return getattr(losses, name)(from_logits=from_logits), f"{name}({'from_logits=True' if from_logits else ''})"


def _are_distributions(array: np.ndarray) -> bool:
    return bool((array >= 0).all() and np.allclose(array.sum(-1, dtype=np.float64), 1, atol=PROBABILITY_TOLERANCE))


def _are_whole(array: np.ndarray) -> bool:
    return bool((array == np.floor(array)).all())


def _are_probabilities(model: Any, output: np.ndarray) -> bool:
    """Within [0, 1], and not because a last layer without activation happens to be there."""
    last = model.layers[-1] if model.layers else None
    linear = getattr(getattr(last, "activation", None), "__name__", None) == "linear"
    return not linear and bool((output >= 0).all() and (output <= 1).all())
