"""`torch._dynamo`: what programs call of PyTorch's tracer; there is no such tracer here, so nothing to turn off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def disable(function: Callable[..., Any] | None = None, recursive: bool = True, **_: Any) -> Any:
    """The function itself: everything is recorded the same way."""
    return function if function is not None else lambda f: f


def reset() -> None:
    """There is no cache of traced bytecode."""


def is_compiling() -> bool:
    """False: Python always runs."""
    return False
