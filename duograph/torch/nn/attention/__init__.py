"""`torch.nn.attention`: which implementation of attention to use. There is one, so the choice changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from ...missing import missing


class SDPBackend(Enum):
    """PyTorch's implementations of scaled dot product attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """Accepts a choice of implementations. Results do not depend on it."""
    for backend in backends if isinstance(backends, list | tuple) else (backends,):
        if not isinstance(backend, SDPBackend):
            raise TypeError(f"sdpa_kernel: expected an SDPBackend or a list of them. Received: {backend!r}")
    yield


__all__ = ["SDPBackend", "sdpa_kernel"]
__getattr__ = missing(__name__, __all__)
