"""Where the weights of a module lie, and whether they are initialised."""

from __future__ import annotations

import inspect
from typing import Any

from ...graph.errors import ArgumentError
from ..module import Module


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """The module: the compiler lays out the weights of convolutions as its kernels read them."""
    return module


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """The module: the compiler lays out the weights of convolutions as its kernels read them."""
    return module


def skip_init(module_cls: Any, *args: Any, device: Any = "cpu", **kwargs: Any) -> Module:
    """A module whose parameters are still to be written: it is built without content, on the meta device.

    Raises ArgumentError (a RuntimeError) for a class that takes no `device`.
    """
    if not issubclass(module_cls, Module):
        raise ArgumentError(f"skip_init: expected a class of modules. Received: {module_cls.__name__}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise ArgumentError(f"skip_init: expected a class that takes device=. Received: {module_cls.__name__}")
    return module_cls(*args, device="meta", **kwargs).to_empty(device=device)
