"""`torch._VF`: PyTorch's functions where nothing hides them, as some of its own programs call them."""

from __future__ import annotations

from ..ops import FUNCTIONS
from .missing import missing

globals().update(FUNCTIONS)
__getattr__ = missing(__name__, FUNCTIONS)
