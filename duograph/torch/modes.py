"""Switches: inference mode, threads, determinism."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from ..autograd.anomaly import set_detect_anomaly, watch
from ..graph.errors import ArgumentError
from ..graph.trace import local
from ..ops.random import default_generator
from ..runtime import pool


class inference_mode(no_grad):
    """As no_grad(): nothing is taped inside."""

    def __new__(cls, mode: Any = True) -> Any:
        return super().__new__(cls, mode if callable(mode) else None)

    def __init__(self, mode: Any = True) -> None:
        super().__init__()
        self.mode = not mode if isinstance(mode, bool) else False


def is_inference_mode_enabled() -> bool:
    """Whether operations are not taped."""
    return not local.gradients


def seed() -> int:
    """Begin an unpredictable sequence of random numbers; the seed is returned."""
    return default_generator.seed()


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: every algorithm here is deterministic."""


def are_deterministic_algorithms_enabled() -> bool:
    """True: every algorithm here is deterministic."""
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted ("highest", "high" or "medium"): float32 products are always computed in float32."""
    if precision not in ("highest", "high", "medium"):
        raise ArgumentError(
            f"set_float32_matmul_precision: expected 'highest', 'high' or 'medium'. Received: {precision!r}"
        )


def get_float32_matmul_precision() -> str:
    """ "highest": float32 products are always computed in float32."""
    return "highest"


def set_flush_denormal(mode: bool) -> bool:
    """False: numbers that small are not flushed to zero here."""
    return False


def get_num_interop_threads() -> int:
    """1: one plan runs at a time."""
    return 1


def set_num_interop_threads(number: int) -> None:
    """Accepted: one plan runs at a time, on the threads of `set_num_threads`."""
    if number < 1:
        raise ArgumentError(f"set_num_interop_threads: expected at least 1. Received: {number}")


def set_num_threads(number: int) -> None:
    """How many threads compute. Compiled plans obey it; the reference interpreter leaves this to NumPy.

    Raises:
        ArgumentError: The number is not a positive integer.
        NotSupported: More than one thread, on Windows.
    """
    pool.set_num_threads(number)


def get_num_threads() -> int:
    """How many threads compute: by default as many as there are cores, or `DUOGRAPH_NUM_THREADS`."""
    return pool.get_num_threads()


def get_deterministic_debug_mode() -> int:
    """2: every algorithm here is deterministic, and so nothing else is used."""
    return 2


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Accepted ("default", "warn", "error", or 0 to 2): every algorithm here is deterministic."""
    if debug_mode not in (0, 1, 2, "default", "warn", "error"):
        raise ArgumentError(
            f"set_deterministic_debug_mode: expected 0, 1 or 2, or their names. Received: {debug_mode!r}"
        )


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """False: there is nothing to warn of."""
    return False


def set_warn_always(b: bool, /) -> None:
    """Accepted: Python's `warnings` says how often a warning is shown."""


def is_warn_always_enabled() -> bool:
    """False: Python's `warnings` says how often a warning is shown."""
    return False


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Look at every gradient from now on: see `torch.autograd.set_detect_anomaly`."""
    set_detect_anomaly(mode, check_nan)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether a NaN among the gradients is an error."""
    return watch.check_nan
