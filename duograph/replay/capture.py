"""Capturing: one recorded call of a function, taken apart into what it read, what it computed and what it left behind.

The call runs as always, into a trace of its own. Whatever tensors exist before and after are compared, so that all that
the call changed is known, wherever the user keeps it: parameters, gradients, the state of optimisers, running
statistics, variables of closures.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..autograd import operations_behind
from ..graph import trace as tracing
from ..graph.trace import Number, Origin, Source, Value, local
from ..nn import hooks
from ..nn.module import Module
from ..tensor.core import Tensor
from .recipe import Output, Read, Recipe, Write


class Unrepeatable(Exception):
    """Why a call cannot be replayed."""


class Before(NamedTuple):
    """A tensor as it was before the call."""

    tensor: Tensor
    value: Value
    gradient: Tensor | None
    version: int


class Watch:
    """What the call says of itself while it runs."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.sources: list[Source] = []
        self.places: dict[int, tuple[int, int]] = {}  # of the numbers, by id: which source, which of its numbers
        self.numbered: list[Number] = []
        self.modules: dict[Module, None] = {}

    def numbers(self, source: Source, buffers: Sequence[Number]) -> None:
        for place, buffer in enumerate(buffers):
            self.places[id(buffer)] = len(self.sources), place
        self.sources.append(source)
        self.numbered += buffers

    def involve(self, module: Module) -> None:
        """What the call does depends on this module and those below it."""
        if module not in self.modules:
            self.modules.update(dict.fromkeys(module.modules()))

    def spoil(self, reason: str) -> None:
        if self.reason is None:
            line = tracing.user_line()
            self.reason = f"{reason} ({line})" if line else reason


def capture(
    call: Callable[[], Any], arguments: Sequence[Tensor], modules: Sequence[Module], site: Any
) -> tuple[Any, Recipe | None, str | None]:
    """Make the call. Returns its result, and a recipe to replay it or the reason why there is none.

    `arguments` are the tensors among the arguments of the call, `modules` those that it refers to; `site` is where its
    traces begin in the tree.
    """
    tracing.realiser(local.trace)
    if gc.get_freeze_count():
        return call(), None, "gc.freeze() hides the tensors that there are"
    before = {id(t): Before(t, t._value, t._grad, t._version) for t in live_tensors()}
    trace, watch = local.trace, Watch()
    trace.step = tracing.tree.entry(site)
    for module in modules:
        watch.involve(module)
    recipe, is_collecting = None, gc.isenabled()
    gc.disable()  # so that new objects stay in the youngest generation, where they are soon looked through
    collections = gc.get_stats()
    try:
        with _watched(watch):
            result = call()
        if gc.get_stats() != collections:
            watch.spoil("the garbage collector was called")
        if watch.reason is None and local.trace is not trace:
            watch.reason = "its trace was computed before it ended"
        if watch.reason is None:
            try:
                recipe = _Analysis(before, watch, arguments).recipe(result)
            except Unrepeatable as unrepeatable:
                watch.reason = str(unrepeatable)
    finally:
        if is_collecting:
            gc.enable()
    before.clear()  # what was there before may be overwritten
    tracing.realiser(local.trace)
    if recipe is not None:
        recipe.plan = recipe.step.plans[recipe.key]
    return result, recipe, watch.reason


