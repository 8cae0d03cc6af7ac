"""Values in memory: blocks, and arrays that lie in them with strides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from ..graph.dtype import DType
from ..graph.node import Node, Shape
from .affine import segments

Strides = tuple[int, ...]

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""


@dataclass(eq=False)
class Block:
    """One piece of memory.

    Attributes:
        nbytes: Its size.
        kind: An `"input"` or an `"output"` of the plan, by its `position`; `"temporary"` memory of one run; or `"kept"`
            from run to run.
        first, last: The steps that use it first and last.
        place: Where a temporary lies in the arena, once memory is planned.
    """

    nbytes: int
    kind: Literal["input", "output", "temporary", "kept"]
    position: int = 0
    first: int = field(default=1 << 60)
    last: int = -1
    place: int = 0

    def used(self, step: int) -> None:
        """Note a use."""
        self.first, self.last = min(self.first, step), max(self.last, step)


@dataclass(frozen=True, eq=False)
class Array:
    """A value in memory; strides and offset count elements."""

    block: Block
    dtype: DType
    shape: Shape
    strides: Strides
    offset: int = 0

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        return packed(self.shape, self.strides, tuple(range(len(self.shape))))

    @property
    def order(self) -> tuple[int, ...]:
        """The axes from the one that moves furthest in memory; those that do not move come first, in their order."""
        return order_of(self.shape, self.strides)

    def moved(self, node: Node) -> Array | None:
        """This array seen through a view; None if no strides describe that."""
        match node.op.name:
            case "permute":
                strides = tuple(self.strides[axis] for axis in node["axes"])
                return Array(self.block, self.dtype, node.shape, strides, self.offset)
            case "broadcast_to":
                added = node.ndim - len(self.shape)
                aligned = zip(self.strides, self.shape, node.shape[added:], strict=True)
                strides = (0,) * added + tuple(0 if size != wide else s for s, size, wide in aligned)
                return Array(self.block, self.dtype, node.shape, strides, self.offset)
            case "slice":
                if prod(node.shape) == 0:
                    return Array(self.block, self.dtype, node.shape, row_major(node.shape), 0)
                offset = self.offset + sum(a * s for a, s in zip(node["start"], self.strides, strict=True))
                strides = tuple(s * step for s, step in zip(self.strides, node["step"], strict=True))
                return Array(self.block, self.dtype, node.shape, strides, offset)
            case "reshape":
                found = reshaped_strides(self.shape, self.strides, node.shape)
                return None if found is None else Array(self.block, self.dtype, node.shape, found, self.offset)
        raise AssertionError(f"{node.op.name} is not a view")


def row_major(shape: Shape) -> Strides:
    """The strides of row-major order."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def ordered_strides(shape: Shape, order: Sequence[int]) -> Strides:
    """The strides of an array without gaps whose axes lie in memory in this order, outermost first."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def packed(shape: Shape, strides: Strides, order: Sequence[int]) -> bool:
    """Whether the axes lie in memory in this order without gaps, axes of one element aside."""
    step = 1
    for axis in reversed(order):
        if shape[axis] != 1:
            if strides[axis] != step:
                return False
            step *= shape[axis]
    return True


def order_of(shape: Shape, strides: Strides) -> tuple[int, ...]:
    """The axes by their strides, largest first."""
    return tuple(sorted(range(len(shape)), key=lambda k: (-abs(strides[k]) if shape[k] != 1 else -(1 << 60), k)))


def reshaped_strides(shape: Shape, strides: Strides, target: Shape) -> Strides | None:
    """Strides that show the array in another shape, or None if its elements would have to move."""
    if prod(shape) == 0:
        return row_major(target)
    found = [0] * len(target)
    for mine, theirs in segments(shape, target):
        step = strides[mine[-1]]
        for outer, inner in zip(reversed(mine[:-1]), reversed(mine[1:]), strict=True):
            if strides[outer] != strides[inner] * shape[inner]:
                return None
        for axis in reversed(theirs):
            found[axis] = step
            step *= target[axis]
    return tuple(found)
