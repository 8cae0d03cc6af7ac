"""The primitive `put_along`: an index for each update.

Updates never leave their line along the axis, and are taken in its order: lines are what chunks are made of. Elements
are written one at a time: the indices of a vector would scatter it over as many cache lines, which no processor
does faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace

from ...graph.dtype import DType
from ..contract.machine import Machine
from ..emitter import Function, Reg
from ..plan import Kernel, Plan, Pointer, ceil_div
from .common import Indices, Update, chunks_for, cut

_PIECE = 512
"""Bytes of neighbouring lines that a chunk has at least: shorter pieces would come slowly from memory."""


@dataclass(frozen=True)
class PutAlong(Kernel):
    """A chunk is `block` units, each of `columns` neighbouring lines.

    Attributes:
        axes: Whose indices, in order, tell one unit from the other.
        wide: Whether a unit has more than one line.
    """

    update: Update
    index_dtype: DType
    axes: int
    wide: bool

    @property
    def title(self) -> str:
        return f"put_along{self.axes}d_{self.update.title}_by_{self.index_dtype.name}{'_wide' if self.wide else ''}"

    @property
    def slots(self) -> Mapping[str, str]:
        sizes = ["units", "block", "length", "size", "c_step", "step"]
        if self.wide:
            sizes += ["lines", "columns", "column_blocks"]
        axes = (f"{name}_{x}" for x in range(self.axes) for name in ("count", "c", "along"))
        return dict.fromkeys(("c", "indices", "updates", "error"), "ptr") | dict.fromkeys((*sizes, *axes), "i64")

    def body(self, f: Function, given: SimpleNamespace, chunk: Reg) -> None:
        first: Reg | int = 0
        last: Reg | int = 1
        if self.wide:
            across, chunk = f.binary("urem", chunk, given.column_blocks), f.binary("udiv", chunk, given.column_blocks)
            first = across * given.columns
            last = f.minimum(first + given.columns, given.lines)
        start = chunk * given.block
        c, indices, updates = f.distinct(given.c, given.indices, given.updates)
        source = Indices(self.index_dtype, indices, given.size, given.error)
        with f.loop(start, f.minimum(start + given.block, given.units), name="unit") as unit:
            here, there = self._place(f, given, unit.index)
            with f.loop(0, given.length, name="k") as k:
                along = there + k.index * given.step
                with f.loop(first, last, name="line") as line:
                    at = along + line.index
                    raw, place = source.place(f, at)
                    with f.if_(f.compare("ult", place, given.size), likely=True) as branch:
                        target = self.update.at(f, c, here + place * given.c_step + line.index)
                        self.update.emit(f, [target], [self.update.at(f, updates, at)], 1, None)
                    with branch.else_():
                        source.refuse(f, raw)

    def _place(self, f: Function, given: SimpleNamespace, unit: Reg) -> tuple[Reg, Reg]:
        """Where a unit begins in `c`, and where its indices and updates begin."""
        here = there = f.const("i64", 0)
        rest = unit
        for x in reversed(range(self.axes)):
            if x:
                count = getattr(given, f"count_{x}")
                index, rest = f.binary("urem", rest, count), f.binary("udiv", rest, count)
            else:
                index = rest
            here = here + index * getattr(given, f"c_{x}")
            there = there + index * getattr(given, f"along_{x}")
        return here, there


def plan_put_along(
    machine: Machine,
    dtype: DType,
    index_dtype: DType,
    *,
    shape: Sequence[int],
    indices_shape: Sequence[int],
    axis: int,
    mode: str,
) -> Plan:
    """The primitive `put_along`, in place.

    Roles: `"c"`, of `shape`, which holds x and gets the result; `"indices"` and `"updates"`, of `indices_shape`;
    `"error"`, see `Failure`. Updates whose index is out of range are left out and one of these indices is reported.

    16-bit floats are combined in float and rounded at each update.
    """
    update = Update.of(mode, dtype, machine.half)
    if not prod(indices_shape):
        return Plan()
    strides = [prod(shape[x + 1 :]) for x in range(len(shape))]
    steps = [prod(indices_shape[x + 1 :]) for x in range(len(shape))]
    every = list(zip(indices_shape, strides, steps, strict=True))
    axes = [*_merged(every[:axis]), *_merged(every[axis + 1 :])]
    wide = bool(axes) and axes[-1][1:] == (1, 1) and axis < len(shape) - 1
    lines = axes.pop()[0] if wide else 1
    units = prod(count for count, _, _ in axes)
    wanted = chunks_for(prod(indices_shape) * (2 * dtype.itemsize + index_dtype.itemsize))
    block, chunks = cut(units, wanted)
    neighbours = max(1, _PIECE // dtype.itemsize)
    columns, column_blocks = cut(ceil_div(lines, neighbours), wanted // chunks)
    values: dict[str, int] = {
        "units": units,
        "block": block,
        "length": indices_shape[axis],
        "size": shape[axis],
        "c_step": strides[axis],
        "step": steps[axis],
    }
    if wide:
        values |= {"lines": lines, "columns": columns * neighbours, "column_blocks": column_blocks}
    for x, (count, stride, step) in enumerate(axes):
        values |= {f"count_{x}": count, f"c_{x}": stride, f"along_{x}": step}
    run = PutAlong(update, index_dtype, len(axes), wide).step(
        chunks=chunks * column_blocks,
        c=Pointer("c"),
        indices=Pointer("indices"),
        updates=Pointer("updates"),
        error=Pointer("error"),
        **values,
    )
    return Plan((run,))


def _merged(axes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Axes as (count, stride, stride): those of one index left out, and neighbours that both strides see as one axis
    made one."""
    found: list[tuple[int, int, int]] = []
    for count, stride, step in axes:
        if count == 1:
            continue
        if found and found[-1][1:] == (count * stride, count * step):
            found[-1] = (found[-1][0] * count, stride, step)
        else:
            found.append((count, stride, step))
    return found
