"""`torch.backends`: switches of backends that are not here, accepted so that portable programs run.

Each module's switches can be set and change nothing.
"""

from __future__ import annotations

from ..missing import missing
from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
fp32_precision = "none"
__getattr__ = missing(__name__, __all__)
