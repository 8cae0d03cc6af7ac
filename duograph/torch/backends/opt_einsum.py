"""`torch.backends.opt_einsum`: `einsum` finds its order of products by itself."""

from __future__ import annotations

from ..missing import missing
from .absent import is_available

__all__ = ["is_available"]
enabled = False
strategy = None
__getattr__ = missing(__name__, __all__)
