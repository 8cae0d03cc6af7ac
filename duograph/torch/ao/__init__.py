"""`torch.ao`: of quantisation, what models of floating point numbers call."""

from ..missing import missing
from . import nn, quantization

__all__ = ["nn", "quantization"]
__getattr__ = missing(__name__, __all__)
