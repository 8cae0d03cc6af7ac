"""How a nest is cut into chunks and parts, and what its kernel is given."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ...compiler.arrays import Block
from ...compiler.nest import Code, Instruction, Nest, halves, stages
from ...graph.sizes import always_equal, hint, sized
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
        if hint(parts) > 1:
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


def _width(code: Code, size: int, lanes: int) -> int:
    """Vectors that go down the rows together: as many as keep their totals in registers."""
    reduces, size = sum(i.op == "reduce" for i in code.instructions), hint(size)
    width = 4 if reduces <= 2 else 2 if reduces <= 4 else 1
    while width > 1 and width * lanes > max(size, 1):
        width //= 2
    return width


def _parts(machine: Machine, nest: Nest) -> int:
    """Into how many parts a reduction is cut, so that there is work for many threads."""
    code = nest.code
    lanes = _lanes(machine, code)
    wide = lanes * _width(code, nest.sizes[-1], lanes)
    return _cut_sum(nest.sizes, code.reduced, _weight(code), lanes, wide)


@sized
def _cut_sum(sizes: tuple[int, ...], reduced: tuple[bool, ...], weight: int, lanes: int, wide: int) -> int:
    """Parts of a sum over the `reduced` axes, an element of which takes `weight`; `wide` columns go down together."""
    natural = prod(n for n, flag in zip(sizes, reduced, strict=True) if not flag)
    if not reduced[-1]:
        natural = natural // sizes[-1] * ceil_div(sizes[-1], wide)
    wanted = min(MOST_CHUNKS, prod(sizes) * weight // (2 * SMALLEST_CHUNK))
    if natural >= 16 or wanted <= natural:
        return 1
    axis = reduced.index(True)
    return min(ceil_div(wanted, natural), max(1, sizes[axis] // (4 * lanes if axis == len(sizes) - 1 else 4)))


def _launch(machine: Machine, nest: Nest, part: int | None = None) -> Launch:
    code, sizes = nest.code, nest.sizes
    lanes = _lanes(machine, code)
    label = "_".join(nest.title.split("_")[:6])[:48]
    kernel = Loops(code, lanes, 1, part is not None, machine.half, label=label)
    if sizes and kernel.across:
        kernel = replace(kernel, width=_width(code, sizes[-1], lanes))
    kernel = replace(kernel, streaming=_streaming(machine, nest), ahead=_ahead(machine, nest, kernel))
    wide = lanes * (kernel.width if kernel.across else 4)
    blocks = _blocks(sizes, tuple(kernel.outer), bool(sizes) and code.reduced[-1], _weight(code), wide)
    parts = 1 if part is None else ceil_div(sizes[code.reduced.index(True)], part)
    chunks = blocks["blocks"] * blocks["row_blocks"] * parts
    values: dict[str, int | Address] = {f"size_{k}": n for k, n in enumerate(sizes)}
    values |= {**blocks, "part": 0 if part is None else part}
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


def _streaming(machine: Machine, nest: Nest) -> tuple[int, ...]:
    """The stores whose elements are more than the last cache holds, so that whoever reads them finds them in memory
    anyway: past the caches, memory need not be read before it is written."""
    last = len(nest.sizes) - 1
    return tuple(
        i.number
        for i in nest.code.instructions
        if i.op == "store" and i.unit and last in i.axes and i.dtype.itemsize >= 4 and not i.attributes
        if machine.streaming and hint(_bytes(nest, i)) >= machine.l3
    )


def _ahead(machine: Machine, nest: Nest, kernel: Loops) -> tuple[int, ...]:
    """The loads of rows that are walked several times, which the first cache holds, of arrays that the second does
    not."""
    last = len(nest.sizes) - 1
    if last < 1 or kernel.across or last not in kernel.inner or len(kernel.inner) > 1 or max(stages(nest.code)) < 1:
        return ()
    return tuple(
        i.number
        for i in nest.code.instructions
        if i.op == "load" and i.unit and not i.args and {last, kernel.outer[-1]} <= {*i.axes}
        if hint(_bytes(nest, i)) >= machine.l2 and hint(nest.sizes[last]) * i.dtype.itemsize <= machine.l1 // 2
    )


def _bytes(nest: Nest, access: Instruction) -> int:
    """The size of what an access reads or writes."""
    return prod(nest.sizes[k] for k in access.axes) * access.dtype.itemsize


@sized
def _blocks(sizes: tuple[int, ...], outer: tuple[int, ...], whole: bool, weight: int, wide: int) -> dict[str, int]:
    """How the rows of a nest, which the axes `outer` count, and its columns are cut into blocks.

    Args:
        whole: Whether columns are not to be cut.
        weight: What an element takes.
        wide: Columns that are computed together.
    """
    if not sizes:
        return {"rows": 1, "row_block": 1, "row_blocks": 1, "block": 1, "blocks": 1}
    rows, columns = prod(sizes[k] for k in outer), sizes[-1]
    wanted = max(1, min(MOST_CHUNKS, max(1, prod(sizes)) * weight // SMALLEST_CHUNK))
    block = columns
    if not whole and rows < wanted:
        block = round_up(ceil_div(columns, ceil_div(wanted, max(1, rows))), wide)
    blocks = 1 if whole else max(1, ceil_div(columns, max(1, block)))
    row_block = max(1, ceil_div(rows, max(1, wanted // blocks)))
    row_blocks = max(1, ceil_div(rows, row_block))
    return {"rows": rows, "row_block": row_block, "row_blocks": row_blocks, "block": block, "blocks": blocks}


def _replaceable(nest: Nest) -> list[tuple[Block, Block]]:
    """Pairs (written, read) of blocks that may be the same memory: each element is read just where it is written."""
    code = nest.code
    loads: dict[Block, list[int]] = {}  # where they stand
    stores: dict[Block, list[Instruction]] = {}
    for k, i in enumerate(code.instructions):
        if i.op in ("load", "store", "gather"):
            block = nest.accesses[i.number].block
            assert block is not None
            if i.op == "store":
                stores.setdefault(block, []).append(i)
            else:
                loads.setdefault(block, []).append(k)
    kept = {k for k, flag in enumerate(code.reduced) if not flag}
    stage = stages(code)
    needed = _needed(code, stage)
    found = []
    for written, writers in stores.items():
        if len(writers) != 1 or written in loads or not kept <= set(writers[0].axes):
            continue
        target = nest.accesses[writers[0].number]
        done = stage[writers[0].args[0]]
        for read, places in loads.items():
            readers = [code.instructions[k] for k in places]
            same = always_equal(read.nbytes, written.nbytes) and all(
                i.op == "load"
                and i.dtype.itemsize == writers[0].dtype.itemsize
                and nest.accesses[i.number].strides == target.strides
                and nest.accesses[i.number].offset == target.offset
                for i in readers
            )
            if same and all(needed[k] <= done for k in places):  # else a load is repeated after the store
                found.append((written, read))
    return found


def _needed(code: Code, stage: list[int]) -> list[int]:
    """For each instruction, the last stage in which its value is computed; -1 where none needs it."""
    needed = [-1] * len(code.instructions)
    for k in range(len(code.instructions) - 1, -1, -1):
        i = code.instructions[k]
        last = stage[k] - 1 if i.op == "reduce" else stage[k] if i.op == "store" else needed[k]
        for arg in i.args:
            needed[arg] = max(needed[arg], last)
    return needed
