"""Recurrences: how a `scan` is made of a step, and its gradient.

A step is cut into three parts. What does not depend on the carry and is worth it, such as the product of a network's
inputs with their weights, is computed before the loop, for all steps at once. What only results need, and no later
step, such as the gradient of a weight, is computed behind it, also at once. So the loop has nothing in it but the
recurrence itself.

A loop gives, besides what it is asked for, whatever its steps computed at some cost. Results that nobody uses cost
nothing; the gradient, which is a loop in the other direction, reads there what it would have to compute again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from . import language as lang
from .batching import batched
from .node import PRIMITIVES, Graph, Node, make, substitute, topological

CHEAP = frozenset(
    (
        "absolute", "add", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "cast", "concatenate", "copy",
        "divide", "equal", "less", "less_equal", "maximum", "minimum", "multiply", "negative", "not_equal", "pad",
        "select", "sign", "stop_gradient", "subtract",
    )
)  # fmt: skip
"""Operations that are sooner computed again than read from memory."""

VIEWS = frozenset(("broadcast_to", "permute", "reshape", "slice"))
"""Operations that compute nothing."""

Reverse = Callable[[Sequence[Node], Sequence[Node | None], Sequence[Node]], list[Node | None]]
"""Reverse mode: see `gradient.gradient`."""


class Scanned(NamedTuple):
    """The results of a loop.

    Attributes:
        states: Each carry, `[length + 1, *shape]`, in the order of time: what the first step starts from is the first
            of them, or the last if the loop runs backwards.
        emitted: What the steps give besides, `[length, *shape]`, in the order of time.
    """

    states: tuple[Node, ...]
    emitted: tuple[Node, ...]

    def ends(self, reverse: bool = False) -> tuple[Node, ...]:
        """The carries after the last step, of a loop that runs in this direction."""
        return tuple(_end(states, first=reverse) for states in self.states)


def scan(
    step: Callable[..., tuple[Sequence[Node], Sequence[Node]]],
    carries: Sequence[Node],
    sequences: Sequence[Node] = (),
    constants: Sequence[Node] = (),
    *,
    length: int | None = None,
    reverse: bool = False,
) -> Scanned:
    """Repeat a step over the first axis of `sequences`.

    Args:
        step: Takes nodes, the carries, one slice of each sequence and the constants, and gives the next carries, of the
            same shapes and dtypes, and what else it makes.
        carries: What the first step starts from.
        sequences: `[length, *shape]` each.
        constants: What is the same in each step.
        length: The number of steps, where there is no sequence to say so.
        reverse: Begin with the last slice.

    Raises:
        ShapeError: A carry is of another shape or dtype after the step, or sequences differ in length.
    """
    shapes = [x.shape for x in carries] + [x.shape[1:] for x in sequences] + [x.shape for x in constants]
    given = (*carries, *sequences, *constants)
    inputs = [_input(k, shape, x.dtype) for k, (shape, x) in enumerate(zip(shapes, given, strict=True))]
    new, emitted = step(*inputs)
    body = Graph(tuple(inputs), (*new, *emitted))
    steps = length if length is not None else sequences[0].shape[0]
    return scan_graph(body, carries, sequences, constants, length=steps, reverse=reverse)


def scan_graph(
    body: Graph,
    carries: Sequence[Node],
    sequences: Sequence[Node],
    constants: Sequence[Node],
    *,
    length: int,
    reverse: bool,
) -> Scanned:
    """As `scan`, of a step that is a graph: its outputs are the next carries and then what else it makes."""
    return _Loop(body, carries, sequences, constants, length, reverse).scanned()


def _input(position: int, shape: tuple[int, ...], dtype: object) -> Node:
    return make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)


def _before(states: Node, reverse: bool) -> Node:
    """What each step started from."""
    return lang.narrow(states, 0, int(reverse), states.shape[0] - 1)


def _after(states: Node, reverse: bool) -> Node:
    """What each step came to."""
    return lang.narrow(states, 0, int(not reverse), states.shape[0] - 1)


def _end(states: Node, first: bool) -> Node:
    """The state at the first place in time, or the last."""
    return lang.reshape(lang.narrow(states, 0, 0 if first else states.shape[0] - 1, 1), states.shape[1:])


def _costly(node: Node) -> bool:
    return node.op.kind != "source" and node.op.name not in CHEAP and node.op.name not in VIEWS


def _dependent(order: Iterable[Node], on: Iterable[Node]) -> set[Node]:
    """Those of `order`, a list of nodes with inputs first, that depend on some of `on`, and these."""
    found = set(on)
    for node in order:
        if not found.isdisjoint(node.inputs):
            found.add(node)
    return found


def _reached(outputs: Iterable[Node], known: Iterable[Node] = ()) -> set[Node]:
    """All that `outputs` depend on, up to what is `known`; some of which may be among it."""
    ends, found, stack = set(known), set[Node](), list(outputs)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            if node not in ends:
                stack.extend(node.inputs)
    return found


class _Loop:
    """A step cut into what comes before the loop, what is repeated, and what comes after it."""

    def __init__(
        self,
        body: Graph,
        carries: Sequence[Node],
        sequences: Sequence[Node],
        constants: Sequence[Node],
        length: int,
        reverse: bool,
    ) -> None:
        self.body = body
        self.carries, self.length, self.reverse = carries, length, reverse
        ends = len(carries), len(carries) + len(sequences)
        self.carried = body.inputs[: ends[0]]
        self.stacks = dict(zip(body.inputs[ends[0] : ends[1]], sequences, strict=True))
        self.fixed = dict(zip(body.inputs[ends[1] :], constants, strict=True))
        self.next = body.outputs[: ends[0]]
        self.order = topological(body.outputs)
        self.moving = _dependent(self.order, self.carried)  # what depends on the carry

    def scanned(self) -> Scanned:
        emitted = self.body.outputs[len(self.carried) :]
        inner = self._hoisted(emitted)
        repeated = _reached(self.next)
        late = self._late(repeated)
        listed = self._taken_out(emitted, late)
        costly = [n for n in self.order if n in repeated and n in self.moving and _costly(n)]
        known = {*self.next, *self.carried}
        listed = list(dict.fromkeys(n for n in (*listed, *costly) if n not in known))
        nodes = self._nodes((*self.next, *listed), inner)
        states = nodes[: len(self.next)]
        stacks = {**self.stacks, **dict(zip(listed, nodes[len(self.next) :], strict=True))}
        for before, after, stack in zip(self.carried, self.next, states, strict=True):
            stacks[before] = _before(stack, self.reverse)
            if after in self.moving and after not in self.carried:
                stacks[after] = _after(stack, self.reverse)
        return Scanned(tuple(states), tuple(batched(emitted, stacks, self.fixed, self.length)))

    def _hoisted(self, emitted: Sequence[Node]) -> tuple[dict[Node, Node], dict[Node, Node]]:
        """What is computed before the loop, for all steps and once for all, by the nodes of the step it stands for."""
        heavy: set[Node] = set()
        for node in self.order:
            if node not in self.moving and (_costly(node) or not heavy.isdisjoint(node.inputs)):
                heavy.add(node)
        used = {i for node in self.order if node in self.moving for i in node.inputs} | set(self.next)
        varying = _dependent(self.order, self.stacks)
        rows = [n for n in self.order if n in heavy and n in used and n in varying]
        single = [n for n in self.order if n in heavy and n in used and n not in varying]
        return (
            dict(zip(rows, batched(rows, self.stacks, self.fixed, self.length), strict=True)),
            dict(zip(single, substitute(single, self.fixed), strict=True)),
        )

    def _late(self, repeated: set[Node]) -> set[Node]:
        """What no later step needs, and is worth being computed after the loop."""
        late: set[Node] = set()
        for node in self.order:
            if node in self.moving and node not in repeated and (_costly(node) or not late.isdisjoint(node.inputs)):
                late.add(node)
        return late

    def _taken_out(self, emitted: Sequence[Node], late: set[Node]) -> list[Node]:
        """What the loop must give, so that `emitted` can be computed after it."""
        found: dict[Node, None] = {}
        stack, seen = list(emitted), set[Node]()
        while stack:
            node = stack.pop()
            if node in seen or node not in self.moving:
                continue
            seen.add(node)
            if node in late or (node.op.name in VIEWS and node not in self.next):
                stack.extend(node.inputs)
            else:
                found[node] = None
        return list(found)

    def _nodes(self, outputs: Sequence[Node], inner: tuple[dict[Node, Node], dict[Node, Node]]) -> list[Node]:
        """The loop itself: a node for each output of the step."""
        rows, single = inner
        ends = {*rows, *single, *self.carried, *self.stacks, *self.fixed}
        used = _reached(outputs, ends)
        stacks = {k: v for k, v in {**self.stacks, **rows}.items() if k in used}
        fixed = {k: v for k, v in {**self.fixed, **single}.items() if k in used}
        names = (*self.carried, *stacks, *fixed)
        inputs = {node: _input(k, node.shape, node.dtype) for k, node in enumerate(names)}
        body = Graph(tuple(inputs.values()), substitute(outputs, inputs))
        operands = (*self.carries, *stacks.values(), *fixed.values())
        return [
            make(
                PRIMITIVES["scan"], *operands, body=body, carries=len(self.carried), sequences=len(stacks),
                length=self.length, reverse=self.reverse, result=k,
            )
            for k in range(len(outputs))
        ]  # fmt: skip


def gradient_of_scan(
    received: Sequence[tuple[Node, Node]], needed: Sequence[bool], gradient: Reverse
) -> list[Node | None]:
    """The cotangents of a loop's inputs: by a loop in the other direction, whose carries are those of the carries.

    The step backwards is the vector-Jacobian product of the step. It starts from the states and from what the steps
    forwards have computed at some cost, which the loop gives.
    """
    node = received[0][0]
    body, length, reverse = node["body"], node["length"], node["reverse"]
    count, first_constant = node["carries"], node["carries"] + node["sequences"]
    inputs, outputs = body.inputs, body.outputs
    stand_ins: list[Node] = []

    def stand_in(like: Node) -> Node:
        stand_ins.append(_input(len(inputs) + len(stand_ins), like.shape, like.dtype))
        return stand_ins[-1]

    def result(k: int) -> Node:
        found = make(node.op, *node.inputs, **{**dict(node.attributes), "result": k})
        return _after(found, reverse) if k < count else found

    carried = [k for k in range(count) if inputs[k].dtype.differentiable]
    coming = {k: stand_in(inputs[k]) for k in carried}
    sequences: dict[Node, Node] = {}  # of the loop backwards, by what stands for them in its step
    cotangents: dict[int, Node] = dict(coming)
    for made, cotangent in received:
        k = made["result"]
        here = stand_in(outputs[k])
        sequences[here] = _after(cotangent, reverse) if k < count else cotangent
        cotangents[k] = cotangents[k] + here if k in cotangents else here
    wanted = [k for k in range(count, len(inputs)) if needed[k]]
    found = gradient(
        [outputs[k] for k in cotangents], list(cotangents.values()), [inputs[k] for k in (*carried, *wanted)]
    )
    back = [lang.zeros_like(c) if f is None else f for c, f in zip(coming.values(), found, strict=False)]
    given = {k: f for k, f in zip(wanted, found[len(carried) :], strict=True) if f is not None}

    # where the step backwards reads what the step forwards has computed
    moving = _dependent(topological(outputs), inputs[:count])
    known = {output: k for k, output in reversed(list(enumerate(outputs))) if output in moving and output not in inputs}
    used = _reached((*back, *given.values()), known)
    read = {output: stand_in(output) for output, k in known.items() if output in used}
    sequences |= {read[output]: result(known[output]) for output in read}
    for k, (mine, operand) in enumerate(zip(inputs, node.inputs, strict=True)):
        if k < count and mine in used:
            states = make(node.op, *node.inputs, **{**dict(node.attributes), "result": k})
            sequences[mine] = _before(states, reverse)
        elif k < first_constant and mine in used:
            sequences[mine] = operand
    constants = {m: x for m, x in zip(inputs[first_constant:], node.inputs[first_constant:], strict=True) if m in used}
    step = Graph((*coming.values(), *sequences, *constants), substitute((*back, *given.values()), read))
    scanned = scan_graph(
        step,
        [lang.zeros_like(c) for c in coming.values()],
        tuple(sequences.values()),
        tuple(constants.values()),
        length=length,
        reverse=not reverse,
    )
    results: list[Node | None] = [None] * len(inputs)
    for k, states in zip(carried, scanned.states, strict=True):
        results[k] = _end(states, first=not reverse)
    for made, cotangent in received:
        k = made["result"]
        if k < count:
            start = _end(cotangent, first=not reverse)
            total = results[k]
            results[k] = start if total is None else total + start
    for k, emitted in zip(given, scanned.emitted, strict=True):
        results[k] = emitted if k < first_constant else lang.sum(emitted, 0)
    return results
