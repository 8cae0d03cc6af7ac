"""The errors users see.

Each is also the built-in error that PyTorch or NumPy would raise in its place, so that existing `except` clauses work.
"""

from __future__ import annotations


class DuographError(Exception):
    """Base of Duograph's own errors. `line` is the user's source line, where known."""

    line: str | None = None

    def located(self, line: str | None) -> DuographError:
        """This error, with the user's source line added to its message once."""
        if line and self.line is None:
            self.line = line
            self.args = (f"{self.args[0] if self.args else type(self).__name__}\n  at {line}", *self.args[1:])
        return self


class ShapeError(DuographError, RuntimeError, ValueError):
    """Shapes that do not fit the operation."""


class DTypeError(DuographError, RuntimeError, TypeError):
    """A data type that the operation does not take, or that does not exist."""


class ArgumentError(DuographError, RuntimeError, ValueError):
    """An argument outside what the operation takes."""


class AxisError(DuographError, IndexError, ValueError):
    """An axis that the tensor does not have."""


class IndexOutOfRange(DuographError, IndexError, RuntimeError):
    """An index that the axis does not have."""


class DeviceError(DuographError, RuntimeError):
    """Tensors on different devices, or a device that does not exist."""


class GradientError(DuographError, RuntimeError):
    """A gradient that cannot be computed: a freed graph, an overwritten value, no path."""


class GraphError(DuographError, RuntimeError, ValueError):
    """A graph that breaks its own rules, or a text that is no graph."""


class NotSupported(DuographError, NotImplementedError, RuntimeError):
    """Something Duograph does not do; the message says what to do instead."""
