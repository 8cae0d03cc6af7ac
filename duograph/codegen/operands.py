"""Typed operands of LLVM IR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .instructions import Instructions


class Reg:
    """A typed operand: an SSA value, or a constant, whose Python value is then `literal`.

    `+ - * & | ^ << >>` and `< <= > >=` emit the instruction for the type (integers are signed); `==` stays Python's,
    use `eq` and `ne` of the function. Division is spelled out (`sdiv`, `udiv`, `fdiv`).
    """

    __slots__ = ("function", "literal", "name", "scope", "type")

    def __init__(
        self, function: Instructions, name: str, type: str, literal: int | float | None = None, scope: str = ""
    ) -> None:
        self.function = function
        self.name = name
        self.type = type
        self.literal = literal
        self.scope = scope  # the alias metadata that loads and stores through this pointer bear

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    def __repr__(self) -> str:
        return f"Reg({self.type} {self.name})"

    def __add__(self, other: Reg | int | float) -> Reg:
        return self.function.add(self, other)

    def __radd__(self, other: int | float) -> Reg:
        return self.function.add(other, self)

    def __sub__(self, other: Reg | int | float) -> Reg:
        return self.function.sub(self, other)

    def __rsub__(self, other: int | float) -> Reg:
        return self.function.sub(other, self)

    def __mul__(self, other: Reg | int | float) -> Reg:
        return self.function.mul(self, other)

    def __rmul__(self, other: int | float) -> Reg:
        return self.function.mul(other, self)

    def __neg__(self) -> Reg:
        return self.function.neg(self)

    def __and__(self, other: Reg | int) -> Reg:
        return self.function.binary("and", self, other)

    def __or__(self, other: Reg | int) -> Reg:
        return self.function.binary("or", self, other)

    def __xor__(self, other: Reg | int) -> Reg:
        return self.function.binary("xor", self, other)

    def __lshift__(self, other: Reg | int) -> Reg:
        return self.function.binary("shl", self, other)

    def __rshift__(self, other: Reg | int) -> Reg:
        return self.function.binary("ashr", self, other)

    def __lt__(self, other: Reg | int | float) -> Reg:
        return self.function.lt(self, other)

    def __le__(self, other: Reg | int | float) -> Reg:
        return self.function.compare("le", self, other)

    def __gt__(self, other: Reg | int | float) -> Reg:
        return self.function.compare("gt", self, other)

    def __ge__(self, other: Reg | int | float) -> Reg:
        return self.function.compare("ge", self, other)


@dataclass(frozen=True)
class Callee:
    """A function that can be called: declared or defined in the module."""

    name: str
    returns: str
    args: tuple[str, ...]


Operand = Reg | int | float
