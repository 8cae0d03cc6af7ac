"""`torch.return_types`: the classes of named results, such as that of `torch.max(x, 0)`."""

from ..ops.results import RESULTS
from .missing import missing

globals().update(RESULTS)
__all__ = [*RESULTS]
__getattr__ = missing(__name__, __all__)
