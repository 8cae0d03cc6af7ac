"""Whose meaning an operator has, where the two faces mean different things by it.

Both faces share one class of tensors, and it behaves as PyTorch's: operands are promoted, `x += y` writes into x.
Another face may register a `Dialect` in which some of that is otherwise. Which of the two is meant is said by the
module in whose code the operator stands, as `from __future__ import division` says it for a module: one that holds
names of the other face and none of PyTorch's speaks the other dialect. What stands in the framework itself means
PyTorch's.

So a function of one face can be given tensors that the other made, and a recorded operation costs nothing more: the
module is looked at where operands do not fit as they are, at in-place operators, and where something is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any


class Dialect:
    """What operators and texts mean in the modules of a face.

    Attributes: `of_face` tells the face's own modules by their names; `operate(op, x, y)` is the operation `op` (a
    primitive or composite) on operands that are not two tensors of one dtype, or NotImplemented; `error(message)` is
    raised where two shapes do not fit; `texts` has, by kind ("tensor", "shape", "dtype"), functions from an object to
    what `repr` (or with True, `str`) gives. `x += y` writes into no tensor, it makes another; a shape can equal a list.
    """

    def __init__(
        self,
        of_face: Callable[[str], bool],
        operate: Callable[[Any, Any, Any], Any],
        error: Callable[[str], Exception],
        texts: dict[str, Callable[[Any, bool], str]],
    ) -> None:
        self.of_face = of_face
        self.operate = operate
        self.error = error
        self.texts = texts


_OF_PYTORCH = tuple(f"duograph.{room}" for room in ("torch", "tensor", "ops", "functional", "nn", "optim"))
_registered: Dialect | None = None
_known: dict[str, tuple[int, int, Dialect | None]] = {}


def register(dialect: Dialect | None) -> None:
    """Let modules of another face than PyTorch's speak this dialect; None for PyTorch's in all."""
    global _registered
    _registered = dialect
    _known.clear()


def spoken(calls: int = 1) -> Dialect | None:
    """The dialect of the code that called the present function, or stands that many calls above it.

    None for PyTorch's.
    """
    if _registered is None:
        return None
    scope = sys._getframe(calls + 1).f_globals
    name = scope.get("__name__", "")
    known = _known.get(name)
    if known is None or known[0] != id(scope) or known[1] != len(scope):  # a program that is running defines more names
        known = _known[name] = id(scope), len(scope), _of_module(name, scope, _registered)
    return known[2]


def text(kind: str, subject: Any, plain: bool) -> str | None:
    """How the code that prints `subject` (two calls above) says it; None for PyTorch's way."""
    dialect = spoken(2)
    return None if dialect is None else dialect.texts[kind](subject, plain)


def _of_module(name: str, scope: dict[str, Any], dialect: Dialect) -> Dialect | None:
    """The dialect of a module, by the names in it."""
    if name == "duograph" or name.startswith("duograph.") or dialect.of_face(name):
        return None
    homes = {_home(value) for value in list(scope.values())}
    if any(home.startswith(_OF_PYTORCH) for home in homes):
        return None
    return dialect if any(dialect.of_face(home) for home in homes) else None


def _home(value: Any) -> str:
    """The name of a module, or of the one that a function or class is from."""
    if isinstance(value, ModuleType):
        return value.__name__
    return str(value.__module__) if isinstance(value, FunctionType | type) else ""
