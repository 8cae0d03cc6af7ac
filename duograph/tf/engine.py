"""What the TensorFlow face asks of the engine besides operations: where a step ends, and how it is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import duograph
from duograph.graph import trace as tracing


def step_boundary() -> None:
    """Compute, in one plan, everything pending that is still referenced."""
    tracing.boundary()


def eagerly(wanted: bool) -> AbstractContextManager[object]:
    """`duograph.eager()` if wanted, else nothing."""
    return duograph.eager() if wanted else nullcontext()


@contextmanager
def recording_apart() -> Iterator[None]:
    """Record what happens inside into a trace of its own; the present one goes on afterwards."""
    before = tracing.local.trace
    tracing.local.trace = tracing.Trace()
    try:
        yield
    finally:
        tracing.local.trace = before
