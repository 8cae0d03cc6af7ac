"""`torch.utils`."""

from ..missing import missing
from . import checkpoint, data

__all__ = ["checkpoint", "data"]
__getattr__ = missing(__name__, __all__)
