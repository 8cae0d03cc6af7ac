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
from .function import Function, TensorSpec, function
from .keras_import import allow as allow_on_keras
from .linalg import einsum, eye, matmul, norm, tensordot
from .missing import missing
from .substitution import install, uninstall
from .tape import GradientTape, UnconnectedGradients, custom_gradient
from .tensors import *
from .variable import Variable

newaxis = None
_FROM_MATH = """
    abs acos acosh add add_n argmax argmin asin asinh atan atan2 atanh ceil clip_by_value cos cosh cumsum divide equal
    exp floor greater greater_equal less less_equal logical_and logical_not logical_or maximum minimum multiply negative
    not_equal pow reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum round
    sigmoid sign sin sinh sqrt square subtract tan tanh truediv
"""
globals().update({name: getattr(math, name) for name in _FROM_MATH.split()})

_KERAS = {"initializers", "losses", "metrics", "optimizers"}
"""Modules of Keras that TensorFlow shows at its top too."""
_ALTERNATIVES = {
    "Session": "operations run as they stand: call them and read the result",
    "compat": "TensorFlow 1 graphs are not built: write the program with tf.Variable and tf.GradientTape",
    "config": "there is nothing to configure: Duograph uses the processor it runs on",
    "data": "pass arrays, a generator, a tf.keras.utils.PyDataset or a duograph.torch DataLoader to fit",
    "device": "there is one device, the processor: leave the scope out",
    "distribute": "there is one device: leave the strategy out",
    "image": "use tf.keras.ops.image or tf.keras.layers (Resizing, RandomFlip, ...)",
    "io": "read files with Python's own open() and NumPy",
    "lite": "not built",
    "lookup": "use tf.keras.layers.IntegerLookup or StringLookup",
    "ragged": "pad to one length and pass a mask",
    "saved_model": "use model.save('model.keras') and tf.keras.models.load_model",
    "signal": "use tf.keras.ops (fft, rfft, stft, ...)",
    "sparse": "tensors are dense: use dense arrays",
    "string": "tensors hold numbers: encode text with tf.keras.layers.TextVectorization",
    "strings": "tensors hold numbers: process text in Python or with tf.keras.layers.TextVectorization",
    "summary": "use tf.keras.callbacks.CSVLogger, or read the history that fit returns",
    "train": "use model.save_weights and load_weights",
}

_missing = missing(__name__, globals(), _ALTERNATIVES)


def __getattr__(name: str) -> Any:
    """`keras`, Keras's modules, and errors for what is not built."""
    if name == "keras":
        return importlib.import_module("duograph.tf.keras")
    if name in _KERAS:
        return getattr(importlib.import_module("duograph.tf.keras"), name)
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*(n for n in globals() if not n.startswith("_")), "keras", *_KERAS})
