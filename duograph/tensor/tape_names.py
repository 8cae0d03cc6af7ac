"""What PyTorch calls the operations on the tape: programs print tensors, and so these names."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "_clamp": "Clamp", "_clamp_high": "Clamp", "_clamp_low": "Clamp", "_fill_broadcast": "MaskedFill",
    "absolute": "Abs", "average": "Mean", "avg_pool": "AvgPool2D", "batch_norm_train": "NativeBatchNorm",
    "broadcast_to": "Expand", "cast": "ToCopy", "cholesky": "LinalgCholeskyEx", "conv": "Convolution",
    "conv_transpose": "Convolution", "copy": "Clone", "cross_entropy": "NllLoss", "determinant": "LinalgDet",
    "divide": "Div", "dropout": "Mul", "extreme_along": "Max", "gather": "Index", "group_norm": "NativeGroupNorm",
    "huber": "HuberLoss", "integer_power": "Pow", "joined": "Cat", "kl_div": "Div", "l1": "Mean", "largest": "Max",
    "layer_norm": "NativeLayerNorm", "linear": "Addmm", "log1p": "Log1P", "margin_ranking": "Mean", "matmul": "Mm",
    "max_pool": "MaxPool2DWithIndices", "mse": "MseLoss", "multiply": "Mul", "negative": "Neg", "nll": "NllLoss",
    "normalize": "Div", "pad": "ConstantPadNd", "power": "Pow", "prelu": "PreluKernel", "product": "Prod",
    "read_along": "Gather", "read_at": "IndexSelect", "reshape": "View", "reversed_axes": "Flip", "rolled": "Roll",
    "round_decimals": "Round", "running": "Cumsum", "select": "Where", "smallest": "Min", "smooth_l1": "SmoothL1Loss",
    "square": "Pow", "stacked": "Stack", "subtract": "Sub", "tiled": "Repeat", "total": "Sum",
    "triplet_margin": "Mean", "unfold": "Im2Col", "variance": "Var", "vector_norm": "LinalgVectorNorm",
}  # fmt: skip
_SECOND = {"_clamp", "_clamp_high", "_clamp_low"}
"""Operations that are the second of their name in PyTorch."""
_ALONG_AXES_SECOND = {"average": True, "total": True, "largest": False, "smallest": False}
"""Whether PyTorch's second of the name is the reduction along some axes, or that of all elements."""


def backward_name(op: Any, ndim: int) -> str:
    """The name of an operation whose result has `ndim` axes, such as "MulBackward0".

    It is PyTorch's where an operation here is one there, and else made of the name here.
    """
    name = op.name
    words = "".join(word[:1].upper() + word[1:] for word in name.strip("_").split("_"))
    second = name in _SECOND or (name in _ALONG_AXES_SECOND and _ALONG_AXES_SECOND[name] == (ndim > 0))
    return f"{_NAMES.get(name, words)}Backward{int(second)}"
