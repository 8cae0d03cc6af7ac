"""Strings as inputs of Keras's models, whose first layers look them up or split them.

On TensorFlow they are tensors like others. Keras's PyTorch backend knows none, so the few functions through which
inputs go before they reach a layer are amended here, and the layers that ask whether there are such tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from . import array
from .keras_amendments import _replace, amends
from .ragged import RaggedTensor
from .sparse import SparseTensor
from .text import StringTensor, is_text


def holds_text(x: Any) -> bool:
    """Whether something is a tensor or an array of strings."""
    return type(x) is StringTensor or (isinstance(x, np.ndarray) and is_text(x))


@amends("keras.src.backend.torch.core")
def _conversion(module: ModuleType) -> None:
    convert, is_number, to_numpy = module.convert_to_tensor, module.is_tensor, module.convert_to_numpy

    def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
        if holds_text(x) and (dtype is None or module.standardize_dtype(dtype) == "string"):
            return x if type(x) is StringTensor else StringTensor(x)
        return convert(x, dtype, sparse, ragged)

    def is_tensor(x: Any) -> bool:
        return is_number(x) or type(x) is StringTensor

    def convert_to_numpy(x: Any) -> Any:
        return np.asarray(x) if type(x) is StringTensor else to_numpy(x)

    _replace(module, convert_to_tensor, is_tensor, convert_to_numpy)


@amends("keras.src.backend.torch.numpy")
def _ranks(module: ModuleType) -> None:
    """A model adds and drops axes of its inputs to fit."""
    names = ("expand_dims", "squeeze")
    _replace(module, *(_of_text_too(getattr(module, name), getattr(array, name)) for name in names))


def _of_text_too(numbers: Callable[..., Any], both: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, axis: Any = None) -> Any:
        return (both if type(x) is StringTensor else numbers)(x, axis)

    function.__name__ = numbers.__name__
    return function


@amends("keras.src.utils.backend_utils")
def _results(module: ModuleType) -> None:
    """Rows of unequal length, and sparse results, leave a layer as they are."""
    convert = module.convert_tf_tensor

    def convert_tf_tensor(outputs: Any, dtype: Any = None) -> Any:
        return outputs if isinstance(outputs, RaggedTensor | SparseTensor) else convert(outputs, dtype)

    _replace(module, convert_tf_tensor)


class _WithStrings:
    """Keras's backend, which says that its tensors are TensorFlow's."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def backend(self) -> str:
        return "tensorflow"


def _have_strings(module: ModuleType) -> None:
    """Layers of strings give ragged and sparse tensors, and call a user's function with tensors."""
    vars(module)["backend"] = _WithStrings(module.backend)


for _name in ("text_vectorization", "string_lookup", "integer_lookup"):
    amends(f"keras.src.layers.preprocessing.{_name}")(_have_strings)
