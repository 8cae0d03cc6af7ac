"""`torch._dynamo`: what programs call of PyTorch's tracer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..graph.trace import local


def disable(function: Callable[..., Any] | None = None, recursive: bool = True, **_: Any) -> Any:
    """A function whose Python always runs: a compiled function that calls it is not replayed."""
    if function is None:
        return disable

    @functools.wraps(function)
    def always(*args: Any, **kwargs: Any) -> Any:
        if local.capture is not None:
            local.capture.spoil(
                f"it calls {getattr(function, '__name__', 'a function')}, which torch.compiler.disable keeps from it"
            )
        return function(*args, **kwargs)

    return always


def allow_in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`: whatever it records is in the graph."""
    return function


def reset() -> None:
    """There is no cache of traced bytecode."""


def is_compiling() -> bool:
    """False: what is compiled is recorded while its Python runs as always."""
    return False
