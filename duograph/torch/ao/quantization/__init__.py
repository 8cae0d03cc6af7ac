"""`torch.ao.quantization`: what models that can be quantised call while they are of floating point numbers.

Numbers are not quantised here: `prepare`, `convert` and their kin raise.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ....graph.errors import ArgumentError
from ....nn import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Conv1d,
    Conv2d,
    Conv3d,
    Identity,
    Linear,
    Module,
    ReLU,
    Sequential,
)
from ....nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from ...missing import missing

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper", "fuse_modules"]


class QuantStub(Module):
    """Where numbers would be quantised: they stay as they are."""

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class DeQuantStub(QuantStub):
    """Where numbers would become floating point again: they are."""


class QuantWrapper(Module):
    """A module between the two stubs."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.quant = QuantStub()
        self.dequant = DeQuantStub()
        self.add_module("module", module)

    def forward(self, X: Any) -> Any:
        return self.dequant(self.module(self.quant(X)))


_NORMS = {Conv1d: BatchNorm1d, Conv2d: BatchNorm2d, Conv3d: BatchNorm3d, Linear: BatchNorm1d}


def _fused(modules: Sequence[Module]) -> Module:
    """One module that does what several do in use."""
    first, *rest = modules
    kinds = [type(module) for module in modules]
    if type(first) not in _NORMS or kinds[1:] not in (
        [_NORMS[type(first)]], [_NORMS[type(first)], ReLU], [ReLU]
    ):  # fmt: skip
        names = ", ".join(kind.__name__ for kind in kinds)
        raise AssertionError(
            f"fuse_modules: expected a convolution or Linear, then a normalisation, ReLU, or both. Received: {names}"
        )
    if kinds[1] is not ReLU and any(module.training for module in modules):
        raise AssertionError("fuse_modules: expected modules in use, after eval(). Received: modules in training")
    fuse = fuse_linear_bn_eval if type(first) is Linear else fuse_conv_bn_eval
    made = first if kinds[1] is ReLU else fuse(first, rest[0])
    return Sequential(made, rest[-1]) if kinds[-1] is ReLU else made


def fuse_modules(
    model: Module, modules_to_fuse: Any, inplace: bool = False, fuser_func: Any = None,
    fuse_custom_config_dict: Any = None,
) -> Module:  # fmt: skip
    """A model in which normalisations are taken into the weights before them: what comes after the first is Identity.

    `modules_to_fuse` are names, or lists of them. Raises AssertionError for other kinds of modules than
    convolutions or Linear, BatchNorm and ReLU in this order, and for normalisations in training.
    """
    if fuser_func is not None or fuse_custom_config_dict is not None:
        raise ArgumentError("fuse_modules: expected no functions of one's own to fuse modules")
    model = model if inplace else copy.deepcopy(model)
    groups = [modules_to_fuse] if isinstance(modules_to_fuse[0], str) else modules_to_fuse
    for names in groups:
        made = _fused([model.get_submodule(name) for name in names])
        model.set_submodule(names[0], made)
        for name in names[1:]:
            model.set_submodule(name, Identity().eval())
    return model


__getattr__ = missing(__name__, __all__)
