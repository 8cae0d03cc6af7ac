"""The straight-line instructions of LLVM IR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import types
from .operands import Callee, Operand, Reg
from .types import vector

if TYPE_CHECKING:
    from .emitter import Module


_FOLDED = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
}
_NEUTRAL = {
    "add": 0,
    "sub": 0,
    "mul": 1,
    "and": -1,
    "or": 0,
    "xor": 0,
    "shl": 0,
    "ashr": 0,
    "lshr": 0,
    "sdiv": 1,
    "udiv": 1,
}
_COMMUTES = {"add", "mul", "and", "or", "xor"}


class Instructions:
    """A sequence of instructions, in blocks. `Function` adds calls and structured control flow."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self.block: str | None = None  # the open block; None after a terminator
        self.previous: str | None = None  # the block that was closed last
        self._fresh: dict[str, int] = {}

    # Names, lines and blocks.

    def fresh(self, hint: str) -> str:
        """A name not used before in this function: the hint itself, or the hint and a number."""
        name = hint
        while name in self._fresh:
            count = self._fresh[hint] = self._fresh[hint] + 1
            name = f"{hint}.{count}"
        self._fresh[name] = 0
        return name

    def line(self, text: str) -> None:
        """An instruction without a result."""
        if self.block is None:
            raise ValueError(f"instruction after the end of a block: {text}")
        self.lines.append(f"  {text}")

    def emit(self, text: str, type: str, name: str, scope: str = "") -> Reg:
        """An instruction with a result of the type; the name is made fresh."""
        if self.block is None:
            raise ValueError(f"instruction after the end of a block: {text}")
        reg = Reg(self, f"%{self.fresh(name)}", type, scope=scope)
        self.lines.append(f"  {reg.name} = {text}")
        return reg

    def comment(self, text: str) -> None:
        """A line for people."""
        self.lines.append(f"  ; {text}")

    def start(self, label: str) -> None:
        """Open the block."""
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """Close the block with a jump."""
        self._terminate(f"br label %{label}")

    def jump_if(self, condition: Reg, then: str, otherwise: str, metadata: str = "") -> None:
        """Close the block with a choice."""
        self._terminate(f"br i1 {condition.name}, label %{then}, label %{otherwise}{metadata}")

    def ret(self, value: Reg | None = None) -> None:
        """Return from the function."""
        self._terminate(f"ret {value}" if value is not None else "ret void")

    def unreachable(self) -> None:
        """Say that control never comes here."""
        self._terminate("unreachable")

    def _terminate(self, text: str) -> None:
        self.line(text)
        self.previous, self.block = self.block, None

    def phi(self, pairs: Sequence[tuple[Reg, str | None]], name: str = "phi") -> Reg:
        """The value that came with the block control came from."""
        reg = Reg(self, f"%{self.fresh(name)}", pairs[0][0].type, scope=pairs[0][0].scope)
        self.lines.append(self.phi_text(reg, pairs))
        return reg

    @staticmethod
    def phi_text(reg: Reg, pairs: Sequence[tuple[Reg, str | None]]) -> str:
        """The line of a phi node."""
        return f"  {reg.name} = phi {reg.type} " + ", ".join(f"[ {value.name}, %{label} ]" for value, label in pairs)

    # Constants.

    def const(self, type: str, value: int | float | bool) -> Reg:
        """A constant of the type, the same in every lane."""
        literal = value if types.is_float(type) or isinstance(value, float) else types.wrap(type, int(value))
        return Reg(self, types.literal(type, value), type, literal)

    def zero(self, type: str) -> Reg:
        """Zero, or null, in every lane."""
        return Reg(self, "zeroinitializer", type) if type.startswith("<") else self.const(type, 0)

    def poison(self, type: str) -> Reg:
        """A value nobody reads."""
        return Reg(self, "poison", type)

    def values(self, type: str, values: Sequence[int | float]) -> Reg:
        """A vector constant, lane by lane."""
        if len(values) != types.lanes(type):
            raise TypeError(f"expected {types.lanes(type)} values for {type}, received {len(values)}")
        return Reg(self, types.elements(type, values), type)

    def iota(self, type: str) -> Reg:
        """0, 1, 2, ... in the lanes."""
        return self.values(type, range(types.lanes(type)))

    def operand(self, value: Operand, type: str) -> Reg:
        """The value as an operand of the type: a Python number becomes a constant, a scalar fills a vector's lanes."""
        if not isinstance(value, Reg):
            return self.const(type, value)
        if value.type == type:
            return value
        if value.type == types.element(type):
            return self.splat(value, types.lanes(type))
        raise TypeError(f"expected an operand of type {type}, received {value.type} {value.name}")

    def pair(self, x: Operand, y: Operand) -> tuple[Reg, Reg]:
        """Two operands of one type: the type of the wider one that is a `Reg`."""
        if isinstance(x, Reg):
            if isinstance(y, Reg) and types.lanes(y.type) > types.lanes(x.type):
                return self.operand(x, y.type), y
            return x, self.operand(y, x.type)
        if not isinstance(y, Reg):
            raise TypeError(f"at least one operand must be typed, received {x!r} and {y!r}")
        return self.operand(x, y.type), y

    # Arithmetic.

    def binary(self, operation: str, x: Operand, y: Operand, name: str = "", flags: str = "") -> Reg:
        """Any instruction of two operands of one type, such as `"urem"` or `"shl"`.

        Args:
            flags: LLVM's flags for it, such as `"nuw nsw"` or `"contract"`; none by default.
        """
        x, y = self.pair(x, y)
        if operation in _NEUTRAL and not types.is_float(x.type):
            if x.literal is not None and y.literal is not None and operation in _FOLDED:
                return self.const(x.type, _FOLDED[operation](x.literal, y.literal))
            if y.literal == _NEUTRAL[operation]:
                return x
            if operation in _COMMUTES and x.literal == _NEUTRAL[operation]:
                return y
            if operation in ("mul", "and") and 0 in (x.literal, y.literal):
                return self.const(x.type, 0)
        text = f"{operation} {flags} {x}, {y.name}" if flags else f"{operation} {x}, {y.name}"
        return self.emit(text, x.type, name or operation)

    def _arithmetic(self, operation: str, x: Operand, y: Operand, name: str, flags: str) -> Reg:
        typed = x if isinstance(x, Reg) else y
        if not isinstance(typed, Reg):
            raise TypeError(f"{operation} needs a typed operand, received {x!r} and {y!r}")
        return self.binary(f"f{operation}" if types.is_float(typed.type) else operation, x, y, name or operation, flags)

    def add(self, x: Operand, y: Operand, name: str = "", flags: str = "") -> Reg:
        """x + y."""
        return self._arithmetic("add", x, y, name, flags)

    def sub(self, x: Operand, y: Operand, name: str = "", flags: str = "") -> Reg:
        """x - y."""
        return self._arithmetic("sub", x, y, name, flags)

    def mul(self, x: Operand, y: Operand, name: str = "", flags: str = "") -> Reg:
        """x * y."""
        return self._arithmetic("mul", x, y, name, flags)

    def fdiv(self, x: Operand, y: Operand, name: str = "", flags: str = "") -> Reg:
        """x / y of floating-point numbers."""
        return self.binary("fdiv", x, y, name or "div", flags)

    def neg(self, x: Reg, name: str = "neg") -> Reg:
        """-x; of a floating-point number only the sign bit changes."""
        if types.is_float(x.type):
            return self.emit(f"fneg {x}", x.type, name)
        return self.binary("sub", 0, x, name)

    def invert(self, x: Reg, name: str = "not") -> Reg:
        """Every bit flipped."""
        return self.binary("xor", x, -1, name)

    def fma(self, x: Operand, y: Operand, z: Reg, name: str = "fma") -> Reg:
        """x * y + z with one rounding."""
        return self.intrinsic("fma", self.operand(x, z.type), self.operand(y, z.type), z, name=name)

    def minimum(self, x: Operand, y: Operand, name: str = "min") -> Reg:
        """The smaller; a NaN wins. Integers are signed."""
        x, y = self.pair(x, y)
        return self.intrinsic("minimum" if types.is_float(x.type) else "smin", x, y, name=name)

    def maximum(self, x: Operand, y: Operand, name: str = "max") -> Reg:
        """The greater; a NaN wins. Integers are signed."""
        x, y = self.pair(x, y)
        return self.intrinsic("maximum" if types.is_float(x.type) else "smax", x, y, name=name)

    # Comparison and choice.

    def compare(self, relation: str, x: Operand, y: Operand, name: str = "") -> Reg:
        """x `relation` y, of `lt le gt ge eq ne`: integers signed, floats false with a NaN except `ne`.

        Other predicates by LLVM's own names: `ult`, `ule`, `ugt`, `uge` of integers; `uno`, `ord`, `ueq` ... of floats.
        """
        x, y = self.pair(x, y)
        if types.is_float(x.type):
            plain = {"ne": "une"}.get(relation, f"o{relation}")
            text = f"fcmp {plain if len(relation) == 2 else relation} {x}, {y.name}"
        else:
            plain = relation if relation in ("eq", "ne") else f"s{relation}"
            text = f"icmp {plain if len(relation) == 2 else relation} {x}, {y.name}"
        return self.emit(text, types.like(x.type, "i1"), name or relation)

    def lt(self, x: Operand, y: Operand, name: str = "") -> Reg:
        """x < y."""
        return self.compare("lt", x, y, name)

    def eq(self, x: Operand, y: Operand, name: str = "") -> Reg:
        """x == y."""
        return self.compare("eq", x, y, name)

    def ne(self, x: Operand, y: Operand, name: str = "") -> Reg:
        """x != y; true where either is a NaN."""
        return self.compare("ne", x, y, name)

    def select(self, condition: Reg, x: Operand, y: Operand, name: str = "select") -> Reg:
        """x where the condition holds, else y; lane by lane if the condition is a vector."""
        x, y = self.pair(x, y)
        return self.emit(f"select {condition}, {x}, {y}", x.type, name)

    # Conversion.

    def cast(self, x: Reg, to: str, *, signed: bool = True, name: str = "cast") -> Reg:
        """The value in another element type, as C converts it; `to` may leave the lanes out.

        Args:
            signed: Whether integers on either side are signed. An `i1` is always 0 or 1.
        """
        to = to if to.startswith("<") else types.like(x.type, to)
        if x.type == to:
            return x
        source, target = types.is_float(x.type), types.is_float(to)
        if x.literal is not None:
            value = x.literal
            if not source and not signed:  # literals are kept as signed integers
                value = int(value) & ((1 << types.bits(x.type)) - 1)
            return self.const(to, float(value) if target else int(value))
        narrower = types.bits(to) < types.bits(x.type)
        signed = signed and types.element(x.type) != "i1"
        if source and target:
            operation = "fptrunc" if narrower else "fpext"
        elif source:
            operation = "fptosi" if signed else "fptoui"
        elif target:
            operation = "sitofp" if signed else "uitofp"
        else:
            operation = "trunc" if narrower else "sext" if signed else "zext"
        return self.emit(f"{operation} {x} to {to}", to, name)

    def bitcast(self, x: Reg, to: str, name: str = "bits") -> Reg:
        """The same bits as another type of the same size."""
        return x if x.type == to else self.emit(f"bitcast {x} to {to}", to, name)

    # Calls.

    def address(self, callee: Callee) -> Reg:
        """A function as a pointer."""
        return Reg(self, f"@{callee.name}", "ptr")

    def call(self, callee: Callee | Reg, *args: Operand, returns: str = "void", name: str = "") -> Reg:
        """The result of a call; of a `void` one it must not be used.

        Args:
            callee: What is called. Through a pointer, every argument must be a `Reg` and `returns` gives the type.
        """
        if isinstance(callee, Callee):
            if len(args) != len(callee.args):
                raise TypeError(f"{callee.name} takes {len(callee.args)} arguments, received {len(args)}")
            given = [self.operand(arg, type) for arg, type in zip(args, callee.args, strict=True)]
            target, returns = f"@{callee.name}", callee.returns
        else:
            given = [arg for arg in args if isinstance(arg, Reg)]
            if len(given) != len(args):
                raise TypeError("a call through a pointer takes typed arguments, received a Python number")
            target = callee.name
        text = f"call {returns} {target}({', '.join(str(arg) for arg in given)})"
        if returns == "void":
            self.line(text)
            return Reg(self, "undefined", "void")
        return self.emit(text, returns, name or (callee.name if isinstance(callee, Callee) else "result"))

    def intrinsic(
        self, operation: str, *args: Operand, returns: str = "", overload: Sequence[str] = (), name: str = ""
    ) -> Reg:
        """A call of `llvm.<operation>`, declared for its types.

        Args:
            returns: The result's type; by default the type of the first `Reg`. Python numbers take that type too.
            overload: The types that the intrinsic's name ends with; by default the result's.
        """
        typed = next((arg.type for arg in args if isinstance(arg, Reg)), returns)
        result = returns or typed
        given = [self.operand(arg, typed) for arg in args]
        suffix = "".join(f".{types.mangled(type)}" for type in (overload or (result,)) if type != "void")
        callee = self.module.declare(f"llvm.{operation}{suffix}", result, [arg.type for arg in given])
        return self.call(callee, *given, name=name or operation.rpartition(".")[2])

    # Vectors.

    def splat(self, x: Reg, lanes: int, name: str = "splat") -> Reg:
        """A scalar in every lane."""
        if lanes == 1:
            return x
        type = vector(x.type, lanes)
        if x.literal is not None:
            return self.const(type, x.literal)
        first = self.emit(f"insertelement {type} poison, {x}, i64 0", type, f"{name}.first")
        return self.emit(
            f"shufflevector {type} {first.name}, {type} poison, <{lanes} x i32> zeroinitializer", type, name
        )

    def extract(self, x: Reg, lane: Operand, name: str = "lane") -> Reg:
        """One lane."""
        return self.emit(f"extractelement {x}, {self.operand(lane, 'i64')}", types.element(x.type), name)

    def insert(self, x: Reg, value: Operand, lane: Operand, name: str = "insert") -> Reg:
        """The vector with one lane replaced."""
        value = self.operand(value, types.element(x.type))
        return self.emit(f"insertelement {x}, {value}, {self.operand(lane, 'i64')}", x.type, name)

    def shuffle(self, x: Reg, y: Reg | None, lanes: Sequence[int], name: str = "shuffle") -> Reg:
        """Lanes of `x` followed by `y`, picked by position; -1 is a lane nobody reads."""
        mask = ", ".join("i32 poison" if lane < 0 else f"i32 {lane}" for lane in lanes)
        other = y or self.poison(x.type)
        type = vector(types.element(x.type), len(lanes))
        if len(lanes) == 1:
            raise TypeError("a shuffle to one lane is an extract")
        return self.emit(f"shufflevector {x}, {other}, <{len(lanes)} x i32> <{mask}>", type, name)

    def horizontal(self, operation: str, x: Reg, name: str = "total") -> Reg:
        """All lanes combined by a method of this builder (`"add"`, `"maximum"`, ...): halves, then halves of halves.

        The order is part of the result's bits and is the same on every machine.
        """
        count = types.lanes(x.type)
        while count > 1:
            if count % 2:
                raise TypeError(f"expected a power of two of lanes, received {x.type}")
            count //= 2
            if count == 1:
                return getattr(self, operation)(self.extract(x, 0), self.extract(x, 1), name=name)
            low, high = self.shuffle(x, None, range(count)), self.shuffle(x, None, range(count, 2 * count))
            x = getattr(self, operation)(low, high)
        return x

    def lane_mask(self, count: Reg, lanes: int, name: str = "mask") -> Reg:
        """A mask whose first `count` lanes are set; `count` may exceed the lanes."""
        left = self.cast(self.minimum(count, lanes, name="left"), "i32")  # 32 bits are enough, and half the work
        return self.compare("gt", self.splat(left, lanes), self.iota(vector("i32", lanes)), name)

    # Memory.

    def gep(self, pointer: Reg, index: Operand, type: str, name: str = "at") -> Reg:
        """The address of element `index` of an array of `type` at the pointer."""
        index = self.operand(index, "i64") if not isinstance(index, Reg) else index
        if index.literal == 0:
            return pointer
        return self.emit(f"getelementptr inbounds {type}, {pointer}, {index}", "ptr", name, pointer.scope)

    def load(
        self, pointer: Reg, type: str, *, align: int | None = None, mask: Reg | None = None, name: str = "load"
    ) -> Reg:
        """What is in memory; a vector is only assumed to be aligned as one element is.

        Args:
            mask: Lanes that are not set are not read, and are 0.
        """
        align = align or types.size(type)
        if mask is None:
            return self.emit(f"load {type}, {pointer}, align {align}{pointer.scope}", type, name)
        suffix = f"{types.mangled(type)}.p0"
        callee = self.module.declare(f"llvm.masked.load.{suffix}", type, ["ptr", mask.type, type])
        text = f"call {type} @{callee.name}(ptr align {align} {pointer.name}, {mask}, {self.zero(type)}){pointer.scope}"
        return self.emit(text, type, name)

    def store(
        self, value: Reg, pointer: Reg, *, align: int | None = None, mask: Reg | None = None, streaming: bool = False
    ) -> None:
        """Write to memory.

        Args:
            mask: Lanes that are not set are not written.
            streaming: Past the caches, for what is not read again soon; the alignment must be the vector's
                own.
        """
        align = align or types.size(value.type)
        if mask is None:
            hint = f", !nontemporal {self.module.metadata('i32 1')}" if streaming else ""
            self.line(f"store {value}, {pointer}, align {align}{pointer.scope}{hint}")
            return
        callee = self.module.declare(
            f"llvm.masked.store.{types.mangled(value.type)}.p0", "void", [value.type, "ptr", mask.type]
        )
        self.line(f"call void @{callee.name}({value}, ptr align {align} {pointer.name}, {mask}){pointer.scope}")

    def drain(self) -> None:
        """Streaming stores before it are seen before what is stored after it. Of x86: see `Machine.streaming`."""
        self.call(self.module.declare("llvm.x86.sse.sfence", "void", []))

    def prefetch(self, pointer: Reg, *, write: bool = False, locality: int = 3) -> None:
        """Ask for a cache line early; `locality` 3 keeps it nearest."""
        callee = self.module.declare("llvm.prefetch.p0", "void", ["ptr", "i32", "i32", "i32"])
        self.line(f"call void @{callee.name}({pointer}, i32 {int(write)}, i32 {locality}, i32 1)")
