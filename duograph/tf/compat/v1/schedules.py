"""Learning rates that fall with the step counter, as `tf.train` of TensorFlow 1 has them."""

from __future__ import annotations

import math
from typing import Any

import duograph.torch as torch

from ...graph.dispatch import deferring

__all__ = [
    "cosine_decay", "exponential_decay", "inverse_time_decay", "natural_exp_decay", "piecewise_constant",
    "polynomial_decay",
]  # fmt: skip


def _share(global_step: Any, decay_steps: Any, staircase: bool = False) -> Any:
    share = torch.as_tensor(global_step).to(torch.float32) / decay_steps
    return torch.floor(share) if staircase else share


@deferring
def exponential_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: Any = None
) -> Any:
    """learning_rate · decay_rate ^ (global_step / decay_steps), the exponent rounded down with `staircase`."""
    return learning_rate * torch.pow(torch.tensor(float(decay_rate)), _share(global_step, decay_steps, staircase))


@deferring
def natural_exp_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: Any = None
) -> Any:
    """learning_rate · exp(-decay_rate · global_step / decay_steps), the quotient rounded down with `staircase`."""
    return learning_rate * torch.exp(-decay_rate * _share(global_step, decay_steps, staircase))


@deferring
def inverse_time_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: Any = None
) -> Any:
    """learning_rate / (1 + decay_rate · global_step / decay_steps), the quotient rounded down with `staircase`."""
    return learning_rate / (1 + decay_rate * _share(global_step, decay_steps, staircase))


@deferring
def polynomial_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, end_learning_rate: Any = 0.0001, power: float = 1.0,
    cycle: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """From `learning_rate` to `end_learning_rate` in `decay_steps`; with `cycle`, again and again, ever slower."""
    share = _share(global_step, decay_steps)
    share = share / torch.clamp(torch.ceil(share), min=1) if cycle else torch.clamp(share, max=1)
    return (learning_rate - end_learning_rate) * (1 - share) ** power + end_learning_rate


@deferring
def cosine_decay(learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: Any = None) -> Any:
    """From `learning_rate` to `alpha` times it, along half a wave of a cosine."""
    wave = 0.5 * (1 + torch.cos(math.pi * torch.clamp(_share(global_step, decay_steps), max=1)))
    return learning_rate * ((1 - alpha) * wave + alpha)


@deferring
def piecewise_constant(x: Any, boundaries: Any, values: Any, name: Any = None) -> Any:
    """values[k] while `x` is above k of the boundaries: a boundary belongs to the piece before it."""
    made = torch.as_tensor(values[0])
    for boundary, value in zip(boundaries, values[1:], strict=True):
        made = torch.where(torch.as_tensor(x) > boundary, torch.as_tensor(value, dtype=made.dtype), made)
    return made
