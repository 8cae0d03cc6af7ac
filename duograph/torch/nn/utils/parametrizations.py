"""`torch.nn.utils.parametrizations`: weights of given length, or of spectral norm 1."""

from ....nn.utils.parametrizations import spectral_norm, weight_norm
from ...missing import missing

__all__ = ["spectral_norm", "weight_norm"]
__getattr__ = missing(__name__, __all__)
