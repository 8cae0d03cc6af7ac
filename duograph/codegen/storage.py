"""How numbers of a `DType` lie in memory and how they are held in registers.

| dtype | in memory | in a register |
| --- | --- | --- |
| bool | `i8`, 0 or 1 | `i1` |
| float16, bfloat16 | `half`, `bfloat`, as 16 bits | `float` |
| the rest | as they are | as they are; whether an integer has a sign is the dtype's to tell |
"""

from __future__ import annotations

from ..graph.dtype import DType
from . import halves, types
from .emitter import Function, Reg

_FLOATS = {"float16": "half", "bfloat16": "bfloat", "float32": "float", "float64": "double"}


def stored(dtype: DType) -> str:
    """LLVM's type of an element in memory."""
    return _FLOATS.get(dtype.name) or f"i{8 * dtype.itemsize}"


def held(dtype: DType, lanes: int = 1) -> str:
    """LLVM's type of `lanes` elements in a register."""
    element = "i1" if dtype.category == "bool" else halves.computed(stored(dtype))
    return types.vector(element, lanes)


def read(
    f: Function, pointer: Reg, dtype: DType, lanes: int = 1, *, native: bool, mask: Reg | None = None,
    align: int | None = None, name: str = "load",
) -> Reg:  # fmt: skip
    """What is in memory, as it is held.

    Args:
        native: Whether the processor converts half precision itself (`Machine.half`).
        mask, align: See `Function.load`.
    """
    value = halves.read(f, pointer, stored(dtype), lanes, native=native, align=align, mask=mask, name=name)
    return f.ne(value, 0) if dtype.category == "bool" else value


def write(
    f: Function, value: Reg, pointer: Reg, dtype: DType, *, native: bool, mask: Reg | None = None,
    align: int | None = None, streaming: bool = False,
) -> None:  # fmt: skip
    """Write what is held to memory, rounding it where memory is narrower. See `read`.

    Args:
        streaming: See `Function.store`. Not for bool and the halves.
    """
    if dtype.category == "bool":
        value = f.cast(value, types.like(value.type, "i8"), signed=False)
        f.store(value, pointer, align=align, mask=mask)
    elif dtype.is_half:
        halves.write(f, value, pointer, stored(dtype), native=native, align=align, mask=mask)
    else:
        f.store(value, pointer, align=align, mask=mask, streaming=streaming)
