"""Whether operations run as they stand. They do everywhere here: a `tf.function` records what runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

__all__ = ["executing_eagerly", "init_scope"]


def executing_eagerly() -> bool:
    """True: inside `tf.function` too the Python code runs operation by operation while it is recorded."""
    return True


def init_scope() -> AbstractContextManager[None]:
    """A context that lifts operations out of the graph being made. There is none to be lifted out of."""
    return nullcontext()
