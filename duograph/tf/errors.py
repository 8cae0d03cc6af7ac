"""TensorFlow's error classes, and what turns the engine's errors into them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from duograph.graph.errors import ArgumentError, AxisError, DTypeError, LinearAlgebraError, ShapeError

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS = range(7)
PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED = range(7, 13)
INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED = range(13, 17)

__all__ = [
    "ABORTED", "ALREADY_EXISTS", "CANCELLED", "DATA_LOSS", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION", "INTERNAL",
    "INVALID_ARGUMENT", "NOT_FOUND", "OK", "OUT_OF_RANGE", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED", "UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN",
    "AbortedError", "AlreadyExistsError", "CancelledError", "DataLossError", "DeadlineExceededError",
    "FailedPreconditionError", "InternalError", "InvalidArgumentError", "NotFoundError", "OpError",
    "OperatorNotAllowedInGraphError", "OutOfRangeError", "PermissionDeniedError", "ResourceExhaustedError",
    "UnauthenticatedError", "UnavailableError", "UnimplementedError", "UnknownError",
]  # fmt: skip


class OpError(Exception):
    """The base of the errors that operations raise.

    Made from a message alone, or from TensorFlow's (node_def, op, message). `message` and `error_code` say what it was.
    """

    error_code = UNKNOWN

    def __init__(self, *args: Any) -> None:
        self.node_def, self.op, self.message = args[:3] if len(args) >= 3 else (None, None, args[0] if args else "")
        super().__init__(self.message)


class InvalidArgumentError(OpError, ValueError, TypeError):
    """An operation received an argument it cannot take. Also a ValueError and a TypeError, whichever is expected."""

    error_code = INVALID_ARGUMENT


class UnimplementedError(OpError, NotImplementedError):
    """The operation exists in TensorFlow and is not built here."""

    error_code = UNIMPLEMENTED


class NotFoundError(OpError, FileNotFoundError):
    """A file or an entry that was asked for does not exist."""

    error_code = NOT_FOUND


class OutOfRangeError(OpError):
    """Something was read past its end."""

    error_code = OUT_OF_RANGE


class FailedPreconditionError(OpError):
    """What the operation works on is not in the state it needs, such as a table or a variable without content."""

    error_code = FAILED_PRECONDITION


class DataLossError(OpError):
    """Data that cannot be recovered, such as a damaged record."""

    error_code = DATA_LOSS


class AlreadyExistsError(OpError):
    """What was to be made is there already."""

    error_code = ALREADY_EXISTS


class CancelledError(OpError):
    """The operation was cancelled."""

    error_code = CANCELLED


class UnknownError(OpError):
    """An error of no other class."""

    error_code = UNKNOWN


class DeadlineExceededError(OpError):
    """The operation took too long."""

    error_code = DEADLINE_EXCEEDED


class PermissionDeniedError(OpError):
    """What was asked for may not be used."""

    error_code = PERMISSION_DENIED


class ResourceExhaustedError(OpError):
    """There is not enough memory or other room."""

    error_code = RESOURCE_EXHAUSTED


class AbortedError(OpError):
    """The operation was given up."""

    error_code = ABORTED


class InternalError(OpError):
    """The library contradicts itself."""

    error_code = INTERNAL


class UnavailableError(OpError):
    """A service is not there at present."""

    error_code = UNAVAILABLE


class UnauthenticatedError(OpError):
    """Who asked is not known."""

    error_code = UNAUTHENTICATED


class OperatorNotAllowedInGraphError(TypeError):
    """A tensor without content was used where Python needs a value."""


def reported(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose complaints about shapes and dtypes are InvalidArgumentError, as TensorFlow's are."""

    @functools.wraps(function)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except OpError:
            raise
        except (ArgumentError, AxisError, DTypeError, LinearAlgebraError, ShapeError) as error:
            raise InvalidArgumentError(str(error)) from error
        except TypeError as error:
            from .text import TextError, is_text

            if any(is_text(a) for a in args):
                raise TextError(
                    f"{function.__name__}: strings are host data, which cannot enter a computation"
                ) from error
            raise

    return reporting


def report(module: dict[str, Any], names: Iterable[str]) -> None:
    """Make the named functions of a module report as `reported` says."""
    module.update({name: reported(module[name]) for name in names})
