"""Methods of Tensor that come from the composites."""

from __future__ import annotations

from . import functions

__all__ = ["functions"]
