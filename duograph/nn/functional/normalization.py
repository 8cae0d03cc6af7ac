"""Normalisations under PyTorch's names and arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...functional import normalization as norms
from ...graph.errors import ArgumentError
from ...tensor.core import Tensor, apply
from ...tensor.views import overwrite


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float | None = 0.1, eps: float = 1e-5,
    batches: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Each channel normalised by the batch's statistics in training, by the running ones otherwise.

    In training the running statistics are updated in place, by `momentum` or, where that is None, to the mean over all
    `batches`.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm: expected running_mean and running_var where not training. Received: None")
        return apply(norms.batch_norm_eval, (input, running_mean, running_var, weight, bias), (("eps", eps),))
    attributes = (("momentum", momentum), ("eps", eps))
    return _with_statistics(
        norms.batch_norm_train, input, weight, bias, running_mean, running_var, (batches,), attributes
    )


def instance_norm(
    input: Any, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel of each sample normalised for itself, or by the running statistics."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    attributes = (("momentum", momentum), ("eps", eps))
    return _with_statistics(norms.instance_norm, input, weight, bias, running_mean, running_var, (), attributes)


def _with_statistics(
    op: Any, input: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, var: Tensor | None,
    more: tuple[Any, ...], attributes: tuple[tuple[str, Any], ...],
) -> Tensor:  # fmt: skip
    if mean is None or var is None:
        return apply(op, (input, weight, bias), attributes)
    y, new_mean, new_var = apply(op, (input, weight, bias, mean, var, *more), attributes)
    overwrite((mean, var), (new_mean._value, new_var._value))
    return y


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """The last axes, of sizes `normalized_shape`, normalised together."""
    attributes = (("normalized_shape", tuple(normalized_shape)), ("eps", eps))
    return apply(norms.layer_norm, (input, weight, bias), attributes)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """The last axes, of sizes `normalized_shape`, divided by their root mean square."""
    return apply(norms.rms_norm, (input, weight), (("normalized_shape", tuple(normalized_shape)), ("eps", eps)))


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """The channels normalised in groups of neighbours."""
    return apply(norms.group_norm, (input, weight, bias), (("groups", num_groups), ("eps", eps)))


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Each channel divided by a power of the mean square of its neighbours."""
    attributes = (("size", size), ("alpha", alpha), ("beta", beta), ("k", k))
    return apply(norms.local_response_norm, (input,), attributes)
