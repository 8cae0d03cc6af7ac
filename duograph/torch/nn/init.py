"""`torch.nn.init`: initial weights."""

from ...nn import init as _init
from ..missing import missing

__all__ = ["calculate_gain", *(name for name in vars(_init) if name.endswith("_") and not name.startswith("_"))]
__all__ += [name[:-1] for name in __all__ if hasattr(_init, name[:-1])]
globals().update({name: getattr(_init, name) for name in __all__})
__getattr__ = missing(__name__, __all__)
