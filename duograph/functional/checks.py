"""What composites ask of their arguments, and how they say no: argument, expectation, what came."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..graph import language as g
from ..graph.dtype import DType, float32, int64
from ..graph.errors import ArgumentError, DTypeError, ShapeError
from ..graph.node import Node, Shape


def describe(x: Node) -> str:
    """Dtype and shape, as error messages show them: `float32[3, 4]`."""
    return f"{x.dtype.name}{list(x.shape)}"


def check_shape(holds: bool, argument: str, expected: str, received: Node | Shape) -> None:
    """Raises ShapeError unless `holds`."""
    if not holds:
        came = describe(received) if isinstance(received, Node) else f"shape {list(received)}"
        raise ShapeError(f"{argument}: expected {expected}. Received: {came}")


def check_argument(holds: bool, argument: str, expected: str, received: Any) -> None:
    """Raises ArgumentError unless `holds`."""
    if not holds:
        raise ArgumentError(f"{argument}: expected {expected}. Received: {received!r}")


def check_choice(argument: str, value: Any, *choices: Any) -> None:
    """Raises ArgumentError unless `value` is one of `choices`."""
    check_argument(value in choices, argument, f"one of {', '.join(map(repr, choices))}", value)


def check_floating(**named: Node | None) -> None:
    """Raises DTypeError unless every tensor given is of a floating-point dtype."""
    for argument, x in named.items():
        if x is not None and not x.dtype.is_floating_point:
            raise DTypeError(
                f"{argument}: expected a floating-point tensor; cast it first, e.g. with .float(). "
                f"Received: {describe(x)}"
            )


def check_inexact(**named: Node | None) -> None:
    """Raises DTypeError unless every tensor given is of a floating-point or complex dtype."""
    for argument, x in named.items():
        if x is not None and not x.dtype.is_complex:
            check_floating(**{argument: x})


def check_integral(**named: Node | None) -> None:
    """Raises DTypeError unless every tensor given is of an integer dtype."""
    for argument, x in named.items():
        if x is not None and x.dtype.category != "int":
            raise DTypeError(
                f"{argument}: expected an integer tensor; cast it first, e.g. with .long(). Received: {describe(x)}"
            )


def check_same_dtype(**named: Node | None) -> None:
    """Raises DTypeError unless all tensors given have one dtype."""
    given = {argument: x for argument, x in named.items() if x is not None}
    if len({x.dtype for x in given.values()}) > 1:
        came = ", ".join(f"{argument} {describe(x)}" for argument, x in given.items())
        raise DTypeError(f"{', '.join(given)}: expected one dtype. Received: {came}")


def per_axis(argument: str, value: int | Sequence[int], ndim: int, least: int = 0) -> tuple[int, ...]:
    """One integer for each of `ndim` axes, from one for all or a sequence. Raises ArgumentError."""
    sizes = (value,) * ndim if isinstance(value, int) else tuple(value)
    if len(sizes) == 1:
        sizes *= ndim
    check_argument(
        len(sizes) == ndim and all(s >= least for s in sizes),
        argument,
        f"an integer of at least {least}, or {ndim} of them",
        value,
    )
    return sizes


def from_front(indices: Node, size: int) -> Node:
    """`indices` as int64, those below 0 moved out of range: reading there raises, and does not count from the end."""
    indices = g.cast(indices, int64)
    return g.select(indices < 0, indices - size, indices)


def widen(x: Node) -> Node:
    """`x` in the precision composites compute in: float32 for 16-bit floats, else its own."""
    return g.cast(x, float32) if x.dtype.is_half else x


def widened(function: Callable[..., Any]) -> Callable[..., Any]:
    """Computes 16-bit floats in float32, and rounds the results to the first tensor's dtype once, at the end."""

    @functools.wraps(function)
    def wide(*arguments: Node | None, **attributes: Any) -> Any:
        first = next((a for a in arguments if a is not None and a.dtype.is_floating_point), None)
        if first is None or not first.dtype.is_half:
            return function(*arguments, **attributes)
        results = function(*(a if a is None else widen(a) for a in arguments), **attributes)
        return _narrow(results, first.dtype)

    return wide


def _narrow(results: Any, dtype: DType) -> Any:
    if isinstance(results, tuple):
        return tuple(_narrow(r, dtype) for r in results)
    return g.cast(results, dtype) if results.dtype is float32 else results
