"""`torch.utils.benchmark`: how long statements take."""

from ...missing import missing
from .compare import Compare
from .timer import Measurement, Timer

__all__ = ["Compare", "Measurement", "Timer"]
__getattr__ = missing(__name__, __all__)
