"""`torch.nn.quantized`: the old place of `torch.ao.nn.quantized`."""

from ...ao.nn.quantized import FloatFunctional
from ...missing import missing

__all__ = ["FloatFunctional"]
__getattr__ = missing(__name__, __all__)
