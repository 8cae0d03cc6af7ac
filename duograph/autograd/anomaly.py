"""Looking at every gradient on its way back, so that the first NaN is found with the line it comes from."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.errors import GradientError
from ..graph.trace import Origin, Value
from ..tensor.core import wrap


class _Watch(threading.local):
    active = False
    check_nan = True


watch = _Watch()
"""Whether this thread's gradients are looked at."""


class set_detect_anomaly:
    """Look at every gradient of this thread from now on, or within a block: slow, and for finding errors only.

    Where an operation gives NaN, `backward` raises GradientError with the user's line of that operation, unless
    `check_nan` is False.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = watch.active, watch.check_nan
        watch.active, watch.check_nan = bool(mode), bool(check_nan)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: Any) -> None:
        watch.active, watch.check_nan = self.before


class detect_anomaly(set_detect_anomaly):
    """Look at every gradient within a block: see `set_detect_anomaly`."""

    def __init__(self, check_nan: bool = True) -> None:
        self.wanted = bool(check_nan)
        self.before = watch.active, watch.check_nan

    def __enter__(self) -> None:
        self.before = watch.active, watch.check_nan
        watch.active, watch.check_nan = True, self.wanted


def is_anomaly_enabled() -> bool:
    """Whether this thread's gradients are looked at."""
    return watch.active


def check(origin: Origin, cotangents: Sequence[Value | None]) -> None:
    """Raise GradientError if an operation's gradients have a NaN."""
    if not watch.check_nan:
        return
    for place, cotangent in enumerate(cotangents):
        if cotangent is not None and np.isnan(wrap(cotangent)._array().astype(np.float64)).any():
            error = GradientError(f"{origin.op.name}: the gradient by its input {place} has a NaN")
            raise error.located(origin.line)
