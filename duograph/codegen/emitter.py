"""A builder of LLVM IR as text.

    module = Module("scale")
    with module.function("scale", [Arg("n", "i64"), Arg("x", "ptr", "noalias")]) as f:
        n, x = f.args
        with f.loop(0, n, 16, name="i") as loop:
            here = f.gep(x, loop.index, "float")
            f.store(f.load(here, "<16 x float>") * 2.0, here)
    text = str(module)

Every operand is a typed `Reg`. Python numbers stand for constants of the type the operation needs, in every lane of a
vector; integer arithmetic on constants is done here, so that index arithmetic with known sizes leaves no text. Loops
and branches carry values as phi nodes: what a loop accumulates lives in registers, never in an array on the stack.
No fast-math flag is set unless asked for: the same kernel gives the same bits on every machine with the same
instructions, and a fused multiply-add happens where `fma` is written and nowhere else.

Text is chosen over llvmlite's object tree because it is several times quicker to make and is what people read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from . import types
from .instructions import Instructions
from .operands import Callee, Reg
from .types import vector

__all__ = ["Arg", "Branch", "Callee", "Function", "Loop", "Module", "Reg", "While", "vector"]


@dataclass(frozen=True)
class Arg:
    """A parameter: name, type and LLVM's attributes, such as `"noalias align 64"`."""

    name: str
    type: str
    attributes: str = ""


