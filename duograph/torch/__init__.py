"""The PyTorch face: `import duograph.torch as torch`.

Thin skins over `duograph.ops`, `duograph.functional`, `duograph.nn` and `duograph.optim`, under PyTorch's names.
"""

from __future__ import annotations

import math

from ..autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from ..autograd.anomaly import is_anomaly_enabled
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
from .amp import (
    GradScaler,
    autocast,
    get_autocast_cpu_dtype,
    get_autocast_dtype,
    get_autocast_gpu_dtype,
    is_autocast_cache_enabled,
    is_autocast_cpu_enabled,
    is_autocast_enabled,
)
from .compiler import compile
from .foreach import NAMES as _FOREACH
from .functions import (
    AcceleratorError,
    OutOfMemoryError,
    _assert,
    _int_mm,
    compiled_with_cxx11_abi,
    from_file,
    frombuffer,
    set_default_tensor_type,
    vander,
)
from .missing import missing
from .modes import (
    are_deterministic_algorithms_enabled,
    get_deterministic_debug_mode,
    get_float32_matmul_precision,
    get_num_interop_threads,
    get_num_threads,
    inference_mode,
    is_anomaly_check_nan_enabled,
    is_deterministic_algorithms_warn_only_enabled,
    is_inference_mode_enabled,
    is_warn_always_enabled,
    seed,
    set_anomaly_enabled,
    set_deterministic_debug_mode,
    set_float32_matmul_precision,
    set_flush_denormal,
    set_num_interop_threads,
    set_num_threads,
    set_warn_always,
    use_deterministic_algorithms,
)
from .native import NAMES as _NATIVE
from .serialization import load, save
from .sparse import coo as _coo
from .storage import TypedStorage, UntypedStorage, is_storage, resize_as_
from .substitution import install, uninstall
from .symbolic import (
    SymBool,
    SymFloat,
    SymInt,
    cond,
    sym_float,
    sym_int,
    sym_ite,
    sym_max,
    sym_min,
    sym_not,
    sym_sqrt,
    sym_sum,
    while_loop,
)
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
sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc, jagged = (
    f"torch.{name}" for name in ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged")
)
contiguous_format = "torch.contiguous_format"
channels_last = "torch.channels_last"
channels_last_3d = "torch.channels_last_3d"
preserve_format = "torch.preserve_format"
legacy_contiguous_format = contiguous_format
has_lapack = has_spectral = True
has_mkl = has_openmp = False
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
globals().update(_NATIVE)
globals().update(UNSUPPORTED)
mm, matmul, spmm, sparse_coo_tensor = _coo.mm, _coo.matmul, _coo.spmm, _coo.sparse_coo_tensor


name_after(__name__, {name: f for name, f in FUNCTIONS.items() if globals()[name] is f})


__getattr__ = missing(__name__, globals())


def __dir__() -> list[str]:
    import pkgutil

    return sorted({*globals(), *(module.name for module in pkgutil.iter_modules(__path__))})
