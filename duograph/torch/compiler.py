"""`torch.compile`, and `torch.compiler`: what programs ask of PyTorch's compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._dynamo import disable, is_compiling, reset

__all__ = ["compile", "disable", "is_compiling", "reset"]


def compile(
    model: Callable[..., Any] | None = None, *, fullgraph: bool = False, dynamic: bool | None = None,
    backend: Any = "inductor", mode: str | None = None, options: Any = None, disable: bool = False,
) -> Any:  # fmt: skip
    """A function or module whose calls run without their Python once they have been seen twice: `duograph.compile`.

    The same with every backend, mode and option; with `disable` the function itself. Usable as a decorator, with
    arguments or without.
    """
    if model is None:
        return lambda function: compile(function, disable=disable)
    if disable:
        return model
    from ..replay import compile as compiled

    return compiled(model)
