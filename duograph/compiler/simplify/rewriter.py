"""Rewriting of nodes into normal form: the engine under the table of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...graph.dtype import DType
from ...graph.node import PRIMITIVES, Node, Number, Shape, make
from ...graph.node import constant as make_constant

Rule = Callable[["Rewriter", Node], Node | None]
"""Gives what a node equals, in normal form, or None where the rule does not apply. The node's inputs are normal."""

Table = Mapping[str, tuple[Rule, ...]]
"""The rules of each primitive, by its name."""

Span = tuple[int, int, int]
"""The places start, start + step, ... of one axis: (start, step, count)."""

CONSTANT, BROADCAST, RESHAPE = (PRIMITIVES[name] for name in ("constant", "broadcast_to", "reshape"))
_INDEXED = frozenset({"take", "take_along", "put", "put_along"})
_DIVISIONS = frozenset({"floor_divide", "remainder", "fmod"})


def may_raise(node: Node) -> bool:
    """Whether the operation itself, not its inputs, can fail when it is run."""
    name = node.op.name
    if name in _INDEXED:
        return True
    if node.op.kind in ("loop", "control"):
        return any(may_raise(inner) for graph in node.graphs for inner in graph.nodes())
    if name not in _DIVISIONS or node.dtype.is_floating_point:
        return False
    divisor = node.inputs[1]
    return divisor.op is not CONSTANT or divisor["value"] == 0


def number(node: Node) -> Number | None:
    """The value of a constant; None for any other node."""
    return node.attributes[0][1] if node.op is CONSTANT else None


class Rewriter:
    """Makes nodes in normal form.

    `strict` forbids to drop what may raise an error at run time. Without it such operands are dropped and noted in
    `dropped`: mostly they are also used elsewhere, which only shows at the end of the sweep.
    """

    def __init__(self, rules: Table, lines: dict[Node, str], strict: bool = False) -> None:
        self.rules = rules
        self.lines = lines
        self.line: str | None = None  # of the node that is being rewritten
        self.strict = strict
        self.dropped: list[Node] = []
        self.normal: dict[Node, Node] = {}
        self.pairs: dict[tuple[Any, ...], Node] = {}  # commutative operations by (name, operands)
        self.offsets: dict[Node, list[int]] = {}  # where the pieces of concatenations end

    def normalise(self, node: Node) -> Node:
        """The normal form of a node whose inputs are normal."""
        found = self.normal.get(node)
        if found is None:
            found = node
            for rule in self.rules.get(node.op.name, ()):
                new = rule(self, node)
                if new is not None and new is not node:
                    found = new
                    break
            self.normal[node] = self.normal[found] = found
            if self.line is not None:
                self.lines.setdefault(found, self.line)
        return found

    def make(self, name: str, *inputs: Node, **attributes: Any) -> Node:
        """The normal form of an operation on normal inputs."""
        return self.normalise(make(PRIMITIVES[name], *inputs, **attributes))

    def remake(self, node: Node, *inputs: Node) -> Node:
        """The operation of `node` on other inputs."""
        return self.normalise(make(node.op, *inputs, **dict(node.attributes)))

    def can_drop(self, *operands: Node) -> bool:
        """Whether a result may stop to depend on `operands`: no error of theirs may be lost."""
        if self.strict:
            return next(raising(operands, frozenset()), None) is None
        self.dropped += operands
        return True

    def full(self, shape: Shape, value: Number, dtype: DType) -> Node:
        """A tensor of one number."""
        return self.broadcast_to(make_constant(value, dtype), shape)

    def reshape(self, x: Node, shape: Shape) -> Node:
        return x if x.shape == shape else self.make("reshape", x, shape=shape)

    def broadcast_to(self, x: Node, shape: Shape) -> Node:
        return x if x.shape == shape else self.make("broadcast_to", x, shape=shape)

    def permute(self, x: Node, axes: Sequence[int]) -> Node:
        return self.make("permute", x, axes=tuple(axes))

    def transpose(self, x: Node) -> Node:
        """`x` with its last two axes exchanged."""
        axes = tuple(range(x.ndim - 2))
        return self.make("permute", x, axes=(*axes, x.ndim - 1, x.ndim - 2))

    def concatenate(self, xs: Sequence[Node], axis: int) -> Node:
        return xs[0] if len(xs) == 1 else self.make("concatenate", *xs, axis=axis)

    def slice(self, x: Node, spans: Sequence[Span]) -> Node:
        """The places of `x` that the spans of its axes name."""
        attributes = slice_attributes(spans)
        whole = attributes["start"] == (0,) * x.ndim and attributes["stop"] == x.shape
        return x if whole and attributes["step"] == (1,) * x.ndim else self.make("slice", x, **attributes)


def slice_attributes(spans: Iterable[Span]) -> dict[str, tuple[int, ...]]:
    """The one way in which a slice is written: no step without two places, and a stop beside the last place."""
    starts, stops, steps = [], [], []
    for start, step, count in spans:
        if count == 0:
            start = stop = 0
            step = 1
        elif count == 1:
            step, stop = 1, start + 1
        else:
            stop = start + (count - 1) * step + (1 if step > 0 else -1)
        starts.append(start)
        stops.append(stop)
        steps.append(step)
    return {"start": tuple(starts), "stop": tuple(stops), "step": tuple(steps)}


def raising(roots: Iterable[Node], beyond: Iterable[Node]) -> Iterator[Node]:
    """The nodes that may raise among `roots` and what they depend on, less `beyond` and what those depend on."""
    seen, stack = set(beyond), list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.inputs)
            if may_raise(node):
                yield node
