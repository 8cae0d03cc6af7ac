"""What the TensorFlow face asks of the engine besides operations: where a step ends, and eager execution."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import duograph
from duograph.graph import trace as tracing


def step_boundary() -> None:
    """Compute, in one plan, everything pending that is still referenced."""
    tracing.realiser(tracing.local.trace)


def eagerly(wanted: bool) -> AbstractContextManager[object]:
    """`duograph.eager()` if wanted, else nothing."""
    return duograph.eager() if wanted else nullcontext()
