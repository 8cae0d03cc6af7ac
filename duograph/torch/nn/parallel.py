"""`torch.nn.parallel`: wrappers for many devices, of which there is one here."""

from __future__ import annotations

from typing import Any

from ...graph.errors import NotSupported
from ...nn.module import Module


class DataParallel(Module):
    """A module spread over devices: with one device, the module itself, as `.module`."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        return self.module(*inputs, **keywords)


class DistributedDataParallel(Module):
    """A module trained by many processes: not supported, so that none can be made."""

    def __init__(self, module: Module, *_: Any, **__: Any) -> None:
        raise NotSupported("DistributedDataParallel: one process trains a module here. Use the module itself")


__all__ = ["DataParallel", "DistributedDataParallel"]
