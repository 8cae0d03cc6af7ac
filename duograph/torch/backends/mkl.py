"""`torch.backends.mkl`: MKL is not here."""

from __future__ import annotations

from ..missing import missing
from .absent import is_available

__all__ = ["is_available"]
__getattr__ = missing(__name__, __all__)
