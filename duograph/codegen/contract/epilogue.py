"""What happens to a result between the registers it was summed in and memory.

A contraction hands each finished piece of its result, still in registers, to an `Epilogue`, and stores what that gives
back. Most pieces are whole register tiles; at the edges of the result they are single vectors with some lanes masked
off. Where the result's columns are not contiguous, pieces are single vectors, and single elements at the edges. The
same `emit` serves all.

    @dataclass(frozen=True)
    class BiasAndReLU:
        operands = ("bias",)
        weight = 2

        def reads(self, tile):
            return ()

        def emit(self, tile):
            bias = [tile.per_column("bias", "float", j) for j in range(len(tile.columns))]
            return [[tile.f.maximum(x + b, 0.0) for x, b in zip(row, bias)] for row in tile.values]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Protocol

from .. import types
from ..emitter import Function, Reg, vector
from ..halves import computed, read, write


@dataclass(frozen=True)
class Tile:
    """A piece of the result: `values[i][j]` is row `i` of the piece, its vector `j`, in the type it was summed in.

    Attributes:
        f: Where instructions go.
        values: The sums.
        rows: The row in the result of each row here, an `i64`. A convolution's row is a pixel of one image after
            another, as it lies in memory.
        columns: The column in the result of each vector's first lane, an `i64`: a convolution's output channel.
        offsets: For each row, where its column 0 lies in the result, counted in elements.
        masks: For each vector, the lanes that are part of the result, or None for all.
        column_step: How many elements the result's columns lie apart.
        half: Whether the processor converts half precision.
        given: The block's slots; the epilogue's operands are among them.
    """

    f: Function
    values: Sequence[Sequence[Reg]]
    rows: Sequence[Reg]
    columns: Sequence[Reg]
    offsets: Sequence[Reg]
    masks: Sequence[Reg | None]
    column_step: Reg | int
    half: bool
    given: SimpleNamespace

    @property
    def lanes(self) -> int:
        """Elements in each vector; 1 for a piece of single elements."""
        return types.lanes(self.values[0][0].type)

    def per_column(self, operand: str, element: str, j: int) -> Reg:
        """Vector `j` of an operand that has one element for each column: a bias."""
        pointer = self.f.gep(getattr(self.given, operand), self.columns[j], element)
        return read(self.f, pointer, element, self.lanes, native=self.half, mask=self.masks[j], name=operand)

    def per_row(self, operand: str, element: str, i: int) -> Reg:
        """The element of row `i` of an operand that has one for each row, in all lanes."""
        pointer = self.f.gep(getattr(self.given, operand), self.rows[i], element)
        return self.f.splat(read(self.f, pointer, element, native=self.half, name=operand), self.lanes)

    def load(self, operand: str, element: str, i: int, j: int) -> Reg:
        """What an operand of the result's shape and strides has in the place of `values[i][j]`: a residual."""
        f, place = self.f, self.address(getattr(self.given, operand), element, i, j)
        if self.contiguous:
            return read(f, place, element, self.lanes, native=self.half, mask=self.masks[j], name=operand)
        value = f.poison(vector(computed(element), self.lanes))
        for lane, at in enumerate(self._lanes(place, element)):
            value = f.insert(value, read(f, at, element, native=self.half, name=operand), lane)
        return value

    def store(self, value: Reg, pointer: Reg, element: str, i: int, j: int) -> None:
        """Write to a buffer of the result's shape and strides, in the place of `values[i][j]`, as the element type."""
        f, place = self.f, self.address(pointer, element, i, j)
        if self.contiguous:
            write(f, value, place, element, native=self.half, mask=self.masks[j])
            return
        for lane, at in enumerate(self._lanes(place, element)):
            write(f, f.extract(value, lane), at, element, native=self.half)

    @property
    def contiguous(self) -> bool:
        """Whether a vector's elements lie side by side in the result."""
        return self.lanes == 1 or self.column_step == 1

    def _lanes(self, place: Reg, element: str) -> list[Reg]:
        """Where each lane's element lies."""
        f, step = self.f, self.column_step
        steps = [f.mul(step, lane) if isinstance(step, Reg) else step * lane for lane in range(self.lanes)]
        return [f.gep(place, distance, element) for distance in steps]

    def address(self, pointer: Reg, element: str, i: int, j: int) -> Reg:
        """Where `values[i][j]` lies in a buffer of the result's shape and strides."""
        f = self.f
        return f.gep(f.gep(pointer, self.offsets[i], element), f.mul(self.columns[j], self.column_step), element)


class Epilogue(Protocol):
    """Elementwise operations on a finished piece. `repr` must tell all that decides what `emit` emits.

    Attributes:
        operands: Names of the buffers it reads or writes, as `Pointer` roles.
        weight: About how many instructions it takes for an element.
    """

    @property
    def operands(self) -> tuple[str, ...]: ...

    @property
    def weight(self) -> int: ...

    def reads(self, tile: Tile) -> Iterable[tuple[Reg, str]]:
        """Where each row of a tile begins in the operands that have an element for each of its own, with their element
        types: what a kernel may ask the caches for while it still sums. The tile has no values yet."""
        ...

    def emit(self, tile: Tile) -> Sequence[Sequence[Reg]]:
        """What to store: vectors in the places of `tile.values`, of the same number of lanes."""
        ...
