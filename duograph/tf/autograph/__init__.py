"""`tf.autograph`: `if`, `while` and `for` over tensors in functions that are recorded once become those of the graph.

What is converted is said in docs/autograph.md. `conversion` makes a function from another's source, by way of `exits`,
`liveness` and `rewriting`; `operators` are what it calls when it runs, and `flow` makes their branches and loops.
`tracing` records the function as a whole, `data_loops` those that loop over data sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..missing import missing
from . import conversion
from .exits import NotConvertible
from .flow import loop_options

__all__ = ["experimental", "set_verbosity", "to_code", "to_graph", "trace"]


class experimental:
    """`tf.autograph.experimental`."""

    class Feature:
        """Parts of the rewriting: all that is there is done."""

        ALL = AUTO_CONTROL_DEPS = ASSERT_STATEMENTS = BUILTIN_FUNCTIONS = EQUALITY_OPERATORS = LISTS = "ALL"
        NAME_SCOPES = "ALL"

    @staticmethod
    def do_not_convert(func: Callable[..., Any] | None = None) -> Any:
        """Decorator: the function stays as it is, also where one that is converted calls it."""
        return conversion.leave if func is None else conversion.leave(func)

    @staticmethod
    def set_loop_options(
        parallel_iterations: int | None = None,
        swap_memory: bool | None = None,
        maximum_iterations: Any = None,
        shape_invariants: Any = None,
    ) -> None:
        """Say something of the loop in whose body this is called: the most turns it may have, and whether variables
        change their shapes. A function with such a loop runs as Python, since shapes are part of the graph."""
        options = loop_options()
        if options is not None:
            options.maximum_iterations = maximum_iterations
            options.shape_invariants = list(shape_invariants or ())


def to_graph(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> Any:
    """The function with control flow over tensors, to be called while a function is recorded.

    Raises ValueError where there is no source, or where it cannot be converted.
    """
    entity = getattr(entity, "python_function", entity)
    _checked(entity)
    return conversion.convert(entity)


def to_code(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> str:
    """The source of what `to_graph` makes. Raises ValueError where there is none."""
    return _checked(entity)


def _checked(entity: Any) -> str:
    try:
        return conversion.code_of(entity)
    except NotConvertible as error:
        raise ValueError(f"tf.autograph: {entity!r} cannot be converted: {error}") from error


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Nothing: what is converted is not told of. `tf.function` has `python_reason`."""


def trace(*args: Any) -> None:
    """Print the arguments, when the function is recorded."""
    print(*args)


__getattr__ = missing(__name__, globals())
