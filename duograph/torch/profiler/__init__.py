"""`torch.profiler`: what a program spends its time on, measured."""

from __future__ import annotations

from ..missing import missing
from .session import (
    ProfilerAction,
    ProfilerActivity,
    kineto_available,
    profile,
    record_function,
    schedule,
    supported_activities,
    tensorboard_trace_handler,
)

__all__ = [
    "ProfilerAction", "ProfilerActivity", "kineto_available", "profile", "record_function", "schedule",
    "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
