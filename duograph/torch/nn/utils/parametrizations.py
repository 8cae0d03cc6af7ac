"""`torch.nn.utils.parametrizations`: weights of given length, of spectral norm 1, or orthonormal."""

from ....nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm
from ...missing import missing

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
__getattr__ = missing(__name__, __all__)
