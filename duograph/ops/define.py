"""How an operation becomes a function, a method, and an in-place method."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from ..graph.dtype import DType
from ..graph.errors import ArgumentError, DTypeError
from ..graph.primitives.rules import normalize_axes
from ..tensor import core
from ..tensor.core import Tensor, apply, cast, method, wrap
from ..tensor.operators import update
from .layout import overlap

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Every function of this package by its PyTorch name: what the faces export."""

Function = Callable[..., Any]


def function(
    *names: str, is_method: bool = True, in_place: bool = False, also: Mapping[str, str] | None = None
) -> Callable[[Function], Function]:
    """Decorator: export a function under its name and `names`, unless told not to as a method of Tensor too.

    With `in_place` Tensor also gets `name_`, which writes the result into the tensor. `also` has further names of
    arguments, such as those that PyTorch's method has and its function has not, and what they are called here.
    """

    def define(body: Function) -> Function:
        body = with_numpy_names(body, also)
        for name in (body.__name__, *names):
            FUNCTIONS[name] = body
            if is_method:
                method(body, name)
            if in_place:
                method(in_place_form(name + "_", body), name + "_")
        return body

    return define


NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "axis0": "dim0", "axis1": "dim1", "x": "input"}
"""NumPy's argument names, which PyTorch's functions take as well as their own."""


def name_after(module: str, names: Mapping[str, Any]) -> None:
    """Let functions that other functions made say where they are found by name, which is what pickle writes down."""
    for name, found in sorted(names.items(), key=lambda item: item[0] != getattr(item[1], "__name__", None)):
        own = isinstance(found, FunctionType) and found.__module__.startswith("duograph.")
        if own and getattr(sys.modules[found.__module__], found.__qualname__, None) is not found:
            found.__module__, found.__qualname__ = module, name


def with_numpy_names(body: Function, also: Mapping[str, str] | None = None) -> Function:
    """`body`, if it takes `dim` or its kin, called with NumPy's names for them too, and with the names in `also`."""
    own = inspect.signature(body).parameters
    others = {theirs: ours for theirs, ours in NUMPY_NAMES.items() if ours in own and theirs not in own}
    others.update(also or {})
    if not others.keys() - {"x"}:
        return body

    @functools.wraps(body)
    def renamed(*arguments: Any, **keywords: Any) -> Any:
        for theirs in keywords.keys() & others.keys():
            keywords[others[theirs]] = keywords.pop(theirs)
        return body(*arguments, **keywords)

    return renamed


def in_place_form(name: str, body: Function) -> Function:
    """The method that writes the result of `body` into the tensor."""

    @functools.wraps(body)
    def write(self: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        return update(self, body(self, *arguments, **keywords))

    write.__name__ = name
    write.__doc__ = f"In-place form of `{name.rstrip('_')}`."
    return write


def into(out: Tensor | None, result: Tensor, *apart: Tensor) -> Tensor:
    """`out=`: the result, written into `out` if one is given (resized if its shape differs, as PyTorch does).

    Raises ArgumentError where `out` lies in the memory of one of the tensors `apart`.
    """
    if out is None:
        return result
    if any(overlap(out, other) for other in apart):
        raise ArgumentError("out=: the tensor to write lies in the memory of an argument: write to a .clone() of it")
    if out.shape != result.shape:
        if out.requires_grad:
            raise DTypeError("out=: a tensor that requires grad cannot be resized")
        if any(name == "broadcast_to" for name, _ in out._path):
            raise ArgumentError("out=: several elements of an expanded tensor are one place in memory: clone it")
        out._value = wrap(cast(result, out.dtype)._value).detach()._value
        out._version += 1
        return out
    return update(out, result)


def unary(name: str, op: Any, doc: str, to: Callable[[DType], DType] | None = None, *aliases: str) -> Function:
    """Define an elementwise function of one tensor, with method and in-place method."""

    def body(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}: expected a Tensor. Received: {type(input).__name__}")
        result = apply(op, (input if to is None else cast(input, to(input._value.dtype)),))
        return result if out is None else into(out, result)

    return _named(body, name, doc, aliases)


def binary(name: str, op: Any, doc: str, to: Callable[[DType], DType] | None = None, *aliases: str) -> Function:
    """Define an elementwise function of two operands (tensors or numbers, promoted), with its methods."""

    def body(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        result = core.binary(op, input, other, to)
        if result is NotImplemented:
            kinds = f"{type(input).__name__} and {type(other).__name__}"
            raise TypeError(f"{name}: expected tensors or numbers. Received: {kinds}")
        return result if out is None else into(out, result)

    return _named(body, name, doc, aliases)


def _named(body: Function, name: str, doc: str, aliases: tuple[str, ...]) -> Function:
    body.__name__ = body.__qualname__ = name
    body.__doc__ = doc
    return function(*aliases, in_place=True)(body)


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """A `dim` argument (None, an int, or a sequence) as sorted axes; an empty sequence means all."""
    if dim is None:
        return tuple(range(ndim))
    if isinstance(dim, int):
        return normalize_axes(dim, ndim)
    return normalize_axes(tuple(int(d) for d in dim) or None, ndim)


def sizes_of(*sizes: Any) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence."""
    given: Sequence[Any] = sizes
    if len(sizes) == 1 and not isinstance(sizes[0], int | Tensor):
        given = tuple(sizes[0])
    return tuple(s if type(s) is int else s.__index__() for s in given)
