"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...graph.errors import ArgumentError
from ...ops import FUNCTIONS
from ...tensor.core import Tensor


def parameters_to_vector(parameters: Iterable[Any]) -> Tensor:
    """All parameters, flattened, one after another."""
    return FUNCTIONS["cat"]([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Make consecutive parts of a vector the content of the parameters."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a Tensor. Received: {type(vec).__name__}")
    given = list(parameters)
    needed = sum(p.numel() for p in given)
    if vec.ndim != 1 or vec.shape[0] < needed:
        raise ArgumentError(
            f"vector_to_parameters: expected a vector of {needed} elements. Received: shape {tuple(vec.shape)}"
        )
    start = 0
    for parameter in given:
        stop = start + parameter.numel()
        parameter.data = vec[start:stop].reshape(parameter.shape).detach().clone()
        start = stop
