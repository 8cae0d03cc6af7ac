"""`torch.special`: special functions."""

from __future__ import annotations

from ..ops.define import name_after
from ..ops.special import SPECIAL
from .missing import missing

globals().update(SPECIAL)
name_after(__name__, SPECIAL)
__all__ = [*sorted(SPECIAL)]
__getattr__ = missing(__name__, __all__)
