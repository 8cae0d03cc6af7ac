"""`torch.nn.parallel`: wrappers for many devices, of which there is one here."""

from __future__ import annotations

from typing import Any

from ...nn.module import Module
from .. import distributed
from ..missing import missing


class DataParallel(Module):
    """A module spread over devices: with one device, the module itself, as `.module`."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        return self.module(*inputs, **keywords)


class DistributedDataParallel(DataParallel):
    """A module trained by all members of a group: of one member, the module itself, as `.module`.

    Raises ArgumentError (a ValueError) before `torch.distributed.init_process_group`.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, **_: Any) -> None:
        distributed.get_world_size()
        super().__init__(module)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """A module called on devices: with one device, its call."""
    given = inputs if isinstance(inputs, tuple) else () if inputs is None else (inputs,)
    return module(*given, **(module_kwargs or {}))


__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
__getattr__ = missing(__name__, __all__)
