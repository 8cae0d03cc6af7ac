"""`torch.profiler`: blocks with a name. For times, see DUOGRAPH_LOG=profile."""

from __future__ import annotations

import contextlib

from .missing import missing

__all__ = ["record_function"]


class record_function(contextlib.ContextDecorator):
    """A block with a name in PyTorch's profile: the block itself."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *_: object) -> None:
        return None


__getattr__ = missing(__name__, __all__)
