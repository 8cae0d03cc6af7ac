"""`torch.quantization`: the old place of `torch.ao.quantization`."""

from .ao.quantization import DeQuantStub, QuantStub, QuantWrapper, fuse_modules
from .missing import missing

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper", "fuse_modules"]
__getattr__ = missing(__name__, __all__)
