"""`torch.utils.dlpack`: memory shared with other libraries."""

from __future__ import annotations

from typing import Any

from ...ops import FUNCTIONS
from ...tensor.core import Tensor

__all__ = ["from_dlpack", "to_dlpack"]

from_dlpack = FUNCTIONS["from_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule of the tensor's memory, which another library takes once."""
    return tensor.__dlpack__()
