"""Where an element of one node lies in another: indices that are affine in the axes of a loop nest.

An `Affine` is `offset + sum of coefficient * axis`; an `Index` has one for each axis of a node. Movement operations are
read backwards: `source_index` takes the index of an element of the moved node to the index of the element it came from.
A reshape that merges axes is a sum; one that splits an axis needs the loop's axis itself to be split, which it asks for
by raising `Split`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from ..graph.node import Node, Shape

Sizes = Mapping[int, int]
"""How many turns each axis of a loop nest has, by the axis's number."""


class Affine(NamedTuple):
    """`offset + sum(coefficient * axis)`; the terms are sorted by axis and none is zero."""

    offset: int
    terms: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Affine) -> Affine:
        if not self.terms and not self.offset:
            return other
        if not other.terms:
            return Affine(self.offset + other.offset, self.terms)
        return collected(self.offset + other.offset, (*self.terms, *other.terms))

    def times(self, factor: int) -> Affine:
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        return Affine(self.offset * factor, tuple((axis, c * factor) for axis, c in self.terms))

    def shifted(self, distance: int) -> Affine:
        return Affine(self.offset + distance, self.terms) if distance else self

    def split(self, axis: int, outer: int, inner: int, size: int) -> Affine:
        """With `axis` replaced by `outer * size + inner`."""
        if all(a != axis for a, _ in self.terms):
            return self
        terms = []
        for a, c in self.terms:
            terms += [(outer, c * size), (inner, c)] if a == axis else [(a, c)]
        return collected(self.offset, terms)

    def coefficient(self, axis: int) -> int:
        return next((c for a, c in self.terms if a == axis), 0)


Index = tuple[Affine, ...]

ZERO = Affine(0)


def collected(offset: int, terms: Iterable[tuple[int, int]]) -> Affine:
    """An affine form from terms in any order, several for one axis among them."""
    total: dict[int, int] = {}
    for axis, coefficient in terms:
        total[axis] = total.get(axis, 0) + coefficient
    return Affine(offset, tuple(sorted((a, c) for a, c in total.items() if c)))


def inner_product(index: Index, strides: Sequence[int]) -> Affine:
    """Where the element lies in memory with these strides."""
    terms = [(axis, c * stride) for entry, stride in zip(index, strides, strict=True) for axis, c in entry.terms]
    return collected(sum(entry.offset * stride for entry, stride in zip(index, strides, strict=True)), terms)


class Split(Exception):
    """An index can only be given when a loop's axis is split: into an outer one and an inner one of `inner` turns."""

    def __init__(self, axis: int, inner: int) -> None:
        super().__init__(axis, inner)
        self.axis = axis
        self.inner = inner


VIEWS = frozenset(("reshape", "permute", "broadcast_to", "slice"))
"""Operations whose every element is one element of their input, in an affine place."""


def source_index(node: Node, index: Index, sizes: Sizes) -> Index | None:
    """The index in `node.inputs[0]` of the element at `index` of a view; None if it is not affine.

    Raises:
        Split: It would be affine if an axis were split.
    """
    (x,) = node.inputs
    match node.op.name:
        case "permute":
            found = [ZERO] * x.ndim
            for place, axis in enumerate(node["axes"]):
                found[axis] = index[place]
            return tuple(found)
        case "broadcast_to":
            aligned = index[node.ndim - x.ndim :]
            return tuple(ZERO if size == 1 else i for i, size in zip(aligned, x.shape, strict=True))
        case "slice":
            parts = zip(index, node["start"], node["step"], strict=True)
            return tuple(i.times(step).shifted(start) for i, start, step in parts)
        case "reshape":
            return reshaped_index(index, node.shape, x.shape, sizes)
    raise AssertionError(f"{node.op.name} is not a view")


def segments(a: Shape, b: Shape) -> list[tuple[list[int], list[int]]]:
    """Axes of two shapes with as many elements, cut into the shortest runs of equal products, without sizes of 1."""
    left, right = ([k for k, s in enumerate(shape) if s != 1] for shape in (a, b))
    runs: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        mine, theirs = [left[i]], [right[j]]
        p, q = a[left[i]], b[right[j]]
        i, j = i + 1, j + 1
        while p != q:
            if p < q:
                p *= a[left[i]]
                mine.append(left[i])
                i += 1
            else:
                q *= b[right[j]]
                theirs.append(right[j])
                j += 1
        runs.append((mine, theirs))
    return runs


def reshaped_index(index: Index, shape: Shape, source: Shape, sizes: Sizes) -> Index | None:
    """The index in `source` of what stands at `index` of `shape`, elements being in row-major order in both."""
    if prod(shape) == 0:
        return (ZERO,) * len(source)
    found = [ZERO] * len(source)
    for mine, theirs in segments(shape, source):
        linear, stride = ZERO, 1
        for axis in reversed(mine):
            linear = linear.plus(index[axis].times(stride))
            stride *= shape[axis]
        if len(theirs) == 1:
            found[theirs[0]] = linear
            continue
        digits = _digits(linear, [source[axis] for axis in theirs], sizes)
        if digits is None:
            return None
        for axis, digit in zip(theirs, digits, strict=True):
            found[axis] = digit
    return tuple(found)


def _digits(linear: Affine, radices: Sequence[int], sizes: Sizes) -> list[Affine] | None:
    """`linear` as a number of these radices, outermost first; None if a digit is not affine."""
    places = [prod(radices[k + 1 :]) for k in range(len(radices))]
    terms: list[list[tuple[int, int]]] = [[] for _ in radices]
    for axis, coefficient in linear.terms:
        if coefficient < 0:
            return None
        digit = next(k for k, place in enumerate(places) if place <= coefficient)
        place, limit = places[digit], places[digit] * radices[digit]
        if coefficient % place:
            return None
        if coefficient * sizes[axis] > limit and coefficient * (sizes[axis] - 1) >= limit:
            inner = limit // coefficient
            if limit % coefficient or sizes[axis] % inner or inner == 1:
                return None
            raise Split(axis, inner)
        terms[digit].append((axis, coefficient // place))
    rest, digits = linear.offset, []
    for place, radix, found in zip(places, radices, terms, strict=True):
        offset, rest = divmod(rest, place)
        if offset + sum(c * (sizes[axis] - 1) for axis, c in found) >= radix:
            return None  # a carry into the next digit
        digits.append(Affine(offset, tuple(sorted(found))))
    return digits
