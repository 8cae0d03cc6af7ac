"""Whether a node can be computed in a nest, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..graph.node import Node
from .affine import VIEWS, ZERO, Index, inner_product, source_index
from .epilogue import reach
from .group import Group, axes_of

if TYPE_CHECKING:
    from .schedule import Schedule


class Attempt:
    """What joining a node to a nest takes, before anything is changed."""

    def __init__(self, schedule: Schedule, group: Group) -> None:
        self.schedule = schedule
        self.group = group
        self.added: dict[Node, Index] = {}
        self.inputs: dict[Node, Index] = {}
        self.later: set[Node] = set()
        self.reads: set[Node] = set()
        self.reduced: frozenset[int] | None = None
        self.inlined: dict[tuple[Node, Index], bool | None] = {}  # what is known of nodes that every user computes
        self.reason = ""

    def commit(self) -> None:
        group, schedule = self.group, self.schedule
        group.maps.update(self.added)
        group.inputs.update(self.inputs)
        group.later |= self.later
        group.reads |= self.reads
        if self.reduced is not None:
            group.reduced = self.reduced
        for node in self.reads:
            schedule.readers.setdefault(node, []).append(group)
        for node in self.added:
            schedule.home[node] = group
            schedule.waiting.discard(node)

    def copy(self, node: Node, index: Index) -> bool:
        """Read a node, to write it elsewhere."""
        return self._get(node, index) is not None

    def add(self, node: Node, index: Index) -> bool:
        """Compute a pointwise node at this index."""
        self.added[node] = index
        later = False
        for operand, place in operand_indices(node, index):
            if place is None:  # a table that is looked up by computed indices: it must be in memory
                if self.schedule.base(operand) in self.group.maps or self.schedule.base(operand) in self.added:
                    return self.fail("a table that it looks up is computed in this nest")
                if self.group.root is not None:
                    return self.fail("an epilogue looks nothing up")
                if self.schedule.view(operand, self.group.position) is None:
                    return self.fail("a table that it looks up is not in memory")
                if self._is_late(operand):
                    return self.fail("a table that it looks up is written later")
                continue
            needs = self._get(operand, place)
            if needs is None:
                return False
            later = later or needs
        if node.op.name == "pad" and self.group.root is not None:
            return self.fail("an epilogue has no padding")
        if later:
            self.later.add(node)
            if axes_of(index) & (self.group.reduced or frozenset()) and not self.group.rows:
                return self.fail("it needs the whole of a reduction whose rows do not fit a cache")
        return True

    def reduce(self, node: Node, index: Index) -> bool:
        """Reduce what stands at this index of the input."""
        later = self._get(node.inputs[0], index)
        if later is None:
            return False
        axes = node["axes"]
        reduced = axes_of(index[axis] for axis in axes)
        kept = tuple(entry for axis, entry in enumerate(index) if axis not in axes)
        if reduced & axes_of(kept) or not self.group.full(index):
            return self.fail("an axis is in part reduced")
        if self.group.reduced is not None and self.group.reduced != reduced:
            return self.fail("the nest reduces other axes")
        if self.group.reduced is None and reduced:
            self.reduced = reduced
            before, self.group.reduced = self.group.reduced, reduced
            rows = self.group.rows
            self.group.reduced = before
        else:
            rows = self.group.rows
        if later and not rows:
            return self.fail("it needs the whole of a reduction whose rows do not fit a cache")
        self.added[node] = kept
        self.inputs[node] = index
        self.later.add(node)
        return True

    def _get(self, node: Node, index: Index) -> bool | None:
        """Whether the element at `index` needs a reduction of this nest; None if it cannot be had here."""
        schedule, group = self.schedule, self.group
        while True:
            known = self.added.get(node) or group.maps.get(node)
            if known is not None and (node in self.added or schedule.home.get(node) is group):
                if known != index:
                    self.fail("it needs another element of a value that this nest computes")
                    return None
                return node in self.later or node in group.later
            own = schedule.has_own_array(node, group.position)
            if node in schedule.inline and not own:
                return self._inline(node, index)
            if node in schedule.waiting:
                return (node in self.later) if self.add(node, index) else None
            base = schedule.base(node)
            inside = base in self.added or schedule.home.get(base) is group
            if own:
                return self._read(node, index)
            if node.op.name in VIEWS and (inside or base in schedule.waiting or base in schedule.inline):
                found = source_index(node, index, group.sizes)
                if found is None:
                    self.fail("no affine index reads a view")
                    return None
                node, index = node.inputs[0], found
                continue
            return self._read(node, index)

    def _inline(self, node: Node, index: Index) -> bool | None:
        key = (node, index)
        if key not in self.inlined:  # once: in a chain where each is used twice there would be a doubling for each link
            self.inlined[key] = self._inline_anew(node, index)
        return self.inlined[key]

    def _inline_anew(self, node: Node, index: Index) -> bool | None:
        if self.group.root is not None and node.op.name == "iota":
            self.fail("an epilogue has no counters")
            return None
        later = False
        for operand, place in operand_indices(node, index):
            needs = self._get(operand, place or ())
            if needs is None:
                return None
            later = later or needs
        return later

    def _read(self, node: Node, index: Index) -> bool | None:
        """From memory."""
        schedule, group = self.schedule, self.group
        base = schedule.base(node)
        if self._is_late(node):
            self.fail("what it reads is written later")
            return None
        while (array := schedule.view(node, group.position)) is None:
            if node.op.name not in VIEWS:
                return None
            found = source_index(node, index, group.sizes)
            if found is None:
                self.fail("no affine index reads a view")
                return None
            node, index = node.inputs[0], found
        if group.root is not None and reach(group, inner_product(index, array.strides)) is None:
            self.fail("an epilogue cannot read an operand of this layout")
            return None
        self.reads.add(base)
        return False

    def _is_late(self, node: Node) -> bool:
        """Whether what a node looks at is not over when this nest begins."""
        home = self.schedule.home.get(self.schedule.base(node))
        return home is not None and home.position >= self.group.position

    def fail(self, reason: str) -> bool:
        self.reason = reason
        return False


def operand_indices(node: Node, index: Index) -> Iterator[tuple[Node, Index | None]]:
    """The operands of a pointwise node and where their elements are; None for a table that is looked up."""
    match node.op.name:
        case "take":
            table, indices = node.inputs
            axis = node["axis"]
            yield table, None
            yield indices, index[axis : axis + indices.ndim]
        case "take_along":
            table, indices = node.inputs
            yield table, None
            yield indices, index
        case "pad":
            x, value = node.inputs
            yield x, tuple(entry.shifted(-low) for entry, low in zip(index, node["low"], strict=True))
            yield value, ()
        case "iota" | "constant":
            return
        case _:
            for operand in node.inputs:
                aligned = index[len(index) - operand.ndim :] if operand.ndim else ()
                yield operand, tuple(ZERO if n == 1 else i for i, n in zip(aligned, operand.shape, strict=True))
