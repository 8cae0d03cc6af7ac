"""`torch.cuda`, so that device-agnostic programs choose the CPU."""

from __future__ import annotations

from typing import Any

from ...graph.errors import DeviceError
from ...ops.random import manual_seed
from . import amp


def is_available() -> bool:
    """False: there is no CUDA device here."""
    return False


def device_count() -> int:
    """0."""
    return 0


def is_bf16_supported() -> bool:
    """False: there is no CUDA device here."""
    return False


def manual_seed_all(seed: int) -> None:
    """Seeds the one generator there is."""
    manual_seed(seed)


def empty_cache() -> None:
    """Nothing is cached on a device that is not there."""


def memory_allocated(device: Any = None) -> int:
    """0: there is no device that has memory."""
    return 0


memory_reserved = max_memory_allocated = max_memory_reserved = memory_allocated


def set_device(device: Any) -> None:
    """Raises DeviceError: there is none."""
    raise DeviceError("torch.cuda.set_device: no CUDA device. Ask torch.cuda.is_available() first")


def get_device_properties(device: Any = None) -> Any:
    """Raises DeviceError: there is none."""
    raise DeviceError("torch.cuda.get_device_properties: no CUDA device. Ask torch.cuda.is_available() first")


def synchronize(device: Any = None) -> None:
    """There is no device to wait for."""
    raise DeviceError("torch.cuda.synchronize: no CUDA device. Ask torch.cuda.is_available() first")


def current_device() -> int:
    """Raises DeviceError: there is none."""
    raise DeviceError("torch.cuda.current_device: no CUDA device. Ask torch.cuda.is_available() first")


def get_device_name(device: Any = None) -> str:
    """Raises DeviceError: there is none."""
    raise DeviceError("torch.cuda.get_device_name: no CUDA device. Ask torch.cuda.is_available() first")
