"""`torch.special`: special functions."""

from __future__ import annotations

from ..ops.special import SPECIAL
from .missing import missing

globals().update(SPECIAL)
__all__ = [*sorted(SPECIAL)]
__getattr__ = missing(__name__, __all__)
