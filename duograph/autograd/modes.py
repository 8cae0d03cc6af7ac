"""Whether operations are taped, by thread."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..graph.trace import local


class _GradientMode:
    """Context manager and decorator that sets whether operations are taped in this thread."""

    mode = True

    def __init__(self, mode: bool | None = None) -> None:
        if mode is not None:
            self.mode = bool(mode)
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(local.gradients)
        local.gradients = self.mode

    def __exit__(self, *_: object) -> None:
        local.gradients = self.before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            with type(self)(self.mode) if type(self) is set_grad_enabled else type(self)():
                return function(*arguments, **keywords)

        return wrapped


class no_grad(_GradientMode):
    """Nothing is taped inside: results do not require gradients."""

    mode = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        # @no_grad without parentheses
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__()


class enable_grad(no_grad):
    """Operations are taped inside, also within no_grad()."""

    mode = True


class set_grad_enabled(_GradientMode):
    """Tape or not from here on; as a context manager, until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self.before.append(local.gradients)
        local.gradients = self.mode

    def __enter__(self) -> None:
        local.gradients = self.mode


def is_grad_enabled() -> bool:
    """Whether operations are taped in this thread."""
    return local.gradients
