"""Activations: elementwise nonlinearities, gates and the softmax family.

Where a branch is not taken its argument is replaced before the function, not after: a gradient is a product of
both branches' factors, and 0 times infinity is not 0.
"""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite, composite_of_result
from ..graph.node import Node
from ..graph.primitives.rules import normalize_axis
from .checks import check_argument, check_choice, check_floating, check_inexact, check_same_dtype, check_shape, widened

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@composite_of_result
def relu(x: Node) -> Node:
    """max(x, 0), with derivative 0 at 0."""
    return g.select(x <= 0, 0, x)


@composite_of_result
def relu6(x: Node) -> Node:
    """min(max(x, 0), 6)."""
    return _clamp(x, 0, 6)


@composite
def leaky_relu(x: Node, *, negative_slope: float = 0.01) -> Node:
    """x where positive, else `negative_slope * x`."""
    check_floating(x=x)
    return g.select(x > 0, x, x * negative_slope)


@composite
def prelu(x: Node, weight: Node) -> Node:
    """x where positive, else `weight * x`: `weight` has one element, or one for each channel (axis 1 of `x`)."""
    check_floating(x=x, weight=weight)
    check_same_dtype(x=x, weight=weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    check_shape(weight.size in (1, channels), "weight", f"1 or {channels} elements (x has {channels} channels)", weight)
    slopes = g.reshape(weight, (weight.size,) + (1,) * max(x.ndim - 2, 0)) if x.ndim else g.reshape(weight, ())
    return g.select(x > 0, x, slopes * g.select(x > 0, 0, x))


@composite
@widened
def elu(x: Node, *, alpha: float = 1.0) -> Node:
    """x where positive, else `alpha * (exp(x) - 1)` (Clevert et al. 2015)."""
    check_floating(x=x)
    return g.select(x > 0, x, g.expm1(_negative(x)) * alpha)


@composite
@widened
def celu(x: Node, *, alpha: float = 1.0) -> Node:
    """x where positive, else `alpha * (exp(x / alpha) - 1)` (Barron 2017)."""
    check_floating(x=x)
    check_argument(alpha != 0, "alpha", "a number other than 0", alpha)
    return g.select(x > 0, x, g.expm1(_negative(x) / alpha) * alpha)


@composite
@widened
def selu(x: Node) -> Node:
    """The scaled ELU whose fixed point is mean 0, variance 1 (Klambauer et al. 2017)."""
    check_floating(x=x)
    return g.select(x > 0, x, g.expm1(_negative(x)) * SELU_ALPHA) * SELU_SCALE


@composite
@widened
def gelu(x: Node, *, approximate: str = "none") -> Node:
    """x times the normal distribution function of x (Hendrycks & Gimpel 2016), exactly or by its "tanh" formula."""
    check_floating(x=x)
    check_choice("approximate", approximate, "none", "tanh")
    if approximate == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        return x * 0.5 * (g.tanh(inner) + 1)
    return x * 0.5 * (g.erf(x * math.sqrt(0.5)) + 1)


@composite_of_result
@widened
def sigmoid(x: Node) -> Node:
    """1 / (1 + exp(-x)), to full relative precision at both ends."""
    check_inexact(x=x)
    negative = g.real(x) < 0
    e = g.exp(g.select(negative, x, -x))  # at most 1, so neither this nor its gradient overflows
    p = 1 / (e + 1)
    return g.select(negative, e * p, p)


@composite
@widened
def silu(x: Node) -> Node:
    """x * sigmoid(x), also called swish."""
    return x * sigmoid(x)


@composite
@widened
def mish(x: Node) -> Node:
    """x * tanh(log(1 + exp(x))) (Misra 2019)."""
    check_floating(x=x)
    return x * g.tanh(log1p_exp(x))


@composite
@widened
def softplus(x: Node, *, beta: float = 1.0, threshold: float = 20.0) -> Node:
    """log(1 + exp(beta * x)) / beta; x itself where `beta * x` is above `threshold`."""
    check_floating(x=x)
    check_argument(beta != 0, "beta", "a number other than 0", beta)
    linear = x * beta > threshold
    return g.select(linear, x, log1p_exp(g.select(linear, 0, x * beta)) / beta)


@composite
@widened
def softsign(x: Node) -> Node:
    """x / (1 + |x|)."""
    check_inexact(x=x)
    return x / g.cast(g.absolute(x) + 1, x.dtype)


@composite
@widened
def log_sigmoid(x: Node) -> Node:
    """log(sigmoid(x)), without overflow."""
    check_floating(x=x)
    return -log1p_exp(-x)


@composite
@widened
def tanhshrink(x: Node) -> Node:
    """x - tanh(x)."""
    check_inexact(x=x)
    return x - g.tanh(x)


@composite
def hardtanh(x: Node, *, min_val: float = -1.0, max_val: float = 1.0) -> Node:
    """x cut off at `min_val` and `max_val`, with derivative 0 there."""
    check_argument(min_val <= max_val, "min_val", f"at most max_val = {max_val}", min_val)
    return _clamp(x, min_val, max_val)


@composite
@widened
def hardsigmoid(x: Node) -> Node:
    """min(max(x + 3, 0), 6) / 6."""
    check_floating(x=x)
    return _clamp(x + 3, 0, 6) / 6


@composite
@widened
def hardswish(x: Node) -> Node:
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    check_floating(x=x)
    return x * _clamp(x + 3, 0, 6) / 6


@composite
def hardshrink(x: Node, *, lambd: float = 0.5) -> Node:
    """0 where |x| is at most `lambd`, else x."""
    check_floating(x=x)
    return g.select((x >= -lambd) & (x <= lambd), 0, x)


@composite
def softshrink(x: Node, *, lambd: float = 0.5) -> Node:
    """x moved towards 0 by `lambd`, and 0 where |x| is at most that."""
    check_floating(x=x)
    check_argument(lambd >= 0, "lambd", "a number of at least 0", lambd)
    return g.select(x > lambd, x - lambd, g.select(x < -lambd, x + lambd, x * 0))  # x * 0 keeps NaN


@composite
def threshold(x: Node, *, threshold: float, value: float) -> Node:
    """`value` where x is at most `threshold`, else x."""
    return g.select(x <= threshold, value, x)


@composite
@widened
def glu(x: Node, *, axis: int = -1) -> Node:
    """The first half of `x` along an axis, gated by the sigmoid of the second (Dauphin et al. 2016)."""
    check_floating(x=x)
    axis = normalize_axis(axis, x.ndim)
    check_shape(x.ndim > 0 and x.shape[axis] % 2 == 0, "x", f"an even size along axis {axis}", x)
    half = x.shape[axis] // 2
    return g.narrow(x, axis, 0, half) * sigmoid(g.narrow(x, axis, half, half))


@composite_of_result
@widened
def softmax(x: Node, *, axis: int = -1) -> Node:
    """exp(x) / sum(exp(x)) along an axis."""
    check_floating(x=x)
    e = g.exp(x - _peak(x, axis))
    return e / g.sum(e, _axes(x, axis), keepdims=True)


@composite_of_result
@widened
def softmin(x: Node, *, axis: int = -1) -> Node:
    """softmax(-x)."""
    return softmax(-x, axis=axis)


@composite_of_result
@widened
def log_softmax(x: Node, *, axis: int = -1) -> Node:
    """log(softmax(x)), without loss of precision."""
    check_floating(x=x)
    shifted = x - _peak(x, axis)
    return shifted - g.log(g.sum(g.exp(shifted), _axes(x, axis), keepdims=True))


@composite
@widened
def logsumexp(x: Node, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
    """log(sum(exp(x))) over one or more axes, without overflow."""
    check_inexact(x=x)
    axes = tuple(range(x.ndim)) if axis is None else axis
    if not x.ndim and not x.dtype.is_complex:  # whose imaginary part is brought into one turn
        return x
    if not g.count(x, axes):
        return g.log(g.sum(x, axes, keepdims))  # the logarithm of an empty sum, -inf
    peak = g.stop_gradient(g.max(g.real(x), axes, keepdims=True))
    peak = g.cast(g.select(g.equal(g.absolute(peak), math.inf), 0, peak), x.dtype)  # inf - inf would be NaN
    total = g.sum(g.exp(x - peak), axes, keepdims)
    return g.log(total) + (peak if keepdims else g.reshape(peak, total.shape))


def log1p_exp(x: Node) -> Node:
    """log(1 + exp(x)), without overflow, here or in its gradient."""
    positive = x > 0
    return g.select(positive, x, 0) + g.log1p(g.exp(g.select(positive, -x, x)))


def _negative(x: Node) -> Node:
    return g.select(x > 0, 0, x)


def _clamp(x: Node, low: float, high: float) -> Node:
    return g.select(x <= low, low, g.select(x >= high, high, x))


def _axes(x: Node, axis: int) -> int | tuple[int, ...]:
    normalize_axis(axis, x.ndim)
    return axis if x.ndim else ()


def _peak(x: Node, axis: int) -> Node:
    """The largest element along an axis, a constant to the gradient: what is computed does not depend on it."""
    axes = _axes(x, axis)
    if not g.count(x, axes):  # the peak of nothing; broadcasts to nothing
        return g.full((1,) * x.ndim, 0, x.dtype)
    return g.stop_gradient(g.max(x, axes, keepdims=True))
