"""`torch.nn.functional`: functions of neural networks."""

from ...nn import functional as _functional
from ...nn.functional import *
from ..missing import missing

__all__ = _functional.__all__
__getattr__ = missing(__name__, __all__)
