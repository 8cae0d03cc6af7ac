"""How an operation becomes a function, a method, and an in-place method."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any

from ..graph.dtype import DType
from ..graph.errors import DTypeError
from ..graph.lines import user_line
from ..tensor.core import Tensor, apply, cast, operand, result_type, to_float, wrap
from ..tensor.operators import update
from ..tensor.views import assign

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""Every function of this package by its PyTorch name: what the faces export."""


def function(*names: str, method: bool = True, in_place: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: export a function under its name and `names`; as a method of Tensor too, with `name_` writing in place."""

    def define(body: Callable[..., Any]) -> Callable[..., Any]:
        for name in (body.__name__, *names):
            FUNCTIONS[name] = body
            if method:
                setattr(Tensor, name, body)
            if in_place:
                setattr(Tensor, name + "_", in_place_form(name + "_", body))
        return body

    return define


def in_place_form(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    """The method that writes the result of `body` into the tensor."""

    @functools.wraps(body)
    def write(self: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        return update(self, body(self, *arguments, **keywords))

    write.__name__ = name
    write.__doc__ = f"In-place form of `{name.rstrip('_')}`."
    return write


def into(out: Tensor | None, result: Tensor) -> Tensor:
    """`out=`: the result, written into `out` if one is given (resized if its shape differs, as PyTorch does)."""
    if out is None:
        return result
    if out.shape != result.shape:
        if out.requires_grad:
            raise DTypeError("out=: a tensor that requires grad cannot be resized")
        out._value = wrap(cast(result, out.dtype)._value).detach()._value  # type: ignore[attr-defined]
        out._version += 1
        return out
    return update(out, result)


def unary(name: str, op: Any, doc: str, to: Callable[[DType], DType] | None = None, *aliases: str) -> Callable[..., Any]:
    """Define an elementwise function of one tensor, with method and in-place method."""

    def body(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}: expected a Tensor. Received: {type(input).__name__}").with_traceback(None)
        result = apply(op, (input if to is None else cast(input, to(input._value.dtype)),))
        return result if out is None else into(out, result)

    body.__name__ = name
    body.__doc__ = doc
    return function(*aliases, in_place=True)(body) if not aliases else _aliased(body, name, aliases)


def _aliased(body: Callable[..., Any], name: str, aliases: tuple[str, ...]) -> Callable[..., Any]:
    for known in (name, *aliases):
        FUNCTIONS[known] = body
        setattr(Tensor, known, body)
        setattr(Tensor, known + "_", in_place_form(known + "_", body))
    return body


def binary(name: str, op: Any, doc: str, to: Callable[[DType], DType] | None = None, *aliases: str) -> Callable[..., Any]:
    """Define an elementwise function of two operands (tensors or numbers, promoted), with its methods."""

    def body(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        result = promote_and_apply(name, op, (input, other), to)
        return result if out is None else into(out, result)

    body.__name__ = name
    body.__doc__ = doc
    return _aliased(body, name, aliases)


def promote_and_apply(
    name: str, op: Any, operands: tuple[Any, ...], to: Callable[[DType], DType] | None = None,
    attributes: tuple[tuple[str, Any], ...] = (),
) -> Any:  # fmt: skip
    """Record `op` on operands brought to their common dtype; numbers are weak. Raises TypeError for other operands."""
    dtype = result_type(*(_number_or_tensor(name, x) for x in operands))
    if to is not None:
        dtype = to(dtype)
    return apply(op, tuple(operand(x, dtype) for x in operands), attributes)


def _number_or_tensor(name: str, x: Any) -> Any:
    if isinstance(x, Tensor | builtins.bool | builtins.int | builtins.float) or hasattr(x, "dtype") and hasattr(x, "item"):
        return x
    raise TypeError(f"{name}: expected a Tensor or a number. Received: {type(x).__name__} at {user_line()}")


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """A `dim` argument (None, an int, or a sequence) as sorted axes; an empty sequence means all."""
    from ..graph.primitives.rules import normalize_axes

    if dim is None:
        return tuple(range(ndim))
    if isinstance(dim, int):
        return normalize_axes(dim, ndim)
    chosen = tuple(int(d) for d in dim)
    return normalize_axes(chosen or None, ndim)


def sizes_of(*sizes: Any) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence."""
    if len(sizes) == 1 and not isinstance(sizes[0], int) and not isinstance(sizes[0], Tensor):
        sizes = tuple(sizes[0])
    return tuple(s if type(s) is int else s.__index__() for s in sizes)


__all__ = ["FUNCTIONS", "assign", "axes_of", "binary", "function", "into", "promote_and_apply", "sizes_of", "to_float", "unary"]
