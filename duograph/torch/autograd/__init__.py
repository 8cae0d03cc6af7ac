"""`torch.autograd`: the tape's functions, and operations with the user's own gradient."""

from __future__ import annotations

from ...autograd import backward, enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled
from ...autograd.anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from ..missing import missing
from ..modes import inference_mode
from . import functional
from .function import Function, FunctionCtx, once_differentiable
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .variable import Variable

__all__ = [
    "Function", "FunctionCtx", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "functional",
    "grad", "gradcheck", "gradgradcheck", "inference_mode", "is_anomaly_enabled", "is_grad_enabled", "no_grad",
    "once_differentiable", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
