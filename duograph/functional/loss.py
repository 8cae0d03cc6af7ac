"""Losses, with PyTorch's definitions and reductions ("none", "mean", "sum")."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.dtype import int64
from ..graph.errors import DTypeError
from ..graph.node import Node
from .activation import log_softmax, softplus
from .checks import (
    check_argument,
    check_choice,
    check_floating,
    check_inexact,
    check_integral,
    check_same_dtype,
    check_shape,
    describe,
    from_front,
    widened,
)
from .distance import pairwise_distance

SATURATION = 1e-12
"""Below this the variance x (1 - x) of a probability counts as none."""


def reduced(loss: Node, reduction: str) -> Node:
    """The losses themselves, their mean, or their sum."""
    check_choice("reduction", reduction, "none", "mean", "sum")
    return loss if reduction == "none" else g.mean(loss) if reduction == "mean" else g.sum(loss)


def _pair(x: Node, target: Node) -> None:
    check_floating(input=x)
    check_same_dtype(input=x, target=target)


@composite
@widened
def mse(x: Node, target: Node, *, reduction: str = "mean") -> Node:
    """(x - target)²."""
    _pair(x, target)
    away = x - target
    return reduced(away * away, reduction)


@composite
@widened
def l1(x: Node, target: Node, *, reduction: str = "mean") -> Node:
    """|x - target|."""
    check_inexact(input=x)
    check_same_dtype(input=x, target=target)
    return reduced(g.absolute(x - target), reduction)


@composite
@widened
def huber(x: Node, target: Node, *, delta: float = 1.0, reduction: str = "mean") -> Node:
    """Half the squared distance up to `delta`, linear beyond (Huber 1964)."""
    _pair(x, target)
    check_argument(delta > 0, "delta", "a positive number", delta)
    away = g.absolute(x - target)
    return reduced(g.select(away < delta, away * away * 0.5, (away - 0.5 * delta) * delta), reduction)


@composite
@widened
def smooth_l1(x: Node, target: Node, *, beta: float = 1.0, reduction: str = "mean") -> Node:
    """The Huber loss over `beta`; the plain distance for beta 0 (Girshick 2015)."""
    _pair(x, target)
    check_argument(beta >= 0, "beta", "a number of at least 0", beta)
    away = g.absolute(x - target)
    if beta == 0:
        return reduced(away, reduction)
    return reduced(g.select(away < beta, away * away * (0.5 / beta), away - 0.5 * beta), reduction)


def _check_classes(x: Node, target: Node) -> None:
    """Raises unless `target` has the shape of `x` without its classes, axis 1 (0 without batch), and is integer."""
    if target.dtype.is_floating_point:
        raise DTypeError(
            "target: expected class indices of an integer dtype (use target.long()), or class probabilities of the "
            f"shape of input {list(x.shape)}. Received: {describe(target)}"
        )
    check_integral(target=target)
    axis = 0 if x.ndim == 1 else 1
    check_shape(x.ndim >= 1, "input", "at least one dimension: [classes] or [batch, classes, ...]", x)
    expected = (*x.shape[:axis], *x.shape[axis + 1 :])
    check_shape(
        target.shape == expected, "target", f"shape {list(expected)}, that of input without its classes", target
    )


def _picked(logs: Node, target: Node, weight: Node | None, ignore_index: int) -> tuple[Node, Node]:
    """-log p of each target, weighted, 0 where ignored; and the weights."""
    axis = 0 if logs.ndim == 1 else 1
    counted = g.not_equal(target, ignore_index)
    safe = g.select(counted, from_front(target, logs.shape[axis]), 0)
    picked = -g.reshape(g.take_along(logs, g.expand_dims(safe, axis), axis), target.shape)
    if weight is None:
        return g.select(counted, picked, 0.0), g.cast(counted, logs.dtype)
    weights = g.select(counted, g.take(weight, safe, 0), 0.0)
    return picked * weights, weights


def _check_weight(weight: Node | None, classes: int, x: Node) -> None:
    if weight is not None:
        check_shape(weight.shape == (classes,), "weight", f"one weight for each of {classes} classes", weight)
        check_same_dtype(input=x, weight=weight)


@composite
@widened
def nll(
    x: Node, target: Node, weight: Node | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Node:
    """Minus the log-probability of each target: `x` are log-probabilities [batch, classes, ...]."""
    check_choice("reduction", reduction, "none", "mean", "sum")
    check_floating(input=x)
    _check_classes(x, target)
    _check_weight(weight, x.shape[0 if x.ndim == 1 else 1], x)
    losses, weights = _picked(x, target, weight, ignore_index)
    if reduction == "mean":
        return g.sum(losses) / g.sum(weights)
    return losses if reduction == "none" else g.sum(losses)


@composite
@widened
def cross_entropy(
    x: Node, target: Node, weight: Node | None = None, *, ignore_index: int = -100, label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Node:  # fmt: skip
    """Softmax cross entropy of logits [batch, classes, ...] with class indices, or with probabilities of that shape.

    Raises DTypeError for float targets that are not of the shape of `x`, ShapeError for targets that do not fit.
    """
    check_choice("reduction", reduction, "none", "mean", "sum")
    check_argument(0.0 <= label_smoothing <= 1.0, "label_smoothing", "a number from 0 to 1", label_smoothing)
    check_floating(input=x)
    check_shape(x.ndim >= 1, "input", "at least one dimension: [classes] or [batch, classes, ...]", x)
    axis = 0 if x.ndim == 1 else 1
    classes = x.shape[axis]
    _check_weight(weight, classes, x)
    logs = log_softmax(x, axis=axis)
    along = tuple(-1 if k == axis else 1 for k in range(x.ndim))
    spread = None if weight is None else g.reshape(weight, along)
    if target.shape == x.shape and target.dtype.is_floating_point:
        check_same_dtype(input=x, target=target)
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        terms = logs * target if spread is None else logs * target * spread
        losses = -g.sum(terms, axis)
        if reduction == "mean":
            return g.sum(losses) / float(max(losses.size, 1))
        return losses if reduction == "none" else g.sum(losses)
    _check_classes(x, target)
    losses, weights = _picked(logs, target, weight, ignore_index)
    if label_smoothing:
        counted = g.not_equal(target, ignore_index)
        smooth = -g.sum(logs if spread is None else logs * spread, axis)
        smooth = g.select(counted, smooth, 0.0)
        if reduction == "mean":
            total = g.sum(losses) * (1 - label_smoothing) + g.sum(smooth) * (label_smoothing / classes)
            return total / g.sum(weights)
        losses = losses * (1 - label_smoothing) + smooth * (label_smoothing / classes)
    if reduction == "mean":
        return g.sum(losses) / g.sum(weights)
    return losses if reduction == "none" else g.sum(losses)


@composite
@widened
def binary_cross_entropy(x: Node, target: Node, weight: Node | None = None, *, reduction: str = "mean") -> Node:
    """-(target log x + (1 - target) log(1 - x)) of probabilities; the logarithms are kept above -100.

    Where x (1 - x) is below 1e-12 the slope (x - target) / (x (1 - x)) is taken with that instead, as PyTorch does.
    """
    _pair(x, target)
    check_shape(x.shape == target.shape, "target", f"the shape of input, {list(x.shape)}", target)
    saturated = x * (1.0 - x) < SATURATION
    inner = g.select(saturated, 0.5, x)
    losses = -(target * g.log(inner) + (1.0 - target) * g.log1p(-inner))
    fixed = g.stop_gradient(x)
    ends = -(target * g.maximum(g.log(fixed), -100.0) + (1.0 - target) * g.maximum(g.log1p(-fixed), -100.0))
    slope = g.stop_gradient(x - target) * (1 / SATURATION)
    losses = g.select(saturated, ends + (x - fixed) * slope, losses)
    return reduced(losses if weight is None else losses * weight, reduction)


@composite
@widened
def binary_cross_entropy_with_logits(
    x: Node, target: Node, weight: Node | None = None, pos_weight: Node | None = None, *, reduction: str = "mean"
) -> Node:
    """Binary cross entropy of sigmoid(x), without overflow: (1 - t) x + (1 + (w - 1) t) softplus(-x)."""
    _pair(x, target)
    check_shape(x.shape == target.shape, "target", f"the shape of input, {list(x.shape)}", target)
    towards = softplus(-x, beta=1.0, threshold=math.inf)
    if pos_weight is not None:
        towards = towards * ((pos_weight - 1.0) * target + 1.0)
    losses = (1.0 - target) * x + towards
    return reduced(losses if weight is None else losses * weight, reduction)


@composite
@widened
def kl_div(x: Node, target: Node, *, log_target: bool = False, reduction: str = "mean") -> Node:
    """target (log target - x) of log-probabilities `x`; "batchmean" divides the sum by the first size."""
    check_choice("reduction", reduction, "none", "mean", "sum", "batchmean")
    _pair(x, target)
    if log_target:
        losses = g.exp(target) * (target - x)
    else:
        zero = g.equal(target, 0)
        losses = g.select(zero, target * 0.0, target * g.log(g.select(zero, 1.0, target))) - target * x
    if reduction == "batchmean":
        return g.sum(losses) / float(x.shape[0] if x.ndim else 1)
    return reduced(losses, reduction)


@composite
@widened
def poisson_nll(
    x: Node, target: Node, *, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Node:
    """Minus the Poisson log-likelihood; Stirling's term for targets above 1 if `full`."""
    _pair(x, target)
    losses = g.exp(x) - target * x if log_input else x - target * g.log(x + eps)
    if full:
        large = target > 1
        t = g.select(large, target, 2.0)
        losses = losses + g.select(large, t * g.log(t) - t + g.log(t * (2 * math.pi)) * 0.5, 0.0)
    return reduced(losses, reduction)


