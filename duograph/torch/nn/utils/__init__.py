"""`torch.nn.utils`: tools for parameters and gradients."""

from ....nn import utils as _utils
from ....nn.utils import *  # noqa: F403
from ...missing import missing
from . import clip_grad, convert_parameters, parametrizations, parametrize, rnn, stateless  # type: ignore[no-redef]

__all__ = _utils.__all__
__getattr__ = missing(__name__, __all__)
