"""Tensor: the user's handle on a value; views, indexing, interchange and printing."""

from ..runtime import execute  # installs the executor
from . import convert, core, device, indexing, operators, printing, sharing, views
from .core import Tensor, apply, wrap

__all__ = [
    "Tensor",
    "apply",
    "convert",
    "core",
    "device",
    "execute",
    "indexing",
    "operators",
    "printing",
    "sharing",
    "views",
    "wrap",
]
