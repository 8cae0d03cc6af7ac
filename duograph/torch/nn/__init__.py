"""`torch.nn`: modules, layers and losses."""

from ... import nn as _nn
from ...nn import *  # noqa: F403
from ..missing import missing
from . import functional, init, modules, parameter, utils

__all__ = [*_nn.__all__, "modules", "parameter"]
__getattr__ = missing(__name__, __all__)
