"""`torch.backends.cudnn`: not here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..missing import missing
from .absent import is_available

__all__ = ["flags", "is_acceptable", "is_available", "version"]
enabled = False
benchmark = False
benchmark_limit = 10
deterministic = True
allow_tf32 = False
fp32_precision = "none"


def version() -> None:
    """None: there is no cuDNN."""


def is_acceptable(tensor: Any) -> bool:
    """False: there is no cuDNN."""
    return False


@contextmanager
def flags(**switches: Any) -> Iterator[None]:
    """Changes nothing."""
    yield


__getattr__ = missing(__name__, __all__)
