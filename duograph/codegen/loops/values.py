"""The instructions of a nest in registers: values, what is read and written, and the steps of reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

from ...compiler.nest import Instruction, stages
from ...graph.dtype import DType
from .. import halves, scalar, storage, types
from ..emitter import Function, Reg
from ..plan import Failure

if TYPE_CHECKING:
    from .kernel import Loops


COMBINE = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "bitwise_or",
    "all": "bitwise_and",
}


class Values:
    """The values of one kernel's instructions where its code stands now."""

    def __init__(self, kernel: Loops, f: Function, given: SimpleNamespace) -> None:
        self.kernel = kernel
        self.f = f
        self.given = given
        self.instructions = kernel.code.instructions
        self.last = kernel.axes - 1
        self.stage = stages(kernel.code)
        self.needs = self._needs()
        self.memo: dict[object, Reg] = {}
        self.at: list[Reg | None] = [None] * kernel.axes
        self.mask: Reg | None = None
        self.part = f.const("i64", 0)  # which part of the first reduced axis this chunk sums up
        self.now = 0  # the stage: so many reductions one after another are known
        self.down: set[int] = set()  # what is put down in scratch memory for this row
        self.guarded = self._guarded()
        self.past_caches = False  # whether the stores that may go past the caches do

    def _guarded(self) -> list[bool]:
        """Whether an instruction reads memory under a guard: it is emitted where the guard is, and not ahead."""
        found: list[bool] = []
        for i in self.instructions:
            own = i.op in ("load", "gather") and len(i.args) > (i.op == "gather")
            found.append(own or any(found[arg] for arg in i.args))
        return found

    def _needs(self) -> list[frozenset[int]]:
        """The axes that each instruction's value changes along."""
        found: list[frozenset[int]] = []
        reduced = frozenset(k for k, flag in enumerate(self.kernel.code.reduced) if flag)
        for i in self.instructions:
            axes = frozenset(i.axes).union(*(found[arg] for arg in i.args))
            found.append(axes - reduced if i.op == "reduce" else axes)
        return found

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Values found inside are forgotten at the end."""
        before, self.memo = self.memo, dict(self.memo)
        yield
        self.memo = before

    # Values.

    def vector(self, k: int) -> bool:
        """Whether an instruction has a value for each lane."""
        return self.last in self.needs[k]

    def value(self, k: int) -> Reg:
        known = self.memo.get(k)
        if known is None:
            known = self.memo[k] = self._emit(k)
        return known

    def spread(self, k: int, lanes: int) -> Reg:
        """The value in so many lanes."""
        value = self.value(k)
        if lanes == 1 or types.lanes(value.type) == lanes:
            return value
        return self.f.splat(value, lanes)

    def _emit(self, k: int) -> Reg:
        i, f = self.instructions[k], self.f
        lanes = self.kernel.lanes if self.vector(k) else 1
        match i.op:
            case "constant":
                return f.const(storage.held(i.dtype), dict(i.attributes)["value"])
            case "index":
                return self.place(i, lanes)
            case "guard":
                place = self.place(i, lanes)
                return f.compare("ult", place, f.operand(getattr(self.given, f"x{i.number}_limit"), place.type))
            case "load":
                return self.load(i, lanes)
            case "gather":
                return self.gather(i, lanes)
        args = [self.spread(arg, lanes) for arg in i.args]
        dtypes = [self.instructions[arg].dtype for arg in i.args]
        attributes = dict(i.attributes)
        guard = attributes.pop("guard", None)
        return scalar.emit(f, i.op, args, dtypes, i.dtype, attributes, self.failing(guard, lanes))

    def place(self, i: Instruction, lanes: int) -> Reg:
        """`offset + sum(stride * axis)`, in every lane."""
        total = getattr(self.given, f"x{i.number}_offset")
        for axis in i.axes:
            if axis != self.last:
                total = total + self.coordinate(axis) * getattr(self.given, f"x{i.number}_{axis}")
        if lanes == 1:
            return total
        step = getattr(self.given, f"x{i.number}_{self.last}")
        total = total + self.coordinate(self.last) * step
        return self.f.splat(total, lanes) + self.f.iota(f"<{lanes} x i64>") * self.f.splat(step, lanes)

    def coordinate(self, axis: int) -> Reg:
        found = self.at[axis]
        assert found is not None
        return found

    def failing(self, guard: int | None, lanes: int) -> Callable[[Reg, Reg], None]:
        """How an instruction tells that it refuses data."""

        def fail(condition: Reg, refused: Reg) -> None:
            f = self.f
            count = types.lanes(condition.type)
            if guard is not None and count == 1 and self.vector(guard):  # one index, wanted in some lanes
                wanted = self.active(guard, self.kernel.lanes)
                assert wanted is not None
                condition = condition & self.any(wanted)
            elif guard is not None:
                condition = condition & self.spread(guard, count)
            if self.mask is not None and count > 1:
                condition = condition & self.mask
            wrong = (
                condition
                if count == 1
                else f.intrinsic("vector.reduce.or", condition, returns="i1", overload=(condition.type,))
            )
            with f.if_(wrong, name="refused", likely=False):
                if types.lanes(refused.type) > 1:
                    refused = f.select(condition, refused, -(1 << 63))
                    refused = f.intrinsic("vector.reduce.smax", refused, returns="i64", overload=(refused.type,))
                Failure.report(f, self.given.error, refused)

        return fail

    def any(self, condition: Reg) -> Reg:
        """Whether a condition holds in some lane."""
        if types.lanes(condition.type) == 1:
            return condition
        return self.f.intrinsic("vector.reduce.or", condition, returns="i1", overload=(condition.type,))

    # Memory.

    def base(self, i: Instruction, avoid: int | None) -> Reg:
        """Where an access is, but for the axis `avoid`; kept in the scope of the axes it needs."""
        key = ("base", i.number)
        known = self.memo.get(key)
        if known is not None:
            return known
        f, element = self.f, storage.stored(i.dtype)
        pointer = getattr(self.given, f"x{i.number}")
        if i.op == "store" and i.attributes:  # the place of a part
            pointer = f.gep(pointer, self.part * getattr(self.given, f"x{i.number}_step"), element)
        for axis in i.axes:
            if axis != avoid:
                pointer = f.gep(pointer, self.coordinate(axis) * getattr(self.given, f"x{i.number}_{axis}"), element)
        self.memo[key] = pointer
        return pointer

    def active(self, guard: int | None, lanes: int) -> Reg | None:
        """The lanes that may be touched; None for all."""
        mask = self.mask if lanes > 1 else None
        if guard is not None:
            test = self.spread(guard, lanes)
            mask = test if mask is None else mask & test
        return mask

    def load(self, i: Instruction, lanes: int) -> Reg:
        f, native = self.f, self.kernel.native
        guard = i.args[0] if i.args else None
        element = storage.stored(i.dtype)
        if self.last not in i.axes:
            pointer = self.base(i, None)
            if guard is None:
                return storage.read(f, pointer, i.dtype, native=native)
            if not self.vector(guard):
                with f.if_(self.value(guard)) as branch:
                    branch.yield_(storage.read(f, pointer, i.dtype, native=native))
                with branch.else_():
                    branch.yield_(f.zero(storage.held(i.dtype)))
                return branch.results[0]
            # one element, wanted in some lanes
            mask = self.active(guard, lanes)
            assert mask is not None
            with f.if_(self.any(mask)) as branch:
                branch.yield_(storage.read(f, pointer, i.dtype, native=native))
            with branch.else_():
                branch.yield_(f.zero(storage.held(i.dtype)))
            return f.splat(branch.results[0], lanes)
        pointer = self.base(i, self.last)
        mask = self.active(guard, lanes)
        if i.unit:
            place = f.gep(pointer, self.coordinate(self.last), element)
            return storage.read(f, place, i.dtype, lanes, native=native, mask=mask)
        step = getattr(self.given, f"x{i.number}_{self.last}")
        return self.lookup(pointer, i.dtype, self.lane_offsets(step), mask)

    def lane_offsets(self, step: Reg) -> Reg:
        """How far each lane's element lies from the start of the last axis."""
        f, lanes = self.f, self.kernel.lanes
        return f.splat(self.coordinate(self.last) * step, lanes) + f.iota(f"<{lanes} x i64>") * f.splat(step, lanes)

    def lookup(self, pointer: Reg, dtype: DType, offsets: Reg, mask: Reg | None) -> Reg:
        """The elements at these distances, lane by lane."""
        f, lanes = self.f, types.lanes(offsets.type)
        element = storage.stored(dtype)
        word = "i16" if element in halves.HALVES else element
        type = types.vector(word, lanes)
        places = f.emit(f"getelementptr {word}, {pointer}, {offsets}", f"<{lanes} x ptr>", "places")
        if mask is None:
            mask = f.const(f"<{lanes} x i1>", True)
        callee = f.module.declare(
            f"llvm.masked.gather.{types.mangled(type)}.v{lanes}p0", type, [places.type, mask.type, type]
        )
        align = types.size(word)
        text = f"call {type} @{callee.name}({places.type} align {align} {places.name}, {mask}, {f.zero(type)})"
        found = f.emit(text, type, "gathered")
        if dtype.category == "bool":
            return f.ne(found, 0)
        return halves.from_word(f, found, element) if element in halves.HALVES else found

    def gather(self, i: Instruction, lanes: int) -> Reg:
        """An element at an index that is data: checked, and counted from the end where it is negative."""
        f = self.f
        number = i.number
        where = self.value(i.args[0])
        guard = i.args[1] if len(i.args) > 1 else None
        limit, step = getattr(self.given, f"x{number}_limit"), getattr(self.given, f"x{number}_step")
        signed = dict(i.attributes)["source"].signed
        count = types.lanes(where.type)
        bound = f.splat(limit, count)
        inside = where
        if signed:
            inside = f.select(where < 0, where + bound, where)
        wrong = f.compare("uge", inside, bound)
        self.failing(guard, count)(wrong, where)
        distance = f.select(wrong, 0, inside) * f.splat(step, count)
        element = storage.stored(i.dtype)
        if count == 1 and self.last not in i.axes:
            pointer = f.gep(self.base(i, None), distance, element)
            return self.nonempty(limit, i.dtype, lambda: storage.read(f, pointer, i.dtype, native=self.kernel.native))
        mask = self.active(guard, lanes)
        if count == 1 and i.unit:
            pointer = f.gep(f.gep(self.base(i, self.last), distance, element), self.coordinate(self.last), element)
            return storage.read(
                f, pointer, i.dtype, lanes, native=self.kernel.native, mask=self.where_any(limit, mask, lanes)
            )
        offsets = f.splat(distance, lanes) if count == 1 else distance
        if self.last in i.axes:
            offsets = offsets + self.lane_offsets(getattr(self.given, f"x{number}_{self.last}"))
        return self.lookup(self.base(i, self.last), i.dtype, offsets, self.where_any(limit, mask, lanes))

    def where_any(self, limit: Reg, mask: Reg | None, lanes: int) -> Reg:
        """The mask, empty if there is nothing to read at all."""
        some = self.f.splat(self.f.compare("gt", limit, 0), lanes)
        return some if mask is None else mask & some

    def nonempty(self, limit: Reg, dtype: DType, read: Callable[[], Reg]) -> Reg:
        f = self.f
        with f.if_(f.compare("gt", limit, 0), likely=True) as branch:
            branch.yield_(read())
        with branch.else_():
            branch.yield_(f.zero(storage.held(dtype)))
        return branch.results[0]

    def store(self, k: int) -> None:
        i, f = self.instructions[k], self.f
        element, native = storage.stored(i.dtype), self.kernel.native
        if self.last not in i.axes:
            value = self.value(i.args[0])
            storage.write(f, value, self.base(i, None), i.dtype, native=native)
            return
        lanes = self.kernel.lanes
        value = self.spread(i.args[0], lanes)
        pointer = self.base(i, self.last)
        if i.unit:
            place = f.gep(pointer, self.coordinate(self.last), element)
            if self.past_caches and i.number in self.kernel.streaming and self.mask is None:
                storage.write(f, value, place, i.dtype, native=native, align=lanes * i.dtype.itemsize, streaming=True)
                return
            storage.write(f, value, place, i.dtype, native=native, mask=self.mask)
            return
        step = getattr(self.given, f"x{i.number}_{self.last}")
        for lane in range(lanes):
            single = f.extract(value, lane)
            place = f.gep(pointer, (self.coordinate(self.last) + lane) * step, element)
            if self.mask is None:
                storage.write(f, single, place, i.dtype, native=native)
            else:
                with f.if_(f.extract(self.mask, lane)):
                    storage.write(f, single, place, i.dtype, native=native)

    def aligned(self) -> Reg:
        """Whether all vectors of the stores that may go past the caches begin at a multiple of their size."""
        f, given, lanes = self.f, self.given, self.kernel.lanes
        odd = given.block & (lanes - 1)
        for i in self.instructions:
            if i.op == "store" and i.number in self.kernel.streaming:
                size = lanes * i.dtype.itemsize
                pointer = getattr(given, f"x{i.number}")
                odd = odd | (f.emit(f"ptrtoint {pointer} to i64", "i64", "address") & (size - 1))
                for axis in i.axes:
                    if axis != self.last:
                        odd = odd | (getattr(given, f"x{i.number}_{axis}") & (lanes - 1))
        return f.eq(odd, 0)

    # Reductions.

    def initial(self, k: int, lanes: int) -> Reg:
        """What a reduction begins with."""
        i = self.instructions[k]
        type = storage.held(i.dtype, lanes)
        match dict(i.attributes)["name"]:
            case "sum":
                return self.f.zero(type)
            case "prod":
                return self.f.const(type, 1)
            case "any":
                return self.f.const(type, False)
            case "all":
                return self.f.const(type, True)
            case name:
                return self.f.const(type, _extreme(i.dtype, least=name == "max"))

    def combined(self, k: int, x: Reg, y: Reg) -> Reg:
        i = self.instructions[k]
        operation = COMBINE[dict(i.attributes)["name"]]
        return scalar.emit(self.f, operation, [x, y], [i.dtype, i.dtype], i.dtype, {}, lambda *_: None)

    def folded(self, k: int, x: Reg) -> Reg:
        """All lanes in one, halves with halves."""
        f, count = self.f, types.lanes(x.type)
        while count > 1:
            count //= 2
            if count == 1:
                return self.combined(k, f.extract(x, 0), f.extract(x, 1))
            low, high = (f.shuffle(x, None, range(start, start + count)) for start in (0, count))
            x = self.combined(k, low, high)
        return x

    def accumulate(self, k: int, total: Reg) -> Reg:
        """The total with this turn's value."""
        lanes = types.lanes(total.type)
        new = self.combined(k, total, self.spread(self.instructions[k].args[0], lanes))
        if self.mask is not None and lanes > 1 and not self.kernel.across:
            return self.f.select(self.mask, new, total)
        return new


def _extreme(dtype: DType, least: bool) -> int | float | bool:
    """The least or the greatest number of a dtype."""
    if dtype.category == "bool":
        return not least
    if dtype.is_floating_point:
        return -math.inf if least else math.inf
    bits = 8 * dtype.itemsize
    if not dtype.signed:
        return 0 if least else (1 << bits) - 1
    return -(1 << (bits - 1)) if least else (1 << (bits - 1)) - 1
