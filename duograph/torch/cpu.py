"""`torch.cpu`: the one device there is, for programs that choose among modules of devices."""

from __future__ import annotations

from typing import Any

from .missing import missing

__all__ = ["current_device", "device_count", "is_available", "is_initialized", "set_device", "synchronize"]


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """ "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """Accepted: there is one."""


def synchronize(device: Any = None) -> None:
    """Nothing to wait for: what is pending is computed when it is looked at."""


__getattr__ = missing(__name__, __all__)
