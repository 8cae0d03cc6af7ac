"""How operations are executed, by thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..graph import trace as tracing


@contextlib.contextmanager
def eager() -> Iterator[None]:
    """Within the block, each operation is computed at once instead of at the next observation: for debugging.

    Results are the same to rounding: fused sums may add in another order. What was pending before is computed first.
    """
    local = tracing.local
    if local.trace.pending:
        tracing.realiser(local.trace)
    before, local.eager = local.eager, True
    try:
        yield
    finally:
        local.eager = before


def realize() -> None:
    """Compute everything that is pending in this thread: a step boundary."""
    tracing.realiser(tracing.local.trace)
