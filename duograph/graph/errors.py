"""The errors users see.

Each is also the built-in error that PyTorch or NumPy would raise in its place, so that existing `except` clauses work.
"""

from __future__ import annotations

from .lines import user_line


class DuographError(Exception):
    """Base of Duograph's own errors. `line` is the user's source line: that which was running when the error arose, or
    that which recorded the operation that failed later."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.line = user_line()

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  at {self.line}" if self.line else message

    def located(self, line: str | None) -> DuographError:
        """This error at another line of the user's, if one is known."""
        self.line = line or self.line
        return self


class ShapeError(DuographError, RuntimeError, ValueError):
    """Shapes that do not fit the operation."""


class EmptyAxisError(ShapeError, IndexError):
    """An axis without elements, where at least one is needed."""


class DTypeError(DuographError, RuntimeError, TypeError, ValueError):
    """A data type that the operation does not take, or that does not exist."""


class ArgumentError(DuographError, RuntimeError, ValueError):
    """An argument outside what the operation takes."""


class AxisError(DuographError, IndexError, RuntimeError, ValueError):
    """An axis that the tensor does not have."""


class IndexOutOfRange(DuographError, IndexError, RuntimeError):
    """An index that the axis does not have."""


class DeviceError(DuographError, RuntimeError):
    """Tensors on different devices, or a device that does not exist."""


class GradientError(DuographError, RuntimeError):
    """A gradient that cannot be computed: a freed graph, an overwritten value, no path."""


class LinearAlgebraError(DuographError, RuntimeError, ValueError):
    """A matrix that the decomposition or solver does not take: singular, not positive definite, no convergence."""


class GraphError(DuographError, RuntimeError, ValueError):
    """A graph that breaks its own rules, or a text that is no graph."""


class NotSupported(DuographError, NotImplementedError, RuntimeError):
    """Something Duograph does not do; the message says what to do instead."""


class UnreadableError(GraphError):
    """A value is read that is not there yet, since what is recorded will run later."""
