"""`torch.ao.nn`: see `torch.ao.quantization`."""

from ...missing import missing
from . import quantized

__all__ = ["quantized"]
__getattr__ = missing(__name__, __all__)
