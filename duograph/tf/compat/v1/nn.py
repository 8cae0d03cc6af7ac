"""`tf.nn` in the form of TensorFlow 1."""

from __future__ import annotations

import importlib
from typing import Any

from ... import nn as _nn
from ...graph.dispatch import deferring
from ...linalg import matmul

_avg_pool, _conv2d, _dropout, _max_pool = _nn.avg_pool, _nn.conv2d, _nn.dropout, _nn.max_pool
_softmax, _log_softmax = _nn.softmax, _nn.log_softmax
_softmax_cross_entropy = _nn.softmax_cross_entropy_with_logits
_sparse_cross_entropy = _nn.sparse_softmax_cross_entropy_with_logits
_sigmoid_cross_entropy = _nn.sigmoid_cross_entropy_with_logits


@deferring
def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = "VALID", use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC", dilations: Any = None, name: Any = None, filters: Any = None,
) -> Any:  # fmt: skip
    """The convolution with a kernel of shape (height, width, in, out)."""
    kernel = filter if filters is None else filters
    return _conv2d(input, kernel, strides, padding, data_format=data_format, dilations=dilations)


@deferring
def xw_plus_b(x: Any, weights: Any, biases: Any, name: Any = None) -> Any:
    """x weights + biases."""
    return _nn.bias_add(matmul(x, weights), biases)


@deferring
def relu_layer(x: Any, weights: Any, biases: Any, name: Any = None) -> Any:
    """relu(x weights + biases)."""
    return _nn.relu(_nn.bias_add(matmul(x, weights), biases))


@deferring
def max_pool(
    value: Any = None, ksize: Any = None, strides: Any = None, padding: Any = "VALID", data_format: str = "NHWC",
    name: Any = None, input: Any = None,
) -> Any:  # fmt: skip
    """The largest value of each window."""
    return _max_pool(value if input is None else input, ksize, strides, padding, data_format=data_format)


@deferring
def avg_pool(
    value: Any = None, ksize: Any = None, strides: Any = None, padding: Any = "VALID", data_format: str = "NHWC",
    name: Any = None, input: Any = None,
) -> Any:  # fmt: skip
    """The mean of each window."""
    return _avg_pool(value if input is None else input, ksize, strides, padding, data_format=data_format)


@deferring
def dropout(
    x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: Any = None, name: Any = None, rate: Any = None
) -> Any:
    """Elements kept with probability `keep_prob` (or 1 - `rate`) and scaled by its inverse."""
    share = float(1.0 - keep_prob if rate is None else rate)
    return _dropout(x, share, noise_shape=noise_shape, seed=seed)


@deferring
def softmax(logits: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Any:
    """Probabilities from logits."""
    return _softmax(logits, axis=-1 if axis is None and dim is None else dim if axis is None else axis)


@deferring
def log_softmax(logits: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Any:
    """Logarithms of probabilities from logits."""
    return _log_softmax(logits, axis=-1 if axis is None and dim is None else dim if axis is None else axis)


@deferring
def softmax_cross_entropy_with_logits_v2(labels: Any, logits: Any, axis: Any = None, name: Any = None) -> Any:
    """The cross entropy of each row of logits with its row of probabilities."""
    return _softmax_cross_entropy(labels, logits, axis=-1 if axis is None else axis)


@deferring
def softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, dim: Any = -1, name: Any = None, axis: Any = None
) -> Any:
    """The cross entropy of each row of logits with its row of probabilities; no gradient flows to these."""
    from ...tensors import stop_gradient

    return _softmax_cross_entropy(stop_gradient(labels), logits, axis=dim if axis is None else axis)


@deferring
def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: Any = None
) -> Any:
    """The cross entropy of each row of logits with its class."""
    return _sparse_cross_entropy(labels, logits)


@deferring
def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: Any = None
) -> Any:
    """The cross entropy of each logit with its probability."""
    return _sigmoid_cross_entropy(labels, logits)


def __getattr__(name: str) -> Any:
    """What has the same form in TensorFlow 2."""
    return getattr(importlib.import_module("duograph.tf.nn"), name)
