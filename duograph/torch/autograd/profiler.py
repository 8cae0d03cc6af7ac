"""`torch.autograd.profiler`: the older names of `torch.profiler`."""

from __future__ import annotations

from ..missing import missing
from ..profiler.events import EventList, FunctionEvent
from ..profiler.session import LegacyProfile as profile
from ..profiler.session import ProfilerActivity, kineto_available, record_function

__all__ = ["EventList", "FunctionEvent", "ProfilerActivity", "kineto_available", "profile", "record_function"]
__getattr__ = missing(__name__, __all__)
