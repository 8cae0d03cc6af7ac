"""Whether a tensor has a value: while a function is recorded, most have none yet."""

from __future__ import annotations

from typing import Any

from duograph.graph.body import is_recording
from duograph.graph.errors import UnreadableError
from duograph.tensor.core import Tensor


def is_symbolic(thing: Any) -> bool:
    """Whether something is a tensor whose value nobody knows yet."""
    if not is_recording():
        return False
    thing = plain(thing)
    if not isinstance(thing, Tensor):
        return False
    try:
        thing._array()
    except UnreadableError:
        return True
    return False


def plain(thing: Any) -> Any:
    """A variable of Keras's as a tensor."""
    return thing.value if hasattr(thing, "__torch_function__") and not isinstance(thing, Tensor) else thing
