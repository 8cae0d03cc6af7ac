"""vmap: a function of one example as a function of many, which is recorded once and runs as one operation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import tree
from ..graph.batching import batched
from ..graph.body import Body
from ..graph.composite import composite
from ..graph.dtype import uint64
from ..graph.errors import ArgumentError
from ..graph.node import PRIMITIVES, Graph, Node, topological
from ..graph.trace import local, record
from ..ops.joining import cat
from ..ops.manipulation import movedim, narrow
from ..tensor.core import Tensor, wrap

InDims = int | tuple[Any, ...] | list[Any] | None
OutDims = int | tuple[Any, ...] | None


def vmap(
    func: Callable[..., Any],
    in_dims: InDims = 0,
    out_dims: OutDims = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func`, which is written for one example, for a whole batch of them.

    The function is called once, with tensors that stand for any example, so that it cannot read their values. It
    composes with itself and with `grad`, `vjp`, `jvp` and the others, and gradients flow to what it has captured.

    Args:
        in_dims: Which axis of each argument counts examples, None for one that all share: one number for all arguments,
            or a nest of the form of the arguments. Keyword arguments have it in front.
        out_dims: Where results get that axis; None for a result that is the same for all examples.
        randomness: What random operations do: "error", or draw the "same" numbers for all examples, or "different".
        chunk_size: At most so many examples at once.

    Raises:
        ArgumentError: The arguments do not fit `in_dims` or have no common number of examples, the result is no nest of
            tensors or does not fit `out_dims`, or random numbers are drawn where `randomness` is "error".
        GraphError: The function reads a value.
    """
    if randomness not in ("error", "same", "different"):
        raise ArgumentError(f"vmap: randomness: expected 'error', 'same' or 'different'. Received: {randomness!r}")
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError(f"vmap: chunk_size: expected at least 1. Received: {chunk_size}")

    @functools.wraps(func)
    def mapped(*arguments: Any, **keywords: Any) -> Any:
        given, rebuild = tree.flatten((arguments, keywords))
        axes = [*_spread("in_dims", in_dims, arguments), *(0 for _ in tree.leaves(keywords))]
        stacks = [_examples_first(x, axis) for x, axis in zip(given, axes, strict=True)]
        lengths = {stack.shape[0] for stack in stacks if stack is not None}
        if len(lengths) != 1:
            raise ArgumentError(f"vmap: expected arguments with one number of examples. Received: {sorted(lengths)}")
        (length,) = lengths

        def of_examples(start: int, stop: int) -> list[Tensor]:
            part = [s if s is None or stop - start == length else narrow(s, 0, start, stop - start) for s in stacks]

            def one(*examples: Tensor) -> Any:
                found = iter(examples)
                leaves = [x if s is None else next(found) for x, s in zip(given, stacks, strict=True)]
                positional, named = rebuild(leaves)
                return func(*positional, **named)

            return run(one, [s for s in part if s is not None], stop - start)

        forms: list[Any] = []

        def run(one: Callable[..., Any], examples: list[Tensor], count: int) -> list[Tensor]:
            results, form, shared = _run(one, examples, count, randomness)
            forms[:] = [form, shared]
            return results

        step = chunk_size or length
        chunks = [of_examples(start, min(start + step, length)) for start in range(0, max(length, 1), step)]
        form, shared = forms
        places = _spread("out_dims", out_dims, form)
        joined = [rows[0] if len(rows) == 1 else cat(rows) for rows in zip(*chunks, strict=True)]
        finished = [_with_axis(result, place, same) for result, place, same in zip(joined, places, shared, strict=True)]
        return tree.flatten(form)[1](finished)

    return mapped


def _spread(name: str, dims: Any, nest: Any) -> list[int | None]:
    """One axis for each leaf of a nest, from a number for all or a nest of the form of its beginning."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(tree.leaves(nest))
    if isinstance(nest, dict) and isinstance(dims, dict) and dims.keys() == nest.keys():
        return [d for key in nest for d in _spread(name, dims[key], nest[key])]
    if isinstance(nest, list | tuple) and isinstance(dims, list | tuple) and len(nest) == len(dims):
        return [d for part, own in zip(nest, dims, strict=True) for d in _spread(name, own, part)]
    if isinstance(dims, list | tuple) and len(dims) == 1 and not isinstance(nest, list | tuple | dict):
        return _spread(name, dims[0], nest)
    raise ArgumentError(f"vmap: {name}: expected a number, or a nest of the form of what it is for. Received: {dims}")


def _examples_first(x: Any, axis: int | None) -> Tensor | None:
    """An argument with its examples along the first axis; None for one that is shared."""
    if axis is None:
        return None
    if not isinstance(x, Tensor) or not -x.ndim <= axis < x.ndim:
        what = f"a tensor of {x.ndim} axes" if isinstance(x, Tensor) else type(x).__name__
        raise ArgumentError(f"vmap: in_dims: expected a tensor with axis {axis}, or None for it. Received: {what}")
    return movedim(x, axis, 0) if axis else x


def _with_axis(result: Tensor, place: int | None, shared: bool) -> Tensor:
    if place is None:
        if not shared:
            raise ArgumentError("vmap: out_dims: None is for results that are the same for all examples")
        return result[0]
    return movedim(result, 0, place) if place else result


@composite
def mapped(*inputs: Node, body: Graph, stacks: int, length: int) -> tuple[Node, ...]:
    """The results of a graph for many values at once of its first inputs, the `stacks`."""
    stacked = dict(zip(body.inputs[:stacks], inputs[:stacks], strict=True))
    shared = dict(zip(body.inputs[stacks:], inputs[stacks:], strict=True))
    return tuple(batched(body.outputs, stacked, shared, length))


def _run(
    one: Callable[..., Any], stacks: list[Tensor], length: int, randomness: str
) -> tuple[list[Tensor], Any, list[bool]]:
    """Results with the examples in front, the form of the result for one, and which results are shared by all."""
    body = Body(length if randomness == "different" else 1)
    device = stacks[0]._device
    taped = local.gradients
    with body.recording():
        local.gradients = taped  # the function may take gradients of its own
        result = one(*(wrap(body.input(x._value.shape[1:], x._value.dtype), x._device) for x in stacks))
        leaves = tree.leaves(result)
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise ArgumentError(f"vmap: expected the function to return tensors. Received: {type(leaf).__name__}")
        graph = body.graph([x._value for x in leaves])
    along = [x._value for x in stacks]
    declared = len(along)
    if body.counts:
        if randomness == "error":
            raise ArgumentError("vmap: random numbers are drawn: expected randomness='same' or 'different'")
        turns = record(PRIMITIVES["iota"], (), (("size", length), ("dtype", uint64)))
        if randomness == "different":
            along.append(turns)
            declared += 1
        else:
            along.append(wrap(turns)[0]._value)
    attributes = (("body", graph), ("stacks", declared), ("length", length))
    found = record(mapped, (*along, *body.captured), attributes)
    results = [wrap(value, device) for value in (found if isinstance(found, tuple) else (found,))]
    differing = set(graph.inputs[:declared])
    shared = [differing.isdisjoint(topological([output])) for output in graph.outputs]
    return results, result, shared
