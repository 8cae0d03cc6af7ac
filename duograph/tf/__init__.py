"""The TensorFlow face: `import duograph.tf as tf`.

`tf.keras` is the real Keras on Duograph's engine and loads when it is first used. Beside it stand TensorFlow's own
names, each a thin skin over the same operations that `duograph.torch` has.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import array, control, dialect, dtypes, errors, linalg, math, nn, random, structure, tensors
from . import structure as nest
from .array import *
from .control import *
from .custom import custom_gradient
from .dtypes import *
from .function import Function, TensorSpec, TypeSpec, function
from .keras_import import allow as allow_on_keras
from .linalg import einsum, eye, matmul, norm, tensordot
from .missing import missing
from .rooms import HOMES, INITIALIZERS, KERAS, ROOMS
from .substitution import install, uninstall
from .tape import GradientTape, UnconnectedGradients
from .tensors import *
from .variable import Variable, convert_to_tensor

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
dialect.install()

_V1 = "it is TensorFlow 1's: `import tensorflow.compat.v1 as tf` and `tf.disable_v2_behavior()`, or tf.compat.v1.{}"
_OF_V1 = """
    ConfigProto InteractiveSession Session app assign assign_add assign_sub disable_v2_behavior flags get_collection
    get_default_graph get_variable get_variable_scope gfile global_variables global_variables_initializer layers
    local_variables_initializer log logging placeholder placeholder_with_default py_func reset_default_graph
    set_random_seed to_float to_int32 trainable_variables variable_scope
"""
_ALTERNATIVES = {
    "contrib": "what TensorFlow 1 kept there is in tf.keras.layers, tf.keras.optimizers and tf.compat.v1",
    "experimental": "NumPy's functions on tensors are in tf.keras.ops, the rest has left the stage of experiments",
    "python": "it is private to TensorFlow: the same names are public in tf and tf.keras",
    **{name: _V1.format(name) for name in _OF_V1.split()},
    "lite": "TensorFlow Lite files are not written: save the model with model.save('model.keras')",
    "raw_ops": "the functions of tf, tf.math and tf.nn",
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
