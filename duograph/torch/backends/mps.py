"""`torch.backends.mps`: Apple's GPUs are not used."""

from __future__ import annotations

from ..missing import missing
from .absent import is_available, is_built

__all__ = ["is_available", "is_built"]
__getattr__ = missing(__name__, __all__)
