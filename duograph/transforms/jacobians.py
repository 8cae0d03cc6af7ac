"""All derivatives of all elements of a result: Jacobian and Hessian matrices, a row or a column for each example of a
`vmap`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import tree
from ..graph.errors import GradientError
from ..ops.creation import eye
from ..tensor.core import Tensor
from .gradients import Argnums, jvp, vjp
from .vectorize import vmap


def _of_chosen(
    function: Callable[..., Any], arguments: tuple[Any, ...], argnums: Argnums, keywords: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function of the arguments `argnums` alone, and these."""
    count = len(arguments)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not -count <= n < count:
            raise GradientError(f"argnums: the function was called with {count} arguments. Received: {argnums}")
    places = [n % count for n in numbers]

    def of_chosen(*chosen: Any) -> Any:
        given = list(arguments)
        for place, value in zip(places, chosen, strict=True):
            given[place] = value
        return function(*given, **keywords)

    return of_chosen, tuple(arguments[n] for n in numbers)


def _one_hot(x: Tensor) -> Tensor:
    """For each element of x a tensor of its shape in which only that one is 1: `[elements, *shape]`."""
    return eye(x.numel(), dtype=x.dtype, device=x.device).reshape(x.numel(), *x.shape)


def _split(function: Callable[..., Any], has_aux: bool) -> tuple[Callable[..., Any], list[Any]]:
    """The function of which the second result, if there is one, is put aside in a list."""
    aside: list[Any] = []

    def first(*arguments: Any) -> Any:
        result = function(*arguments)
        if has_aux:
            result, other = result
            aside.append(other)
        for leaf in tree.leaves(result):
            if not isinstance(leaf, Tensor):
                raise GradientError(f"jacobian: the function must return tensors. Received: {type(leaf).__name__}")
        return result

    return first, aside


def jacobian(
    function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, chunk_size: int | None = None
) -> Callable[..., Any]:
    """A function that returns the derivatives of every element of the results by every element of an argument.

    For each tensor of the result there is, in the form of the chosen arguments, one of shape `[*result, *argument]`,
    computed in reverse mode, `chunk_size` rows at once. With `has_aux` the function returns (result, other), and the
    new one (derivatives, other).
    """

    @functools.wraps(function)
    def transformed(*arguments: Any, **keywords: Any) -> Any:
        of_chosen, chosen = _of_chosen(function, arguments, argnums, keywords)
        first, aside = _split(of_chosen, has_aux)
        result, pullback = vjp(first, *chosen)
        outputs, rebuild = tree.flatten(result)
        found = []
        for place, output in enumerate(outputs):

            def row(cotangent: Tensor, place: int = place) -> tuple[Any, ...]:
                seeds = [cotangent if k == place else o.new_zeros(o.shape) for k, o in enumerate(outputs)]
                return pullback(rebuild(seeds))

            shape = tuple(output.shape)
            if output.numel():
                rows = vmap(row, chunk_size=chunk_size)(_one_hot(output))
                shaped = tree.map(lambda r, x, shape=shape: r.reshape(*shape, *x.shape), rows, chosen)
            else:
                shaped = tree.map(lambda x, shape=shape: x.new_zeros((*shape, *x.shape)), chosen)
            found.append(shaped[0] if isinstance(argnums, int) else shaped)
        derivatives = rebuild(found)
        return (derivatives, aside[0]) if has_aux else derivatives

    return transformed


def jacobian_forward(
    function: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """As `jacobian`, column by column: each is a Jacobian-vector product, and all are computed at once."""

    @functools.wraps(function)
    def transformed(*arguments: Any, **keywords: Any) -> Any:
        of_chosen, chosen = _of_chosen(function, arguments, argnums, keywords)
        first, _ = _split(of_chosen, has_aux)
        inputs, rebuild = tree.flatten(chosen)
        by_input = []
        for place, x in enumerate(inputs):

            def column(tangent: Tensor, place: int = place) -> Any:
                tangents = [tangent if k == place else i.new_zeros(i.shape) for k, i in enumerate(inputs)]
                return jvp(first, chosen, rebuild(tangents))[1]

            columns = vmap(column, out_dims=-1, randomness=randomness)(_one_hot(x))
            shape = tuple(x.shape)
            by_input.append(tree.map(lambda c, shape=shape: c.reshape(*c.shape[:-1], *shape), columns))
        outputs, form = tree.flatten(by_input[0])
        columns_of = [tree.leaves(found) for found in by_input]
        results = [rebuild([found[k] for found in columns_of]) for k in range(len(outputs))]
        derivatives = form([r[0] if isinstance(argnums, int) else r for r in results])
        return (derivatives, function(*arguments, **keywords)[1]) if has_aux else derivatives

    return transformed


def hessian(function: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives of a result: shape `[*result, *argument, *argument]`."""
    return jacobian(jacobian(function, argnums), argnums)


def linearize(function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The result at `primals`, and a function from tangents of the primals to that of the result."""
    return function(*primals), lambda *tangents: jvp(function, primals, tangents)[1]
