"""The kernel of a loop nest: what decides its code, and the slots of its argument block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from ...compiler.nest import Code
from ..emitter import Function, Reg
from ..plan import Kernel
from .walk import Walk


@dataclass(frozen=True)
class Loops(Kernel):
    """The kernel.

    Attributes:
        lanes: Elements in a vector.
        width: Vectors that go down the rows together, where the nest runs across.
        parted: The first reduced axis is cut into parts.
        native: Whether the processor converts half precision.
        streaming: The stores, by number, that go past the caches where the result's vectors are aligned.
        ahead: The loads, by number, of rows that are walked several times and come from memory: while a row is walked
            again, the next one is asked for.
    """

    code: Code
    lanes: int
    width: int
    parted: bool
    native: bool
    streaming: tuple[int, ...] = ()
    ahead: tuple[int, ...] = ()
    label: str = "loops"

    @property
    def title(self) -> str:
        return self.label

    def __repr__(self) -> str:
        return f"{self.code!r} {self.lanes} {self.width} {self.parted} {self.native} {self.streaming} {self.ahead}"

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
        Walk(self, f, given).run(chunk)
