"""`tf.autograph`: nothing is rewritten here, since `if`, `while` and `for` over tensors run as Python.

A condition that looks at a tensor waits for its value; the path taken is recorded and compiled like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .missing import missing

__all__ = ["experimental", "set_verbosity", "to_graph", "trace"]


class experimental:
    """`tf.autograph.experimental`."""

    class Feature:
        """Parts of the rewriting: none is needed."""

        ALL = AUTO_CONTROL_DEPS = ASSERT_STATEMENTS = BUILTIN_FUNCTIONS = EQUALITY_OPERATORS = LISTS = "ALL"
        NAME_SCOPES = "ALL"

    @staticmethod
    def do_not_convert(func: Callable[..., Any] | None = None) -> Any:
        """The function as it is."""
        return (lambda f: f) if func is None else func

    @staticmethod
    def set_loop_options(**_: Any) -> None:
        """Nothing: shapes may change from turn to turn."""


def to_graph(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> Any:
    """The function as it is."""
    return entity


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Nothing: there is no rewriting to tell of."""


def trace(*args: Any) -> None:
    """Print the arguments."""
    print(*args)


__getattr__ = missing(__name__, globals())