class Module:
    """Functions, constants and declarations, each once; `str()` gives the IR. It names no target: the JIT does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._callees: dict[str, Callee] = {}
        self._declarations: dict[str, str] = {}
        self._globals: dict[str, str] = {}
        self._constants: dict[str, str] = {}
        self._functions: list[Function] = []
        self._metadata: dict[str, str] = {}

    def declare(self, name: str, returns: str, args: Sequence[str], attributes: str = "") -> Callee:
        """A function from elsewhere: another module, the runtime, the C library or an intrinsic. Declared once."""
        callee = Callee(name, returns, tuple(args))
        known = self._callees.setdefault(name, callee)
        if known is callee:
            self._declarations[name] = f"declare {returns} @{name}({', '.join(args)}) {attributes}".rstrip()
        elif known != callee:
            raise TypeError(f"{name} is already declared as {known}, received {callee}")
        return known

    @contextmanager
    def function(
        self,
        name: str,
        args: Sequence[Arg],
        returns: str = "void",
        *,
        linkage: Literal["", "internal", "linkonce_odr"] = "",
        attributes: str = "nounwind",
    ) -> Iterator[Function]:
        """A new function; its body is what is emitted in the `with` block. A `void` one returns at its end."""
        callee = Callee(name, returns, tuple(arg.type for arg in args))
        if name in self._callees and name not in self._declarations:
            raise ValueError(f"function {name} is already defined in module {self.name}")
        if self._callees.setdefault(name, callee) != callee:
            raise TypeError(f"{name} was declared as {self._callees[name]}, received a definition as {callee}")
        self._declarations.pop(name, None)
        function = Function(self, callee, args, linkage, attributes)
        yield function
        function.finish()
        self._functions.append(function)

    def constant(self, name: str, type: str, values: Sequence[int | float], align: int = 64) -> str:
        """The name of a read-only table. Equal tables are one."""
        content = ", ".join(f"{type} {types.literal(type, value)}" for value in values)
        text = f"internal unnamed_addr constant [{len(values)} x {type}] [{content}], align {align}"
        if text not in self._constants:
            self._constants[text] = self._global(name, text)
        return self._constants[text]

    def variable(self, name: str, type: str, value: int | float = 0, align: int = 64) -> str:
        """The name of a new mutable global, private to this module."""
        return self._global(name, f"internal global {type} {types.literal(type, value)}, align {align}")

    def metadata(self, operands: str) -> str:
        """The name of a metadata node. Equal nodes are one, but each that names itself, as `SELF`, is distinct."""
        name = f"!{len(self._metadata)}"
        distinct = "distinct " if "SELF" in operands else ""
        text = f"{distinct}!{{{operands.replace('SELF', name)}}}"
        return self._metadata.setdefault(text, name)

    def _global(self, hint: str, text: str) -> str:
        name, count = hint, 0
        while name in self._globals:
            count += 1
            name = f"{hint}.{count}"
        self._globals[name] = text
        return f"@{name}"

    def __str__(self) -> str:
        parts = [f"; {self.name}"]
        parts += [f"@{name} = {text}" for name, text in self._globals.items()]
        parts += [str(function) for function in self._functions]
        parts += self._declarations.values()
        parts += [f"{name} = {text}" for text, name in self._metadata.items()]
        return "\n".join(parts) + "\n"


class Function(Instructions):
    """The body of a function: instructions, in order, and structured control flow."""

    def __init__(self, module: Module, callee: Callee, args: Sequence[Arg], linkage: str, attributes: str) -> None:
        super().__init__(module)
        self.callee = callee
        self.args = [Reg(self, f"%{self.fresh(arg.name)}", arg.type) for arg in args]
        signature = ", ".join(
            " ".join(filter(None, (arg.type, arg.attributes, reg.name)))
            for arg, reg in zip(args, self.args, strict=True)
        )
        head = f"define {linkage} {callee.returns} @{callee.name}({signature}) {attributes} {{"
        self._head = head.replace("  ", " ")
        self._stack: list[str] = []
        self.start(self.fresh("entry"))

    def finish(self) -> None:
        """Close the body."""
        if self.block is not None:
            if self.callee.returns != "void":
                raise ValueError(f"function {self.callee.name} must end with ret of a {self.callee.returns}")
            self.ret()

    def __str__(self) -> str:
        entry, *body = self.lines
        return "\n".join([self._head, entry, *self._stack, *body, "}"])

    def stack(self, type: str, count: int = 1, align: int | None = None, name: str = "slot") -> Reg:
        """A pointer to `count` elements on the stack, for arguments passed by pointer. Never for accumulators."""
        reg = Reg(self, f"%{self.fresh(name)}", "ptr")
        array = type if count == 1 else f"[{count} x {type}]"
        self._stack.append(f"  {reg.name} = alloca {array}, align {align or types.size(type)}")
        return reg

    def table(self, name: str, type: str, values: Sequence[int | float], align: int = 64) -> Reg:
        """A pointer to a read-only table of the module. Equal tables are one."""
        return Reg(self, self.module.constant(name, type, values, align), "ptr")

    def distinct(self, *pointers: Reg) -> list[Reg]:
        """The same pointers, known not to overlap: loads and stores through one may pass those through another.

        For pointers that are loaded rather than received; a received one has the attribute `noalias`.
        """
        metadata = self.module.metadata
        domain = metadata("SELF")
        scopes = [metadata(f"SELF, {domain}") for _ in pointers]
        found = []
        for reg, own in zip(pointers, scopes, strict=True):
            others = ", ".join(scope for scope in scopes if scope != own)
            mine, rest = metadata(own), metadata(others)
            found.append(Reg(self, reg.name, reg.type, scope=f", !alias.scope {mine}, !noalias {rest}"))
        return found

    # Structured control flow.

    def loop(
        self,
        start: Reg | int,
        stop: Reg | int,
        step: Reg | int = 1,
        carried: Iterable[Reg] = (),
        *,
        name: str = "i",
        names: Sequence[str] = (),
        at_least_once: bool = False,
    ) -> Loop:
        """A counted loop: see `Loop`."""
        return Loop(self, start, stop, step, list(carried), name, names, at_least_once)

    def while_(self, carried: Iterable[Reg], *, name: str = "while", names: Sequence[str] = ()) -> While:
        """A loop that goes on while a condition holds: see `While`."""
        return While(self, list(carried), name, names)

    def if_(self, condition: Reg, *, name: str = "if", likely: bool | None = None) -> Branch:
        """A branch: see `Branch`."""
        return Branch(self, condition, name, likely)


class Loop:
    """`for index in range(start, stop, step)`, with values carried from turn to turn. The step is positive.

        with f.loop(0, n, carried=[zero], names=["sum"]) as loop:
            (total,) = loop.carried
            loop.yield_(total + f.load(f.gep(x, loop.index, "float"), "float"))
        (total,) = loop.results

    The test stands at the end of the body, behind one guard for the case of no turn at all; the guard is left out where
    the bounds are known or `at_least_once` promises a turn. A loop known to turn once leaves no loop at all.
    """

    def __init__(
        self,
        function: Function,
        start: Reg | int,
        stop: Reg | int,
        step: Reg | int,
        carried: list[Reg],
        name: str,
        names: Sequence[str],
        at_least_once: bool,
    ) -> None:
        type = next((bound.type for bound in (start, stop, step) if isinstance(bound, Reg)), "i64")
        self.function = function
        self.begin, self.stop, self.step = (function.operand(bound, type) for bound in (start, stop, step))
        self.initial = carried
        self.name = name
        self.names = list(names) or [f"{name}.carried"] * len(carried)
        first, last, stride = self.begin.literal, self.stop.literal, self.step.literal
        if stride is not None and stride <= 0:
            raise ValueError(f"the step of a loop must be positive, received {stride}")
        self.guarded, self.single = not at_least_once, False
        if first is not None and last is not None:
            self.guarded = first >= last
            self.single = stride is not None and first < last <= first + stride
        self.yielded: list[Reg] | None = None
        self.results: list[Reg] = []

    def __enter__(self) -> Loop:
        f = self.function
        if self.single:
            self.index, self.carried = self.begin, list(self.initial)
            return self
        body = f.fresh(f"{self.name}.body")
        self.end = f.fresh(f"{self.name}.end")
        if self.guarded:
            f.jump_if(f.lt(self.begin, self.stop, name=f"{self.name}.enter"), body, self.end)
        else:
            f.jump(body)
        self.before = f.previous
        f.start(body)
        self.label = body
        self.index = Reg(f, f"%{f.fresh(self.name)}", self.begin.type)
        self.carried = [
            Reg(f, f"%{f.fresh(name)}", reg.type, scope=reg.scope)
            for name, reg in zip(self.names, self.initial, strict=True)
        ]
        self.place = len(f.lines)  # the phi nodes are written here when their second values are known
        return self

    def yield_(self, *values: Reg) -> None:
        """What the carried values are in the next turn, and at last the results."""
        if [value.type for value in values] != [value.type for value in self.initial]:
            raise TypeError(
                f"loop {self.name} carries {[value.type for value in self.initial]}, "
                f"received {[value.type for value in values]}"
            )
        self.yielded = list(values)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            return
        f = self.function
        if self.yielded is None:
            if self.initial:
                raise ValueError(f"loop {self.name} carries {len(self.initial)} values and was given none by yield_")
            self.yielded = []
        if self.single:
            self.results = self.yielded
            return
        following = f.add(self.index, self.step, name=f"{self.name}.next", flags="nuw nsw")
        latch = f.block
        f.jump_if(f.lt(following, self.stop, name=f"{self.name}.more"), self.label, self.end)
        phis = [f.phi_text(self.index, [(self.begin, self.before), (following, latch)])]
        for reg, first, then in zip(self.carried, self.initial, self.yielded, strict=True):
            phis.append(f.phi_text(reg, [(first, self.before), (then, latch)]))
        f.lines[self.place : self.place] = phis
        f.start(self.end)
        if self.guarded:
            self.results = [
                f.phi([(first, self.before), (then, latch)], name=f"{name}.final")
                for name, first, then in zip(self.names, self.initial, self.yielded, strict=True)
            ]
        else:
            self.results = self.yielded


class While:
    """`while condition`, with values carried from turn to turn.

        with f.while_([low, high], names=["low", "high"]) as loop:
            low, high = loop.carried
            loop.test(low < high)
            ...
            loop.yield_(low, high)
        low, high = loop.results

    What stands before `test` runs once more than what stands after it.
    """

    def __init__(self, function: Function, carried: list[Reg], name: str, names: Sequence[str]) -> None:
        self.function = function
        self.initial = carried
        self.name = name
        self.names = list(names) or [f"{name}.carried"] * len(carried)
        self.yielded: list[Reg] | None = None
        self.tested = False
        self.results: list[Reg] = []

    def __enter__(self) -> While:
        f = self.function
        self.label, self.body, self.end = (f.fresh(f"{self.name}.{part}") for part in ("test", "body", "end"))
        f.jump(self.label)
        self.before = f.previous
        f.start(self.label)
        self.carried = [
            Reg(f, f"%{f.fresh(name)}", reg.type, scope=reg.scope)
            for name, reg in zip(self.names, self.initial, strict=True)
        ]
        self.place = len(f.lines)
        return self

    def test(self, condition: Reg) -> None:
        """Leave the loop unless the condition holds."""
        self.tested = True
        self.function.jump_if(condition, self.body, self.end)
        self.function.start(self.body)

    def yield_(self, *values: Reg) -> None:
        """What the carried values are in the next turn."""
        if [value.type for value in values] != [value.type for value in self.initial]:
            raise TypeError(
                f"loop {self.name} carries {[value.type for value in self.initial]}, "
                f"received {[value.type for value in values]}"
            )
        self.yielded = list(values)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            return
        f = self.function
        if not self.tested or self.yielded is None:
            raise ValueError(f"loop {self.name} needs one test and one yield_")
        latch = f.block
        f.jump(self.label)
        f.lines[self.place : self.place] = [
            f.phi_text(reg, [(first, self.before), (then, latch)])
            for reg, first, then in zip(self.carried, self.initial, self.yielded, strict=True)
        ]
        f.start(self.end)
        self.results = self.carried


class Branch:
    """`if`, and `else` where one follows, with results.

        with f.if_(x > 0.0) as branch:
            branch.yield_(x)
        with branch.else_():
            branch.yield_(-x)
        (y,) = branch.results

    `likely` tells which side to lay out straight on.
    """

    def __init__(self, function: Function, condition: Reg, name: str, likely: bool | None) -> None:
        self.function = function
        self.condition = condition
        self.name = name
        self.likely = likely
        self.sides: list[tuple[list[Reg], str | None]] = []
        self.yielded: list[Reg] = []
        self.results: list[Reg] = []

    def __enter__(self) -> Branch:
        f = self.function
        self.then, self.end = f.fresh(f"{self.name}.then"), f.fresh(f"{self.name}.end")
        self.place = len(f.lines)
        self._jump(self.end)
        self.before = f.previous
        f.start(self.then)
        return self

    def _jump(self, otherwise: str) -> None:
        weights = ""
        if self.likely is not None:
            odds = "i32 2000, i32 1" if self.likely else "i32 1, i32 2000"
            node = self.function.module.metadata(f'!"branch_weights", {odds}')
            weights = f", !prof {node}"
        self.function.jump_if(self.condition, self.then, otherwise, weights)

    def yield_(self, *values: Reg) -> None:
        """The results of this side."""
        self.yielded = list(values)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._close()

    def _close(self) -> None:
        f = self.function
        self.sides.append((self.yielded, f.block))
        self.yielded = []
        if f.block is not None:
            f.jump(self.end)
        self.after = len(f.lines)
        f.start(self.end)

    @contextmanager
    def else_(self) -> Iterator[Branch]:
        """The other side; it stands directly after the first."""
        f = self.function
        if len(f.lines) != self.after + 1:
            raise ValueError(f"else_ of {self.name} must follow the first side at once")
        f.lines.pop()
        other = f.fresh(f"{self.name}.else")
        f.lines[self.place] = f.lines[self.place].replace(f"label %{self.end}", f"label %{other}")
        f.start(other)
        yield self
        self._close()
        live = [(values, block) for values, block in self.sides if block is not None]
        if not live:
            f.unreachable()
            return
        if len({tuple(value.type for value in values) for values, _ in live}) != 1:
            raise TypeError(
                f"both sides of {self.name} must yield values of the same types, "
                f"received {[[value.type for value in values] for values, _ in live]}"
            )
        for position in range(len(live[0][0])):
            pairs = [(values[position], block) for values, block in live]
            self.results.append(f.phi(pairs, name=f"{self.name}.result"))
