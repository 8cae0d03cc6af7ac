"""The TensorFlow face: `import duograph.tf as tf`.

`tf.keras` is the real Keras on Duograph's engine and loads when it is first used. Beside it stand TensorFlow's own
names, each a thin skin over the same operations that `duograph.torch` has.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import array, control, dtypes, errors, linalg, math, nn, random, structure, tensors
from . import structure as nest
from .array import *
from .control import *
from .dtypes import *
from .function import Function, TensorSpec, TypeSpec, function
from .keras_import import allow as allow_on_keras
from .linalg import einsum, eye, matmul, norm, tensordot
from .missing import missing
from .rooms import HOMES, INITIALIZERS, KERAS, ROOMS
from .substitution import install, uninstall
from .tape import GradientTape, UnconnectedGradients, custom_gradient
from .tensors import *
from .variable import Variable

newaxis = None
__version__ = "2.21.0"
"""The TensorFlow whose behaviour this face has."""
_FROM_MATH = """
    abs acos acosh add add_n argmax argmin asin asinh atan atan2 atanh ceil clip_by_value cos cosh cumsum divide equal
    exp floor greater greater_equal less less_equal logical_and logical_not logical_or maximum minimum multiply negative
    not_equal pow reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum round
    sigmoid sign sin sinh sqrt square subtract tan tanh truediv
    complex realdiv saturate_cast scalar_mul truncatediv truncatemod
"""
globals().update({name: getattr(math, name) for name in _FROM_MATH.split()})

_ALTERNATIVES = {
    "Session": "graphs are in tf.compat.v1: use tf.compat.v1.Session",
    "lite": "TensorFlow Lite files are not written: save the model with model.save('model.keras')",
    "saved_model": "use model.save('model.keras') and tf.keras.models.load_model",
}

_missing = missing(__name__, globals(), _ALTERNATIVES)


def __getattr__(name: str) -> Any:
    """`keras`, Keras's modules, what loads when it is first used, and errors for what is not built."""
    if name == "keras" or name in ROOMS:
        return importlib.import_module(f"duograph.tf.{name}")
    if name in HOMES:
        found = globals()[name] = getattr(importlib.import_module(f"duograph.tf.{HOMES[name]}"), name)
        return found
    if name in KERAS:
        return getattr(importlib.import_module("duograph.tf.keras"), name)
    if name in INITIALIZERS:
        return getattr(importlib.import_module("duograph.tf.keras").initializers, INITIALIZERS[name])
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*(n for n in globals() if not n.startswith("_")), "keras", *ROOMS, *HOMES, *KERAS, *INITIALIZERS})
