"""Sorting positions by what stands there: stable, ascending or descending, NaN as the greatest.

Elements become keys: unsigned integers in the same order, all NaN one key, both zeros one key, inverted if descending.
An *item* is a key with its position. Keys of up to 32 bits share a word with the position, which then also decides
between equal keys; others have a word of their own.

Short rows are sorted by insertion, on the stack. Long ones digit by digit, from the lowest (radix sort): all digits are
counted while the items are made, and then one pass for each digit of 8 bits puts the items in their places. A digit
that all keys share needs no pass, which is most of them where integers are small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ...graph.dtype import DType
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div, round_up

SHORT = 16
"""Elements of a row, for each byte of theirs, up to which it is sorted by insertion: beyond, moving them takes longer
than a pass for each byte."""

DIGIT, VALUES = 8, 256
"""Bits of a digit, and how many values it has: as many places to write to as the first cache can hold open."""

WORK = 1 << 13
"""Elements in a chunk of short rows."""

MOST_CHUNKS, MOST_SPACE = 64, 128 << 20
"""Each chunk of long rows has scratch memory of its own, for one row at a time: bounds for their number, and for the
bytes of all where that leaves more than one."""

_INFINITY = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF0000000000000}


@dataclass(frozen=True)
class Items:
    """How items are stored.

    Attributes:
        wide: Whether the key has a word of its own, before the position's.
    """

    wide: bool

    @property
    def words(self) -> int:
        """Of an item."""
        return 2 if self.wide else 1

    @property
    def type(self) -> str:
        """An item in a register."""
        return "<2 x i64>" if self.wide else "i64"

    def at(self, f: Function, start: Reg, index: Reg | int) -> Reg:
        """Where the item with this index lies."""
        return f.gep(start, f.mul(index, self.words) if isinstance(index, Reg) else index * self.words, "i64")

    def make(self, f: Function, key: Reg, position: Reg) -> Reg:
        """An item."""
        if not self.wide:
            return (key << 32) | position
        return f.insert(f.insert(f.poison(self.type), key, 0), position, 1)

    def load(self, f: Function, place: Reg) -> Reg:
        """The item in a place."""
        return f.load(place, self.type, align=8)

    def store(self, f: Function, item: Reg, place: Reg) -> None:
        """Put an item into a place."""
        f.store(item, place, align=8)

    def rank(self, f: Function, item: Reg) -> Reg:
        """What items are compared by, an unsigned word."""
        return f.extract(item, 0) if self.wide else item

    def position(self, f: Function, place: Reg) -> Reg:
        """The position of the item in a place."""
        if self.wide:
            return f.load(f.gep(place, 1, "i64"), "i64", align=8)
        return f.load(place, "i64", align=8) & 0xFFFFFFFF


@dataclass(frozen=True)
class ArgSort(Kernel):
    """What both kernels share: a chunk is `block` rows."""

    dtype: DType
    descending: bool
    items: Items

    @property
    def title(self) -> str:
        turned = "_descending" if self.descending else ""
        return f"{type(self).__name__.lower()}_{self.dtype.name}{turned}"

    @property
    def slots(self) -> Mapping[str, str]:
        return {"a": "ptr", "c": "ptr"} | dict.fromkeys(("rows", "block", "size", "inner"), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        memory = self._memory(f, given, chunk)
        start = chunk * given.block
        with f.loop(start, f.minimum(start + given.block, given.rows), name="row") as row:
            outer = f.binary("udiv", row.index, given.inner)
            first = outer * given.size * given.inner + (row.index - outer * given.inner)
            source = f.gep(given.a, first, self._word)
            in_order = self._sort(f, given, source, memory)
            target = f.gep(given.c, first, "i64")
            with f.loop(0, given.size, name="k") as k:
                position = self.items.position(f, self.items.at(f, in_order, k.index))
                f.store(position, f.gep(target, k.index * given.inner, "i64"), align=8)

    def _memory(self, f: Function, given: SimpleNamespace, chunk: Reg) -> list[Reg]:
        """Scratch memory, for one row after another."""
        raise NotImplementedError

    def _sort(self, f: Function, given: SimpleNamespace, source: Reg, memory: list[Reg]) -> Reg:
        """Where the items of the row lie in their order."""
        raise NotImplementedError

    @property
    def _word(self) -> str:
        return f"i{8 * self.dtype.itemsize}"

    def _key(self, f: Function, given: SimpleNamespace, source: Reg, k: Reg) -> Reg:
        """The key of an element, as an i64."""
        bits = 8 * self.dtype.itemsize
        sign = 1 << (bits - 1)
        key = f.load(f.gep(source, k * given.inner, self._word), self._word)
        if self.dtype.is_floating_point:
            magnitude = key & (sign - 1)
            key = f.select(f.eq(magnitude, 0), 0, key)
            # Negative numbers turn round; the others come after them.
            key = key ^ ((key >> (bits - 1)) | -sign)
            key = f.select(f.compare("ugt", magnitude, _INFINITY[self.dtype.name]), -1, key)
        elif self.dtype.signed:
            key = key ^ sign
        if self.descending:
            key = key ^ (1 if self.dtype.category == "bool" else -1)
        return f.cast(key, "i64", signed=False)


@dataclass(frozen=True)
class InsertionSort(ArgSort):
    """For rows of up to `SHORT` elements for each byte of an element."""

    def _memory(self, f: Function, given: SimpleNamespace, chunk: Reg) -> list[Reg]:
        kept = f.stack("i64", (SHORT * self.dtype.itemsize + 1) * self.items.words, align=64, name="items")
        self.items.store(f, f.zero(self.items.type), kept)  # nothing comes before this, so nobody looks further
        return [kept]

    def _sort(self, f: Function, given: SimpleNamespace, source: Reg, memory: list[Reg]) -> Reg:
        items, kept = self.items, memory[0]
        with f.loop(0, given.size, name="k") as k:
            item = items.make(f, self._key(f, given, source, k.index), k.index)
            rank = items.rank(f, item)
            with f.while_([items.at(f, kept, k.index)], name="insert", names=["before"]) as insert:
                (before,) = insert.carried
                other = items.load(f, before)
                insert.test(f.compare("ugt", items.rank(f, other), rank))
                items.store(f, other, items.at(f, before, 1))
                insert.yield_(items.at(f, before, -1))
            items.store(f, item, items.at(f, insert.results[0], 1))
        return items.at(f, kept, 1)


@dataclass(frozen=True)
class RadixSort(ArgSort):
    """For longer rows; a chunk has `space` bytes of the workspace."""

    @property
    def slots(self) -> Mapping[str, str]:
        return {**super().slots, "workspace": "ptr", "space": "i64"}

    def _memory(self, f: Function, given: SimpleNamespace, chunk: Reg) -> list[Reg]:
        """Two places for all items of a row, and the counts of all digits."""
        front = f.gep(given.workspace, chunk * given.space, "i8")
        back = self.items.at(f, front, given.size)
        return [front, back, f.stack("i64", self.dtype.itemsize * VALUES, align=64, name="counts")]

    def _sort(self, f: Function, given: SimpleNamespace, source: Reg, memory: list[Reg]) -> Reg:
        front, back, counts = memory
        digits = self.dtype.itemsize
        with f.loop(0, digits * VALUES, 8, name="value") as value:
            f.store(f.zero("<8 x i64>"), f.gep(counts, value.index, "i64"))
        with f.loop(0, given.size, name="k") as k:
            key = self._key(f, given, source, k.index)
            self.items.store(f, self.items.make(f, key, k.index), self.items.at(f, front, k.index))
            for number in range(digits):
                value_of = f.binary("lshr", key, number * DIGIT) & (VALUES - 1)
                place = f.gep(counts, value_of + number * VALUES, "i64")
                f.store(f.load(place, "i64") + 1, place)
        with f.loop(0, digits, 1, [front, back], name="digit", names=["source", "target"]) as digit:
            source, target = digit.carried
            shift = digit.index * DIGIT + (0 if self.items.wide else 32)
            count = f.gep(counts, digit.index * VALUES, "i64")
            shared = f.load(f.gep(count, self._digit(f, self.items.load(f, source), shift), "i64"), "i64")
            with f.if_(f.eq(shared, given.size), name="shared") as branch:
                branch.yield_(source, target)
            with branch.else_():
                self._pass(f, given, source, target, count, shift)
                branch.yield_(target, source)
            digit.yield_(*branch.results)
        return digit.results[0]

    def _digit(self, f: Function, item: Reg, shift: Reg) -> Reg:
        return f.binary("lshr", self.items.rank(f, item), shift) & (VALUES - 1)

    def _pass(self, f: Function, given: SimpleNamespace, source: Reg, target: Reg, counts: Reg, shift: Reg) -> None:
        """Put the items in the order of a digit: counts become the places where each value's items begin."""
        with f.loop(0, VALUES, 1, [f.const("i64", 0)], name="value") as value:
            place = f.gep(counts, value.index, "i64")
            count = f.load(place, "i64")
            f.store(value.carried[0], place)
            value.yield_(value.carried[0] + count)
        with f.loop(0, given.size, name="k") as k:
            item = self.items.load(f, self.items.at(f, source, k.index))
            place = f.gep(counts, self._digit(f, item, shift), "i64")
            at = f.load(place, "i64")
            f.store(at + 1, place)
            self.items.store(f, item, self.items.at(f, target, at))


