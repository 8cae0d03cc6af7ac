"""Operations made of primitives: recorded as one, expanded into primitives when first seen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .node import Attributes, Node


class Operation(Protocol):
    """What can be recorded: a primitive, a composite, or a vector-Jacobian product."""

    @property
    def name(self) -> str: ...

    def build(self, inputs: Sequence[Any], attributes: Attributes) -> tuple[Node, ...]:
        """The expansion into primitives; also where shapes and dtypes are checked. An absent input is None."""
        ...


class Composite:
    """A function in graph language: positional arguments are nodes (or None), keyword arguments are attributes.

    Called on nodes it expands in place; called on tensors it is recorded as one operation. The function returns one
    node or a tuple of nodes.

    `keeps_result` says that its gradient is a function of its result alone, as that of softmax is: then, as in PyTorch,
    the inputs may be overwritten before the gradient is asked for, and the result may not.
    """

    def __init__(self, function: Callable[..., Node | tuple[Node, ...]], keeps_result: bool = False) -> None:
        self.function = function
        self.keeps_result = keeps_result
        self.name = function.__name__
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<composite {self.name}>"

    def __call__(self, *arguments: Any, **attributes: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, Node):
                return self.function(*arguments, **attributes)
            if argument is not None and hasattr(argument, "_record"):
                return argument._record(self, arguments, tuple(attributes.items()))
        raise TypeError(f"{self.name} expects at least one tensor. Received: {[type(a).__name__ for a in arguments]}")

    def build(self, inputs: Sequence[Node | None], attributes: Attributes) -> tuple[Node, ...]:
        result = self.function(*inputs, **dict(attributes))
        return result if isinstance(result, tuple) else (result,)


def composite(function: Callable[..., Node | tuple[Node, ...]]) -> Composite:
    """Decorator: record `function` as one operation. Attributes must be hashable."""
    return Composite(function)


def composite_of_result(function: Callable[..., Node | tuple[Node, ...]]) -> Composite:
    """Decorator: as `composite`, for a function whose gradient can be written with its result alone."""
    return Composite(function, keeps_result=True)
