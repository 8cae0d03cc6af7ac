"""`torch.optim.lr_scheduler`: learning rate schedules."""

from ...optim import lr_scheduler as _lr_scheduler
from ...optim.lr_scheduler import *
from ..missing import missing

__all__ = _lr_scheduler.__all__
__getattr__ = missing(__name__, __all__)
