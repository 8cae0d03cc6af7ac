"""The walk along the tape.

The tape is the chain of origins behind a value. Going backwards records, for each operation on it, the composite that
is its vector-Jacobian product: derivatives are ordinary trace, so they are compiled with the forward part and can be
differentiated again.

A training loop walks the same tape again and again. Where all of it was recorded in the present trace, its shape is a
key to the passage through the tree of steps that the first walk made, and the walk is not repeated: see `_shape`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..gradient import VectorJacobianProduct, uses, vjp
from ..graph.errors import GradientError
from ..graph.node import PRIMITIVES, make
from ..graph.trace import Leaf, Origin, Passage, Step, Trace, Value, constant, local, record
from ..tensor.core import wrap
from . import anomaly

Place = tuple[Origin | Leaf, int]
"""Where cotangents meet: an output of an operation, or a leaf."""


def operations_behind(roots: Iterable[Value]) -> list[Origin]:
    """The operations that `roots` came from, those nearest to the roots first: none before what used its results."""
    order: list[Origin] = []
    seen: set[Any] = set()
    for root in roots:
        if not isinstance(root.origin, Origin) or root.origin in seen:
            continue
        seen.add(root.origin)
        stack = [(root.origin, iter(root.origin.inputs))]
        while stack:
            origin, rest = stack[-1]
            for value in rest:
                if value is None:
                    continue
                before = value.origin
                if before is not None and before not in seen and isinstance(before, Origin):
                    seen.add(before)
                    stack.append((before, iter(before.inputs)))
                    break
            else:
                stack.pop()
                order.append(origin)
    order.reverse()
    return order


def _leading(order: list[Origin], wanted: set[Place]) -> set[Any]:
    """The places on the way to `wanted`."""
    leads: set[Any] = set(wanted)
    for origin in reversed(order):
        if any(v is not None and (v.origin, v.index) in leads for v in origin.inputs):
            leads.update((origin, index) for index in range(origin.outputs))
    return leads


def _freed(origin: Origin) -> GradientError:
    message = (
        f"backward through {origin.op.name} a second time: the values it saved were freed by the first. "
        "Use backward(retain_graph=True) the first time"
    )
    error = GradientError(message)
    error.located(origin.line)
    return error


def _overwritten(origin: Origin, what: str) -> GradientError:
    error = GradientError(
        f"a value needed for the gradient of {origin.op.name} ({what}) was modified by an in-place operation "
        "after it was used. Use an out-of-place operation, or .clone() before writing"
    )
    error.located(origin.line)
    return error


def pull(
    roots: Sequence[Value], seeds: Sequence[Value | None], wanted: set[Place] | None, retain: bool, create_graph: bool
) -> dict[Place, Value]:
    """Cotangents at the places `wanted` (None: at every leaf), given those of the roots (None: ones).

    Records vector-Jacobian products; they are taped in turn if `create_graph`.
    Raises GradientError for a freed graph and for values overwritten since they were used.
    """
    trace = local.trace
    here = trace.step
    shape = None if create_graph or local.eager or anomaly.watch.active else _shape(trace, roots, seeds, wanted, retain)
    passage = None if shape is None else here.passages.get(shape.key)
    if passage is None:
        found = _walk(roots, seeds, wanted, retain, create_graph)
        if shape is not None and local.trace is trace and trace.step.leaves == here.leaves:
            shape.keep(here, trace, found)
    else:
        assert shape is not None
        found = shape.follow(trace, passage)
    for place in found:
        leaf = place[0]
        if isinstance(leaf, Leaf):
            owner = leaf.owner()
            if owner is not None and owner._hooks:
                found[place] = _after_hooks(list(owner._hooks.values()), found[place])
    return found


class _Shape:
    """The tape behind some roots, all of it recorded in the present trace.

    With the step at which the trace stands, `key` determines what a walk of the tape records.
    """

    __slots__ = ("key", "numbers", "operations")

    def __init__(self, key: tuple[Any, ...], numbers: dict[Origin | Leaf, int], operations: list[Origin]) -> None:
        self.key = key
        self.numbers = numbers
        self.operations = operations

    def keep(self, here: Step, trace: Trace, found: dict[Place, Value]) -> None:
        """Remember the walk that was made from `here`."""
        if any(value.trace is not trace or value.origin is not None for value in found.values()):
            return
        results = tuple((value.kind, value.slot) for value in found.values())
        places = tuple((self.numbers[place], index) for place, index in found)
        freed = tuple(origin.freed for origin in self.operations)
        here.passages[self.key] = Passage(trace.step, results, (places, freed))

    def follow(self, trace: Trace, passage: Passage) -> dict[Place, Value]:
        """What a walk would find and do, by a passage that was kept."""
        places, freed = passage.notes
        numbered = list(self.numbers)
        values = trace.follow(passage)
        for origin, spent in zip(self.operations, freed, strict=True):
            if spent:
                origin.freed = True
                origin.inputs = ()
        return {(numbered[number], index): v for (number, index), v in zip(places, values, strict=True)}


def _shape(
    trace: Trace, roots: Sequence[Value], seeds: Sequence[Value | None], wanted: set[Place] | None, retain: bool
) -> _Shape | None:
    """The shape of the tape, None if it leads outside the trace or runs Python on its way.

    The key numbers the places in the order in which they are met. It holds the step of each operation, which tells
    the operation and the slots of its inputs, and for each input the number of its place, -1 if there is none.
    """
    key: list[Any] = [retain, len(roots)]
    numbers: dict[Any, int] = {}
    operations: list[Origin] = []
    writes: list[Any] = []
    ahead: list[Sequence[Value | None]] = [roots]
    for values in ahead:
        for value in values:
            if value is None:
                continue
            origin = value.origin
            if origin is None:
                key.append(-1)
                continue
            number = numbers.get(origin)
            if number is None:
                number = numbers[origin] = len(numbers)
                if isinstance(origin, Origin):
                    if origin.trace is not trace or origin.hooks is not None or origin.freed:
                        return None
                    operations.append(origin)
                    ahead.append(origin.inputs)
                    key.append(origin.step)
            key.append(number)
            if value.index:
                key.append(-1 - value.index)
            if value.overwritten is not None:
                key.append(None)
                writes.append(value.overwritten)
    for seed in seeds:
        if seed is not None and seed.trace is not trace:
            return None
        key.append(None if seed is None else seed.slot)
    if writes:
        key.extend([numbers.get(writer, -1) for writer in writes])
    if wanted is not None:
        key.append(tuple(sorted([(numbers[place], index) for place, index in wanted if place in numbers])))
    return _Shape(tuple(key), numbers, operations)


def _walk(
    roots: Sequence[Value], seeds: Sequence[Value | None], wanted: set[Place] | None, retain: bool, create_graph: bool
) -> dict[Place, Value]:
    """`pull`, but for the hooks of leaves."""
    order = operations_behind(roots)
    leads = None if wanted is None else _leading(order, wanted)
    found: dict[Any, Value] = {}  # cotangents by place, complete when their operation's turn comes
    result: dict[Place, Value] = {}
    overwritten: set[Any] = set()  # places whose value was written in place after an operation had used it
    add = PRIMITIVES["add"]

    def contribute(value: Value, cotangent: Value) -> None:
        place = (value.origin, value.index)
        if value.overwritten is not None:
            overwritten.add(place)
        before = found.get(place)
        found[place] = cotangent if before is None else record(add, (before, cotangent))

    mode, local.gradients = local.gradients, create_graph
    try:
        for root, seed in zip(roots, seeds, strict=True):
            contribute(root, _ones(root) if seed is None else seed)
        for origin in order:
            given = [found.pop((origin, index), None) for index in range(origin.outputs)]
            if origin.hooks is not None:
                given = [_after_hooks(origin.hooks.get(k), c) for k, c in enumerate(given)]
            if wanted is not None:
                places = (((origin, k), c) for k, c in enumerate(given) if c is not None)
                result.update((place, c) for place, c in places if place in wanted)
            if given.count(None) == len(given):
                continue
            if origin.freed:
                raise _freed(origin)
            targets: list[Value] = []
            needed = []
            for value in origin.inputs:
                if (
                    value is None
                    or value.origin is None
                    or (leads is not None and (value.origin, value.index) not in leads)
                ):
                    needed.append(False)
                else:
                    needed.append(True)
                    targets.append(value)
            if targets:
                cotangents = _products(origin, tuple(needed), given, overwritten)
                for target, cotangent in zip(targets, cotangents, strict=True):
                    if cotangent is not None:
                        contribute(target, cotangent)
            if not retain:
                _free(origin)
    finally:
        local.gradients = mode
    leaves = {p: c for p, c in found.items() if isinstance(p[0], Leaf) and (wanted is None or p in wanted)}
    return result | leaves


def _ones(root: Value) -> Value:
    one = constant(1.0, root.dtype)
    return record(PRIMITIVES["broadcast_to"], (one,), (("shape", root.shape),)) if root.shape else one


def _products(
    origin: Origin, needed: tuple[bool, ...], given: list[Value | None], overwritten: set[Any]
) -> Sequence[Value | None]:
    """Cotangents of the inputs that need one, looked at where the user wishes it."""
    products = _unwatched(origin, needed, given, overwritten)
    if anomaly.watch.active:
        anomaly.check(origin, products)
    return products


def _unwatched(
    origin: Origin, needed: tuple[bool, ...], given: list[Value | None], overwritten: set[Any]
) -> Sequence[Value | None]:
    custom = getattr(origin.op, "pull", None)
    if custom is not None:  # an operation whose gradient is the user's Python function
        return custom(origin, needed, given)
    product = vjp(origin.op, needed, tuple([c is not None for c in given]))
    operands = (*origin.inputs, *[c for c in given if c is not None])
    if overwritten or any(v is not None and v.overwritten is not None for v in origin.inputs):
        _check_overwritten(origin, product, operands, overwritten)
    cotangents = record(product, operands, origin.attributes)
    return cotangents if isinstance(cotangents, tuple) else (cotangents,)


def _check_overwritten(
    origin: Origin, product: VectorJacobianProduct, operands: tuple[Value | None, ...], overwritten: set[Any]
) -> None:
    """Raise GradientError if the gradient of an operation uses a value that was written in place since."""
    signature = tuple(None if v is None else (v.shape, v.dtype) for v in operands)
    used, used_results = uses(product, origin.attributes, signature)
    for place, value in enumerate(origin.inputs):
        if value is not None and value.overwritten not in (None, origin) and place in used:
            raise _overwritten(origin, f"its input {place}")
    if any((origin, index) in overwritten for index in used_results):
        raise _overwritten(origin, "its result")


_keeping: dict[Any, bool] = {}


def _free(origin: Origin) -> None:
    """Release the values kept for an operation's gradient. One that needs none, such as a sum, can be passed twice."""
    keeps: bool | None = True
    if getattr(origin.op, "pull", None) is None:
        key = (origin.op, origin.attributes, len(origin.inputs))
        keeps = _keeping.get(key)
        if keeps is None:
            keeps = _keeping[key] = _uses_values(origin)
    if keeps:
        origin.freed = True
        origin.inputs = ()


