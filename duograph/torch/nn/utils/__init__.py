"""`torch.nn.utils`: tools for parameters and gradients."""

from ....nn import utils as _utils
from ....nn.utils import *
from ...missing import missing
from . import (
    clip_grad,
    convert_parameters,
    fusion,
    init,
    memory_format,
    parametrizations,
    parametrize,
    prune,
    rnn,
    stateless,
)

__all__ = [
    *_utils.__all__, "clip_grad", "convert_parameters", "fusion", "init", "memory_format", "parametrizations",
    "parametrize", "prune", "rnn", "stateless",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
