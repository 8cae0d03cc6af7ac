"""A loop nest as data: straight-line instructions over axes, and the numbers that a kernel for it is given.

A `Nest` holds what decides the code; sizes, strides and addresses are its `values`, so that the layers of a network
share code. Axes stand from the outermost to the innermost in memory; neighbours that every access walks as one are one
axis. The last axis is the one that vectors run along.

Instructions, by `op`:

| op | arguments | meaning |
| --- | --- | --- |
| `load` | guard, if any | an element of access `number`; 0 where the guard does not hold |
| `gather` | index, guard if any | the same, `index` places further along one axis; negative ones count from the end |
| `store` | value | write to access `number` |
| `index` | | `offset + sum(stride * axis)` as an int64 |
| `guard` | | whether `0 <= offset + sum(stride * axis) < limit` |
| `reduce` | value | over all reduced axes, by `attributes["name"]` |
| `constant` | | `attributes["value"]` |
| others | operands | the elementwise primitive of this name |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from ..graph.dtype import DType, bool_, float32, int64
from ..graph.node import Attributes, Node
from ..graph.sizes import hint
from .affine import VIEWS, Affine, Index, inner_product, source_index
from .arrays import Array, Block, row_major
from .attempt import operand_indices
from .group import Group
from .schedule import Schedule


class Instruction(NamedTuple):
    """One line. `axes` are those that an access or an index depends on itself, `unit` whether it moves by one element
    along the last axis; `number` counts accesses, indices and guards, whose numbers are in `Nest.values`."""

    op: str
    dtype: DType
    args: tuple[int, ...] = ()
    attributes: Attributes = ()
    axes: tuple[int, ...] = ()
    unit: bool = False
    number: int = -1


@dataclass(frozen=True)
class Code:
    """What decides the code of a nest.

    Attributes:
        reduced: For each axis, whether reductions go over it.
        dtypes: Of the operands of each instruction, which the result's does not always tell.
    """

    reduced: tuple[bool, ...]
    instructions: tuple[Instruction, ...]


@dataclass(eq=False)
class Access:
    """The numbers of an access, index or guard: where it begins, and its step along each axis."""

    block: Block | None
    offset: int  # bytes of an access, else a plain number
    strides: tuple[int, ...]
    limit: int = 0  # of a guard; the size of the axis that a gather looks up
    step: int = 0  # of a gather: elements from one place to the next


@dataclass(eq=False)
class Nest:
    """A nest: its code, sizes and accesses.

    Attributes:
        title: The names of the operations, for people.
        bytes, operations: What it moves and computes.
    """

    code: Code
    sizes: tuple[int, ...]
    accesses: list[Access]
    title: str = ""
    nodes: tuple[Node, ...] = ()
    bytes: int = 0
    operations: int = 0


class Builder:
    """The instructions of a group."""

    def __init__(self, schedule: Schedule, group: Group) -> None:
        self.schedule = schedule
        self.group = group
        self.instructions: list[Instruction] = []
        self.forms: list[tuple[Affine, Access]] = []  # by number
        self.memo: dict[Any, int] = {}
        self.order = list(group.order)
        self.sizes = dict(group.sizes)
        self.nodes: dict[Node, None] = {}
        self.work = 0

    def nest(self) -> Nest:
        """All stores of the group and what they need."""
        for node, array in self.group.stores:
            index = self.group.maps[node]
            self.store(array, index, self.value(node, index, None))
        return self.finished()

    # Instructions.

    def add(self, instruction: Instruction) -> int:
        known = self.memo.get(instruction)
        if known is None:
            known = self.memo[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return known

    def form(self, affine: Affine, access: Access) -> int:
        key = ("form", affine, access.block, access.offset, access.limit, access.step)
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = len(self.forms)
            self.forms.append((affine, access))
        return known

    def store(self, array: Array, index: Index, value: int) -> None:
        number = self._access(array, index)
        self.add(Instruction("store", array.dtype, (value,), number=number))

    def _access(self, array: Array, index: Index) -> int:
        place = inner_product(index, array.strides).shifted(array.offset)
        offset = place.offset * array.dtype.itemsize
        return self.form(Affine(0, place.terms), Access(array.block, offset, ()))

    def value(self, node: Node, index: Index, guard: int | None) -> int:
        """The number of the instruction whose result is the element of `node` at `index`."""
        key = (node, index, guard)
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = self._value(node, index, guard)
        return known

    def _value(self, node: Node, index: Index, guard: int | None) -> int:
        schedule, group = self.schedule, self.group
        member = schedule.home.get(node) is group and group.maps.get(node) == index
        if node is group.root:
            return self.add(Instruction("sum", node.dtype))
        own = schedule.has_own_array(node, group.position)
        if own or (not member and node not in schedule.inline):
            base = schedule.base(node)
            pulled = schedule.home.get(base) is group or base in schedule.inline
            if own or not pulled:
                array = schedule.view(node, group.position)
                if array is not None:
                    return self._load(array, index, guard)
            assert node.op.name in VIEWS, f"{node!r} is not computed here"
            found = source_index(node, index, self.sizes)
            assert found is not None
            return self.value(node.inputs[0], found, guard)
        return self._computed(node, index, guard)

    def _load(self, array: Array, index: Index, guard: int | None) -> int:
        if not array.block.nbytes:  # there is nothing to read, and a loop without turns wants nothing
            return self.add(Instruction("constant", array.dtype, (), (("value", 0),)))
        args = () if guard is None else (guard,)
        return self.add(Instruction("load", array.dtype, args, number=self._access(array, index)))

    def _computed(self, node: Node, index: Index, guard: int | None) -> int:
        name = node.op.name
        match name:
            case "constant":
                return self.add(Instruction("constant", node.dtype, (), node.attributes))
            case "iota":
                number = self.form(index[0], Access(None, index[0].offset, ()))
                return self.cast(self.add(Instruction("index", int64, number=number)), node.dtype)
            case "pad":
                return self._padded(node, index, guard)
            case "take" | "take_along":
                return self._gathered(node, index, guard)
        self.nodes[node] = None
        if node.op.kind == "reduction":
            (x,) = node.inputs
            self.work += x.size
            place = self._place_of_input(node, index)
            value = self.value(x, place, None)  # a padding that wants the result wants all of it
            if name in ("any", "all"):
                value = self.cast(value, bool_)
            if not self.group.reduced:
                return value
            return self.add(Instruction("reduce", node.dtype, (value,), (("name", name),)))
        self.work += node.size
        args = [self.value(operand, place or (), guard) for operand, place in operand_indices(node, index)]
        attributes = node.attributes
        if guard is not None and name in REFUSING and not node.dtype.is_floating_point:
            attributes = (*attributes, ("guard", guard))
        return self.add(Instruction(name, node.dtype, tuple(args), attributes))

    def _place_of_input(self, node: Node, kept: Index) -> Index:
        """The index of the input of a reduction, of which only the kept axes are known from its result."""
        (x,) = node.inputs
        known = self.group.inputs.get(node)
        assert known is not None and len(known) == x.ndim
        return known

    def cast(self, value: int, dtype: DType) -> int:
        if self.instructions[value].dtype is dtype:
            return value
        return self.add(Instruction("cast", dtype, (value,), (("dtype", dtype),)))

    def _padded(self, node: Node, index: Index, guard: int | None) -> int:
        x, fill = node.inputs
        self.nodes[node] = None
        inside = guard
        own: int | None = None
        places = []
        for entry, low, high, size in zip(index, node["low"], node["high"], x.shape, strict=True):
            place = entry.shifted(-low)
            places.append(place)
            if low > 0 or high > 0:
                number = self.form(place, Access(None, place.offset, (), limit=size))
                test = self.add(Instruction("guard", bool_, number=number))
                own = test if own is None else self.both(own, test)
                inside = test if inside is None else self.both(inside, test)
        value = self.value(x, tuple(places), inside)
        if own is None:
            return value
        return self.add(Instruction("select", node.dtype, (own, value, self.value(fill, (), guard))))

    def both(self, a: int, b: int) -> int:
        return a if a == b else self.add(Instruction("bitwise_and", bool_, (a, b)))

    def _gathered(self, node: Node, index: Index, guard: int | None) -> int:
        table, indices = node.inputs
        self.nodes[node] = None
        axis = node["axis"]
        array = self.schedule.view(table, self.group.position)
        assert array is not None
        if node.op.name == "take":
            where = self.value(indices, index[axis : axis + indices.ndim], guard)
            rest: tuple[Affine | None, ...] = (*index[:axis], None, *index[axis + indices.ndim :])
        else:
            where = self.value(indices, index, guard)
            rest = (*index[:axis], None, *index[axis + 1 :])
        place = inner_product(tuple(Affine(0) if e is None else e for e in rest), array.strides).shifted(array.offset)
        access = Access(
            array.block, place.offset * array.dtype.itemsize, (), limit=table.shape[axis], step=array.strides[axis]
        )
        number = self.form(Affine(0, place.terms), access)
        source = self.instructions[where].dtype
        args = (self.cast(where, int64),) if guard is None else (self.cast(where, int64), guard)
        return self.add(Instruction("gather", array.dtype, args, (("source", source),), number=number))

    # Axes.

    def finished(self) -> Nest:
        """With neighbouring axes joined where every access walks them as one."""
        reduced = self.group.reduced or frozenset()
        order = [axis for axis in self.order if self.sizes[axis] != 1]
        sizes = [self.sizes[axis] for axis in order]
        flags = [axis in reduced for axis in order]
        rows = [[form.coefficient(axis) for axis in order] for form, _ in self.forms]
        k = len(order) - 2
        while k >= 0:
            if flags[k] == flags[k + 1] and all(row[k] == row[k + 1] * sizes[k + 1] for row in rows):
                sizes[k : k + 2] = [sizes[k] * sizes[k + 1]]
                del flags[k]
                for row in rows:
                    del row[k]
            k -= 1
        accesses = []
        for row, (_, access) in zip(rows, self.forms, strict=True):
            accesses.append(Access(access.block, access.offset, tuple(row), access.limit, access.step))
        instructions = []
        for instruction in self.instructions:
            if instruction.number >= 0:
                row = rows[instruction.number]
                axes = tuple(k for k, stride in enumerate(row) if stride)
                instruction = instruction._replace(axes=axes, unit=bool(row) and row[-1] == 1)
            instructions.append(instruction)
        nest = Nest(Code(tuple(flags), tuple(instructions)), tuple(sizes), accesses, nodes=tuple(self.nodes))
        nest.title = "_".join(dict.fromkeys(node.op.name for node in self.nodes)) or "copy"
        self._account(nest)
        return nest

    def _account(self, nest: Nest) -> None:
        """What it moves: every element that is read or written, once."""
        nest.operations = self.work
        for instruction in nest.code.instructions:
            if instruction.op not in ("load", "gather", "store"):
                continue
            access = nest.accesses[instruction.number]
            assert access.block is not None
            count = prod(size for k, size in enumerate(nest.sizes) if k in instruction.axes)
            nest.bytes += min(hint(count * instruction.dtype.itemsize), hint(access.block.nbytes))


REFUSING = frozenset(("floor_divide", "remainder", "fmod"))
"""Elementwise operations that refuse some integers."""


def halves(nest: Nest, parts: int) -> tuple[Nest, Nest, Block]:
    """A nest of one reduction cut in two: sums of `parts` parts of the reduced axes, and their total with what follows.

    The first reduced axis is cut. Gives both nests and the block that holds the parts.
    """
    code = nest.code
    kept = [k for k, flag in enumerate(code.reduced) if not flag]
    reduces = [k for k, i in enumerate(code.instructions) if i.op == "reduce"]
    after = _dependents(code, reduces)
    kept_sizes = tuple(nest.sizes[k] for k in kept)
    count = prod(kept_sizes)
    places, offset = {}, 0
    for k in reduces:
        dtype = _wide(code.instructions[k].dtype)
        places[k] = (offset, dtype)
        offset += -(-count * parts * dtype.itemsize // 64) * 64
    block = Block(offset, "temporary")
    strides = dict(zip(kept, row_major(kept_sizes), strict=True))

    # the parts: everything that no reduction is needed for, and the reductions' results to their place
    instructions: list[Instruction] = []
    number: dict[int, int] = {}
    accesses = list(nest.accesses)
    for k, instruction in enumerate(code.instructions):
        if k in after and k not in places:
            continue
        number[k] = len(instructions)
        instructions.append(_renumbered(instruction, number))
        if k in places:
            place, dtype = places[k]
            row = tuple(strides.get(axis, 0) for axis in range(len(nest.sizes)))
            axes = tuple(axis for axis, stride in enumerate(row) if stride)
            accesses.append(Access(block, place, row, step=count))
            instructions[-1] = instructions[-1]._replace(dtype=dtype)
            parted = (("parted", True),)
            instructions.append(
                Instruction("store", dtype, (number[k],), parted, axes, row[-1] == 1, len(accesses) - 1)
            )
    used = {i.args[0] for i in instructions if i.op == "store"}
    front = Nest(
        Code(code.reduced, tuple(_pruned(instructions, used))), nest.sizes, accesses, f"parts_{nest.title}", nest.nodes,
        nest.bytes, nest.operations,
    )  # fmt: skip

    # the total, over the axes (parts, *kept)
    moved = {axis: 1 + place for place, axis in enumerate(kept)}
    instructions, number = [], {}
    accesses = [Access(a.block, a.offset, (0, *(a.strides[k] for k in kept)), a.limit, a.step) for a in nest.accesses]
    for k, instruction in enumerate(code.instructions):
        if k in places:
            place, dtype = places[k]
            row = (count, *row_major(kept_sizes))
            accesses.append(Access(block, place, row))
            unit = row[-1] == 1
            instructions.append(
                Instruction("load", dtype, axes=tuple(range(len(row))), unit=unit, number=len(accesses) - 1)
            )
            instructions.append(
                Instruction("reduce", instruction.dtype, (len(instructions) - 1,), instruction.attributes)
            )
            number[k] = len(instructions) - 1
        elif instruction.op != "store" or k in after:
            if any(arg not in number for arg in instruction.args) or any(a not in moved for a in instruction.axes):
                continue
            number[k] = len(instructions)
            axes = tuple(moved[axis] for axis in instruction.axes)
            unit = instruction.unit and (code.reduced[-1] is False)
            if instruction.number >= 0 and kept:
                unit = accesses[instruction.number].strides[-1] == 1
            instructions.append(_renumbered(instruction, number)._replace(axes=axes, unit=unit))
    used = {i.args[0] for i in instructions if i.op == "store"}
    code_back = Code((True, *(False for _ in kept)), tuple(_pruned(instructions, used)))
    back = Nest(code_back, (parts, *kept_sizes), accesses, f"total_{nest.title}", nest.nodes, 2 * offset)
    return front, back, block


def _wide(dtype: DType) -> DType:
    return float32 if dtype.is_half else dtype


def _dependents(code: Code, sources: Sequence[int]) -> set[int]:
    """The instructions that need one of these, themselves included."""
    found = set(sources)
    for k, instruction in enumerate(code.instructions):
        if any(arg in found for arg in instruction.args):
            found.add(k)
    return found


def _renumbered(instruction: Instruction, number: dict[int, int]) -> Instruction:
    attributes = tuple((n, number[v] if n == "guard" else v) for n, v in instruction.attributes)
    return instruction._replace(args=tuple(number[arg] for arg in instruction.args), attributes=attributes)


def _pruned(instructions: Sequence[Instruction], used: set[int]) -> list[Instruction]:
    """Without what no store needs."""
    wanted = set(used)
    for k in range(len(instructions) - 1, -1, -1):
        if k in wanted or instructions[k].op == "store":
            wanted.update(instructions[k].args)
            wanted.update(v for n, v in instructions[k].attributes if n == "guard")
    number: dict[int, int] = {}
    kept: list[Instruction] = []
    for k, instruction in enumerate(instructions):
        if k in wanted or instruction.op == "store":
            number[k] = len(kept)
            kept.append(_renumbered(instruction, number))
    return kept


def stages(code: Code) -> list[int]:
    """For each instruction, how many reductions one after another it waits for."""
    found: list[int] = []
    for instruction in code.instructions:
        before = max((found[arg] for arg in instruction.args), default=0)
        found.append(before + (instruction.op == "reduce"))
    return found


__all__ = ["Access", "Builder", "Code", "Instruction", "Nest", "halves", "stages"]