class _watched:
    """Within the block, `watch` is told what this thread does and which modules it calls."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def __enter__(self) -> None:
        watch = self.watch

        def called(module: Module, _: Any) -> None:
            if local.capture is watch:
                watch.involve(module)

        self.handle = hooks.register_module_forward_pre_hook(called)
        local.capture = watch

    def __exit__(self, *_: object) -> None:
        local.capture = None
        self.handle.remove()


def live_tensors(generation: int | None = None) -> Iterator[Tensor]:
    """All tensors that there are, or those of one generation of the garbage collector."""
    kinds = {Tensor}
    new = [Tensor]
    while new:
        new = [k for kind in new for k in kind.__subclasses__() if k not in kinds]
        kinds.update(new)
    # What holds the classes are their instances and little else. Found without a pause for other threads: one may be
    # making a tuple from a generator, which fails if somebody else holds the tuple then.
    found = gc.get_referrers(*kinds) if generation is None else gc.get_objects(generation)
    for thing in [o for o in found if type(o) in kinds]:
        if vars(thing).keys() & {"_value", "_row"}:  # else it is being made
            yield thing


class _Analysis:
    """Finds sources for all that a call read, and places for all that it computed."""

    def __init__(self, before: dict[int, Before], watch: Watch, arguments: Sequence[Tensor]) -> None:
        self.before = before
        self.watch = watch
        self.arguments = {id(t): k for k, t in reversed(list(enumerate(arguments)))}
        self.trace = local.trace
        self.owners = {id(b.gradient): b.tensor for b in before.values() if b.gradient is not None}
        self.gradients: dict[Tensor, bool] = {}  # whether the tensor had a gradient before
        self.accounted: set[Value] = set()

    def recipe(self, result: Any) -> Recipe:
        """Raises Unrepeatable."""
        trace = self.trace
        writes = sorted(self.writes(), key=lambda w: (id(w.tensor), w.of_gradient, w.in_place))
        leaves, rebuild = tree.flatten(result)
        outputs = [self.output(leaf) for leaf in leaves]
        self.check_escapes(leaves)
        pending = [v for r in trace.pending if (v := r()) is not None and v.buffer is None]
        if any(v not in self.accounted for v in pending):
            raise Unrepeatable("a gradient that was not taken yet needs what was computed")
        for group in (getattr(source, "group", None) for source in self.watch.sources):
            for parameter in group["params"] if group else ():
                self.had_gradient(parameter)
        slots = {v.slot: v.kind for v in pending}
        if not slots:
            raise Unrepeatable("it computes nothing")
        places = {slot: place for place, slot in enumerate(slots)}
        return Recipe(
            trace.step, tuple(slots), list(slots.values()), list(self.reads()), self.watch.sources,
            [w if w.place is None else w._replace(place=places[w.place]) for w in writes],
            [o if o.place is None else o._replace(place=places[o.place]) for o in outputs],
            _form(result), rebuild, self.gradients, list(self.watch.modules),
        )  # fmt: skip

    def had_gradient(self, tensor: Tensor) -> None:
        known = self.before.get(id(tensor))
        if known is not None:
            self.gradients[tensor] = known.gradient is not None

    def slot(self, value: Value, what: str) -> int:
        """The slot of a value that the call computed."""
        if value.trace is not self.trace or value.buffer is not None:
            raise Unrepeatable(f"{what} holds what was not computed inside")
        self.accounted.add(value)
        return value.slot

    # -- what it left behind -------------------------------------------------------------------------------------------
    def writes(self) -> Iterator[Write]:
        """The tensors that were given other content or another gradient."""
        for tensor, value, gradient, version in self.before.values():
            now = tensor._value
            if now is not value:
                if now.origin is not value.origin:
                    raise Unrepeatable("a tensor from outside goes on or off the tape")
                slot = self.slot(now, "a tensor from outside")
                argument, owner = self.arguments.get(id(tensor)), self.owners.get(id(tensor))
                if argument is None and owner is not None:
                    self.had_gradient(owner)
                    yield Write(owner, None, True, slot, True)
                else:
                    yield Write(tensor, argument, False, slot, tensor._version != version)
            if tensor._grad is not gradient:
                self.had_gradient(tensor)
                if id(tensor) in self.arguments:
                    raise Unrepeatable("an argument is given a gradient")
                yield Write(tensor, None, True, self.gradient_slot(tensor._grad), False)

    def gradient_slot(self, gradient: Tensor | None) -> int | None:
        if gradient is None:
            return None
        if id(gradient) in self.before:
            raise Unrepeatable("a tensor from outside becomes a gradient")
        if gradient._value.origin is not None:
            raise Unrepeatable("a gradient is on the tape")
        return self.slot(gradient._value, "a gradient")

    def output(self, leaf: Any) -> Output:
        if not isinstance(leaf, Tensor):
            return Output(leaf)
        argument = self.arguments.get(id(leaf))
        if argument is not None:
            return Output(argument=argument)
        if id(leaf) in self.before:
            return Output(leaf)
        if type(leaf) is not Tensor:
            raise Unrepeatable(f"it returns a new {type(leaf).__name__}")
        base = leaf._base
        if base is not None:
            if id(base) in self.before:
                raise Unrepeatable("it returns a view of a tensor from outside")
            self.accounted.add(base._value)
        value = leaf._value
        origin = value.origin = None if value.origin is None else _spent(value)  # lets go of what the tape still holds
        return Output(None, None, self.slot(value, "what it returns"), leaf._device, origin)

    def check_escapes(self, results: Sequence[Any]) -> None:
        """New tensors may live on as results and as gradients: any other the user's Python has kept."""
        allowed = {id(tensor._grad) for tensor, *_ in self.before.values()} | set(map(id, results))
        for tensor in results:
            if isinstance(tensor, Tensor):
                allowed.add(id(tensor._base))
        if self.has_escaped(allowed, 0):
            gc.collect(0)  # what survives is of the next generation then
            if self.has_escaped(allowed, 1):
                raise Unrepeatable("a tensor made inside is kept outside, in a list or an attribute")

    def has_escaped(self, allowed: set[int], generation: int) -> bool:
        """Whether there are other new tensors that hold what was computed or read here."""
        values = {id(b.value) for b in self.before.values()}
        return any(
            id(t) not in self.before
            and id(t) not in allowed
            and (t._value.trace is self.trace or id(t._value) in values)
            for t in live_tensors(generation)
        )

    # -- what it read --------------------------------------------------------------------------------------------------
    def reads(self) -> Iterator[Read]:
        """Where each leaf of the trace comes from."""
        found: dict[int, dict[str, Any]] = {}
        for tensor, value, *_ in sorted(self.before.values(), key=lambda b: self.rank(b.tensor), reverse=True):
            argument, owner = self.arguments.get(id(tensor)), self.owners.get(id(tensor))
            if argument is not None:
                read: dict[str, Any] = {"argument": argument}
            elif owner is not None:
                read = {"tensor": owner, "of_gradient": True}
            else:
                read = {"tensor": tensor}
            found[id(value.buffer)] = {**read, "taped": value.origin is not None}
        steps = [s for s in self.trace.step.walk() if s.parent is not None and s.leaves > s.parent.leaves]
        for leaf, step in zip(self.trace.leaves, steps, strict=True):
            buffer = leaf if type(leaf) is Number or leaf.of is None else leaf.of
            read = found.get(id(buffer)) or self.other(leaf)
            if read.get("of_gradient"):
                self.had_gradient(read["tensor"])
            yield Read(step.results[0], leaf.order, **read)

    def rank(self, tensor: Tensor) -> tuple[int, int]:
        """Of tensors that share memory the one of the lowest rank stands for all."""
        base_first = 2 if tensor._base is None else 3
        kind = 0 if id(tensor) in self.arguments else 1 if id(tensor) in self.owners else base_first
        return kind, id(tensor)

    def other(self, leaf: Any) -> dict[str, Any]:
        """A leaf that no tensor from outside holds: a run-time number, or something made inside from Python data."""
        if type(leaf) is not Number:
            return {"constant": leaf, "content": np.ascontiguousarray(leaf.array).tobytes()}
        place = self.watch.places.get(id(leaf))
        if place is not None:
            return {"number": place}
        if leaf.fixed:
            raise Unrepeatable(f"a Python number was seen to change. Received: {leaf.number}")
        return {"constant": leaf, "content": repr(leaf.number).encode()}


def _form(result: Any) -> Any:
    """The containers of a result, without its leaves."""
    if isinstance(result, dict):
        return type(result), [(k, _form(v)) for k, v in result.items()]
    if isinstance(result, list | tuple):
        return type(result), [_form(v) for v in result]
    return None if result is None else "leaf"


def _spent(value: Value) -> Origin:
    """A stand-in for the tape behind a result, which backward() went through already, so that it cannot once more.

    Raises Unrepeatable if it can.
    """
    origin = value.origin
    if not isinstance(origin, Origin) or not any(o.freed for o in operations_behind([value])):
        raise Unrepeatable("it returns a tensor whose gradient can still be taken")
    stand_in = type(origin)(origin.op, (), origin.attributes, origin.outputs, origin.line)
    stand_in.freed = True
    return stand_in
