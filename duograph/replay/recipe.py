"""Recipes: what a captured call reads, the plan that computes it, and where the results go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_, itemgetter
from typing import Any, NamedTuple

from ..graph import trace as tracing
from ..graph.trace import Kind, Number, Origin, Source, Step, Value
from ..nn.module import Module, changes
from ..runtime import execute
from ..runtime.buffer import Buffer
from ..tensor.core import Tensor, wrap
from ..tensor.views import Refill, overwrite

MISS = object()
"""What `Recipe.replay` gives when the recipe does not hold for this call."""


class Read(NamedTuple):
    """A leaf: the content of an argument, of a tensor or of a tensor's gradient, a number of a source, or a constant.

    `number` says which source and which of its numbers. `kind` and `order` are the leaf's, `taped` says whether the
    tensor required gradients.
    """

    kind: Kind | None
    order: tuple[int, ...] | None
    tensor: Tensor | None = None
    argument: int | None = None
    of_gradient: bool = False
    taped: bool = False
    number: tuple[int, int] | None = None
    constant: Any = None
    content: bytes = b""

    def identity(self) -> Any:
        """What must be the same in two calls."""
        return (*self[:2], id(self.tensor), *self[3:7], self.content)


class Write(NamedTuple):
    """A tensor (or an argument) that is given the result at `place` of the plan as content or as gradient (None: none).

    `in_place` says that memory was written, its own or that of the gradient it has: views and exported arrays see it.
    """

    tensor: Tensor
    argument: int | None
    of_gradient: bool
    place: int | None
    in_place: bool

    def identity(self) -> Any:
        return (id(self.tensor) if self.argument is None else None, *self[1:])


class Output(NamedTuple):
    """A leaf of what is returned: a result of the plan, an argument, or an object from outside."""

    thing: Any = None
    argument: int | None = None
    place: int | None = None
    device: Any = None
    origin: Origin | None = None  # a tape that is spent

    def identity(self) -> Any:
        thing = (type(self.thing), self.thing) if isinstance(self.thing, PLAIN) else id(self.thing)
        return (thing, *self[1:4], type(self.origin))


PLAIN = (bool, int, float, str, bytes, type(None))
"""Python values that are compared by value; all other objects are compared by identity."""


class Recipe:
    """A captured call. Two that are `same` have shown that the call does the same thing each time."""

    def __init__(
        self, step: Step, key: tuple[int, ...], kinds: Sequence[Kind], reads: list[Read], sources: list[Source],
        writes: list[Write], outputs: list[Output], form: Any, rebuild: Callable[[list[Any]], Any],
        gradients: dict[Tensor, bool], modules: list[Module],
    ) -> None:  # fmt: skip
        self.step = step
        self.key = key
        self.plan: Any = None
        self.kinds = kinds
        self.reads = reads
        self.sources = sources
        self.writes = writes
        self.outputs = outputs
        self.form = form
        self.rebuild = rebuild
        self.gradients = gradients
        self.modules = modules
        self.surroundings: list[Any] = []
        self.changes = changes.count
        self.module_changes = [m._changes for m in modules]
        self.modes = [m.training for m in modules]
        self._lay_out()

    def _lay_out(self) -> None:
        """Arrange what a replay goes through: what is written comes in the order in which it is read, then the rest."""
        of_state = [r for r in self.reads if r.tensor is not None and not r.of_gradient]
        contents = {id(w.tensor): w for w in self.writes if not w.of_gradient and w.argument is None}
        self._of_arguments = [r for r in self.reads if r.argument is not None]
        self._of_frozen = [r for r in of_state if id(r.tensor) not in contents]
        self._of_gradients = [r for r in self.reads if r.of_gradient]
        self._of_written = [r for r in of_state if id(r.tensor) in contents]
        self._constants = [r.constant for r in self.reads if r.constant is not None]
        self._frozen: list[Any] = [r.tensor for r in self._of_frozen]
        self._pick = _picker(self._places_of_leaves())
        self._owners = list(self.gradients)
        self._had_gradient = list(self.gradients.values())
        read_first = [contents.pop(id(r.tensor)) for r in self._of_written]
        self._contents = read_first + list(contents.values())
        self._refill = Refill([w.tensor for w in self._contents], [w.in_place for w in self._contents])
        self._pick_contents = _picker([w.place for w in self._contents])
        given = [w for w in self.writes if w.of_gradient and not w.in_place and w.place is not None]
        self._given = [(w.tensor, w.place, self.kinds[w.place]) for w in given if w.place is not None]
        apart = set(map(id, (*self._contents, *given)))
        self._rest = [w for w in self.writes if id(w) not in apart]
        self._known_frozen: list[Value] = []  # values that were found to be of the right kind
        self._is_of_kind = False  # whether what is read and written is, when it is what the last replay bound

    def _places_of_leaves(self) -> list[int]:
        """For each leaf its place among all that a replay gathers, in the order in which it does."""
        constants = [r for r in self.reads if r.constant is not None]
        gathered = [*self._of_arguments, *self._of_frozen, *self._of_gradients, *constants, *self._of_written]
        places = {id(r): k for k, r in enumerate(gathered)}
        starts, self._lengths = [], []
        count = len(gathered)
        for k in range(len(self.sources)):
            starts.append(count)
            self._lengths.append(
                1 + max([r.number[1] for r in self.reads if r.number and r.number[0] == k], default=-1)
            )
            count += self._lengths[-1]
        return [places[id(r)] if r.number is None else starts[r.number[0]] + r.number[1] for r in self.reads]

    def same(self, other: Recipe) -> bool:
        """Whether two calls did the same."""
        return (
            self.step is other.step
            and self.key == other.key
            and self.sources == other.sources
            and self.form == other.form
            and self._owners_by_id() == other._owners_by_id()
            and all(
                [one.identity() for one in mine] == [one.identity() for one in theirs]
                for mine, theirs in (
                    (self.reads, other.reads), (self.writes, other.writes), (self.outputs, other.outputs)
                )
            )
        )  # fmt: skip

    def _owners_by_id(self) -> dict[int, bool]:
        return {id(t): had for t, had in self.gradients.items()}

    # -- replay --------------------------------------------------------------------------------------------------------
    def replay(self, arguments: Sequence[Tensor]) -> Any:
        """The call without its Python, or MISS where something differs on which the recording depends."""
        if self.changes != changes.count and not self._modules_are_unchanged():
            return MISS
        if self._owners and [t._grad is not None for t in self._owners] != self._had_gradient:
            return MISS
        others = self._other_leaves(arguments)
        refill = self._refill
        is_alone = not self._contents or refill.is_alone()
        if not self._contents:
            state = []
        elif self._is_of_kind and (is_alone or refill.is_held()):
            state = [v.buffer for v in refill.values]
        else:
            state = [_leaf(r, r.tensor._value) for r in self._of_written]  # type: ignore[union-attr]
        if None in others or None in state:
            return MISS
        leaves = others + state[: len(self._of_written)]
        del state
        states: dict[Any, Any] = {}
        for source, length in zip(self.sources, self._lengths, strict=True):
            numbers = source.ahead(states)
            if numbers is None:
                return MISS
            leaves += numbers[:length]
        for tensor, _, _ in self._given:
            tensor._grad = None  # as the call does before it gives another: its memory serves for that
        interrupt = None
        try:
            # The state may be overwritten where only its value, our list and what is picked from it hold it. The others
            # are held by a list more, and everything is if others hold the values.
            made = execute.run(self.plan, self._pick(leaves), 3 if is_alone else 0)
        except KeyboardInterrupt as stop:
            rescued = self.plan.rescued()
            if rescued is None:
                raise
            made, interrupt = rescued, stop
        for thing, state in states.items():
            thing.advance(state)
        if self._contents:
            if is_alone:
                refill.fill(self._pick_contents(made))
            else:
                self._bind(made)
        for write in self._rest:
            self._write(write, arguments, made)
        for tensor, place, kind in self._given:
            tensor._grad = wrap(Value(kind.shape, kind.dtype, made[place], kind=kind))
        if interrupt is not None:
            raise interrupt
        return self.rebuild([self._output(o, arguments, made) for o in self.outputs])

    def _modules_are_unchanged(self) -> bool:
        """Whether the modules are as they were, but for changes that were taken back."""
        if [m._changes for m in self.modules] != self.module_changes:
            return False
        if [m.training for m in self.modules] != self.modes:
            return False
        self.changes = changes.count
        return True

    def _other_leaves(self, arguments: Sequence[Tensor]) -> list[Any]:
        """The buffers read that are not written, but for numbers; None for one that is not of the kind it was."""
        leaves = []
        for read in self._of_arguments:
            buffer = arguments[read.argument]._value.buffer  # type: ignore[index]
            leaves.append(buffer if buffer.order == read.order else _in_order(buffer, read.order))
        if self._frozen:
            values = [t._value for t in self._frozen]
            if values == self._known_frozen:
                leaves += [v.buffer for v in values]
            else:
                found = list(map(_leaf, self._of_frozen, values))
                leaves += found
                self._known_frozen = [] if None in found else values
        if self._of_gradients:
            leaves += [_leaf(r, r.tensor._grad._value) for r in self._of_gradients]  # type: ignore[union-attr]
        return leaves + self._constants if self._constants else leaves

    def _bind(self, made: list[Buffer]) -> None:
        """Give the tensors values of their own with the new content, as when an operation writes them."""
        for write in self._contents:
            self._write(write, (), made)
        self._refill.take()
        found = [_leaf(r, r.tensor._value) for r in self._of_written]  # type: ignore[union-attr]
        self._is_of_kind = None not in found

    def _write(self, write: Write, arguments: Sequence[Tensor], made: list[Buffer]) -> None:
        tensor = write.tensor if write.argument is None else arguments[write.argument]
        new = None
        if write.place is not None:
            kind = self.kinds[write.place]
            new = Value(kind.shape, kind.dtype, made[write.place], kind=kind)
        if new is None:
            tensor._grad = None
        elif write.in_place:
            overwrite((tensor._grad if write.of_gradient else tensor,), (new,))  # type: ignore[arg-type]
        else:
            new.origin, new.index = tensor._value.origin, tensor._value.index
            tensor._value = new

    def _output(self, output: Output, arguments: Sequence[Tensor], made: list[Buffer]) -> Any:
        if output.place is not None:
            kind = self.kinds[output.place]
            value = Value(kind.shape, kind.dtype, made[output.place], None, -1, output.origin, 0, kind)
            return wrap(value, output.device)
        return output.thing if output.argument is None else arguments[output.argument]


def _picker(places: list[Any]) -> Callable[[list[Any]], Sequence[Any]]:
    """A function that takes these places of a list."""
    return itemgetter(*places) if len(places) > 1 else lambda things: [things[k] for k in places]


def _leaf(read: Read, value: Value) -> Any:
    """The buffer of a value as the leaf that was read; None if it is of another kind."""
    if value.kind is not read.kind or (value.origin is not None) is not read.taped:
        return None
    if value.buffer is None:
        tracing.realise(value)
    buffer = value.buffer
    if type(buffer) is not Buffer:
        return buffer if type(buffer) is Number and not buffer.fixed else None
    return buffer if buffer.order == read.order else _in_order(buffer, read.order)


def _in_order(buffer: Buffer, order: tuple[int, ...] | None) -> Buffer | None:
    return Buffer(buffer.array.copy()) if order is None else None


def unchanged(before: list[Any], now: list[Any]) -> bool:
    """Whether the objects that a function refers to are those it referred to before: PLAIN ones by value."""
    return len(before) == len(now) and (
        all(map(is_, before, now))
        or all(
            a is b or (isinstance(a, PLAIN) and type(a) is type(b) and repr(a) == repr(b))
            for a, b in zip(before, now, strict=True)
        )
    )
