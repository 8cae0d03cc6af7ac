"""Rules of optimisers that see a parameter as a matrix: factored second moments, orthogonalised momentum."""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.dtype import bfloat16
from ..graph.node import Node
from .update import Result, rule


def _root_mean_square(x: Node) -> Node:
    return g.sqrt(g.sum(x * x)) / math.sqrt(x.size)


def _scaled_step(p: Node, slope: Node, estimate: Node, alpha: Node, eps1: float, d: float) -> Node:
    """`p` after a step along slope / sqrt(estimate), whose root mean square is clipped to `d`."""
    step = g.rsqrt(g.maximum(estimate, eps1 * eps1)) * slope
    return p - step * (alpha / g.maximum(_root_mean_square(step) / d, 1.0))


@rule(numbers=("rho", "blend", "shrink"), states=("variance",))
def adafactor_vector(
    p: Node, slope: Node, variance: Node, *, rho: Node, blend: Node, shrink: Node, eps1: float, eps2: float, d: float,
    decay: bool,
) -> Result:  # fmt: skip
    """Adafactor (Shazeer and Stern 2018) for a parameter of at most one axis.

    rho is min(lr, 1 / sqrt(t)), blend t^beta2_decay, shrink 1 - lr * weight_decay.
    """
    alpha = g.maximum(_root_mean_square(p), eps2) * rho
    p = p * shrink if decay else p
    variance = variance + (slope * slope - variance) * blend
    return _scaled_step(p, slope, variance, alpha, eps1, d), variance


@rule(numbers=("rho", "blend", "shrink"), states=("row_var", "col_var"))
def adafactor(
    p: Node, slope: Node, rows: Node, columns: Node, *, rho: Node, blend: Node, shrink: Node, eps1: float, eps2: float,
    d: float, decay: bool,
) -> Result:  # fmt: skip
    """Adafactor with the second moment as a product of its rows and columns."""
    alpha = g.maximum(_root_mean_square(p), eps2) * rho
    p = p * shrink if decay else p
    square = slope * slope
    rows = rows + (g.mean(square, -1, keepdims=True) - rows) * blend
    columns = columns + (g.mean(square, -2, keepdims=True) - columns) * blend
    estimate = g.matmul(rows, columns) / g.maximum(g.mean(rows, -2, keepdims=True), eps1)
    return _scaled_step(p, slope, estimate, alpha, eps1, d), rows, columns


@rule(numbers=("lr", "shrink", "momentum"), states=("momentum_buffer",))
def muon(
    p: Node, slope: Node, velocity: Node, *, lr: Node, shrink: Node, momentum: Node, nesterov: bool,
    coefficients: tuple[float, float, float], eps: float, iterations: int, adjust: str | None,
) -> Result:  # fmt: skip
    """Momentum orthogonalised by Newton and Schulz's iteration, in bfloat16 (Jordan et al. 2024)."""
    velocity = velocity + (slope - velocity) * (1.0 - momentum)
    step = slope + (velocity - slope) * momentum if nesterov else velocity
    height, width = p.shape
    ratio = 0.2 * math.sqrt(max(height, width)) if adjust == "match_rms_adamw" else math.sqrt(max(1, height / width))
    step = g.cast(_orthogonal(g.cast(step, bfloat16), coefficients, eps, iterations), p.dtype)
    return p * shrink - step * (lr * ratio), velocity


def _orthogonal(x: Node, coefficients: tuple[float, float, float], eps: float, iterations: int) -> Node:
    """Nearly the orthogonal factor of a matrix: its singular values are driven towards 1."""
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = g.transpose(x) if tall else x
    x = x / g.maximum(g.sqrt(g.sum(x * x)), eps)
    for _ in range(iterations):
        gram = g.matmul(x, g.transpose(x))
        x = x * a + g.matmul(gram * b + g.matmul(gram, gram) * c, x)
    return g.transpose(x) if tall else x