@composite
@widened
def gaussian_nll(
    x: Node, target: Node, variance: Node, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Node:
    """Minus the Gaussian log-likelihood; variances are kept above `eps`, without gradient for that."""
    _pair(x, target)
    if variance.ndim == x.ndim - 1:
        variance = g.expand_dims(variance, -1)
    kept = variance + g.stop_gradient(g.maximum(variance, eps) - variance)
    away = x - target
    losses = (g.log(kept) + away * away / kept) * 0.5
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


@composite
@widened
def hinge_embedding(x: Node, target: Node, *, margin: float = 1.0, reduction: str = "mean") -> Node:
    """x where the target is 1, max(0, margin - x) where it is -1, and both where it is neither, as in PyTorch."""
    zero = g.zeros_like(x)
    losses = g.select(g.equal(target, 1), zero, g.maximum(margin - x, 0.0)) + g.select(g.equal(target, -1), zero, x)
    return reduced(losses, reduction)


@composite
@widened
def margin_ranking(x: Node, y: Node, target: Node, *, margin: float = 0.0, reduction: str = "mean") -> Node:
    """max(0, -target (x - y) + margin)."""
    return reduced(g.maximum(-g.cast(target, x.dtype) * (x - y) + margin, 0.0), reduction)


@composite
@widened
def soft_margin(x: Node, target: Node, *, reduction: str = "mean") -> Node:
    """log(1 + exp(-target x))."""
    return reduced(softplus(-g.cast(target, x.dtype) * x, beta=1.0, threshold=math.inf), reduction)


@composite
@widened
def multilabel_soft_margin(x: Node, target: Node, weight: Node | None = None, *, reduction: str = "mean") -> Node:
    """The mean over classes of the binary cross entropy of sigmoid(x)."""
    t = g.cast(target, x.dtype)
    losses = t * softplus(-x, beta=1.0, threshold=math.inf) + (1.0 - t) * softplus(x, beta=1.0, threshold=math.inf)
    losses = losses if weight is None else losses * weight
    return reduced(g.mean(losses, -1), reduction)


@composite
@widened
def multi_margin(
    x: Node, target: Node, weight: Node | None = None, *, p: int = 1, margin: float = 1.0, reduction: str = "mean"
) -> Node:
    """The mean over other classes of max(0, margin - x[target] + x[class])^p."""
    check_choice("p", p, 1, 2)
    check_integral(target=target)
    rows = x if x.ndim == 2 else g.reshape(x, (1, x.size))
    place = g.reshape(from_front(target, rows.shape[1]), (rows.shape[0], 1))
    away = g.maximum(margin - g.take_along(rows, place, 1) + rows, 0.0)
    away = away if p == 1 else away * away
    if weight is not None:
        away = away * g.reshape(g.take(weight, g.reshape(place, (rows.shape[0],)), 0), (-1, 1))
    other = g.not_equal(g.iota(rows.shape[1], place.dtype), place)
    losses = g.sum(g.select(other, away, 0.0), 1) / float(rows.shape[1])
    return reduced(losses if x.ndim == 2 else g.reshape(losses, ()), reduction)


@composite
@widened
def multilabel_margin(x: Node, target: Node, *, reduction: str = "mean") -> Node:
    """For `x [batch, classes]` the mean over classes of max(0, 1 - x[target] + x[other]) for all pairs of those.

    `target`, of the same shape, lists the classes that apply, up to the first -1.
    """
    check_floating(input=x)
    check_integral(target=target)
    check_shape(x.ndim <= 2, "input", "[batch, classes] or [classes]", x)
    check_shape(target.size == x.size, "target", f"the shape of input, {list(x.shape)}", target)
    rows, listed = (x, target) if x.ndim == 2 else (g.reshape(x, (1, x.size)), g.reshape(target, (1, x.size)))
    classes = rows.shape[1]
    counts = g.cumulative("cumprod", g.cast(listed >= 0, int64), 1) > 0
    applies = g.any(g.expand_dims(counts, 2) & g.equal(g.expand_dims(listed, 2), g.iota(classes, listed.dtype)), 1)
    scores = g.take_along(rows, g.select(counts, g.cast(listed, int64), 0), 1)
    away = g.maximum(1.0 - g.expand_dims(scores, 2) + g.expand_dims(rows, 1), 0.0)
    pairs = g.expand_dims(counts, 2) & ~g.expand_dims(applies, 1)
    losses = g.sum(g.select(pairs, away, 0.0), (1, 2)) / float(classes)
    return reduced(losses if x.ndim == 2 else g.reshape(losses, ()), reduction)


@composite
@widened
def cosine_embedding(x: Node, y: Node, target: Node, *, margin: float = 0.0, reduction: str = "mean") -> Node:
    """1 - cos(x, y) where the target is 1, max(0, cos(x, y) - margin) where it is -1."""
    tiny = 1e-12
    inner = g.sum(x * y, -1)
    sizes = (g.sum(x * x, -1) + tiny) * (g.sum(y * y, -1) + tiny)
    cosine = inner * g.rsqrt(sizes)
    zero = g.zeros_like(cosine)
    losses = g.select(g.equal(target, 1), 1.0 - cosine, zero) + g.select(
        g.equal(target, -1), g.maximum(cosine - margin, 0.0), zero
    )
    return reduced(losses, reduction)


@composite
@widened
def triplet_margin(
    anchor: Node, positive: Node, negative: Node, *, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False, reduction: str = "mean",
) -> Node:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) (Balntas et al. 2016)."""
    near = pairwise_distance(anchor, positive, p=p, eps=eps)
    far = pairwise_distance(anchor, negative, p=p, eps=eps)
    if swap:
        far = g.minimum(far, pairwise_distance(positive, negative, p=p, eps=eps))
    return reduced(g.maximum(near - far + margin, 0.0), reduction)
