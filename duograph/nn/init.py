"""Initial weights, under PyTorch's names: each function fills a tensor in place and returns it."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..graph.errors import ArgumentError, ShapeError
from ..ops import creation, random
from ..ops.random import Generator
from ..tensor.convert import from_numpy
from ..tensor.core import Tensor

GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance of activations through a nonlinearity; `param` is leaky_relu's slope."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ArgumentError(f"calculate_gain: expected a number as the negative slope. Received: {param!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ArgumentError(
            f"calculate_gain: nonlinearity: expected one of {', '.join(GAINS)}, leaky_relu. Received: {nonlinearity!r}"
        )
    return GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs and how many outputs each unit of a weight has.

    Raises ShapeError for fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            f"fan in and fan out: expected a weight of at least 2 axes. Received: shape {tuple(tensor.shape)}"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


_calculate_fan_in_and_fan_out = fans


def _fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ArgumentError(f"mode: expected 'fan_in' or 'fan_out'. Received: {mode!r}")
    return fans(tensor)[mode.lower() == "fan_out"]


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform on [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with this mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal with this mean and standard deviation, cut to [a, b]: the inverse distribution function of uniforms."""

    def below(x: float) -> float:
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    low, high = below((a - mean) / std), below((b - mean) / std)
    tensor.uniform_(2 * low - 1, 2 * high - 1, generator=generator)
    values = tensor.erfinv() * (std * math.sqrt(2.0)) + mean
    return tensor.copy_(values.clamp(a, b))


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: expected a tensor of 2 axes. Received: shape {tuple(tensor.shape)}")
    return tensor.copy_(creation.eye(*tensor.shape))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight that passes as many channels as it can unchanged."""
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(f"dirac_: expected a tensor of 3, 4 or 5 axes. Received: shape {tuple(tensor.shape)}")
    out, into, *field = tensor.shape
    if out % groups:
        raise ArgumentError(f"dirac_: groups: expected a divisor of {out}. Received: {groups}")
    per_group = out // groups
    array = np.zeros(tuple(tensor.shape), np.float32)
    middle = tuple(size // 2 for size in field)
    for group in range(groups):
        for channel in range(min(per_group, into)):
            array[(group * per_group + channel, channel, *middle)] = 1.0
    return tensor.copy_(from_numpy(array))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform with variance 2 gain² / (fan in + fan out) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with variance 2 gain² / (fan in + fan out) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Uniform with variance gain² / fan (He et al. 2015); `a` is leaky_relu's slope."""
    if 0 in tensor.shape:
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal with variance gain² / fan (He et al. 2015); `a` is leaky_relu's slope."""
    if 0 in tensor.shape:
        return tensor
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A random (semi-)orthogonal matrix, axes after the first taken as one (Saxe et al. 2013)."""
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: expected a tensor of at least 2 axes. Received: shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    flat = random.randn(rows, columns, generator=generator)._array().astype(np.float64)
    wide = rows < columns
    q, r = np.linalg.qr(flat.T if wide else flat)
    q *= np.sign(np.diag(r))  # makes the distribution uniform
    array = np.ascontiguousarray((q.T if wide else q) * gain, np.float32).reshape(tensor.shape)
    return tensor.copy_(from_numpy(array))


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers, with the fraction `sparsity` of each column zero (Martens 2010)."""
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: expected a tensor of 2 axes. Received: shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    ranks = random.rand(rows, columns, generator=generator).argsort(0).argsort(0)
    return tensor.mul_(ranks >= zeros)


def _old_name(name: str, function: Any) -> Any:
    def old(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"init.{name} is now init.{name}_", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    old.__name__ = name
    old.__doc__ = f"The old name of `{name}_`."
    return old


for _name in ("uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform",
              "kaiming_normal", "orthogonal", "sparse"):  # fmt: skip
    globals()[_name] = _old_name(_name, globals()[_name + "_"])
