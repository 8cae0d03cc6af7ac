"""Fusion: which nodes are computed in one loop nest, in which order the nests run, and what they write to memory.

Nodes are visited inputs first. Each step has a position; a node joins a nest only if all it reads from memory is
written by steps before that one, so the order of positions is a schedule by construction.

An elementwise node with one user waits until its user is placed, and is then computed where the user is. A node that
several want, or that something else than an elementwise node wants, is placed at once: into the nest of what it needs
last, if the elements that it needs are in registers there; else into a nest that reads the same; else into a new one.
Reductions join the nest of their input. Views (reshape, permute, broadcast, slice) are never computed: they are read
through, or, for kernels that want an array, described by strides, or at last copied.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from ..graph.node import Graph, Node, Shape
from ..graph.sizes import hint
from . import attention, kernels, pieces
from .affine import VIEWS, ZERO, Index, Split, inner_product, reshaped_index
from .arrays import Array, Block, order_of, ordered_strides, packed, reshaped_strides, row_major
from .attempt import Attempt
from .epilogue import COLUMN, NUMBER, reach
from .facts import DEEPEST, Facts
from .group import Group, Operation, Step

REPEATS = 16
"""How often an operand is read by a reduction that had better be copied into the order in which it is read."""

LARGEST = 100
"""Members of a nest, from which no more join it."""


class Schedule(Facts):
    """The steps that compute a graph.

    Args:
        graph: A simplified graph.
        inputs: The arrays of the graph's inputs.
        fusible: Names of elementwise operations that nests can compute.
    """

    def __init__(self, graph: Graph, inputs: Sequence[Array], fusible: frozenset[str]) -> None:
        super().__init__(graph, fusible)
        self.arrays: dict[Node, Array] = dict(zip(graph.inputs, inputs, strict=True))
        self.home: dict[Node, Step] = {}
        self.steps: list[Step] = []
        self._positions: list[float] = []  # of the steps, sorted
        self._groups: dict[float, Group] = {}  # the nest at each position
        self.notes: dict[Node, str] = {}  # why a node did not join the nest of what it needs
        self.waiting: set[Node] = set()
        self._depth: dict[Node, int] = {}  # of those that wait: how many of them, one made of the other
        self.readers: dict[Node, list[Group]] = {}
        self._views: dict[Node, Array | None] = {}
        self._owned: dict[Node, Array] = {}
        self._since: dict[Block, float] = {}  # the step that had filled what a node owns
        self.copies: dict[tuple[Node, tuple[int, ...]], Array] = {}
        self.blocks_of_outputs: list[Block] = []
        self._bound: dict[Node, Block] = {}
        self._bind_outputs()
        for node in self.nodes:
            self._visit(node)
        self._write_outputs()
        self.steps.sort(key=lambda step: step.position)

    # Visiting.

    def _visit(self, node: Node) -> None:
        if node.op.name == "input" or node in self.inline or node in self.home:
            return
        match self.kind(node):
            case "view":
                return
            case "pointwise":
                depth = 1 + max((self._depth.get(self.base(x), 0) for x in node.inputs), default=0)
                if depth < DEEPEST and self._may_wait(node):
                    self.waiting.add(node)
                    self._depth[node] = depth
                else:
                    self.place(node)
            case "reduction":
                self._place_reduction(node)
            case "pieces":
                pieces.place(self, node)
            case "kernel":
                kernels.place(self, node)

    def _may_wait(self, node: Node) -> bool:
        users = self.users[node]
        if len(users) != 1 or self.is_output(node) or self.kind(users[0]) not in ("pointwise", "reduction"):
            return False
        (user,) = users
        if user.op.name in ("take", "take_along") and self.base(user.inputs[0]) is node:
            return False
        space = user if self.kind(user) == "pointwise" else user.inputs[0]
        if hint(space.size) > hint(node.size) > 1:
            return False  # it would be computed several times
        # two values of one nest in registers become one: better there than twice through memory
        homes = [self.home.get(self.base(operand)) for operand in node.inputs if hint(operand.size) == hint(node.size)]
        crowded = {id(home) for home in homes if home is not None and homes.count(home) > 1}
        return not crowded

    def is_output(self, node: Node) -> bool:
        """Whether a node, or a view of it, leaves the plan."""
        return node in self._bound or node in self.outputs

    # Memory.

    def _bind_outputs(self) -> None:
        """Give each output a block, and let what is computed for it be written there at once where that is possible."""
        for place, output in enumerate(self.graph.outputs):
            block = Block(output.nbytes, "output", place)
            self.blocks_of_outputs.append(block)
            node = output
            while node.op.name == "reshape":
                node = node.inputs[0]
            free = node not in self._bound and node.op.name != "input" and node not in self.inline
            if free and node.op.name not in VIEWS and node.dtype is output.dtype:
                self._bound[node] = block

    def _write_outputs(self) -> None:
        for output, block in zip(self.graph.outputs, self.blocks_of_outputs, strict=True):
            source = output
            while source.op.name == "reshape":
                source = source.inputs[0]
            if self._bound.get(source) is block:
                if source in self.waiting:
                    self.place(source)
                if self.array(source).block is not block:
                    self.copy(output, Array(block, output.dtype, output.shape, row_major(output.shape)))
            elif output.size:
                target = Array(block, output.dtype, output.shape, row_major(output.shape))
                self.copy(output, target)

    def allocate(self, node: Node, order: Sequence[int], fixed: bool = False) -> Array:
        """Memory for a node whose axes shall lie in this order; an output lies in row-major order, unless the order is
        fixed: a kernel, and the epilogue of a contraction, write as they do."""
        block = self._bound.get(node)
        if block is not None and not (fixed and not packed(node.shape, row_major(node.shape), order)):
            return Array(block, node.dtype, node.shape, row_major(node.shape))
        strides = ordered_strides(node.shape, order)
        return Array(Block(node.nbytes, "temporary"), node.dtype, node.shape, strides)

    def array(self, node: Node) -> Array:
        """Where a computed node lies in memory; the nest that computes it will write it."""
        found = self.arrays.get(node)
        if found is None:
            group = self.home[node]
            assert isinstance(group, Group)
            found = self.allocate(node, self._order_in(group, group.maps[node]), fixed=group.root is not None)
            self.arrays[node] = found
            group.stores.append((node, found))
        return found

    @staticmethod
    def _order_in(group: Group, index: Index) -> tuple[int, ...]:
        """The axes of a node of this index in the order in which the nest walks them."""
        rank = {axis: k for k, axis in enumerate(group.order)}
        return tuple(
            sorted(range(len(index)), key=lambda k: (min((rank[a] for a, _ in index[k].terms), default=-1), k))
        )

    def view(self, node: Node, before: float = math.inf) -> Array | None:
        """A node as an array, where it or what it is a view of is in memory before a step and strides can say so."""
        found = self._views.get(node)
        if node not in self._views:
            if node.op.name in VIEWS:
                inner = self.view(node.inputs[0])
                found = None if inner is None else inner.moved(node)
            elif node in self.inline:
                return None
            else:
                found = self.array(node)
            self._views[node] = found
        return None if found is not None and self._since.get(found.block, -1.0) >= before else found

    def in_memory(self, node: Node, wanted: Any = None) -> Array:
        """A node as an array; it is computed, or copied, where it must be.

        Args:
            wanted: Tells whether an array will do.
        """
        base = self.base(node)
        if base in self.waiting:
            self.place(base)
        found = self.view(node)
        if found is not None and (wanted is None or wanted(found)):
            return found
        return self.copied(node, tuple(range(node.ndim)))

    def copied(self, node: Node, order: tuple[int, ...]) -> Array:
        """A copy of a node in a given order; one for all who want it."""
        known = self.copies.get((node, order))
        if known is None:
            block = Block(node.nbytes, "temporary")
            known = Array(block, node.dtype, node.shape, ordered_strides(node.shape, order))
            self.copies[node, order] = known
            self.copy(node, known)
        return known

    def copy(self, node: Node, target: Array, behind: bool = False) -> None:
        """Write a node to a place in memory: by the nest that computes it, or by one that reads it, which is `behind`
        all others."""
        if not node.size:
            return
        base = self.base(node)
        if base in self.waiting:
            self.place(base)
        home = self.home.get(base)
        if isinstance(home, Operation) and not behind and self._redirected(home, base, node, target):
            return
        if isinstance(home, Group) and base in home.maps and not behind:
            place = _seen_from(base, node, target)
            if place is not None and self._may_store(home, base, place):
                home.stores.append((base, place))
                return
        group = self._new_group(node, self._last(node), order_of(target.shape, target.strides))
        if not self._join(group, node, group.maps[node], copying=True):
            self._remove(group)
            self._make_readable(node)
            group = self._new_group(node, self.end, order_of(target.shape, target.strides))
            if not self._join(group, node, group.maps[node], copying=True):
                raise AssertionError(f"{node!r} cannot be copied")
        group.stores.append((node, target))

    def _redirected(self, step: Operation, base: Node, node: Node, target: Array) -> bool:
        """Let a kernel that writes at any strides write what nobody else wants where it was to be copied."""
        if base.op.name not in attention.NAMES or len(self.users[base]) != 1 or self.is_output(base):
            return False
        place = _seen_from(base, node, target)
        if place is None or not attention.rows_are_contiguous(place) or self.arrays[base].block is target.block:
            return False
        if base is step.node:
            step.result = place
        else:
            step.also[base] = place
        self.arrays[base] = place
        for view in [x for x in self._views if self.base(x) is base]:
            del self._views[view]
        return True

    def _may_write(self, group: Group, node: Node, index: Index) -> bool:
        """Whether an epilogue can write a node that it computes: all its elements, in some order in memory."""
        assert group.root is not None
        found = reach(group, inner_product(index, ordered_strides(node.shape, self._order_in(group, index))))
        return found is not None and found != COLUMN and (found != NUMBER or node.size == group.root.size)

    @staticmethod
    def _may_store(group: Group, node: Node, target: Array) -> bool:
        """Whether the nest that computes a node can write it there."""
        return group.root is None or reach(group, inner_product(group.maps[node], target.strides)) is not None

    # Nests.

    @property
    def end(self) -> float:
        """The position of the last step."""
        return self._positions[-1] if self._positions else -1.0

    def add(self, step: Step) -> Step:
        self.steps.append(step)
        insort(self._positions, step.position)
        if isinstance(step, Group):
            self._groups[step.position] = step
        return step

    def _remove(self, group: Group) -> None:
        """Take a nest that came to nothing out again."""
        self.steps.remove(group)
        self._positions.remove(group.position)
        del self._groups[group.position]

    def _last(self, node: Node) -> float:
        """The position of the last step that must be over before a node can be read from memory or computed."""
        found, stack, seen = -1.0, [node], set[Node]()
        while stack:
            current = self.base(stack.pop())
            if current in seen:
                continue
            seen.add(current)
            home = self.home.get(current)
            if home is not None:
                found = max(found, home.position)
            elif current in self.waiting or current in self.inline or current is node:
                stack.extend(current.inputs)
        return found

    def _new_group(self, node: Node, after: float, order: Sequence[int], small: bool = False) -> Group:
        """A nest over the elements of a node, at the end of the schedule or, if `small`, as early as can be."""
        position = self.end + 1
        if small:
            at = bisect_right(self._positions, after)
            following = self._positions[at] if at < len(self._positions) else position
            middle = (after + following) / 2
            if after < middle < following:
                position = middle
        group = Group(position)
        group.maps[node] = group.axes_for(node.shape, order)
        self.add(group)
        return group

    def _order_for(self, node: Node) -> tuple[int, ...]:
        """The order in memory that suits a node: what its users want, or that of the largest array it is made of."""
        wanted = self.wanted.get(node)
        if wanted is not None:
            return wanted
        stack, seen = list(node.inputs), set[Node]()
        while stack:
            operand = stack.pop(0)
            if operand in seen:
                continue
            seen.add(operand)
            if operand in self.waiting:
                stack.extend(operand.inputs)
            elif operand.shape == node.shape and operand not in self.inline:
                base = self.base(operand)
                if base not in self.inline and base not in self.waiting and (base in self.home or base in self.arrays):
                    array = self.view(operand)
                    if array is not None and 0 not in (
                        s for s, n in zip(array.strides, node.shape, strict=True) if n != 1
                    ):
                        return order_of(array.shape, array.strides)
        return tuple(range(node.ndim))

    def place(self, node: Node) -> None:
        """Compute a pointwise node somewhere, and with it those it needs that have waited."""
        self.waiting.discard(node)
        if not node.size:
            self.home[node] = Group(-1.0)
            self.arrays[node] = self.allocate(node, tuple(range(node.ndim)))
            return
        after = self._last(node)
        for group in self._candidates(node, after):
            for index in self._indices(group, node):
                if self._join(group, node, index):
                    return
        group = self._new_group(node, after, self._order_for(node), small=hint(node.size) <= 4096)
        if not self._join(group, node, group.maps.pop(node)):
            self._settle(group, node)

    def _settle(self, group: Group, node: Node) -> None:
        """Compute a node in a new nest that could not have all it needs: put its operands into memory first."""
        self._remove(group)
        for operand in list(self._operands_in_tree(node)):
            if operand in self.waiting:
                self.place(operand)
        looked_up = node.inputs[:1] if node.op.name in ("take", "take_along") else ()
        for operand in node.inputs:
            if self.view(operand) is None and (operand not in self.inline or operand in looked_up):
                self._materialise(operand)
        group = self._new_group(node, self._last(node), self._order_for(node))
        if not self._join(group, node, group.maps.pop(node)):
            raise AssertionError(f"{node!r} cannot be placed: {self.notes.get(node)}")

    def _operands_in_tree(self, node: Node) -> Iterator[Node]:
        """All that a node is made of in the nest that computes it: its operands, and theirs where they come with it."""
        stack, seen = list(node.inputs), set[Node]()
        while stack:
            operand = stack.pop()
            if operand in seen:
                continue
            seen.add(operand)
            yield operand
            if operand in self.waiting or operand in self.inline or operand.op.name in VIEWS:
                stack.extend(operand.inputs)

    def _materialise(self, node: Node) -> None:
        """Put a node into memory that no strides can describe where it lies, or that every user would compute."""
        if node.op.name == "reshape":
            self._make_readable(node)
        else:
            copy = self.copied(node, tuple(range(node.ndim)))
            if node not in self._owned:  # what it looks at may have had to be copied first
                self._own(node, copy)

    def _make_readable(self, node: Node) -> None:
        """Copy what a view, which no affine index reads, looks at, so that strides describe the view."""
        (x,) = node.inputs
        inner = self.view(x)
        if inner is None or (node.op.name == "reshape" and not inner.contiguous):
            inner = self.copied(x, tuple(range(x.ndim)))
        moved = inner.moved(node)
        assert moved is not None, f"{node!r} of a row-major array"
        self._own(node, moved)

    def _own(self, node: Node, array: Array) -> None:
        self._views[node] = self._owned[node] = array
        self._since.setdefault(array.block, self.end)

    def has_own_array(self, node: Node, before: float) -> bool:
        """Whether a view, or a number computed by every user, has been put into memory as it is, before a step."""
        return node in self._owned and self._since[self._owned[node].block] < before

    def _candidates(self, node: Node, after: float) -> list[Group]:
        """Nests that a node might join, the best first. Those that are large already are left as they are."""
        found = [self._groups[after]] if after in self._groups else []
        for operand in self._operands_in_tree(node):
            for group in self.readers.get(self.base(operand), ()):
                if group.position > after and group not in found and operand.size == node.size:
                    found.append(group)
        return [group for group in found if len(group.maps) < LARGEST]

    def _indices(self, group: Group, node: Node) -> Iterator[Index]:
        """Indices that a node may have in a nest: those of operands in registers there, then of equal shapes."""
        tried: set[Index] = set()
        for operand in self._operands_in_tree(node):
            base = self.base(operand)
            if base in group.maps and operand.size == node.size:
                index = self._outward(group, operand)
                if index is not None and operand.shape != node.shape:
                    index = self._attempt(group, index, operand.shape, node.shape)
                if index is not None and index not in tried:
                    tried.add(index)
                    yield index
        for shape, index in group.spaces():
            if shape == node.shape and index not in tried:
                tried.add(index)
                yield index

    def _attempt(self, group: Group, index: Index, shape: Shape, target: Shape) -> Index | None:
        if prod(shape) != prod(target):
            return None
        while True:
            try:
                return reshaped_index(index, shape, target, group.sizes)
            except Split as request:
                outer, inner = group.split(request)
                index = tuple(e.split(request.axis, outer, inner, request.inner) for e in index)

    def _outward(self, group: Group, node: Node) -> Index | None:
        """The index of a view of a member, where the view is a bijection."""
        if node in group.maps:
            return group.maps[node]
        (x,) = node.inputs
        index = self._outward(group, x)
        if index is None:
            return None
        match node.op.name:
            case "permute":
                return tuple(index[axis] for axis in node["axes"])
            case "reshape":
                return self._attempt(group, index, x.shape, node.shape)
            case "broadcast_to":
                if x.size == node.size:
                    return (ZERO,) * (node.ndim - x.ndim) + index
        return None

    def _join(self, group: Group, node: Node, index: Index, copying: bool = False) -> bool:
        """Compute a node in a nest at this index, if all it needs can be had there."""
        while True:
            attempt = Attempt(self, group)
            try:
                fits = attempt.copy(node, index) if copying else attempt.add(node, index)
            except Split as request:
                outer, inner = group.split(request)
                index = tuple(e.split(request.axis, outer, inner, request.inner) for e in index)
                continue
            if fits and group.root is not None and not copying and not self._may_write(group, node, index):
                fits = attempt.fail("an epilogue cannot write it")
            if fits:
                attempt.commit()
            elif attempt.reason and group.position >= 0:
                self.notes[node] = attempt.reason
            return fits

    def _place_reduction(self, node: Node) -> None:
        (x,) = node.inputs
        if not node.size:
            self.home[node] = Group(-1.0)
            self.arrays[node] = self.allocate(node, tuple(range(node.ndim)))
            return
        if x.op.name == "multiply" and x in self.waiting and x.ndim - 1 in node["axes"]:
            self._lay_out_repeated(x)
        base = self.base(x)
        after = self._last(node)
        for group in self._candidates(node, after):
            if group.root is None:
                for index in self._input_indices(group, x):
                    if self._reduce(group, node, index):
                        return
        order = self._order_for(x) if base in self.waiting or base is not x else self._order_of_base(x)
        group = self._new_group(x, after, order, small=hint(x.size) <= 4096)
        index = group.maps.pop(x)
        if not self._reduce(group, node, index):
            if base in self.waiting:
                self.place(base)
            if self.view(x) is None:
                self._materialise(x)
            self._remove(group)
            group = self._new_group(x, self.end, tuple(range(x.ndim)))
            index = group.maps.pop(x)
            if not self._reduce(group, node, index):
                raise AssertionError(f"{node!r} cannot be placed")

    def _lay_out_repeated(self, product: Node) -> None:
        """Copy factors that are read again and again along the last axis and do not lie along it: a vector times the
        rows of a matrix."""
        for factor in product.inputs:
            if factor.op.name in VIEWS and factor.size * REPEATS <= product.size and factor.shape[-1] > 1:
                array = None if self.base(factor) in self.waiting else self.view(factor)
                if self.base(factor) not in self.waiting and (array is None or array.strides[-1] != 1):
                    self._materialise(factor)

    def _order_of_base(self, x: Node) -> tuple[int, ...]:
        array = self.view(x)
        return tuple(range(x.ndim)) if array is None else array.order

    def _input_indices(self, group: Group, x: Node) -> Iterator[Index]:
        base = self.base(x)
        if base in group.maps:
            index = self._outward(group, x)
            if index is not None:
                yield index
        elif base in self.waiting:
            yield from self._indices(group, x)
        else:
            for shape, index in group.spaces():
                if shape == x.shape and group.full(index):
                    yield index

    def _reduce(self, group: Group, node: Node, index: Index) -> bool:
        """Let a nest sum up (or the like) what stands at `index` of the reduction's input."""
        while True:
            attempt = Attempt(self, group)
            try:
                fits = attempt.reduce(node, index)
            except Split as request:
                outer, inner = group.split(request)
                index = tuple(e.split(request.axis, outer, inner, request.inner) for e in index)
                continue
            if fits:
                attempt.commit()
            elif attempt.reason and group.position >= 0:
                self.notes[node] = attempt.reason
            return fits


def _seen_from(base: Node, node: Node, target: Array) -> Array | None:
    """The place where a view is to be written, as an array of what it is a view of; None if it is no bijection."""
    while node is not base:
        (x,) = node.inputs
        if node.op.name == "permute":
            strides = [0] * x.ndim
            for place, axis in enumerate(node["axes"]):
                strides[axis] = target.strides[place]
            found: tuple[int, ...] | None = tuple(strides)
        elif node.op.name == "reshape":
            found = reshaped_strides(target.shape, target.strides, x.shape)
        else:
            return None
        if found is None:
            return None
        node, target = x, Array(target.block, target.dtype, x.shape, found, target.offset)
    return target
