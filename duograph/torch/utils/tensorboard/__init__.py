"""`torch.utils.tensorboard`: what a training loop writes for TensorBoard to draw."""

from ...missing import missing
from .writer import SummaryWriter

__all__ = ["SummaryWriter"]
__getattr__ = missing(__name__, __all__)
