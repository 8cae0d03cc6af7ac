"""TensorFlow's error classes."""

from __future__ import annotations

__all__ = ["InvalidArgumentError", "OpError", "UnimplementedError"]


class OpError(Exception):
    """The base of the errors that operations raise."""


class InvalidArgumentError(OpError, ValueError, TypeError):
    """An operation received an argument it cannot take. Also a ValueError and a TypeError, whichever is expected."""


class UnimplementedError(OpError, NotImplementedError):
    """The operation exists in TensorFlow and is not built here."""
