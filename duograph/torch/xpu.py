"""`torch.xpu`, so that device-agnostic programs choose the CPU."""

from __future__ import annotations

from .missing import missing

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """False: there is one device, cpu."""
    return False


def device_count() -> int:
    """0."""
    return 0


__getattr__ = missing(__name__, __all__)
