"""Losses under PyTorch's names and arguments."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ...functional import loss as losses
from ...functional.ctc import ctc
from ...graph.errors import ArgumentError, NotSupported, ShapeError
from ...ops import FUNCTIONS
from ...tensor.convert import as_tensor
from ...tensor.core import Tensor, apply
from .common import floats, legacy_reduction, promoted
from .dense import linear, pairwise_distance
from .image import pad

stack = FUNCTIONS["stack"]


def _same_sizes(name: str, input: Tensor, target: Tensor) -> None:
    if isinstance(target, Tensor) and target._value.shape != input._value.shape:
        warnings.warn(
            f"{name}: the target's shape {tuple(target.shape)} is not the input's {tuple(input.shape)}: "
            "they broadcast, which is probably not meant",
            UserWarning,
            stacklevel=4,
        )


def _above_zero(name: str, argument: str, value: float) -> None:
    if value <= 0:
        raise ArgumentError(f"{name}: {argument}: expected a number above 0. Received: {value}")


def _weighted(loss: Any, weight: Any, reduction: str) -> Any:
    """Losses times weights, reduced; the mean is by the sum of the weights."""
    total = loss * weight
    if reduction == "mean":
        return total.sum() / weight.expand(total.shape).sum()
    return total if reduction == "none" else total.sum()


def _elementwise(
    name: str, op: Any, input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, **attributes: Any
) -> Tensor:
    _same_sizes(name, input, target)
    named = (*attributes.items(), ("reduction", reduction if weight is None else "none"))
    result = promoted(op, (input, target), named)
    return result if weight is None else _weighted(result, weight, reduction)


def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The squared difference."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _elementwise("mse_loss", losses.mse, input, target, weight, reduction)


def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The absolute difference."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _elementwise("l1_loss", losses.l1, input, target, weight, reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """Squared below `beta`, absolute above."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _elementwise("smooth_l1_loss", losses.smooth_l1, input, target, None, reduction, beta=beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the squared difference up to `delta`, linear beyond."""
    return _elementwise("huber_loss", losses.huber, input, target, weight, reduction, delta=delta)


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Softmax cross entropy of logits [N, classes, ...] with class indices, or with probabilities."""
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    if ignore_index >= 0 and target.dtype.is_floating_point:
        raise ArgumentError("cross_entropy: ignore_index: expected none where the target has probabilities")
    return apply(losses.cross_entropy, (input, target, weight), (
        ("ignore_index", ignore_index), ("label_smoothing", label_smoothing), ("reduction", reduction),
    ))  # fmt: skip


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: None = None,
) -> Tensor:  # fmt: skip
    """The cross entropy of `linear(input, linear_weight)`, for input [features] or [N, features].

    `linear_weight` is [classes, ..., features] and `linear_bias` [classes, ...]: there is a loss for each place of the
    axes between. Raises NotSupported with `options`, which say how PyTorch cuts the work into pieces.
    """
    if options is not None:
        raise NotSupported("linear_cross_entropy: options: how the work is cut is not chosen here. Leave it out")
    if linear_weight.ndim < 2:
        raise ShapeError(
            f"linear_cross_entropy: linear_weight: expected [classes, ..., features]. Received: {linear_weight.shape}"
        )
    classes, *places, features = linear_weight.shape
    if input.ndim not in (1, 2) or input.shape[-1] != features or (places and input.ndim == 1):
        raise ShapeError(
            f"linear_cross_entropy: input: expected shape [N, {features}]. Received: {tuple(input.shape)}, with "
            f"linear_weight {tuple(linear_weight.shape)}"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != (classes, *places):
        raise ShapeError(
            f"linear_cross_entropy: linear_bias: expected shape {(classes, *places)}. "
            f"Received: {tuple(linear_bias.shape)}"
        )
    bias = None if linear_bias is None else linear_bias.flatten()
    logits = linear(input, linear_weight.flatten(0, -2), bias).reshape(*input.shape[:-1], classes, *places)
    if ignore_index is not None and target.shape == logits.shape:
        raise ArgumentError("linear_cross_entropy: ignore_index: expected none where the target has probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, None, ignored, None, reduction, label_smoothing)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Minus the log-probability of each target."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    attributes = (("ignore_index", ignore_index), ("reduction", reduction))
    return apply(losses.nll, (input, target, weight), attributes)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(target log x + (1 - target) log(1 - x)) of probabilities."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return apply(losses.binary_cross_entropy, (input, target, weight), (("reduction", reduction),))


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The binary cross entropy of sigmoid(x), without overflow."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return promoted(
        losses.binary_cross_entropy_with_logits, (input, target, weight, pos_weight), (("reduction", reduction),)
    )


def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """target (log target - x) of log-probabilities x. "batchmean" is the divergence; "mean" divides by more."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return promoted(losses.kl_div, (input, target), (("log_target", log_target), ("reduction", reduction)))


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: bool | None = None,
    eps: float = 1e-8, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Minus the log-likelihood of Poisson counts."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    attributes = (("log_input", log_input), ("full", full), ("eps", eps), ("reduction", reduction))
    return promoted(losses.poisson_nll, floats(input, target), attributes)


