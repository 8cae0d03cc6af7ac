"""Where loops that call a model again and again without a look at the results end a plan."""

from __future__ import annotations

import sys
from types import CodeType, FrameType

from ..graph.trace import boundary

LONG_TURN = 256
"""Steps after which a call of a model, with gradients off, first computes what is pending.

A sampler or an evaluation may observe nothing until its end. All its turns in one plan would take long to compile,
and would have to be compiled for each number of turns; so the turns before this call are a plan, which comes again.
"""


def end_turn(call: CodeType) -> None:
    """Compute what is pending, unless a module is being called (in code `call`) by another module's call."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code is call:
            return
        frame = frame.f_back
    boundary()
