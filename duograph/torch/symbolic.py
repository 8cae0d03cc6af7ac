"""Numbers that PyTorch's tracer does not know yet: sizes are plain integers here, and these are plain Python."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..ops import control
from ..tensor.core import Tensor
from ..tree import flatten

__all__ = [
    "SymBool", "SymFloat", "SymInt", "cond", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not",
    "sym_sqrt", "sym_sum", "while_loop",
]  # fmt: skip


class SymInt:
    """What PyTorch's tracer uses for an unknown size; sizes are plain integers here, so none is ever made."""


class SymFloat:
    """What PyTorch's tracer uses for an unknown number; none is ever made here."""


class SymBool:
    """What PyTorch's tracer uses for an unknown truth; none is ever made here."""


def sym_int(a: Any) -> int:
    """`int(a)`."""
    return int(a)


def sym_float(a: Any) -> float:
    """`float(a)`."""
    return float(a)


def sym_not(a: Any) -> bool:
    """`not a`."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The greater one; a float if one of them is."""
    found = builtins.max(a, b)
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_min(a: Any, b: Any) -> Any:
    """The smaller one; a float if one of them is."""
    found = builtins.min(a, b)
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_sqrt(a: Any) -> float:
    """The square root."""
    return math.sqrt(a)


def sym_sum(args: Sequence[Any]) -> Any:
    """The sum."""
    return builtins.sum(args)


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t if b else f`."""
    return t if b else f


def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: tuple[Any, ...] | list[Any] = ()
) -> Any:
    """What one of two functions gives for the operands. A tensor decides when its content is known, in the graph:
    both functions are recorded then, and give tensors of the same shapes and dtypes."""
    if not isinstance(pred, Tensor):
        return true_fn(*operands) if pred else false_fn(*operands)
    build: list[Callable[[list[Any]], Any]] = []

    def leaves(function: Callable[..., Any]) -> list[Any]:
        found, rebuild = flatten(function(*operands))
        build.append(rebuild)
        return found

    made = control.cond(pred, lambda: leaves(true_fn), lambda: leaves(false_fn))
    return build[0](made)


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: tuple[Any, ...] | list[Any]
) -> tuple[Any, ...]:
    """What `body_fn` makes of the tensors again and again, while `cond_fn` of them holds; in the graph."""
    made = control.while_loop(cond_fn, lambda *carries: list(body_fn(*carries)), list(carried_inputs))
    return tuple(made)
