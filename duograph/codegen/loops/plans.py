"""How a nest is cut into chunks and parts, and what its kernel is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ...compiler.arrays import Block
from ...compiler.nest import Code, Instruction, Nest, halves, stages
from ..contract.machine import Machine
from ..launch import ERROR, Address, Launch
from ..plan import ceil_div, round_up
from ..weights import weight_of
from .kernel import Loops

SMALLEST_CHUNK = 1 << 17
"""Work that is worth another chunk, some 2 us: elements times the weights of what is done to each."""

MOST_CHUNKS = 64


def plan_nest(machine: Machine, nest: Nest) -> list[Launch]:
    """The launches that run a nest: one, or two where one long sum is cut into parts."""
    code = nest.code
    if _is_one_sum(code):
        parts = _parts(machine, nest)
        if parts > 1:
            axis = code.reduced.index(True)
            length = ceil_div(nest.sizes[axis], parts)
            front, back, _ = halves(nest, ceil_div(nest.sizes[axis], length))
            return [_launch(machine, front, length), _launch(machine, back)]
    return [_launch(machine, nest)]


def _is_one_sum(code: Code) -> bool:
    """Whether a nest goes over its elements once: it has reductions, none waits for another, and what is made of their
    results has none of the reduced axes."""
    stage = stages(code)
    return max(stage, default=0) == 1 and not any(
        i.op == "store" and stage[k] and any(code.reduced[axis] for axis in i.axes)
        for k, i in enumerate(code.instructions)
    )


def _lanes(machine: Machine, code: Code) -> int:
    """Vectors are full of the widest elements that are moved."""
    widest = max(
        (max(4, i.dtype.itemsize) for i in code.instructions if i.op in ("load", "store", "gather", "reduce")),
        default=4,
    )
    if all(i.dtype.itemsize < 4 and not i.dtype.is_half for i in code.instructions):
        widest = max(i.dtype.itemsize for i in code.instructions)
    return max(2, machine.vector_bytes // widest)


def _weight(code: Code) -> int:
    """What an element takes of all instructions that change along the last axis."""
    return sum(weight_of(i.op) for i in code.instructions if i.op not in ("constant", "index"))


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
    kernel = Loops(code, lanes, 1, part > 0, machine.half, "_".join(nest.title.split("_")[:6])[:48])
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
