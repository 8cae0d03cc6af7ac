"""`torch.autograd.grad_mode`: whether operations are taped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...autograd import enable_grad, no_grad, set_grad_enabled
from ..missing import missing
from ..modes import inference_mode

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]


@contextmanager
def set_multithreading_enabled(mode: bool) -> Iterator[None]:
    """A block; the tape is walked by the thread that asks, and what it records is computed on all."""
    yield


__getattr__ = missing(__name__, __all__)
