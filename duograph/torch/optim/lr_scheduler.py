"""`torch.optim.lr_scheduler`: learning rate schedules."""

from ...optim import lr_scheduler as _lr_scheduler
from ...optim.lr_scheduler import *
from ...optim.lr_scheduler import _LRScheduler  # noqa: F401 - what programs from before PyTorch 2 derive from
from ..missing import missing

__all__ = _lr_scheduler.__all__
__getattr__ = missing(__name__, __all__)
