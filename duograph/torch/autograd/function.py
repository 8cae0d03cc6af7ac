"""Operations whose gradient the user writes in Python."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...autograd import no_grad
from ...graph.errors import GradientError
from ...graph.lines import user_line
from ...graph.trace import Origin, Value, alias, local
from ...tensor.core import Tensor, wrap


class FunctionCtx:
    """What `forward` leaves for `backward`: saved tensors, and any attribute."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize = True
    _saved: tuple[Any, ...] = ()
    _not_differentiable: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `backward`, which reads them as `saved_tensors`."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        return self._saved

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Results through which no gradient flows."""
        self._not_differentiable = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Inputs that `forward` wrote in place."""

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (the default) or None for results that had no part in the loss."""
        self.materialize = value


class _Custom:
    """The operation on the tape: its product with a cotangent is the user's `backward`."""

    def __init__(self, function: type[Function], ctx: FunctionCtx, shapes: list[Tensor]) -> None:
        self.name = function.__name__
        self.function = function
        self.ctx = ctx
        self.shapes = shapes

    def pull(self, origin: Origin, needed: tuple[bool, ...], given: list[Value | None]) -> list[Value | None]:
        cotangents: list[Tensor | None] = []
        for like, cotangent in zip(self.shapes, given, strict=True):
            if cotangent is not None:
                cotangents.append(wrap(cotangent))
            else:
                from ...autograd import zeros_like

                cotangents.append(zeros_like(like) if self.ctx.materialize else None)
        found = self.function.backward(self.ctx, *cotangents)
        found = found if isinstance(found, tuple) else (found,)
        tensors = self.ctx._places  # type: ignore[attr-defined]
        if len(found) < max(tensors, default=-1) + 1:
            raise GradientError(
                f"{self.name}.backward: expected {max(tensors) + 1} gradients, one for each argument of forward. "
                f"Received: {len(found)}"
            ).located(origin.line)
        chosen = [found[place] for place in tensors]
        return [
            None if g is None else g._value
            for g, v, wants in zip(chosen, origin.inputs, needed, strict=True)
            if wants and v is not None
        ]


class Function:
    """Base of operations with their own gradient: define static `forward(ctx, ...)` and `backward(ctx, ...)`.

    Call `apply`. With `setup_context(ctx, inputs, output)` defined, `forward` takes no ctx.
    """

    @staticmethod
    def forward(*arguments: Any, **keywords: Any) -> Any:
        raise NotImplementedError("define forward in the subclass of Function")

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        raise NotImplementedError("define backward in the subclass of Function")

    @classmethod
    def apply(cls, *arguments: Any) -> Any:
        """Compute `forward`, and put `backward` on the tape."""
        ctx = FunctionCtx()
        places = [k for k, a in enumerate(arguments) if isinstance(a, Tensor)]
        ctx._places = places  # type: ignore[attr-defined]
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in arguments)
        setup = getattr(cls, "setup_context", None)
        with no_grad():
            result = cls.forward(*arguments) if setup else cls.forward(ctx, *arguments)
            if setup:
                setup(ctx, arguments, result)
        if any(isinstance(a, Tensor) and a.dtype.differentiable for a in arguments):
            local.trace.customised()
        if not (local.gradients and any(ctx.needs_input_grad)):
            return result
        results = list(result) if isinstance(result, tuple | list) else [result]
        tensors = [r for r in results if isinstance(r, Tensor)]
        taped = next(a._value.origin for a in arguments if isinstance(a, Tensor) and a.requires_grad)
        assert taped is not None
        origin = taped.successor(
            _Custom(cls, ctx, tensors), tuple(arguments[k]._value for k in places), (), len(tensors), user_line()
        )
        made = []
        index = 0
        for r in results:
            if not isinstance(r, Tensor):
                made.append(r)
                continue
            if r.dtype.is_floating_point and not any(r is n for n in ctx._not_differentiable):
                twin = wrap(alias(r._value, origin, index), r._device)
                ctx._saved = tuple(twin if s is r else s for s in ctx._saved)
                r = twin
            made.append(r)
            index += 1
        return type(result)(made) if isinstance(result, tuple | list) else made[0]


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a `backward` that is not itself differentiated."""

    @functools.wraps(function)
    def wrapped(ctx: Any, *cotangents: Any) -> Any:
        with no_grad():
            return function(ctx, *cotangents)

    return wrapped
