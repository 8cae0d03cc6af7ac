"""`torch.fft`: discrete Fourier transforms."""

from __future__ import annotations

from ..ops.define import name_after
from ..ops.fourier import FOURIER
from .missing import missing

globals().update(FOURIER)
name_after(__name__, FOURIER)
__all__ = [*sorted(FOURIER)]
__getattr__ = missing(__name__, __all__)
