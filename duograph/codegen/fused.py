"""The epilogue of a contraction, from the nest that the compiler fused with it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..compiler.epilogue import COLUMN, NUMBER, Reach
from ..compiler.nest import Instruction
from . import scalar, storage, types
from .contract.epilogue import Tile
from .emitter import Reg
from .weights import weight_of

SHARED: dict[Reach, int] = {NUMBER: 0, COLUMN: 1}
"""What one operand serves: 0 all elements, 1 those of a column; otherwise 2, its own element."""


@dataclass(frozen=True)
class Fused:
    """Instructions on each element of a contraction's result.

    Attributes:
        instructions: As a nest has them; `sum` is the contraction's own result.
        reaches: How each access lies, by its number.
        primary: The store that becomes the contraction's own.
    """

    instructions: tuple[Instruction, ...]
    reaches: tuple[Reach, ...]
    primary: int
    operands: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        own = self.instructions[self.primary].number
        numbers = dict.fromkeys(i.number for i in self.instructions if i.number >= 0)
        also_read = {i.number for k, i in enumerate(self.instructions) if i.number >= 0 and k != self.primary}
        object.__setattr__(self, "operands", tuple(f"x{n}" for n in numbers if n != own or n in also_read))

    @functools.cached_property
    def weight(self) -> int:
        """About how many instructions it takes for an element."""
        needs = self._needs()
        return sum(weight_of(i.op) for i, need in zip(self.instructions, needs, strict=True) if need == 2)

    def reads(self, tile: Tile) -> Iterator[tuple[Reg, str]]:
        """Where each row of a tile begins in the operands that have an element for each of its own."""
        for number, instruction in {i.number: i for i in self.instructions if i.op == "load"}.items():
            stride, element = self.reaches[number], storage.stored(instruction.dtype)
            for i in range(len(tile.rows)):
                if isinstance(stride, int):
                    yield self._place(tile, instruction, stride, i, 0), element
                elif stride not in SHARED:
                    yield tile.address(getattr(tile.given, f"x{number}"), element, i, 0), element

    def emit(self, tile: Tile) -> Sequence[Sequence[Reg]]:
        """All elements, vector by vector."""
        numbers: dict[int, Reg] = {}
        columns: list[dict[int, Reg]] = [{} for _ in tile.columns]
        needs = self._needs()
        # all that an element needs is read before anything is written: an operand may lie where a result goes
        order = sorted(range(len(self.instructions)), key=lambda k: self.instructions[k].op == "store")
        result = []
        for i in range(len(tile.values)):
            row = []
            for j in range(len(tile.columns)):
                own: dict[int, Reg] = {}
                for k in order:
                    memo = (numbers, columns[j], own)[needs[k]]
                    if k not in memo:
                        given = {**numbers, **columns[j], **own}
                        memo[k] = self._value(tile, self.instructions[k], k, given, i, j, needs[k])
                row.append(own[self.primary])
            result.append(row)
        return result

    def _needs(self) -> list[int]:
        """For each instruction: 0 where one number serves all elements, 1 one for each column, 2 one for each."""
        found: list[int] = []
        for i in self.instructions:
            if i.op in ("sum", "store"):
                found.append(2)
            elif i.op == "load":
                found.append(SHARED.get(self.reaches[i.number], 2))
            else:
                found.append(max((found[arg] for arg in i.args), default=0))
        return found

    def _value(
        self, tile: Tile, instruction: Instruction, k: int, given: dict[int, Reg], i: int, j: int, need: int
    ) -> Reg:
        f, lanes = tile.f, tile.lanes if need else 1
        match instruction.op:
            case "sum":
                return tile.values[i][j]
            case "constant":
                return f.const(storage.held(instruction.dtype), dict(instruction.attributes)["value"])
            case "load":
                return self._load(tile, instruction, i, j)
            case "store":
                return self._store(
                    tile, instruction, k, f.operand(given[instruction.args[0]], self._type(tile, k)), i, j
                )
        args = [f.operand(given[arg], storage.held(self.instructions[arg].dtype, lanes)) for arg in instruction.args]
        dtypes = [self.instructions[arg].dtype for arg in instruction.args]
        return scalar.emit(
            f, instruction.op, args, dtypes, instruction.dtype, dict(instruction.attributes), lambda *_: None
        )

    def _type(self, tile: Tile, k: int) -> str:
        (arg,) = self.instructions[k].args
        return storage.held(self.instructions[arg].dtype, tile.lanes)

    def _load(self, tile: Tile, instruction: Instruction, i: int, j: int) -> Reg:
        f, dtype, name = tile.f, instruction.dtype, f"x{instruction.number}"
        match self.reaches[instruction.number]:
            case int(stride):
                place = self._place(tile, instruction, stride, i, j)
                return storage.read(f, place, dtype, tile.lanes, native=tile.half, mask=tile.masks[j], name=name)
            case "number":
                return storage.read(f, getattr(tile.given, name), dtype, native=tile.half, name=name)
            case "column":
                value = tile.per_column(name, storage.stored(dtype), j)
            case _:
                value = tile.load(name, storage.stored(dtype), i, j)
        return f.ne(value, 0) if dtype.category == "bool" else value

    @staticmethod
    def _place(tile: Tile, instruction: Instruction, stride: int, i: int, j: int) -> Reg:
        """Where an operand with rows of its own has the element of `values[i][j]`."""
        f, element = tile.f, storage.stored(instruction.dtype)
        row = f.gep(getattr(tile.given, f"x{instruction.number}"), tile.rows[i] * stride, element)
        return f.gep(row, tile.columns[j], element)

    def _store(self, tile: Tile, instruction: Instruction, k: int, value: Reg, i: int, j: int) -> Reg:
        f, stride = tile.f, self.reaches[instruction.number]
        if isinstance(stride, int):
            place = self._place(tile, instruction, stride, i, j)
            storage.write(f, value, place, instruction.dtype, native=tile.half, mask=tile.masks[j])
            return value
        if instruction.dtype.category == "bool":
            value = f.cast(value, types.like(value.type, "i8"), signed=False)
        if k != self.primary:
            pointer = getattr(tile.given, f"x{instruction.number}")
            tile.store(value, pointer, storage.stored(instruction.dtype), i, j)
        return value
