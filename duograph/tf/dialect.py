"""What operators and texts mean in modules that speak TensorFlow: see `duograph.graph.dialect`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from duograph.graph import dialect
from duograph.graph.errors import DuographError
from duograph.graph.node import PRIMITIVES as P
from duograph.tensor.core import META, NUMBERS, apply
from duograph.tensor.printing import to_text

from .errors import InvalidArgumentError, reported
from .math import operands, true_quotient
from .tensors import Tensor
from .text import described

_FACE = ("duograph.tf", "keras")
_OPERANDS = (Tensor, *NUMBERS, np.ndarray, list, tuple)
_WITHOUT_BOOL = {P[name] for name in ("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power")}


def install() -> None:
    """Let modules that hold TensorFlow's or Keras's names, and none of PyTorch's, speak TensorFlow."""
    texts: dict[str, Callable[[Any, bool], str]] = {"tensor": _of_tensor, "shape": _of_shape, "dtype": _of_dtype}
    dialect.register(dialect.Dialect(lambda name: name.startswith(_FACE), operate, InvalidArgumentError, texts))


@reported
def operate(op: Any, x: Any, y: Any) -> Any:
    """`op` on operands of one dtype; what is no tensor takes the dtype of the other. Integers divide to floats.

    Raises InvalidArgumentError for tensors of two dtypes, which TensorFlow does not mix.
    """
    if not (isinstance(x, _OPERANDS) and isinstance(y, _OPERANDS)):
        return NotImplemented
    x, y = operands(op.name, x, y)
    if op in _WITHOUT_BOOL and x.dtype.category == "bool":
        raise InvalidArgumentError(f"{op.name} expected numbers. Received: bool. Use tf.cast, or & and |")
    return true_quotient(x, y) if op is P["divide"] else apply(op, (x, y))


def _of_tensor(tensor: Tensor, plain: bool) -> str:
    try:
        if tensor.device == META:
            return to_text(tensor)
        array = tensor.detach()._array()
    except DuographError:  # it failed, and says so
        return to_text(tensor)
    kind = f"shape={tuple(tensor._value.shape)}, dtype={tensor._value.dtype.name}"
    content = described(array, plain)
    return f"tf.Tensor({content}, {kind})" if plain else f"<tf.Tensor: {kind}, numpy={content}>"


def _of_shape(shape: tuple[int, ...], plain: bool) -> str:
    return str(tuple(shape)) if plain else f"TensorShape({list(shape)})"


def _of_dtype(dtype: Any, plain: bool) -> str:
    return f"<dtype: {dtype.name!r}>" if plain else f"tf.{dtype.name}"
