"""`torch.hann_window` and its kin: windows of one period of a signal, or symmetric ones with `periodic=False`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor.core import Tensor
from .signal import windows

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def bartlett_window(window_length: int, periodic: bool = True, **given: Any) -> Tensor:
    """A triangle of so many points."""
    return _window(windows.bartlett, window_length, periodic, given)


def blackman_window(window_length: int, periodic: bool = True, **given: Any) -> Tensor:
    """Blackman's window of so many points."""
    return _window(windows.blackman, window_length, periodic, given)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **given: Any
) -> Tensor:
    """alpha - beta cos(2 pi n / window_length)."""
    return _window(lambda size, **keywords: windows.general_cosine(size, a=[alpha, beta], **keywords), window_length,
                   periodic, given)  # fmt: skip


def hann_window(window_length: int, periodic: bool = True, **given: Any) -> Tensor:
    """Hann's window of so many points."""
    return _window(windows.hann, window_length, periodic, given)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **given: Any) -> Tensor:
    """Kaiser's window of so many points."""
    return _window(lambda size, **keywords: windows.kaiser(size, beta=beta, **keywords), window_length, periodic, given)


def _window(make: Callable[..., Tensor], size: int, periodic: bool, given: dict[str, Any]) -> Tensor:
    return make(size, sym=not periodic, **given)
