"""`tf.layers`: layers whose variables the graph keeps."""

from __future__ import annotations

import math
from typing import Any

import duograph.torch as torch

from ... import nn as _nn
from ...graph.dispatch import deferring
from ...missing import missing
from ...tensors import convert_to_tensor
from .operations import ones_initializer, zeros_initializer
from .scopes import get_variable, variable_scope

_conv2d, _bias, _max_pool, _avg_pool, _dropout = _nn.conv2d, _nn.bias_add, _nn.max_pool2d, _nn.avg_pool2d, _nn.dropout


def dense(
    inputs: Any, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = None,
    bias_initializer: Any = None, kernel_regularizer: Any = None, bias_regularizer: Any = None, trainable: bool = True,
    name: str | None = None, reuse: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """activation(inputs @ kernel + bias)."""
    with variable_scope(name, "dense", reuse=reuse):
        size = inputs.shape.as_list()[-1]
        kernel = get_variable("kernel", [size, units], None, kernel_initializer, kernel_regularizer, trainable)
        bias = None
        if use_bias:
            bias = get_variable(
                "bias", [units], None, bias_initializer or zeros_initializer(), bias_regularizer, trainable
            )
        made = _dense(inputs, kernel, bias)
    return made if activation is None else activation(made)


@deferring
def _dense(x: Any, kernel: Any, bias: Any) -> Any:
    made = x @ kernel
    return made if bias is None else made + bias


def conv2d(
    inputs: Any, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str = "channels_last", dilation_rate: Any = (1, 1), activation: Any = None, use_bias: bool = True,
    kernel_initializer: Any = None, bias_initializer: Any = None, kernel_regularizer: Any = None,
    bias_regularizer: Any = None, trainable: bool = True, name: str | None = None, reuse: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """activation(convolution of images of shape (batch, height, width, channels) + bias)."""
    if data_format != "channels_last":
        raise NotImplementedError("layers.conv2d: channels_first is not built: transpose the images")
    with variable_scope(name, "conv2d", reuse=reuse):
        shape = [*_pair(kernel_size), inputs.shape.as_list()[-1], filters]
        kernel = get_variable("kernel", shape, None, kernel_initializer, kernel_regularizer, trainable)
        bias = None
        if use_bias:
            bias = get_variable(
                "bias", [filters], None, bias_initializer or zeros_initializer(), bias_regularizer, trainable
            )
        made = _convolution(inputs, kernel, bias, _pair(strides), padding.upper(), _pair(dilation_rate))
    return made if activation is None else activation(made)


@deferring
def _convolution(x: Any, kernel: Any, bias: Any, strides: Any, padding: str, dilations: Any) -> Any:
    made = _conv2d(x, kernel, strides, padding, dilations=dilations)
    return made if bias is None else made + bias


@deferring
def max_pooling2d(
    inputs: Any, pool_size: Any, strides: Any, padding: str = "valid", data_format: str = "channels_last",
    name: Any = None,
) -> Any:  # fmt: skip
    """The largest value of each window."""
    return _max_pool(inputs, _pair(pool_size), _pair(strides), padding.upper())


@deferring
def average_pooling2d(
    inputs: Any, pool_size: Any, strides: Any, padding: str = "valid", data_format: str = "channels_last",
    name: Any = None,
) -> Any:  # fmt: skip
    """The mean of each window."""
    return _avg_pool(inputs, _pair(pool_size), _pair(strides), padding.upper())


@deferring
def flatten(inputs: Any, name: Any = None, data_format: str = "channels_last") -> Any:
    """All axes after the first as one."""
    x = convert_to_tensor(inputs)
    return x.reshape(x.shape[0], -1)


@deferring
def dropout(
    inputs: Any, rate: float = 0.5, noise_shape: Any = None, seed: Any = None, training: Any = False, name: Any = None
) -> Any:
    """A share of elements set to zero, where `training` is true, and the others scaled up."""
    return _dropout(inputs, rate, noise_shape=noise_shape, seed=seed) if bool(training) else convert_to_tensor(inputs)


def batch_normalization(
    inputs: Any, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
    training: Any = False, trainable: bool = True, name: str | None = None, reuse: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """Each channel with mean 0 and variance 1, then scaled and moved. Run the UPDATE_OPS to keep the averages."""
    from ...graph import get_default_graph

    if axis not in (-1, len(inputs.shape) - 1):
        raise NotImplementedError("layers.batch_normalization: only the last axis")
    with variable_scope(name, "batch_normalization", reuse=reuse):
        shape = [inputs.shape.as_list()[-1]]
        gamma = get_variable("gamma", shape, None, ones_initializer(), trainable=trainable) if scale else None
        beta = get_variable("beta", shape, None, zeros_initializer(), trainable=trainable) if center else None
        mean = get_variable("moving_mean", shape, None, zeros_initializer(), trainable=False)
        variance = get_variable("moving_variance", shape, None, ones_initializer(), trainable=False)
        parts = _normalized(inputs, gamma, beta, mean, variance, epsilon, momentum, training)
        for variable, place in ((mean, 1), (variance, 2)):
            get_default_graph().add_to_collection("update_ops", variable.assign(parts[place]))
    return parts[0]


@deferring
def _normalized(
    x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float, momentum: float, training: Any
) -> Any:
    new_mean, new_variance = mean, variance
    if bool(training):
        axes = list(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes, correction=0)
        # as in TensorFlow's fused kernel, the average for images is of variances without bias
        count = math.prod(x.shape[:-1])
        unbiased = variance * (count / max(count - 1, 1)) if x.ndim == 4 else variance
        new_mean = momentum * new_mean + (1 - momentum) * mean
        new_variance = momentum * new_variance + (1 - momentum) * unbiased
    made = (x - mean) * torch.rsqrt(variance + epsilon)
    made = made if gamma is None else made * gamma
    return (made if beta is None else made + beta), new_mean, new_variance


def _pair(size: Any) -> tuple[int, int]:
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


__getattr__ = missing(__name__, globals())
