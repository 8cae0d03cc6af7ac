"""`torch.backends.mkldnn`: oneDNN is not here."""

from __future__ import annotations

from ..missing import missing
from .absent import is_available

__all__ = ["is_available"]
enabled = False
allow_tf32 = False
deterministic = True
__getattr__ = missing(__name__, __all__)
