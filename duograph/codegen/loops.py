"""Loop nests: elementwise chains, reductions with what comes before and after them, and rows gone over several times.

A nest (`compiler.nest.Code`) becomes one kernel, in one of two forms.

**Along.** Vectors run along the axis that is reduced, or nothing is reduced. For each turn of the other axes, the outer
ones, the inner loops are run once for each stage: a softmax finds the maximum, then sums the exponentials, then
divides. What is costly and needed again is put down in a row of scratch memory on the stack; the rest is computed
again. The lanes of a sum are added at the end, halves to halves.

**Across.** The last axis is kept and others are reduced: each lane sums up its own column. A few vectors go down the
rows together.

Every sum runs in an order that the sizes decide. Vectors past the end of the last axis are masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from types import SimpleNamespace

from ..compiler.arrays import Block
from ..compiler.nest import Code, Instruction, Nest, stages
from ..compiler.nest import halves as halves_of
from ..graph.dtype import DType
from . import halves, scalar, storage, types
from .contract.machine import Machine
from .emitter import Function, Reg
from .launch import ERROR, Address, Launch
from .plan import Failure, Kernel, ceil_div, round_up

COSTLY = frozenset(
    """exp expm1 log log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfinv lgamma digamma
    polygamma power atan2 floor_divide remainder fmod gather""".split()
)
"""Instructions that are worth keeping in memory rather than repeating."""

COMBINE = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "bitwise_or",
    "all": "bitwise_and",
}

SMALLEST_CHUNK = 1 << 17
"""Work that is worth another chunk, some 2 us: elements times the weights of what is done to each."""

WEIGHTS = {"load": 4, "store": 4, "gather": 20, "divide": 4, "sqrt": 4, "rsqrt": 8}
"""What an instruction takes for an element beside one that takes least; costly functions take `COSTLY_WEIGHT`."""

COSTLY_WEIGHT = 20

MOST_CHUNKS = 64

UNROLLED = 4
"""How many times a total is kept where vectors run along a sum."""

MOST_UNROLLED = 16
"""Instructions up to which that is worth its code."""


@dataclass(frozen=True)
class Loops(Kernel):
    """The kernel.

    Attributes:
        lanes: Elements in a vector.
        width: Vectors that go down the rows together, where the nest runs across.
        parted: The first reduced axis is cut into parts.
        native: Whether the processor converts half precision.
    """

    code: Code
    lanes: int
    width: int
    parted: bool
    native: bool
    label: str = "loops"

    @property
    def title(self) -> str:
        return self.label

    def __repr__(self) -> str:
        return f"{self.code!r} {self.lanes} {self.width} {self.parted} {self.native}"

    @property
    def axes(self) -> int:
        return len(self.code.reduced)

    @property
    def across(self) -> bool:
        """Whether vectors run along an axis that is kept while others are reduced."""
        return any(self.code.reduced) and not self.code.reduced[-1]

    @property
    def outer(self) -> list[int]:
        """The axes of the loop over rows."""
        last = self.axes - 1
        return [k for k, flag in enumerate(self.code.reduced) if not flag and k != last]

    @property
    def inner(self) -> list[int]:
        """The axes of the loops inside a row, but for the last axis of a nest that runs across."""
        last = self.axes - 1
        if self.across:
            return [k for k, flag in enumerate(self.code.reduced) if flag]
        return [k for k, flag in enumerate(self.code.reduced) if flag or k == last]

    @property
    def checked(self) -> bool:
        """Whether it may refuse data."""
        return any(i.op in ("gather", "floor_divide", "remainder", "fmod") for i in self.code.instructions)

    @property
    def slots(self) -> Mapping[str, str]:
        found = {f"size_{k}": "i64" for k in range(self.axes)}
        found |= dict.fromkeys(("rows", "row_block", "row_blocks", "block", "blocks"), "i64")
        if self.parted:
            found["part"] = "i64"
        if self.checked:
            found["error"] = "ptr"
        for i in self.code.instructions:
            if i.number < 0:
                continue
            name = f"x{i.number}"
            if i.op in ("load", "store", "gather"):
                found[name] = "ptr"
            else:
                found[f"{name}_offset"] = "i64"
            if i.op == "guard":
                found[f"{name}_limit"] = "i64"
            if i.op == "gather":
                found |= {f"{name}_limit": "i64", f"{name}_step": "i64"}
            if i.op == "store" and i.attributes:
                found[f"{name}_step"] = "i64"
            found |= {f"{name}_{k}": "i64" for k in i.axes}
        return found

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        _Emission(self, f, given).run(chunk)


class _Emission:
    """The code of one kernel, as it is written."""

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
        self.now = 0  # the stage: so many reductions one after another are known
        self.down: set[int] = set()  # what is put down in scratch memory for this row
        self.guarded = self._guarded()

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
            if guard is not None:
                condition = condition & self.spread(guard, count)
            if self.mask is not None and count > 1:
                condition = condition & self.mask
            wrong = condition if count == 1 else f.intrinsic("vector.reduce.or", condition, returns="i1", overload=(condition.type,))
            with f.if_(wrong, name="refused", likely=False):
                if types.lanes(refused.type) > 1:
                    refused = f.select(condition, refused, -(1 << 63))
                    refused = f.intrinsic("vector.reduce.smax", refused, returns="i64", overload=(refused.type,))
                Failure.report(f, self.given.error, refused)

        return fail

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
            wanted = f.intrinsic("vector.reduce.or", mask, returns="i1", overload=(mask.type,))
            with f.if_(wanted) as branch:
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
            return self.nonempty(limit, i.dtype, 1, lambda: storage.read(f, pointer, i.dtype, native=self.kernel.native))
        mask = self.active(guard, lanes)
        if count == 1 and i.unit:
            pointer = f.gep(f.gep(self.base(i, self.last), distance, element), self.coordinate(self.last), element)
            return storage.read(f, pointer, i.dtype, lanes, native=self.kernel.native, mask=self.where_any(limit, mask, lanes))
        offsets = f.splat(distance, lanes) if count == 1 else distance
        if self.last in i.axes:
            offsets = offsets + self.lane_offsets(getattr(self.given, f"x{number}_{self.last}"))
        return self.lookup(self.base(i, self.last), i.dtype, offsets, self.where_any(limit, mask, lanes))

    def where_any(self, limit: Reg, mask: Reg | None, lanes: int) -> Reg:
        """The mask, empty if there is nothing to read at all."""
        some = self.f.splat(self.f.compare("gt", limit, 0), lanes)
        return some if mask is None else mask & some

    def nonempty(self, limit: Reg, dtype: DType, lanes: int, read: Callable[[], Reg]) -> Reg:
        f = self.f
        with f.if_(f.compare("gt", limit, 0), likely=True) as branch:
            branch.yield_(read())
        with branch.else_():
            branch.yield_(f.zero(storage.held(dtype, lanes)))
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

    # The loops.

    def run(self, chunk: Reg) -> None:
        kernel, f, given = self.kernel, self.f, self.given
        rest, block = _divided(f, chunk, given.blocks)
        self.part, row_block = _divided(f, rest, given.row_blocks)
        if not kernel.axes:
            self.write(k for k, i in enumerate(self.instructions) if i.op == "store")
            return
        self.now = 0
        self.ahead(frozenset())
        self.prepare()
        start = row_block * given.row_block
        stop = f.minimum(start + given.row_block, given.rows)
        outer = kernel.outer
        places = self.first_places(start)
        with f.loop(start, stop, carried=places, name="row") as loop:
            if len(outer) == 1:
                self.at[outer[0]] = loop.index
            for axis, place in zip(outer, loop.carried, strict=False):
                self.at[axis] = place
            with self.scope():
                self.across(block) if kernel.across else self.along(block)
            loop.yield_(*self.following_places(loop.carried))

    def ahead(self, axes: frozenset[int]) -> None:
        """Emit what inner loops will need and what these axes suffice for."""
        for k, i in enumerate(self.instructions):
            if i.op in ("store", "reduce") or k in self.memo or self.stage[k] > self.now:
                continue
            if self.needs[k] <= axes:
                if self.guarded[k] is False:
                    self.value(k)
            elif i.op == "load" and self.last in i.axes and frozenset(i.axes) - {self.last} <= axes:
                self.base(i, self.last)

    def first_places(self, start: Reg) -> list[Reg]:
        """Where the first row is on each outer axis; nothing where the row's number says so."""
        outer = self.kernel.outer
        if len(outer) < 2:
            return []
        f, places, rest = self.f, [], start
        for axis in reversed(outer[1:]):
            rest, place = _divided(f, rest, getattr(self.given, f"size_{axis}"))
            places.append(place)
        return [rest, *reversed(places)]

    def following_places(self, places: Sequence[Reg]) -> list[Reg]:
        """Where the next row is: one further on the last outer axis, with a carry."""
        f, found = self.f, []
        carry: Reg | None = None
        for axis, place in zip(reversed(self.kernel.outer), reversed(places), strict=False):
            following = place + 1 if carry is None else place + f.cast(carry, "i64")
            carry = f.compare("ge", following, getattr(self.given, f"size_{axis}"))
            found.append(f.select(carry, 0, following))
        return found[::-1]

    def inside(self, k: int) -> bool:
        """Whether a store belongs into the inner loops."""
        i = self.instructions[k]
        inner = frozenset(self.kernel.inner)
        return bool((self.needs[i.args[0]] | frozenset(i.axes)) & inner)

    def prepare(self) -> None:
        """Sort the work into stages, and find what is put down between them."""
        stores = [k for k, i in enumerate(self.instructions) if i.op == "store"]
        reduces = [k for k, i in enumerate(self.instructions) if i.op == "reduce"]
        inner = [k for k in stores if self.inside(k)]
        self.after = [k for k in stores if not self.inside(k)]
        count = max([self.stage[k] for k in reduces] + [self.stage[k] + 1 for k in inner], default=0)
        self.reduces = [[k for k in reduces if self.stage[k] == p + 1] for p in range(count)]
        self.stores = [[k for k in inner if self.stage[k] == p] for p in range(count)]
        self.scratch: dict[int, Reg] = {}
        if self.kernel.across or len(self.kernel.inner) != 1:
            return
        used: dict[int, int] = {}
        for p in range(count):
            seen: set[int] = set()
            stack = [self.instructions[k].args[0] for k in (*self.reduces[p], *self.stores[p])]
            while stack:
                k = stack.pop()
                if k not in seen and self.vector(k) and self.instructions[k].op != "reduce":
                    seen.add(k)
                    stack.extend(self.instructions[k].args)
            for k in seen:
                used[k] = used.get(k, 0) + 1
        for k, times in used.items():
            i = self.instructions[k]
            if times > 1 and i.op in COSTLY and i.dtype.category != "bool":
                f, type = self.f, storage.held(i.dtype)
                length = getattr(self.given, f"size_{self.last}") + self.kernel.lanes
                self.scratch[k] = f.emit(f"alloca {type}, {length}, align 64", "ptr", "scratch")

    def bounds(self, axis: int) -> tuple[Reg, Reg]:
        """Where an inner axis begins and ends here."""
        f, size = self.f, getattr(self.given, f"size_{axis}")
        if self.kernel.parted and axis == self.kernel.code.reduced.index(True):
            start = self.part * self.given.part
            return start, f.minimum(start + self.given.part, size)
        return f.const("i64", 0), size

    def nested(
        self, axes: Sequence[int], carried: list[Reg], leaf: Callable[[list[Reg]], list[Reg]], known: frozenset[int],
        reduces: Sequence[int] = (),
    ) -> list[Reg]:
        """Loops over axes, one in another, with totals that are carried through all of them."""
        if not axes:
            return leaf(carried)
        axis = axes[0]
        start, stop = self.bounds(axis)
        if axis == self.last:
            return self.vectors(start, stop, carried, leaf, reduces)
        with self.f.loop(start, stop, carried=carried, name="inner") as loop:
            self.at[axis] = loop.index
            with self.scope():
                self.ahead(known | {axis})
                loop.yield_(*self.nested(axes[1:], list(loop.carried), leaf, known | {axis}, reduces))
        return loop.results

    def vectors(
        self, start: Reg, stop: Reg, carried: list[Reg], leaf: Callable[[list[Reg]], list[Reg]],
        reduces: Sequence[int] = (),
    ) -> list[Reg]:
        """The last axis, vector by vector; those of the rest are masked. Totals of `reduces` are kept several times, so
        that one addition need not wait for the one before."""
        f, lanes = self.f, self.kernel.lanes
        if reduces and len(self.instructions) <= MOST_UNROLLED:
            wide = lanes * UNROLLED
            whole = start + f.binary("and", stop - start, -wide)
            copies = [carried, *([self.initial(k, lanes) for k in reduces] for _ in range(UNROLLED - 1))]
            with f.loop(start, whole, wide, carried=[total for copy in copies for total in copy], name="wide") as loop:
                found: list[Reg] = []
                for u in range(UNROLLED):
                    self.at[self.last] = loop.index + u * lanes
                    with self.scope():
                        found += leaf(list(loop.carried[u * len(reduces) : (u + 1) * len(reduces)]))
                loop.yield_(*found)
            totals = [loop.results[u * len(reduces) : (u + 1) * len(reduces)] for u in range(UNROLLED)]
            while len(totals) > 1:
                pairs = zip(totals[::2], totals[1::2], strict=True)
                totals = [[self.combined(*each) for each in zip(reduces, *pair, strict=True)] for pair in pairs]
            start, carried = whole, totals[0]
        whole = start + f.binary("and", stop - start, -lanes)
        with f.loop(start, whole, lanes, carried=carried, name="v") as loop:
            self.at[self.last] = loop.index
            with self.scope():
                loop.yield_(*leaf(list(loop.carried)))
        rest = stop - whole
        with f.if_(f.compare("gt", rest, 0), name="rest") as branch:
            self.at[self.last] = whole
            self.mask = f.lane_mask(rest, lanes)
            with self.scope():
                branch.yield_(*leaf(list(loop.results)))
            self.mask = None
        if not carried:
            return []
        with branch.else_():
            branch.yield_(*loop.results)
        return branch.results

    def along(self, block: Reg) -> None:
        """One row, stage by stage."""
        kernel, f = self.kernel, self.f
        outer = frozenset(kernel.outer)
        for p, (reduces, stores) in enumerate(zip(self.reduces, self.stores, strict=True)):
            self.now = p
            self.ahead(outer)
            fresh: set[int] = set()

            def leaf(
                totals: list[Reg], p: int = p, reduces: list[int] = reduces, stores: list[int] = stores
            ) -> list[Reg]:
                for k, row in self.scratch.items():
                    if k in self.down:
                        place = f.gep(row, self.coordinate(self.last), storage.held(self.instructions[k].dtype))
                        type = storage.held(self.instructions[k].dtype, kernel.lanes)
                        self.memo[k] = f.load(place, type)
                found = [self.accumulate(k, total) for k, total in zip(reduces, totals, strict=True)]
                self.write(stores)
                for k, row in self.scratch.items():
                    if k not in self.down and k in self.memo:
                        place = f.gep(row, self.coordinate(self.last), storage.held(self.instructions[k].dtype))
                        f.store(self.memo[k], place)
                        fresh.add(k)
                return found

            totals = [self.initial(k, kernel.lanes) for k in reduces]
            if any(kernel.code.reduced):
                totals = self.nested(kernel.inner, totals, leaf, outer, reduces)
            else:
                size = getattr(self.given, f"size_{self.last}")
                start = block * self.given.block
                totals = self.vectors(start, f.minimum(start + self.given.block, size), totals, leaf)
            self.down |= fresh
            for k, total in zip(reduces, totals, strict=True):
                self.memo[k] = self.folded(k, total)
        self.now = len(self.reduces)
        self.down.clear()
        self.write(self.after)

    def across(self, block: Reg) -> None:
        """The columns of one block, some vectors at a time."""
        kernel, f = self.kernel, self.f
        self.ahead(frozenset(kernel.outer))
        size = getattr(self.given, f"size_{self.last}")
        start = block * self.given.block
        stop = f.minimum(start + self.given.block, size)
        wide = kernel.width * kernel.lanes
        whole = start
        if kernel.width > 1:
            whole = start + f.binary("and", stop - start, -wide)
            with f.loop(start, whole, wide, name="columns") as loop, self.scope():
                self.columns(loop.index, kernel.width)

        def leaf(_: list[Reg]) -> list[Reg]:
            self.columns(self.coordinate(self.last), 1)
            return []

        self.vectors(whole, stop, [], leaf)

    def columns(self, first: Reg, width: int) -> None:
        """Some vectors down all rows."""
        kernel, f = self.kernel, self.f
        places = [first + w * kernel.lanes for w in range(width)]
        reduces = self.reduces[0] if self.reduces else []
        stores = self.stores[0] if self.stores else []
        totals = [self.initial(k, kernel.lanes) for k in reduces for _ in places]
        outer = frozenset(kernel.outer)
        self.now = 0
        columns = []  # what each vector's column knows for all rows
        for place in places:
            self.at[self.last] = place
            with self.scope():
                self.ahead(outer | {self.last})
                columns.append(self.memo)

        def leaf(totals: list[Reg]) -> list[Reg]:
            found = list(totals)
            rows = self.memo
            for w, place in enumerate(places):
                self.at[self.last] = place
                self.memo = {**columns[w], **rows}
                for r, k in enumerate(reduces):
                    found[r * width + w] = self.accumulate(k, totals[r * width + w])
                self.write(stores)
            self.memo = rows
            return found

        totals = self.nested(kernel.inner, totals, leaf, outer)
        self.now = 1
        for w, place in enumerate(places):
            self.at[self.last] = place
            with self.scope():
                for r, k in enumerate(reduces):
                    self.memo[k] = totals[r * width + w]
                self.write(self.after)

    def write(self, stores: Iterable[int]) -> None:
        """First everything is read and computed, then written: an operand may lie where a result goes."""
        stores = list(stores)
        for k in stores:
            self.value(self.instructions[k].args[0])
        for k in stores:
            self.store(k)