def _uses_values(origin: Origin) -> bool:
    needed = tuple(v is not None and v.dtype.differentiable for v in origin.inputs)
    inputs = tuple(None if v is None else (v.shape, v.dtype) for v in origin.inputs)
    outputs = _results(origin, inputs)
    product = vjp(origin.op, needed, tuple(d.differentiable for _, d in outputs))
    cotangents = tuple(o for o in outputs if o[1].differentiable)
    used, used_results = uses(product, origin.attributes, (*inputs, *cotangents))
    return bool(used_results) or any(place < len(inputs) for place in used)


def _results(origin: Origin, inputs: tuple[Any, ...]) -> list[Any]:
    stand_ins = [
        None if s is None else make(PRIMITIVES["input"], position=k, shape=s[0], dtype=s[1])
        for k, s in enumerate(inputs)
    ]
    return [(n.shape, n.dtype) for n in origin.op.build(stand_ins, origin.attributes)]


def _after_hooks(hooks: Sequence[Callable[[Any], Any]] | None, cotangent: Any) -> Any:
    """A cotangent as the hooks leave it."""
    if not hooks or cotangent is None:
        return cotangent
    tensor = wrap(cotangent)
    for hook in hooks:
        changed = hook(tensor)
        if changed is not None:
            tensor = changed
    return tensor._value
