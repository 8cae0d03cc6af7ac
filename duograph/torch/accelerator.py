"""`torch.accelerator`, so that device-agnostic programs choose the CPU."""

from __future__ import annotations

from typing import Any

from ..graph.errors import DeviceError
from .missing import missing

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "device_count",
    "device_index",
    "is_available",
    "set_device_idx",
    "set_device_index",
    "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """False: there is no accelerator here."""
    return False


def current_accelerator(check_available: bool = False) -> None:
    """None: there is no accelerator here."""
    return


def device_count() -> int:
    """0."""
    return 0


def _none(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise DeviceError(f"torch.accelerator.{name}: no accelerator. Ask torch.accelerator.is_available() first")

    refuse.__name__ = name
    refuse.__doc__ = "Raises DeviceError: there is no accelerator."
    return refuse


current_device_index = current_device_idx = _none("current_device_index")
set_device_index = set_device_idx = _none("set_device_index")
synchronize = _none("synchronize")
device_index = _none("device_index")
__getattr__ = missing(__name__, __all__)
