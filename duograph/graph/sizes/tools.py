"""How code that is written for numbers says what it means for expressions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ParamSpec, TypeVar

from .expressions import Size
from .space import Space
from .walk import collect, in_numbers

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def _space(value: Any) -> Space | None:
    found: list[Any] = []
    collect(value, found)
    return found[0].space if found else None


def sized(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a pure function of numbers, and of what does not change, whose results are numbers of at least 0, each
    in tuples and dicts. Given sizes, its results are sizes; it assumes nothing of them, whatever it compares."""

    @functools.wraps(function)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        space = _space((arguments, named))
        if space is None:
            return function(*arguments, **named)
        found: R = space.call(function, arguments, dict(named))
        return found

    return wrapper


def by_hint(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a choice that is right for all sizes and best for some. It is made for the hints, without a guard."""

    @functools.wraps(function)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        return function(*in_numbers(arguments), **in_numbers(named))

    return wrapper


def hinted(value: T) -> T:
    """A dataclass with numbers in place of its sizes, as `hint` gives them."""
    changed = {f.name: in_numbers(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]
    return type(value)(**changed)


def hint(size: int) -> int:
    """The number that a size has at this moment, for what is right whatever it is."""
    return size.value if is_size(size) else size  # type: ignore[attr-defined]


def always_equal(a: int, b: int) -> bool:
    """Whether two sizes are equal whatever the symbols are: for what need not be done if they only might be."""
    difference: Any = a - b
    return type(difference) is int and difference == 0


def is_size(value: object) -> bool:
    """Whether a number is an expression. Where numbers are declared, expressions may stand for them."""
    return isinstance(value, Size)


def is_number(value: object) -> bool:
    """Whether a value is a whole number or an expression for one."""
    return isinstance(value, int | Size)