def plan_nest(machine: Machine, nest: Nest) -> list[Launch]:
    """The launches that run a nest: one, or two where one long sum is cut into parts."""
    code = nest.code
    if any(code.reduced) and max(stages(code)) == 1:
        parts = _parts(machine, nest)
        if parts > 1:
            axis = code.reduced.index(True)
            length = ceil_div(nest.sizes[axis], parts)
            front, back, _ = halves_of(nest, ceil_div(nest.sizes[axis], length))
            return [_launch(machine, front, length), _launch(machine, back)]
    return [_launch(machine, nest)]


def _lanes(machine: Machine, code: Code) -> int:
    """Vectors are full of the widest elements that are moved."""
    widest = max((max(4, i.dtype.itemsize) for i in code.instructions if i.op in ("load", "store", "gather", "reduce")), default=4)
    if all(i.dtype.itemsize < 4 and not i.dtype.is_half for i in code.instructions):
        widest = max(i.dtype.itemsize for i in code.instructions)
    return max(2, machine.vector_bytes // widest)


def _weight(code: Code) -> int:
    """What an element takes of all instructions that change along the last axis."""
    return sum(
        WEIGHTS.get(i.op, COSTLY_WEIGHT if i.op in COSTLY else 1)
        for i in code.instructions
        if i.op not in ("constant", "index")
    )


def _width(machine: Machine, code: Code, size: int, lanes: int) -> int:
    """Vectors that go down the rows together: as many as keep their totals in registers."""
    reduces = sum(i.op == "reduce" for i in code.instructions)
    width = 4 if reduces <= 2 else 2 if reduces <= 4 else 1
    while width > 1 and width * lanes > max(size, 1):
        width //= 2
    return width


def _parts(machine: Machine, nest: Nest) -> int:
    """Into how many parts a reduction is cut, so that there is work for many threads."""
    code, total = nest.code, prod(nest.sizes)
    lanes = _lanes(machine, code)
    natural = prod(n for n, flag in zip(nest.sizes, code.reduced, strict=True) if not flag)
    if not code.reduced[-1]:
        wide = lanes * _width(machine, code, nest.sizes[-1], lanes)
        natural = natural // nest.sizes[-1] * ceil_div(nest.sizes[-1], wide)
    wanted = min(MOST_CHUNKS, total * _weight(code) // (2 * SMALLEST_CHUNK))
    if natural >= 16 or wanted <= natural:
        return 1
    axis = code.reduced.index(True)
    return min(ceil_div(wanted, natural), max(1, nest.sizes[axis] // (4 * lanes if axis == len(nest.sizes) - 1 else 4)))


def _launch(machine: Machine, nest: Nest, part: int = 0) -> Launch:
    code, sizes = nest.code, nest.sizes
    lanes = _lanes(machine, code)
    kernel = Loops(
        code, lanes, 1, part > 0, machine.half, "_".join(nest.title.split("_")[:6])[:48]
    )
    total = max(1, prod(sizes))
    rows, block, blocks, row_block, chunks = 1, 1, 1, 1, 1
    if sizes:
        if kernel.across:
            kernel = replace(kernel, width=_width(machine, code, sizes[-1], lanes))
        rows = prod(sizes[k] for k in kernel.outer)
        wanted = max(1, min(MOST_CHUNKS, total * _weight(code) // SMALLEST_CHUNK))
        if code.reduced[-1]:
            block = sizes[-1]
        else:
            wide = lanes * (kernel.width if kernel.across else 4)
            block = sizes[-1]
            if rows < wanted:
                block = round_up(ceil_div(sizes[-1], ceil_div(wanted, max(1, rows))), wide)
        blocks = 1 if code.reduced[-1] else max(1, ceil_div(sizes[-1], max(1, block)))
        row_block = max(1, ceil_div(rows, max(1, wanted // blocks)))
    row_blocks = max(1, ceil_div(rows, row_block))
    parts = ceil_div(sizes[code.reduced.index(True)], part) if part else 1
    chunks = blocks * row_blocks * parts
    values: dict[str, int | Address] = {f"size_{k}": n for k, n in enumerate(sizes)}
    values |= {"rows": rows, "row_block": row_block, "row_blocks": row_blocks, "block": block, "blocks": blocks}
    values["part"] = part
    values["error"] = Address(ERROR)
    for number, access in enumerate(nest.accesses):
        name = f"x{number}"
        values |= {f"{name}_{k}": stride for k, stride in enumerate(access.strides)}
        values |= {f"{name}_limit": access.limit, f"{name}_step": access.step, f"{name}_offset": access.offset}
        if access.block is not None:
            values[name] = Address(access.block, access.offset)
    launch = Launch(kernel, tuple(values[name] for name in kernel.slots), chunks, nest.title)
    launch.bytes, launch.operations, launch.nodes = nest.bytes, nest.operations, nest.nodes
    for i in code.instructions:
        if i.number >= 0 and (block_ := nest.accesses[i.number].block) is not None:
            (launch.writes if i.op == "store" else launch.reads).append(block_)
    launch.replaces = _replaceable(nest)
    return launch


def _replaceable(nest: Nest) -> list[tuple[Block, Block]]:
    """Pairs (written, read) of blocks that may be the same memory: each element is read just where it is written."""
    code = nest.code
    loads: dict[Block, list[Instruction]] = {}
    stores: dict[Block, list[Instruction]] = {}
    for i in code.instructions:
        if i.op in ("load", "store", "gather"):
            block = nest.accesses[i.number].block
            assert block is not None
            (stores if i.op == "store" else loads).setdefault(block, []).append(i)
    kept = {k for k, flag in enumerate(code.reduced) if not flag}
    found = []
    for written, writers in stores.items():
        if len(writers) != 1 or written in loads or not kept <= set(writers[0].axes):
            continue
        target = nest.accesses[writers[0].number]
        for read, readers in loads.items():
            same = all(
                i.op == "load"
                and i.dtype.itemsize == writers[0].dtype.itemsize
                and nest.accesses[i.number].strides == target.strides
                and nest.accesses[i.number].offset == target.offset
                for i in readers
            )
            if same and read.nbytes == written.nbytes and not _read_again(code, writers[0], readers):
                found.append((written, read))
    return found


def _read_again(code: Code, store: Instruction, loads: Sequence[Instruction]) -> bool:
    """Whether some of these loads are repeated in a stage after that in which a store is done."""
    stage = stages(code)
    needs: list[bool] = []  # whether an instruction's value is computed from the loads where it is needed
    for i in code.instructions:
        needs.append(i in loads or (i.op != "reduce" and any(needs[arg] for arg in i.args)))
    done = stage[store.args[0]]
    return any(
        needs[arg] and (stage[k] - 1 if i.op == "reduce" else stage[k]) > done
        for k, i in enumerate(code.instructions)
        if i.op in ("reduce", "store")
        for arg in i.args
    )


def _divided(f: Function, x: Reg, y: Reg) -> tuple[Reg, Reg]:
    """Quotient and remainder of numbers that are not negative."""
    quotient = f.binary("udiv", x, y)
    return quotient, x - quotient * y


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
