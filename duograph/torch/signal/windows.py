"""`torch.signal.windows`: windows by which a signal is faded in and out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...graph.dtype import float32, float64
from ...graph.errors import ArgumentError, DTypeError
from ...ops import FUNCTIONS
from ..missing import missing

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip


def _window(name: str, M: int, sym: bool, values: Any, given: dict[str, Any]) -> Any:
    """A window of M points; `values` is a function of the places and their number less one."""
    M = int(M)
    if M < 0:
        raise ArgumentError(f"{name}: M: expected at least 0. Received: {M}")
    layout, dtype = given.pop("layout", "torch.strided"), given.pop("dtype", None)
    if layout not in (None, "torch.strided"):
        raise ArgumentError(f"{name}: layout: expected torch.strided. Received: {layout}")
    if dtype not in (None, float32, float64):
        raise DTypeError(f"{name}: dtype: expected float32 or float64. Received: {dtype}")
    size = M - 1 if sym else M
    places = np.arange(M, dtype=np.float64)
    made = values(places, max(size, 1)) if M > 1 else np.ones(M)
    result = FUNCTIONS["empty"]((M,), dtype=dtype, device=given.pop("device", None))
    filled = result.new_tensor(made.tolist(), dtype=result.dtype).reshape(M)
    return filled.requires_grad_() if given.pop("requires_grad", False) else filled


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **given: Any) -> Any:
    """exp(-|n - center| / tau)."""
    if tau <= 0 or (center is not None and sym):
        raise ArgumentError(f"exponential: expected tau above 0, and no center if sym. Received: tau={tau}, {center}")

    def values(n: np.ndarray, size: int) -> np.ndarray:
        return np.exp(-np.abs(n - (size / 2 if center is None else center)) / tau)

    return _window("exponential", M, sym, values, given)


def cosine(M: int, *, sym: bool = True, **given: Any) -> Any:
    """The first half wave of a sine."""
    return _window("cosine", M, sym, lambda n, size: np.sin((n + 0.5) * math.pi / (size + 1)), given)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **given: Any) -> Any:
    """exp(-(n - middle)² / (2 std²))."""
    if std <= 0:
        raise ArgumentError(f"gaussian: std: expected above 0. Received: {std}")
    return _window("gaussian", M, sym, lambda n, size: np.exp(-(((n - size / 2) / std) ** 2) / 2), given)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **given: Any) -> Any:
    """I0(beta sqrt(1 - (2n / size - 1)²)) / I0(beta)."""
    if beta < 0:
        raise ArgumentError(f"kaiser: beta: expected at least 0. Received: {beta}")
    return _window(
        "kaiser", M, sym,
        lambda n, size: np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * n / size - 1) ** 2))) / np.i0(beta), given,
    )  # fmt: skip


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **given: Any) -> Any:
    """The sum of (-1)^k a[k] cos(2 pi k n / size)."""
    weights = list(a)
    if not weights:
        raise ArgumentError("general_cosine: a: expected at least one number. Received: none")
    return _window(
        "general_cosine", M, sym,
        lambda n, size: sum((-1) ** k * w * np.cos(2 * math.pi * k * n / size) for k, w in enumerate(weights)), given,
    )  # fmt: skip


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **given: Any) -> Any:
    """alpha - (1 - alpha) cos(2 pi n / size)."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **given)


def hamming(M: int, *, sym: bool = True, **given: Any) -> Any:
    """Hamming's window."""
    return general_hamming(M, sym=sym, **given)


def hann(M: int, *, sym: bool = True, **given: Any) -> Any:
    """Hann's window."""
    return general_hamming(M, alpha=0.5, sym=sym, **given)


def blackman(M: int, *, sym: bool = True, **given: Any) -> Any:
    """Blackman's window."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **given)


def bartlett(M: int, *, sym: bool = True, **given: Any) -> Any:
    """A triangle."""
    return _window("bartlett", M, sym, lambda n, size: 1 - np.abs(2 * n / size - 1), given)


def nuttall(M: int, *, sym: bool = True, **given: Any) -> Any:
    """Nuttall's window."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **given)


__getattr__ = missing(__name__, __all__)
