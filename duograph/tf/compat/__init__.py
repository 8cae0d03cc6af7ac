"""`tf.compat`: `v1`, the interface of TensorFlow 1, and conversions of strings."""

from __future__ import annotations

import os
from typing import Any

from ..missing import missing
from . import v1

__all__ = ["as_bytes", "as_str", "as_str_any", "as_text", "path_to_str", "v1"]


def as_bytes(bytes_or_text: str | bytes, encoding: str = "utf-8") -> bytes:
    """Text as bytes."""
    return bytes_or_text.encode(encoding) if isinstance(bytes_or_text, str) else bytes(bytes_or_text)


def as_text(bytes_or_text: str | bytes, encoding: str = "utf-8") -> str:
    """Bytes as text."""
    return bytes_or_text if isinstance(bytes_or_text, str) else bytes_or_text.decode(encoding)


as_str = as_text


def as_str_any(value: Any, encoding: str = "utf-8") -> str:
    """Bytes as text, anything else as `str` has it."""
    return as_text(value, encoding) if isinstance(value, bytes) else str(value)


def path_to_str(path: Any) -> Any:
    """A path as a string."""
    return os.fspath(path) if hasattr(path, "__fspath__") else path


__getattr__ = missing(__name__, globals())
