"""Names of `torch` itself for what stands in `torch.nn.functional` or is a method of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..nn import functional as F
from ..ops import FUNCTIONS
from ..ops.define import name_after
from ..tensor.core import Tensor, method

_FUNCTIONAL = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "bilinear", "celu", "celu_", "channel_shuffle",
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity",
    "group_norm", "hardshrink", "layer_norm", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool3d",
    "native_channel_shuffle", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu", "rms_norm",
    "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_",
)  # fmt: skip
_IN_PLACE = (
    "abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh",
    "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical", "cos", "cosh", "deg2rad",
    "detach", "erf", "erfc", "exp", "exp2", "expm1", "fill", "fix", "floor", "frac", "gcd", "i0", "index_put",
    "lcm", "ldexp", "log", "log10", "log1p", "log2", "logit", "nan_to_num", "neg", "negative", "rad2deg",
    "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh",
    "trunc", "xlogy", "zero",
)  # fmt: skip


def _of_method(name: str) -> Callable[..., Tensor]:
    own = getattr(Tensor, name)

    def function(input: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        return own(input, *arguments, **keywords)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The method `{name}` of a tensor."
    return function


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.dropout`."""
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.dropout`, in place."""
    return F.dropout(input, p, train, inplace=True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.alpha_dropout`."""
    return F.alpha_dropout(input, p, train)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.feature_alpha_dropout`."""
    return F.feature_alpha_dropout(input, p, train)


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """`torch.nn.functional.embedding`, the table first; `padding_idx` -1 is none."""
    padding = None if padding_idx < 0 else padding_idx
    return F.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, momentum: float, eps: float, cudnn_enabled: bool = False,
) -> Tensor:  # fmt: skip
    """`torch.nn.functional.batch_norm`, with its arguments in another order."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def range(
    start: float, end: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`arange` with its end, as float32 unless told otherwise; PyTorch advises against it."""
    start, end = (0, start) if end is None else (start, end)
    last = end + step / 2 if (end - start) % step == 0 else end
    made = FUNCTIONS["arange"](float(start), float(last), step, dtype=dtype, device=device)
    return made.requires_grad_() if requires_grad else made


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of one number, in the shape and dtype of `input`."""
    return input.clone().fill_(value)


def detach(input: Tensor) -> Tensor:
    """The method `detach` of a tensor."""
    return input.detach()


def typename(obj: Any) -> str:
    """The name of a tensor's type, such as "torch.FloatTensor", or of an object's class."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__


for _name in ("hardshrink", "prelu"):
    method(getattr(F, _name), _name)
NAMES: dict[str, Any] = {
    **{name: getattr(F, name) for name in _FUNCTIONAL},
    **{f"{name}_": _of_method(f"{name}_") for name in _IN_PLACE},
    **{
        made.__name__: made
        for made in (
            alpha_dropout, batch_norm, detach, dropout, dropout_, embedding, feature_alpha_dropout, fill, range,
            typename,
        )
    },
}  # fmt: skip
"""What `torch` exports from here."""
name_after(__name__, NAMES)
