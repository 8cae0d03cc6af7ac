"""NumPy's functions of tensors, and what `numpy()` gives, against TensorFlow: classes, dtypes and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import duograph.tf as dt

from .tf_tools import tensorflow

pytestmark = pytest.mark.filterwarnings(  # TensorFlow's variables do not know NumPy 2's protocol; a root of -5
    "ignore:__array__ implementation:DeprecationWarning", "ignore:.*converting:RuntimeWarning", "ignore:invalid value"
)
TENSORS: dict[str, Callable[[Any], Any]] = {
    "float32": lambda tf: tf.constant([[1.0, 2.5, 3.0], [4.0, -5.0, 6.0]]),
    "int32": lambda tf: tf.constant([[3, 1, 2]]),
    "one float32": lambda tf: tf.constant(2.5),
    "one int64": lambda tf: tf.constant(3, tf.int64),
    "bool": lambda tf: tf.constant([True, False]),
    "variable": lambda tf: tf.Variable([3.0, 1.0, 2.0]),
    "one variable": lambda tf: tf.Variable(3.0),
}
NAMES = """
    mean std var sum prod max min any all cumsum cumprod argmax argmin argsort round ptp median squeeze ravel isnan
    exp sqrt abs sign unique count_nonzero histogram array asarray copy ones_like
"""
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda x: x.numpy(),
    **{name: getattr(np, name) for name in NAMES.split()},
    "clip": lambda x: np.clip(x, 0, 2),
    "reshape": lambda x: np.reshape(x, -1),
    "stack": lambda x: np.stack([x, x]),
    "allclose": lambda x: np.allclose(x, x),
    "where": lambda x: np.where(x, 1, 0),
    "maximum": lambda x: np.maximum(x, 2),
}


def outcome(function: Callable[[Any], Any], x: Any) -> Any:
    try:
        found = function(x)
    except TypeError:
        return TypeError
    first = found[0] if isinstance(found, tuple) else found
    return type(found), np.asarray(first).dtype, np.asarray(first)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", TENSORS)
def test_functions_of_tensors(kind: str, name: str) -> None:
    ours, theirs = (outcome(FUNCTIONS[name], TENSORS[kind](tf)) for tf in (dt, tensorflow))
    if theirs is TypeError:
        assert ours is TypeError
        return
    assert ours[:2] == theirs[:2]
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-6)
