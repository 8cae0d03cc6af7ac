"""`torch.cuda`, so that device-agnostic programs choose the CPU."""

from __future__ import annotations

from typing import Any

from ...graph.errors import DeviceError
from ...ops.random import manual_seed
from ..functions import AcceleratorError, OutOfMemoryError
from ..missing import missing
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


def is_initialized() -> bool:
    """False: there is no CUDA device here."""
    return False


def memory_stats(device: Any = None) -> dict[str, Any]:
    """Nothing: there is no device that has memory."""
    return {}


def reset_peak_memory_stats(device: Any = None) -> None:
    """There is no device that has memory."""


reset_max_memory_allocated = reset_accumulated_memory_stats = ipc_collect = reset_peak_memory_stats


def get_rng_state_all() -> list[Any]:
    """The states of the generators of no device: none."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Raises DeviceError for any state: there is no device for it."""
    if list(new_states):
        raise _absent("set_rng_state_all")


def _absent(name: str) -> DeviceError:
    return DeviceError(f"torch.cuda.{name}: no CUDA device. Ask torch.cuda.is_available() first")


def _refused(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise _absent(name)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises DeviceError: there is no CUDA device."
    return refuse


for _name in (
    "Event", "Stream", "current_stream", "default_stream", "device", "get_device_capability", "get_rng_state", "init",
    "initial_seed", "mem_get_info", "memory_summary", "seed", "seed_all", "set_rng_state", "set_stream", "stream",
    "utilization",
):  # fmt: skip
    globals()[_name] = _refused(_name)
__getattr__ = missing(__name__, globals())
