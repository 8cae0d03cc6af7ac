"""The PyTorch face: `import duograph.torch as torch`.

Thin skins over `duograph.ops`, `duograph.functional`, `duograph.nn` and `duograph.optim`, under PyTorch's names.
"""

from __future__ import annotations

import importlib
import math
from importlib.machinery import PathFinder
from typing import Any

from ..autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from ..graph.dtype import (
    UNSUPPORTED,
    DType,
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from ..ops import FUNCTIONS
from ..ops.casting import finfo, iinfo
from ..ops.creation import get_default_device, set_default_device
from ..ops.define import name_after
from ..ops.random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, set_rng_state
from ..runtime.settings import realize
from ..tensor.core import Size, Tensor, get_default_dtype, set_default_dtype
from ..tensor.device import Device as device
from ..tensor.printing import set_printoptions
from ..transforms import vmap
from . import functions, multiprocessing
from .aliases import NAMES as _ALIASES
from .amp import GradScaler, autocast, get_autocast_dtype, is_autocast_enabled
from .compiler import compile
from .foreach import NAMES as _FOREACH
from .functions import _assert, _int_mm, frombuffer, set_default_tensor_type, vander
from .missing import missing
from .modes import (
    are_deterministic_algorithms_enabled,
    get_float32_matmul_precision,
    get_num_interop_threads,
    get_num_threads,
    inference_mode,
    is_inference_mode_enabled,
    seed,
    set_float32_matmul_precision,
    set_flush_denormal,
    set_num_interop_threads,
    set_num_threads,
    use_deterministic_algorithms,
)
from .serialization import load, save
from .substitution import install, uninstall
from .windows import bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window

__version__ = "2.13.0"
"""The version of PyTorch whose names and meanings this module follows; Duograph's own is `duograph.__version__`."""

dtype = DType
float = float32
double = float64
half = float16
cfloat = complex64
cdouble = complex128
long = int64
int = int32
short = int16
bool = bool_
strided = "torch.strided"
contiguous_format = "torch.contiguous_format"
channels_last = "torch.channels_last"
channels_last_3d = "torch.channels_last_3d"
preserve_format = "torch.preserve_format"
pi, e, inf, nan, newaxis = math.pi, math.e, math.inf, math.nan, None
FloatTensor = functions.legacy_type("FloatTensor", float32)
DoubleTensor = functions.legacy_type("DoubleTensor", float64)
LongTensor = functions.legacy_type("LongTensor", int64)
IntTensor = functions.legacy_type("IntTensor", int32)
BoolTensor = functions.legacy_type("BoolTensor", bool_)
ByteTensor = functions.legacy_type("ByteTensor", uint8)

HalfTensor = functions.legacy_type("HalfTensor", float16)
BFloat16Tensor = functions.legacy_type("BFloat16Tensor", bfloat16)
ShortTensor = functions.legacy_type("ShortTensor", int16)
CharTensor = functions.legacy_type("CharTensor", int8)
layout = memory_format = str

globals().update(FUNCTIONS)
globals().update(_ALIASES)
globals().update(_FOREACH)
globals().update(UNSUPPORTED)


name_after(__name__, {name: f for name, f in FUNCTIONS.items() if globals()[name] is f})


class SymInt:
    """What PyTorch's tracer uses for an unknown size; sizes are plain integers here, so none is ever made."""


class SymFloat:
    """What PyTorch's tracer uses for an unknown number; none is ever made here."""


class SymBool:
    """What PyTorch's tracer uses for an unknown truth; none is ever made here."""


_missing = missing(__name__, globals())


def __getattr__(name: str) -> Any:
    """Modules of the face load when first used."""
    if not name.startswith("__") and PathFinder.find_spec(f"{__name__}.{name}", __path__) is not None:
        return importlib.import_module(f".{name}", __name__)
    return _missing(name)


def __dir__() -> list[str]:
    import pkgutil

    return sorted({*globals(), *(module.name for module in pkgutil.iter_modules(__path__))})
