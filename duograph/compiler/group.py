"""A loop nest and the nodes it computes, each at one index of the nest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod

from ..graph.node import Node, Shape
from ..graph.sizes import hint
from .affine import ZERO, Affine, Index, Split
from .arrays import Array

LONGEST_ROW = 1 << 14
"""Elements of a row that a nest may go over several times: it stays in the second cache."""


@dataclass(eq=False)
class Step:
    """Something that runs: a nest, or one operation with a kernel of its own. `position` orders them."""

    position: float


@dataclass(eq=False)
class Group(Step):
    """A nest of loops over `sizes`.

    Attributes:
        sizes: The turns of each axis, by the axis's number.
        order: The axes as they lie in memory, outermost first.
        maps: For each node computed here, its index at a point of the nest. A node whose index leaves axes out is
            computed once for all of their turns.
        inputs: For each reduction here, the index of its input.
        reduced: The axes that reductions here go over; all reductions of a nest go over the same.
        later: Nodes that need a reduction of this nest, and the reductions.
        stores: What is written to memory, and where.
        root: The contraction whose result this nest takes from registers, if it is an epilogue.
        reads: Nodes that are read from memory.
    """

    sizes: dict[int, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    maps: dict[Node, Index] = field(default_factory=dict)
    inputs: dict[Node, Index] = field(default_factory=dict)
    reduced: frozenset[int] | None = None
    later: set[Node] = field(default_factory=set)
    stores: list[tuple[Node, Array]] = field(default_factory=list)
    root: Node | None = None
    reads: set[Node] = field(default_factory=set)

    @property
    def turns(self) -> int:
        return prod(self.sizes.values())

    def axes_for(self, shape: Shape, order: Sequence[int]) -> Index:
        """Make this the nest of a shape whose axes lie in memory in this order; gives the index of its elements."""
        index = [ZERO] * len(shape)
        for axis in order:
            if shape[axis] != 1:
                number = len(self.sizes)
                self.sizes[number] = shape[axis]
                self.order.append(number)
                index[axis] = Affine(0, ((number, 1),))
        return tuple(index)

    def split(self, request: Split) -> tuple[int, int]:
        """Cut an axis in two; gives their numbers."""
        axis, inner_size = request.axis, request.inner
        outer, inner = max(self.sizes) + 1, max(self.sizes) + 2
        place = self.order.index(axis)
        self.order[place : place + 1] = [outer, inner]
        self.sizes[outer], self.sizes[inner] = self.sizes[axis] // inner_size, inner_size
        del self.sizes[axis]
        for indices in (self.maps, self.inputs):
            for node, index in indices.items():
                indices[node] = tuple(entry.split(axis, outer, inner, inner_size) for entry in index)
        if self.reduced is not None and axis in self.reduced:
            self.reduced = (self.reduced - {axis}) | {outer, inner}
        return outer, inner

    def spaces(self) -> list[tuple[Shape, Index]]:
        """The shapes of what is computed or reduced here as a whole, and where their elements are."""
        found = [(node.shape, index) for node, index in self.maps.items() if self.whole(node.shape, index)]
        return found + [(node.inputs[0].shape, index) for node, index in self.inputs.items()]

    def whole(self, shape: Shape, index: Index) -> bool:
        """Whether an index reaches all elements of a shape, as that of what is read through a slice does not, and no
        others, as that of what is read through a padding does."""
        for entry, size in zip(index, shape, strict=True):
            reach = [c * (self.sizes[axis] - 1) for axis, c in entry.terms]
            if entry.offset + sum(min(r, 0) for r in reach) or entry.offset + sum(max(r, 0) for r in reach) != size - 1:
                return False
        return prod(self.sizes[axis] for axis in axes_of(index)) == prod(shape)

    def full(self, index: Index) -> bool:
        """Whether an index depends on every axis of the nest."""
        return {axis for entry in index for axis, _ in entry.terms} == set(self.sizes)

    @property
    def rows(self) -> bool:
        """Whether the reduced axes are the innermost in memory and few enough elements to go over again."""
        reduced = self.reduced or frozenset()
        length = hint(prod(self.sizes[axis] for axis in reduced))
        turns = hint(self.turns)
        count = turns // max(1, length)
        innermost = set(self.order[len(self.order) - len(reduced) :]) == reduced
        return innermost and length <= LONGEST_ROW and (count >= 4 or turns <= 1 << 16)


@dataclass(eq=False)
class Operation(Step):
    """One node with a kernel of its own, its operands in memory, and where its result goes.

    Attributes:
        also: Other nodes that the same kernel computes, and where they go.
        epilogue: What is done to a contraction's result in registers.
    """

    node: Node
    operands: tuple[Array, ...]
    result: Array
    also: dict[Node, Array] = field(default_factory=dict)
    epilogue: Group | None = None


def axes_of(entries: Iterable[Affine]) -> frozenset[int]:
    """The axes that indices depend on."""
    return frozenset(axis for entry in entries for axis, _ in entry.terms)
