"""Duograph: one deep-learning engine with two faces, `duograph.torch` and `duograph.tf`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from . import graph  # fills the table of primitives  # isort: skip
from . import autograd, ops  # define the methods of Tensor
from .autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .graph.dtype import (
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .runtime.settings import eager, realize
from .tensor import Tensor
from .tensor.convert import from_numpy, tensor
from .tensor.core import method
from .transforms import grad, hessian, jacobian, jvp, value_and_grad, vjp, vmap

__version__ = "0.1.0"

_ROOMS = (
    "autograd",
    "data",
    "debug",
    "functional",
    "nn",
    "ops",
    "optim",
    "tf",
    "torch",
    "keras",
    "replay",
    "runtime",
    "show",
    "tree",
)


def __getattr__(name: str) -> Any:
    """Rooms load when first used; the array namespace comes from `array_api`."""
    if name == "compile":
        return importlib.import_module(".replay", __name__).compile
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    array_api = importlib.import_module(".array_api", __name__)
    try:
        found = globals()[name] = getattr(array_api, name)
    except AttributeError:
        raise AttributeError(f"module 'duograph' has no attribute {name!r}") from None
    return found


def __dir__() -> list[str]:
    array_api = importlib.import_module(".array_api", __name__)
    return sorted({*globals(), *_ROOMS, "compile", *vars(array_api)})


@method
def __array_namespace__(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """The namespace whose functions take this tensor, `duograph`.

    Raises ValueError for a version of the Array API standard that it does not follow.
    """
    importlib.import_module(".array_api.inspection", __name__).check_version(api_version)
    return sys.modules[__name__]