def gaussian_nll_loss(
    input: Any, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Minus the Gaussian log-likelihood; `var` has the input's shape, one axis of size 1, or lacks the last one."""
    if not isinstance(var, Tensor):
        if var < 0:
            raise ArgumentError(f"gaussian_nll_loss: var: expected at least 0. Received: {var}")
        var = input.new_full((1,) * max(input.ndim, 1), var)
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif var.numel() != 1:
            pairs = zip(input.shape, var.shape, strict=False)
            if var.ndim != input.ndim or [v for n, v in pairs if n != v] != [1]:
                raise ShapeError(
                    f"gaussian_nll_loss: var: expected shape {tuple(input.shape)}, that with one size 1, or that "
                    f"without its last axis. Received: {tuple(var.shape)}"
                )
    attributes = (("full", full), ("eps", eps), ("reduction", reduction))
    return promoted(losses.gaussian_nll, (input, target, var), attributes)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """x where the target is 1, max(0, margin - x) where it is -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return apply(losses.hinge_embedding, (input, target), (("margin", margin), ("reduction", reduction)))


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, -target (input1 - input2) + margin)."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    operands = (*floats(input1, input2), target)
    return apply(losses.margin_ranking, operands, (("margin", margin), ("reduction", reduction)))


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """log(1 + exp(-target x))."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return apply(losses.soft_margin, (input, target), (("reduction", reduction),))


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over classes of the binary cross entropy of sigmoid(x)."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return apply(losses.multilabel_soft_margin, (input, target, weight), (("reduction", reduction),))


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over other classes of max(0, margin - x[target] + x[class])^p."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    attributes = (("p", p), ("margin", margin), ("reduction", reduction))
    return apply(losses.multi_margin, (input, target, weight), attributes)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    operands = (*floats(input1, input2), target)
    return apply(losses.cosine_embedding, operands, (("margin", margin), ("reduction", reduction)))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)."""
    _above_zero("triplet_margin_loss", "margin", margin)
    reduction = legacy_reduction(size_average, reduce, reduction)
    attributes = (("margin", margin), ("p", float(p)), ("eps", eps), ("swap", swap), ("reduction", reduction))
    return promoted(losses.triplet_margin, floats(anchor, positive, negative), attributes)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """triplet_margin_loss with any distance."""
    _above_zero("triplet_margin_with_distance_loss", "margin", margin)
    distance: Any = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    loss = (near - far + margin).clamp(min=0)
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"reduction: expected 'none', 'mean' or 'sum'. Received: {reduction!r}")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over pairs of a target class and another of max(0, 1 - x[target] + x[other])."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return apply(losses.multilabel_margin, (input, target), (("reduction", reduction),))


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Minus the log-likelihood of target sequences under all their alignments (Graves et al. 2006).

    `targets` are [N, S], or one after another in 1 axis, which observes the target lengths. Those that are floats stand
    for their whole parts.
    """
    batched = log_probs.ndim == 3
    targets = as_tensor(targets)
    if targets.is_floating_point():
        targets = targets.long()
    input_lengths, target_lengths = (as_tensor(x).reshape(-1) for x in (input_lengths, target_lengths))
    if not batched:
        log_probs, targets = log_probs.unsqueeze(1), targets.reshape(1, -1)
    elif targets.ndim == 1:
        rows = targets.split(target_lengths.tolist())
        most = max((row.numel() for row in rows), default=0)
        targets = stack([pad(row, (0, most - row.numel())) for row in rows])
    attributes = (("blank", blank), ("reduction", reduction), ("zero_infinity", zero_infinity))
    result = apply(ctc, (log_probs, targets, input_lengths, target_lengths), attributes)
    return result.squeeze(0) if not batched and reduction == "none" else result
