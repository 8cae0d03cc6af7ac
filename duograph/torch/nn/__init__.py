"""`torch.nn`: modules, layers and losses."""

from ... import nn as _nn
from ...nn import *
from ..missing import missing
from . import attention, functional, init, modules, parallel, parameter, utils
from .parallel import DataParallel

__all__ = [
    *_nn.__all__, "DataParallel", "attention", "functional", "init", "modules", "parallel", "parameter", "utils",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
