"""`compile`: functions whose calls are replayed without running their Python.

A compiled function is called as before. The second and third call with arguments of one signature are captured while
they are recorded; once two in a row have done the same, further ones are replayed: check that all is as it was, gather
the leaves, run the plan, put the results in their places. What cannot be replayed is recorded each time: right, and not
faster.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import is_not
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..graph import trace as tracing
from ..graph.trace import Leaf, Number, local
from ..nn.module import Module
from ..runtime.buffer import Buffer
from ..tensor import core
from ..tensor.core import CPU, Tensor
from .capture import capture
from .recipe import MISS, PLAIN, Recipe, unchanged

__all__ = ["Compiled", "CompiledModule", "compile"]

SIGNATURES = 64
"""A function that was called with more signatures than this forgets them all."""
CREDIT, PRICE = 128, 8
"""Capturing costs a look at all tensors there are. A signature can pay for it sixteen times, and each replay earns an
eighth of the price of another: a function that is never the same twice is soon recorded without being captured."""


class _Recorded(Exception):
    """Why a call is recorded and not captured."""


class _Entry:
    """What is known of one signature."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept  # objects among the arguments that the signature names by id
        self.recipes: list[Recipe] = []
        self.candidate: Recipe | None = None
        self.credit = CREDIT
        self.is_new = True
        self.reason: str | None = None

    def settle(self, recipe: Recipe) -> None:
        """Take a recipe once it was found twice in a row, and one that is known again in its new surroundings."""
        known = [r for r in self.recipes if r.same(recipe)]
        if known or (self.candidate is not None and self.candidate.same(recipe)):
            self.recipes = [recipe, *(r for r in self.recipes if r not in known)][:8]
        self.candidate = recipe


class Compiled:
    """A function (or a bound method, or anything that can be called) that is replayed. See `duograph.compile`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._entries: dict[Any, _Entry] = {}
        self._surroundings = _surroundings_of(function)
        self.reason: str | None = None
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if local.capture is not None or local.eager:
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        kept: list[Any] = []
        key: Any = [local.gradients, core.default_dtype, local.autocast]
        try:
            _sign(args, key, tensors, kept)
            if kwargs:
                _sign(kwargs, key, tensors, kept)
            if len(tensors) > 1:
                bases = [t._base for t in tensors]
                values = {id(t._value) for t in tensors}
                if len(values) < len(tensors) or any(map(is_not, bases, repeat(None))):
                    _sign_overlap(tensors, key)
        except _Recorded as recorded:
            self.reason = str(recorded)
            return self.function(*args, **kwargs)
        key = tuple(key)
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= SIGNATURES:
                self._entries.clear()
            entry = self._entries[key] = _Entry(kept)
        surroundings = self._surroundings()
        for recipe in entry.recipes:
            if unchanged(recipe.surroundings, surroundings):
                result = recipe.replay(tensors)
                if result is not MISS:
                    entry.credit = min(entry.credit + 1, CREDIT)
                    return result
        if entry.is_new or entry.credit < PRICE:
            entry.is_new, self.reason = False, entry.reason
            return self.function(*args, **kwargs)
        entry.credit -= PRICE
        modules = [m for m in (*kept, *surroundings) if isinstance(m, Module)]
        result, found, entry.reason = capture(lambda: self.function(*args, **kwargs), tensors, modules, self)
        self.reason = entry.reason
        if found is None:
            entry.candidate = None
        else:
            found.surroundings = surroundings
            entry.settle(found)
        return result

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        if name in ("function", "__name__"):
            raise AttributeError(name)
        return getattr(self.function, name)

    def __repr__(self) -> str:
        return f"<compiled {self.function!r}>"

    @property
    def replayed(self) -> int:
        """How many kinds of calls are replayed."""
        return sum(len(entry.recipes) for entry in self._entries.values())


class CompiledModule(Module):
    """A module whose calls are replayed. Its parameters and modes are those of the module itself, `_orig_mod`."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self._orig_mod = module
        self.training = module.training
        vars(self)["_compiled"] = Compiled(module)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        module = vars(self).get("_orig_mod")
        return super().__getattr__(name) if module is None else getattr(module, name)

    def __reduce__(self) -> Any:
        return type(self), (self._orig_mod,)


def compile(function: Any) -> Any:
    """A function whose calls, once two of one kind have been recorded and found alike, run without its Python.

    Works as a decorator. A module gives a module with the same parameters. The page docs/compile.md says what is
    checked at each call, and which functions are not replayed but recorded each time.

    Raises TypeError for what cannot be called.
    """
    if isinstance(function, Compiled | CompiledModule):
        return function
    if isinstance(function, Module):
        return CompiledModule(function)
    if not callable(function):
        raise TypeError(f"compile: expected a function or a module. Received: {type(function).__name__}")
    return Compiled(function)


def _sign(thing: Any, key: list[Any], tensors: list[Tensor], kept: list[Any]) -> None:
    """Add to `key` what a recording depends on in an argument."""
    if isinstance(thing, Tensor):
        value = thing._value
        buffer = value.buffer
        if type(buffer) is not Buffer:
            tracing.realise(value)
            buffer = value.buffer
            if type(buffer) is Number and buffer.fixed:
                key.append(repr(buffer.number))
        origin = value.origin
        key += (Tensor, value.kind, buffer.order)
        if origin is not None:
            if not isinstance(origin, Leaf):
                raise _Recorded("an argument is on the tape")
            key.append(id(thing))
            kept.append(thing)
        if thing._device is not CPU:
            key.append(thing._device)
        tensors.append(thing)
    elif isinstance(thing, tuple | list):
        key += (type(thing), len(thing))
        for part in thing:
            _sign(part, key, tensors, kept)
    elif isinstance(thing, dict):
        key += (type(thing), *thing)
        for part in thing.values():
            _sign(part, key, tensors, kept)
    elif isinstance(thing, PLAIN):
        key += (type(thing), repr(thing) if isinstance(thing, float) else thing)  # -0.0 is 0.0, and nan is not nan
    elif hasattr(thing, "__array_interface__") or hasattr(thing, "__array__"):
        raise _Recorded("an argument is an array: make it a tensor outside")
    else:
        key += (type(thing), id(thing))
        kept.append(thing)


def _sign_overlap(tensors: Sequence[Tensor], key: list[Any]) -> None:
    """Which arguments share memory."""
    bases = [id(t if t._base is None else t._base) for t in tensors]
    values = [id(t._value) for t in tensors]
    key += [bases.index(b) for b in bases]
    key += [values.index(v) for v in values]


def _surroundings_of(function: Any) -> Callable[[], list[Any]]:
    """Gives what a function refers to: the variables of its closure, and the globals that are data."""
    while isinstance(function, functools.partial | MethodType):
        function = function.func if isinstance(function, functools.partial) else function.__func__
    if not isinstance(function, FunctionType):
        return list
    cells: tuple[CellType, ...] = function.__closure__ or ()
    known = function.__globals__
    code_of_others = (ModuleType, FunctionType, BuiltinFunctionType, type)
    names = [n for n in _globals_read(function.__code__) if not isinstance(known.get(n), code_of_others)]

    def read() -> list[Any]:
        try:
            return [cell.cell_contents for cell in cells] + [known.get(name) for name in names]
        except ValueError:  # a variable that has no content yet
            return [object()]

    return read


def _globals_read(code: CodeType) -> set[str]:
    """The names of the globals that a function reads, and the functions inside it."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return names.union(*(_globals_read(c) for c in code.co_consts if isinstance(c, CodeType)))
