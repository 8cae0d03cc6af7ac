"""The checker between passes: what must hold of a schedule, and of a nest, whatever was fused.

It runs where `DUOGRAPH_CHECK` is set, as it is under test. A complaint is a bug of the compiler, not of the program.
"""

from __future__ import annotations

from ..graph.check import check
from ..graph.node import Graph
from .arrays import Array, Block
from .group import Group, Operation
from .nest import Nest
from .schedule import Schedule


class CompilerError(AssertionError):
    """A pass of the compiler broke what the next one relies on."""


def check_graph(before: Graph, after: Graph) -> None:
    """A simplified graph is a graph, and gives what the one before it gave."""
    check(after)
    shapes = [[(o.shape, o.dtype) for o in graph.outputs] for graph in (before, after)]
    if before.inputs != after.inputs or shapes[0] != shapes[1]:
        raise CompilerError(f"simplify: expected outputs {shapes[0]} of the same inputs. Received: {shapes[1]}")


def check_schedule(schedule: Schedule) -> None:
    """Each step reads what inputs and steps before it have written, and every output is written."""
    written = {array.block for array in (schedule.arrays[node] for node in schedule.graph.inputs)}
    for step in schedule.steps:
        if isinstance(step, Operation):
            for array in step.operands:
                if array.block not in written and array.block.nbytes:
                    raise CompilerError(f"{step.node!r} reads memory that nothing has written")
                _check_inside(array)
            written |= {step.result.block, *(array.block for array in step.also.values())}
        elif isinstance(step, Group):
            for node in step.reads:
                source = schedule.arrays.get(node)
                if source is not None and source.block not in written and source.block.nbytes:
                    raise CompilerError(f"the nest of {list(step.maps)} reads {node!r} before it is written")
            for node, array in step.stores:
                if step.root is None or node in step.maps:
                    _check_inside(array)
                written.add(array.block)
    for block in schedule.blocks_of_outputs:
        if block.nbytes and block not in written:
            raise CompilerError(f"output {block.position} is never written")


def _check_inside(array: Array) -> None:
    low = high = array.offset
    for size, stride in zip(array.shape, array.strides, strict=True):
        if size == 0:
            return
        low, high = low + min(0, (size - 1) * stride), high + max(0, (size - 1) * stride)
    _check_range(array.block, low * array.dtype.itemsize, (high + 1) * array.dtype.itemsize, repr(array.shape))


def check_nest(nest: Nest) -> None:
    """No access leaves its block, but for those behind a guard or at an index that is checked as it runs."""
    for instruction in nest.code.instructions:
        if instruction.op not in ("load", "store") or (instruction.op == "load" and instruction.args):
            continue
        access = nest.accesses[instruction.number]
        if access.block is None or 0 in nest.sizes:
            continue
        item = instruction.dtype.itemsize
        reach = [(size - 1) * stride * item for size, stride in zip(nest.sizes, access.strides, strict=True)]
        low = access.offset + sum(min(0, r) for r in reach)
        high = access.offset + sum(max(0, r) for r in reach) + item
        _check_range(access.block, low, high, nest.title)


def _check_range(block: Block, low: int, high: int, what: str) -> None:
    if low < 0 or high > block.nbytes:
        raise CompilerError(f"{what}: bytes {low} to {high} of a block of {block.nbytes}")
