"""`torch.optim`: optimisers and learning rate schedules."""

from ... import optim as _optim
from ...optim import *
from ..missing import missing
from . import lr_scheduler, optimizer, swa_utils

__all__ = [*_optim.__all__, "lr_scheduler", "optimizer", "swa_utils"]
__getattr__ = missing(__name__, __all__)
