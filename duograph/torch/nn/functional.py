"""`torch.nn.functional`: functions of neural networks."""

from collections.abc import Callable
from typing import Any

from ...nn import functional as _functional
from ...nn.functional import *
from ..missing import missing
from ..native import conv_tbc
from ..overrides import has_torch_function, has_torch_function_unary, has_torch_function_variadic


def _with_indices(pool: Callable[..., Any]) -> Callable[..., Any]:
    def function(
        input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:  # fmt: skip
        return pool(input, kernel_size, output_size, output_ratio, True, _random_samples)

    function.__name__ = f"{pool.__name__}_with_indices"
    function.__doc__ = f"`{pool.__name__}` with the places of the maxima, whatever `return_indices` says."
    return function


fractional_max_pool2d_with_indices = _with_indices(_functional.fractional_max_pool2d)
fractional_max_pool3d_with_indices = _with_indices(_functional.fractional_max_pool3d)

__all__ = [
    *_functional.__all__, "conv_tbc", "fractional_max_pool2d_with_indices", "fractional_max_pool3d_with_indices",
    "has_torch_function", "has_torch_function_unary", "has_torch_function_variadic",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
