"""Batch normalisation in use, taken into the weights of the convolution or the linear map before it."""

from __future__ import annotations

import copy
from typing import Any

from ...autograd import no_grad
from ...ops.creation import ones_like, zeros_like
from ...tensor.core import Tensor
from ..parameter import Parameter


def _in_use(what: str, *modules: Any) -> None:
    if any(module.training for module in modules):
        raise AssertionError(f"{what}: expected modules in use, after eval(). Received: one that is in training")
    if modules[1].running_mean is None or modules[1].running_var is None:
        raise AssertionError(f"{what}: expected running statistics. Received: track_running_stats=False")


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A copy of a convolution that does what the convolution and then the normalisation do in use.

    `transpose` says that the convolution is a transposed one. Raises AssertionError for a module in training.
    """
    _in_use("fuse_conv_bn_eval", conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None,
    bn_b: Tensor | None, transpose: bool = False,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """The weight and bias that a convolution has with a normalisation taken in.

    With scale s = w / sqrt(var + eps) a filter becomes s * filter, and the bias (bias - mean) * s + b.
    """
    with no_grad():
        scale = (ones_like(bn_rm) if bn_w is None else bn_w) * (bn_rv + bn_eps).rsqrt()
        axis = 1 if transpose else 0
        weight = conv_w * scale.reshape([-1 if k == axis else 1 for k in range(conv_w.ndim)])
        bias = ((zeros_like(bn_rm) if conv_b is None else conv_b) - bn_rm) * scale
        bias = bias if bn_b is None else bias + bn_b
        return (
            Parameter(weight.to(conv_w.dtype), conv_w.requires_grad),
            Parameter(
                bias.to(conv_w.dtype if conv_b is None else conv_b.dtype), conv_b is not None and conv_b.requires_grad
            ),
        )


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A copy of a linear map that does what the map and then the normalisation do in use.

    Raises AssertionError for a module in training, and for a normalisation of neither one nor all of the features.
    """
    _in_use("fuse_linear_bn_eval", linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise AssertionError(
            f"fuse_linear_bn_eval: expected a normalisation of {linear.out_features} features, or of 1. "
            f"Received: {bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor
) -> tuple[Parameter, Parameter]:
    """The weight and bias that a linear map has with a normalisation taken in: see `fuse_conv_bn_weights`."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
