"""Activations under PyTorch's names and arguments."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ...functional import activation as composites
from ...graph import language as g
from ...graph.composite import composite
from ...graph.dtype import DType
from ...graph.errors import ArgumentError, ShapeError
from ...graph.node import Node
from ...ops import FUNCTIONS, random
from ...ops.creation import zeros_like
from ...tensor.core import Tensor, apply
from .common import floats, in_place

sigmoid = FUNCTIONS["sigmoid"]
tanh = FUNCTIONS["tanh"]


def _plain(op: Any, doc: str) -> Callable[..., Tensor]:
    """A function of one tensor that can write in place."""

    def function(input: Tensor, inplace: bool = False) -> Tensor:
        return in_place(op, input) if inplace else apply(op, (input,))

    function.__name__ = op.name
    function.__doc__ = doc
    return function


relu = _plain(composites.relu, "max(x, 0).")
relu6 = _plain(composites.relu6, "min(max(x, 0), 6).")
selu = _plain(composites.selu, "The scaled exponential linear unit.")
silu = _plain(composites.silu, "x times sigmoid(x).")
mish = _plain(composites.mish, "x times tanh(softplus(x)).")
hardsigmoid = _plain(composites.hardsigmoid, "min(max(x + 3, 0), 6) / 6.")
hardswish = _plain(composites.hardswish, "x times hardsigmoid(x).")


def _given(op: Any, input: Tensor, inplace: bool, **attributes: Any) -> Tensor:
    named = tuple(attributes.items())
    return in_place(op, input, (), named) if inplace else apply(op, (input,), named)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else `negative_slope * x`."""
    return _given(composites.leaky_relu, input, inplace, negative_slope=negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else `alpha * (exp(x) - 1)`."""
    return _given(composites.elu, input, inplace, alpha=alpha)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else `alpha * (exp(x / alpha) - 1)`."""
    return _given(composites.celu, input, inplace, alpha=alpha)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut off at `min_val` and `max_val`."""
    return _given(composites.hardtanh, input, inplace, min_val=min_val, max_val=max_val)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where above `threshold`, else `value`."""
    return _given(composites.threshold, input, inplace, threshold=threshold, value=value)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function of x, exactly or by the formula "tanh"."""
    return apply(composites.gelu, (input,), (("approximate", approximate),))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else `weight * x`, with one weight or one for each channel."""
    if weight.ndim > 1:
        raise ShapeError(f"prelu: weight: expected at most 1 dimension. Received: shape {tuple(weight.shape)}")
    return apply(composites.prelu, (input, weight))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where `beta * x` is above `threshold`."""
    return apply(composites.softplus, (input,), (("beta", beta), ("threshold", threshold)))


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return apply(composites.softsign, floats(input))


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), without overflow."""
    return apply(composites.log_sigmoid, (input,))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return apply(composites.tanhshrink, floats(input))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 where |x| is at most `lambd`, else x."""
    return apply(composites.hardshrink, (input,), (("lambd", lambd),))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by `lambd`, and 0 where |x| is at most that."""
    return apply(composites.softshrink, (input,), (("lambd", lambd),))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim`, gated by the sigmoid of the second."""
    return apply(composites.glu, (input,), (("axis", dim),))


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu with slopes drawn from [lower, upper] in training, and their mean otherwise (Xu et al. 2015)."""
    if lower > upper:
        raise ArgumentError(f"rrelu: expected lower of at most upper. Received: {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = random.rand(tuple(input.shape), dtype=input.dtype) * (upper - lower) + lower
    return in_place(_sloped, input, (slopes,)) if inplace else apply(_sloped, (input, slopes))


@composite
def _sloped(x: Node, slope: Node) -> Node:
    return g.select(x > 0, x, x * g.stop_gradient(slope))


def _axis(name: str, input: Tensor, dim: int | None) -> int:
    if dim is not None:
        return dim
    warnings.warn(f"{name}: write dim=: which axis None means depends on the number of axes", UserWarning, stacklevel=4)
    return 0 if input.ndim in (0, 1, 3) else 1


def _softmax(name: str, op: Any, doc: str) -> Callable[..., Tensor]:
    def function(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
        if dtype is not None:
            input = input.to(dtype)
        return apply(op, (input,), (("axis", _axis(name, input, dim)),))

    function.__name__ = name
    function.__doc__ = doc
    return function


softmax = _softmax("softmax", composites.softmax, "exp(x) / sum(exp(x)) along `dim`.")
softmin = _softmax("softmin", composites.softmin, "softmax(-x) along `dim`.")
log_softmax = _softmax("log_softmax", composites.log_softmax, "log(softmax(x)) along `dim`, without loss of precision.")


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample of the Gumbel-softmax distribution (Jang et al. 2017).

    With `hard` it is one-hot, and its gradient that of the soft one.
    """
    unit = random.rand(tuple(logits.shape), dtype=logits.dtype)
    noise = -(-((unit + eps).log())).log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    places = soft.argmax(dim, keepdim=True)
    one_hot = zeros_like(soft).scatter(dim, places, 1.0)
    return one_hot - soft.detach() + soft


def _writing(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form that writes into its input."""

    def write(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, inplace=True, **kwargs)

    write.__name__ = function.__name__ + "_"
    write.__doc__ = f"In-place form of `{function.__name__}`."
    return write


relu_, selu_, leaky_relu_, elu_, celu_, hardtanh_, threshold_, rrelu_ = (
    _writing(f) for f in (relu, selu, leaky_relu, elu, celu, hardtanh, threshold, rrelu)
)
