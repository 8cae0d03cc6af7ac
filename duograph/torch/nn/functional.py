"""`torch.nn.functional`: functions of neural networks."""

from typing import Any

from ...nn import functional as _functional
from ...nn.functional import *
from ..missing import missing
from ..native import conv_tbc
from ..overrides import has_torch_function, has_torch_function_unary, has_torch_function_variadic


def fractional_max_pool2d_with_indices(*arguments: Any, **keywords: Any) -> Any:
    """`fractional_max_pool2d` with the places of the maxima."""
    return _functional.fractional_max_pool2d(*arguments, **{**keywords, "return_indices": True})


def fractional_max_pool3d_with_indices(*arguments: Any, **keywords: Any) -> Any:
    """`fractional_max_pool3d` with the places of the maxima."""
    return _functional.fractional_max_pool3d(*arguments, **{**keywords, "return_indices": True})


__all__ = [
    *_functional.__all__, "conv_tbc", "fractional_max_pool2d_with_indices", "fractional_max_pool3d_with_indices",
    "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
