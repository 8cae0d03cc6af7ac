"""`tf.custom_gradient`: functions whose gradient is written by hand."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.graph.trace import Leaf, alias
from duograph.tensor import wrap

from .tape import tensor_of
from .tensors import Tensor, convert_to_tensor
from .variable import Variable

__all__ = ["custom_gradient"]

_TENSORS = (Tensor, bool, int, float, complex, np.ndarray, np.generic, list, tuple)


def custom_gradient(f: Callable[..., Any] | None = None) -> Any:
    """Decorator: `f(*tensors)` returns its results and a function from their gradients to those of the tensors.

    Where `f` uses variables, that function is also given `variables=`, a list of them, and returns a pair: the
    gradients of the tensors, and a list of those of the variables. Raises TypeError where it does not take `variables`.
    """
    if f is None:
        return custom_gradient

    @functools.wraps(f)
    def decorated(*arguments: Any, **keywords: Any) -> Any:
        given = [tensor_of(a) for a in arguments]
        given = [convert_to_tensor(a) if isinstance(a, _TENSORS) else a for a in given]
        results, gradient = f(*given, **keywords)
        if not torch.is_grad_enabled():
            return results
        flat = list(results) if isinstance(results, tuple | list) else [results]
        tensors = [a for a in given if isinstance(a, Tensor)]
        variables = _variables([r for r in flat if isinstance(r, Tensor)], tensors)
        if variables and not _takes_variables(gradient):
            raise TypeError(
                "custom_gradient: the function uses variables, so that the gradient function must take the keyword "
                f"`variables`. Received: {inspect.signature(gradient)}"
            )

        class Custom(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *_: Any) -> Any:
                apart = [wrap(alias(r._value, None)) if isinstance(r, Tensor) else r for r in flat]
                return type(results)(apart) if isinstance(results, tuple | list) else apart[0]

            @staticmethod
            def backward(ctx: Any, *upstream: Any) -> Any:
                if not variables:
                    return gradient(*upstream)
                of_tensors, of_variables = gradient(*upstream, variables=variables)
                return (*(of_tensors if isinstance(of_tensors, tuple | list) else [of_tensors]), *of_variables)

        return Custom.apply(*tensors, *variables)

    return decorated


def _variables(results: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The variables that the results depend on other than through the inputs, in the order of their use."""
    ends = {(t._value.origin, t._value.index) for t in inputs}
    found: dict[int, Tensor] = {}
    seen = set()
    waiting = [r._value for r in results]
    while waiting:
        value = waiting.pop()
        origin = value.origin
        if origin is None or origin in seen or (origin, value.index) in ends:
            continue
        seen.add(origin)
        if isinstance(origin, Leaf):
            owner = origin.owner()
            if isinstance(owner, Variable | torch.nn.Parameter):
                found[id(owner)] = owner
        else:
            waiting += [v for v in origin.inputs if v is not None]
    return list(found.values())[::-1]


def _takes_variables(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == "variables" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