def plan_argsort(machine: Machine, dtype: DType, *, outer: int, size: int, inner: int, descending: bool) -> Plan:
    """The primitive `argsort`: `"c"`, int64, like `"a"` is `[outer, size, inner]`.

    Stable in both directions; NaNs count as the greatest, and -0.0 as 0.0.
    """
    rows = outer * inner
    if not rows * size:
        return Plan()
    items = Items(wide=dtype.itemsize == 8 or size > 1 << 32)
    slots: dict[str, Pointer | int] = {
        "a": Pointer("a"), "c": Pointer("c"), "rows": rows, "size": size, "inner": inner,
    }  # fmt: skip
    if size <= SHORT * dtype.itemsize:
        block = max(1, WORK // size)
        step = InsertionSort(dtype, descending, items).step(chunks=ceil_div(rows, block), block=block, **slots)
        return Plan(steps=(step,))
    space = round_up(2 * size * items.words * 8, 64)
    block = ceil_div(rows, min(MOST_CHUNKS, max(1, MOST_SPACE // space)))
    chunks = ceil_div(rows, block)
    kernel = RadixSort(dtype, descending, items)
    step = kernel.step(chunks=chunks, block=block, workspace=Pointer("workspace"), space=space, **slots)
    return Plan(steps=(step,), workspace=chunks * space)
