"""`tf.config` and `tf.device`: there is one device, the processor."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import duograph.torch as torch

from .function import functions_run_eagerly, run_functions_eagerly
from .missing import missing

__all__ = [
    "LogicalDevice", "LogicalDeviceConfiguration", "PhysicalDevice", "device", "enable_op_determinism",
    "experimental", "functions_run_eagerly", "get_logical_device_configuration", "get_soft_device_placement",
    "get_visible_devices", "list_logical_devices", "list_physical_devices", "optimizer", "run_functions_eagerly",
    "set_logical_device_configuration", "set_soft_device_placement", "set_visible_devices", "threading",
]  # fmt: skip


class PhysicalDevice(NamedTuple):
    """A device of the machine."""

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device as programs see it."""

    name: str
    device_type: str


class LogicalDeviceConfiguration(NamedTuple):
    """Limits of a part of a device. The processor has none."""

    memory_limit: Any = None
    experimental_priority: Any = None
    experimental_device_ordinal: Any = None


_PROCESSOR = PhysicalDevice("/physical_device:CPU:0", "CPU")


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The processor; nothing for other types."""
    return [_PROCESSOR] if device_type in (None, "CPU") else []


get_visible_devices = list_physical_devices


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The processor; nothing for other types."""
    return [LogicalDevice("/device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Which devices are used. Raises ValueError where the processor is not among them."""
    chosen = devices if isinstance(devices, list | tuple) else [devices]
    if device_type in (None, "CPU") and _PROCESSOR not in chosen:
        raise ValueError("tf.config.set_visible_devices: the processor is the one device there is, and it is needed")


def get_logical_device_configuration(device: PhysicalDevice) -> Any:
    """None: the device is one whole."""
    _own(device)


def set_logical_device_configuration(device: PhysicalDevice, logical_devices: Any) -> None:
    """One part is the device itself. Raises ValueError for more: the processor is not split."""
    _own(device)
    if len(logical_devices) != 1:
        raise ValueError(f"the processor is one device. Received: {len(logical_devices)} logical devices")


def _own(device: Any) -> None:
    if device != _PROCESSOR:
        raise ValueError(f"there is one device, {_PROCESSOR}. Received: {device}")


_soft_placement = True


def get_soft_device_placement() -> bool:
    """Whether an operation meant for a device that is not there runs on the processor."""
    return _soft_placement


def set_soft_device_placement(enabled: bool) -> None:
    """Whether an operation meant for a device that is not there runs on the processor, or `tf.device` raises."""
    global _soft_placement
    _soft_placement = bool(enabled)


@contextmanager
def device(device_name: Any) -> Iterator[None]:
    """A scope of a device. All is computed on the processor: for another one raises InvalidArgumentError if soft
    placement is off."""
    from .errors import InvalidArgumentError

    name = getattr(device_name, "name", device_name)
    if name is not None and not _soft_placement and not re.search(r"(?i)(^|[/:])cpu(:0)?$", str(name)):
        raise InvalidArgumentError(f"there is one device, the processor. Received: {name!r}")
    yield


class threading:
    """How many threads compute."""

    @staticmethod
    def get_intra_op_parallelism_threads() -> int:
        return torch.get_num_threads()

    @staticmethod
    def set_intra_op_parallelism_threads(num_threads: int) -> None:
        """0 leaves the choice as it is."""
        if num_threads:
            torch.set_num_threads(num_threads)

    @staticmethod
    def get_inter_op_parallelism_threads() -> int:
        return 1

    @staticmethod
    def set_inter_op_parallelism_threads(num_threads: int) -> None:
        """Plans run one after the other; operations inside a plan share the threads."""


class optimizer:
    """Choices about the compiler. Every step that is seen again is compiled, whatever is chosen."""

    _jit: Any = ""
    _options: dict[str, Any] = {}  # noqa: RUF012

    @classmethod
    def get_jit(cls) -> Any:
        return cls._jit

    @classmethod
    def set_jit(cls, enabled: Any) -> None:
        cls._jit = "autoclustering" if enabled is True else enabled or ""

    @classmethod
    def get_experimental_options(cls) -> dict[str, Any]:
        return dict(cls._options)

    @classmethod
    def set_experimental_options(cls, options: dict[str, Any]) -> None:
        cls._options.update(options)


# -- tf.config.experimental, which is this module too ------------------------------------------------------------------
def enable_op_determinism() -> None:
    """Nothing to do: a program gives the same bits each time."""


def get_memory_growth(device: PhysicalDevice) -> bool:
    """True: memory is taken as it is needed."""
    _own(device)
    return True


def set_memory_growth(device: PhysicalDevice, enable: bool) -> None:
    """Memory is taken as it is needed. Raises ValueError for a device that is not there."""
    _own(device)


def get_device_details(device: PhysicalDevice) -> dict[str, Any]:
    """What is known of a device beyond its name."""
    _own(device)
    return {}


def enable_tensor_float_32_execution(enabled: bool) -> None:
    """float32 is computed as float32. Asking for less precision changes nothing."""


def tensor_float_32_execution_enabled() -> bool:
    return False


def set_synchronous_execution(enable: bool) -> None:
    """Results are there when they are read, either way."""


def get_synchronous_execution() -> bool:
    return True


VirtualDeviceConfiguration = LogicalDeviceConfiguration
set_virtual_device_configuration = set_logical_device_configuration
get_virtual_device_configuration = get_logical_device_configuration
experimental = sys.modules[__name__]
_CLUSTER = "there is one machine and one device: leave the cluster out"

__getattr__ = missing(
    __name__,
    globals(),
    {
        "experimental_connect_to_cluster": _CLUSTER,
        "experimental_connect_to_host": _CLUSTER,
        "get_memory_info": "use Python's resource.getrusage",
        "get_memory_usage": "use Python's resource.getrusage",
        "reset_memory_stats": "use Python's resource.getrusage",
    },
)
