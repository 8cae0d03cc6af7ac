"""`torch._VF`: PyTorch's functions where nothing hides them, as some of its own programs call them."""

from __future__ import annotations

from ..ops import FUNCTIONS
from .missing import missing
from .native import NAMES

globals().update(FUNCTIONS, **NAMES)
__getattr__ = missing(__name__, globals())
