"""Gradients kept within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...functional import update
from ...graph.dtype import float64
from ...graph.errors import ArgumentError
from ...graph.trace import local, record, scalar
from ...ops.creation import zeros
from ...tensor.core import Tensor, apply
from ...tensor.views import overwrite


def _gradients(parameters: Any) -> list[Any]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p._grad for p in given if p._grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors as one vector. With `error_if_nonfinite` it is observed; raises ArgumentError."""
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not given:
        return zeros(())
    norm = apply(update.total_norm, tuple(given), (("order", float(norm_type)),))
    if error_if_nonfinite and not norm.isfinite().item():
        raise ArgumentError(f"the total norm of order {norm_type} is not finite. Received: {norm.item()}")
    return norm


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale all gradients by one factor, in place, so that their norm as one vector is at most `max_norm`.

    Returns the norm they had.
    """
    gradients = _gradients(parameters)
    norm = get_total_norm(gradients, norm_type, error_if_nonfinite)
    if gradients:
        _scale(gradients, norm, max_norm)
    return norm


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale all gradients by one factor, in place, as `clip_grad_norm_` does for a norm that is known."""
    gradients = _gradients(parameters)
    if gradients:
        _scale(gradients, total_norm, max_norm)


def _scale(gradients: list[Tensor], norm: Tensor, max_norm: float) -> None:
    limit = scalar(float(max_norm), float64)
    _rewrite(gradients, update.clipped_by_norm, (norm._value, limit))


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of all gradients into [-clip_value, clip_value], in place."""
    gradients = _gradients(parameters)
    if gradients:
        _rewrite(gradients, update.clipped_by_value, (scalar(float(clip_value), float64),))


def _rewrite(gradients: list[Tensor], op: Any, before: tuple[Any, ...]) -> None:
    """Make the results of `op` on all gradients their content."""
    taped, local.gradients = local.gradients, False
    try:
        results = record(op, (*before, *(g._value for g in gradients)))
    finally:
        local.gradients = taped
    overwrite(gradients, results if isinstance(results, tuple) else (results,))


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    return clip_grad_norm_(parameters, max_norm, norm_type)
