"""Derivatives of functions: grad, value_and_grad, vjp, jvp."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import tree
from ..autograd import enable_grad, operations_behind, zeros_like
from ..autograd import grad as tape_grad
from ..graph.errors import ArgumentError, GradientError
from ..graph.trace import Leaf, alias, local, record
from ..tensor.core import PRIMITIVES, Tensor, wrap

Argnums = int | tuple[int, ...]


def _fresh(x: Any) -> Any:
    """The same content as a new end of the tape: inner differentiation stops there, outer goes on through it."""
    if not isinstance(x, Tensor):
        return x
    if not x.dtype.differentiable:
        return x
    if x._value.origin is not None and local.gradients:
        copied = record(PRIMITIVES["copy"], (x._value,))
        return wrap(copied, x._device)
    made = wrap(x._value, x._device)
    made._value = alias(x._value, Leaf(made))
    return made


def _select(arguments: tuple[Any, ...], argnums: Argnums) -> tuple[tuple[Any, ...], list[Tensor]]:
    """Arguments with those to differentiate by made fresh, and the fresh tensors."""
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in chosen:
        if not -len(arguments) <= n < len(arguments):
            raise ArgumentError(
                f"argnums: the function was called with {len(arguments)} arguments. Received: {argnums}"
            )
    made = list(arguments)
    for n in chosen:
        made[n] = tree.map(_fresh, arguments[n])
    tensors = [t for n in chosen for t in tree.leaves(made[n])]
    for t in tensors:
        if not isinstance(t, Tensor) or not t.dtype.differentiable:
            what = t.dtype.name if isinstance(t, Tensor) else type(t).__name__
            raise GradientError(f"only floating point and complex tensors can be differentiated by. Received: {what}")
    return tuple(made), tensors


def _settle(results: list[Any], fresh: list[Tensor]) -> list[Any]:
    """Results off the tape, unless it leads on beyond the `fresh` ends that the transform itself made: to an outer
    transform, or to parameters in the function's closure."""
    own = {t._value.origin for t in fresh if isinstance(t._value.origin, Leaf)}
    settled = []
    for result in results:
        if isinstance(result, Tensor) and result.requires_grad:
            behind = operations_behind([result._value])
            ends = {v.origin for o in behind for v in o.inputs if v is not None and isinstance(v.origin, Leaf)}
            if ends <= own and result._value.origin not in ends - own:
                result = wrap(alias(result._value, None), result._device)
        settled.append(result)
    return settled


def _gather(arguments: tuple[Any, ...], argnums: Argnums, flat: list[Any]) -> Any:
    """Results for the chosen leaves in the form of the chosen arguments."""
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    made, start = [], 0
    for n in chosen:
        leaves, rebuild = tree.flatten(arguments[n])
        made.append(rebuild(flat[start : start + len(leaves)]))
        start += len(leaves)
    return made[0] if isinstance(argnums, int) else tuple(made)


def value_and_grad(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns (value, gradient by the arguments `argnums`) of a one-element result.

    With `has_aux` the function returns (result, other), and the new one ((result, other), gradient).
    Raises GradientError where the result has more than one element.
    """

    @functools.wraps(function)
    def transformed(*arguments: Any, **keywords: Any) -> Any:
        with enable_grad():
            made, tensors = _select(arguments, argnums)
            result = function(*made, **keywords)
        value = result[0] if has_aux else result
        if not isinstance(value, Tensor) or value.numel() != 1:
            what = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
            raise GradientError(f"grad: the function must return a tensor of one element. Received: {what}")
        if not value.requires_grad:
            flat: list[Any] = [zeros_like(t) for t in tensors]
        else:
            found = tape_grad(value, tensors, create_graph=local.gradients, retain_graph=True, allow_unused=True)
            flat = [zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]
        leaves, rebuild = tree.flatten(result)
        return rebuild(_settle(leaves, tensors)), _gather(arguments, argnums, _settle(flat, tensors))

    return transformed


def grad(function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of a one-element result by the arguments `argnums`.

    With `has_aux` the function returns (result, other), and the new one (gradient, other).
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def transformed(*arguments: Any, **keywords: Any) -> Any:
        result, gradient = both(*arguments, **keywords)
        return (gradient, result[1]) if has_aux else gradient

    return transformed


def vjp(function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """The result at `primals`, and a function from a cotangent of the result to cotangents of the primals."""
    with enable_grad():
        made, tensors = _select(primals, tuple(range(len(primals))))
        result = function(*made)
    outputs = tree.leaves(result)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        seeds = tree.leaves(cotangent)
        pairs = [(o, s) for o, s in zip(outputs, seeds, strict=True) if o.requires_grad]
        found: Any = [None] * len(tensors)
        if pairs:
            found = tape_grad(
                [o for o, _ in pairs], tensors, [s for _, s in pairs], create_graph=local.gradients, retain_graph=True,
                allow_unused=True,
            )  # fmt: skip
        flat = [zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]
        return _gather(primals, tuple(range(len(primals))), _settle(flat, tensors))

    return tree.map(lambda r: _settle([r], tensors)[0], result), pullback


def jvp(function: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """The result at `primals`, and its derivative in the direction `tangents`.

    The vector-Jacobian product is linear in its cotangent u; its own derivative by u is the Jacobian-vector product
    (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
    """
    with enable_grad():
        made, tensors = _select(tuple(primals), tuple(range(len(primals))))
        result = function(*made)
        outputs = tree.leaves(result)
        rebuild = tree.flatten(result)[1]
        dummies = [_fresh(zeros_like(o)) for o in outputs]
        pairs = [(o, d) for o, d in zip(outputs, dummies, strict=True) if o.requires_grad]
        pulled: Any = [None] * len(tensors)
        if pairs:
            pulled = tape_grad(
                [o for o, _ in pairs], tensors, [d for _, d in pairs], create_graph=True, retain_graph=True,
                allow_unused=True,
            )  # fmt: skip
    directions = tree.leaves(tuple(tangents))
    for t, d in zip(tensors, directions, strict=True):
        if t.shape != d.shape:
            raise ArgumentError(f"jvp: expected a tangent of shape {t.shape}. Received: {d.shape}")
    used = [(p, d) for p, d in zip(pulled, directions, strict=True) if p is not None and p.requires_grad]
    found: Any = [None] * len(outputs)
    if used:
        found = tape_grad(
            [p for p, _ in used], dummies, [d for _, d in used], create_graph=local.gradients, retain_graph=True,
            allow_unused=True,
        )  # fmt: skip
    ends = [*tensors, *dummies]
    derivatives = [zeros_like(o) if g is None else g for o, g in zip(outputs, found, strict=True)]
    return rebuild(_settle(outputs, ends)), rebuild(_settle(derivatives, ends))
