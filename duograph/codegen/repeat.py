"""Loops: a step is planned once, and its launches run again and again with addresses that move on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import NamedTuple

from ..compiler import check
from ..compiler.arrays import Array, Block
from ..compiler.group import Operation
from ..compiler.schedule import Schedule
from ..compiler.simplify import simplify
from ..graph.check import enabled as checks
from ..graph.node import Graph, Node
from . import scalar
from .contract import Machine
from .launch import Address, Launch


@dataclass(eq=False)
class Host:
    """A node that no kernel computes, between launches: the interpreter does, or it is control flow, which the host
    decides and plans of its own compute. If `row` is given, only that of the result is wanted. `also` are the other
    results of the same call."""

    node: Node
    operands: tuple[Array, ...]
    result: Array
    row: int | None = None
    also: dict[Node, Array] = field(default_factory=dict)

    @property
    def is_control(self) -> bool:
        """Whether it is control flow."""
        return self.node.op.kind == "control"

    @property
    def results(self) -> dict[Node, Array]:
        """All that is computed, and where it goes."""
        return {self.node: self.result, **self.also}

    @property
    def reads(self) -> list[Block]:
        return [array.block for array in self.operands]

    @property
    def writes(self) -> list[Block]:
        return [array.block for array in self.results.values()]


class Place(NamedTuple):
    """Where a block of the step lies outside of it: in its first turn, and how many bytes further in each next one, or
    in every other one."""

    address: Address
    stride: int = 0
    alternates: bool = False

    @property
    def bits(self) -> int:
        """Which bits of a turn's number count."""
        return 1 if self.alternates else -1


@dataclass(eq=False)
class Loop:
    """Launches that run again and again.

    Attributes:
        nodes: The results of the loop that are wanted.
        graph: The step, simplified.
        steps: What one turn runs, in order. Its blocks are the step's own.
        turns: How often.
        places: For the inputs and outputs of the step, where they lie.
        workspace: Holds the temporaries of a turn.
        waves: The steps that run together, once that is decided.
    """

    nodes: tuple[Node, ...]
    graph: Graph
    steps: list[Step]
    turns: int
    places: dict[Block, Place]
    workspace: Block
    reads: list[Block]
    writes: list[Block]
    waves: list[list[Step]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.turns} turns of " + ", ".join(dict.fromkeys(launch.title for launch in launches_of(self.steps)))

    @property
    def chunks(self) -> int:
        """Of all turns."""
        return self.turns * sum(step.chunks for step in self.steps if not isinstance(step, Host))

    @property
    def bytes(self) -> int:
        """What all turns move, by count of the graph."""
        return self.turns * sum(launch.bytes for launch in self.steps if not isinstance(launch, Host))

    @property
    def operations(self) -> int:
        """What all turns compute, by count of the graph."""
        return self.turns * sum(launch.operations for launch in self.steps if not isinstance(launch, Host))

    def outside(self, address: Address) -> Place:
        """Where a place in a block of the step lies outside of it; what is no block of the step stays."""
        block, offset = address
        place = self.places.get(block)
        if place is not None:
            return place._replace(address=Address(place.address.block, place.address.offset + offset))
        if block.kind == "temporary":
            return Place(Address(self.workspace, block.place + offset))
        return Place(address)


Step = Launch | Host | Loop


def steps_of(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps, those within loops too."""
    for step in steps:
        yield step
        if isinstance(step, Loop):
            yield from steps_of(step.steps)


def launches_of(steps: Sequence[Step]) -> Iterator[Launch]:
    """All launches, those within loops too."""
    return (step for step in steps_of(steps) if isinstance(step, Launch))


def lower_loop(
    machine: Machine, outer: Schedule, step: Operation, lower: Callable[[Machine, Schedule], list[Step]]
) -> list[Step]:
    """The launches of a `scan`: those that are the same in each turn, and the loop."""
    node = step.node
    length, count = node["length"], node["carries"]
    if not length:
        return []
    results = {made["result"]: array for made, array in ((node, step.result), *step.also.items())}
    body = node["body"]
    outputs = (*range(count), *sorted(k for k in results if k >= count))
    line = outer.graph.lines.get(node)
    lines = dict.fromkeys(body.nodes(), line) if line is not None else {}
    before = Graph(body.inputs, tuple(body.outputs[k] for k in outputs), lines)
    graph = simplify(before)
    if checks():
        check.check_graph(before, graph)

    inputs, places = _given(step, graph.inputs, results)
    schedule = Schedule(graph, inputs, scalar.SUPPORTED)
    if checks():
        check.check_schedule(schedule)
    for k, block in zip(outputs, schedule.blocks_of_outputs, strict=True):
        places[block] = _row(node, results[k], k < count, after=True)
    fixed = {array.block for array in inputs[count + node["sequences"] :]}
    steps = lower(machine, schedule)
    if any(isinstance(inner, Host) for inner in steps):  # then all of it is the interpreter's
        wanted = ((n, a) for n, a in ((node, step.result), *step.also.items()) if n in outer.users)
        return [_on_host(n, step.operands, array) for n, array in wanted]
    once, repeated = _invariant(steps, fixed)
    workspace = Block(0, "temporary")
    kept = []
    for block in dict.fromkeys(block for launch in once for block in launch.writes):
        kept.append(Block(block.nbytes, "temporary"))
        block.kind, places[block] = "input", Place(Address(kept[-1]))
    operands = [array.block for array in step.operands]
    made = [results[k].block for k in outputs]
    loop = Loop(
        tuple(n for n in (node, *step.also) if n in outer.users), graph, repeated, length, places, workspace,
        [*operands, *kept, workspace], [*made, workspace],
    )  # fmt: skip
    return [*(_moved(launch, places) for launch in once), loop]


def _on_host(node: Node, operands: tuple[Array, ...], result: Array) -> Host:
    if node["result"] >= node["carries"] or result.strides[0]:
        return Host(node, operands, result)
    row = Array(result.block, result.dtype, result.shape[1:], result.strides[1:], result.offset)
    return Host(node, operands, row, 0 if node["reverse"] else node["length"])


def _row(node: Node, array: Array, carried: bool, *, after: bool) -> Place:
    """Where the turns of a loop find their rows of a result: of a state, that before the turn or `after` it."""
    size, length, reverse = array.dtype.itemsize, node["length"], node["reverse"]
    if carried and not array.strides[0]:  # two rows, of which each turn reads one and writes the other
        row = prod(array.shape[1:]) * size
        return Place(Address(array.block, row * after), -row if after else row, alternates=True)
    first = length - 1 if reverse else 0
    row = first + (after is not reverse) if carried else first
    stride = array.strides[0] * size
    return Place(Address(array.block, array.offset * size + row * stride), -stride if reverse else stride)


def _given(step: Operation, inner: Sequence[Node], results: dict[int, Array]) -> tuple[list[Array], dict[Block, Place]]:
    """The inputs of a loop's step: pieces of memory of their own, in which they lie as they do outside; and where."""
    node, arrays, places = step.node, list[Array](), dict[Block, Place]()
    count = node["carries"]
    for k, (x, array) in enumerate(zip(inner, step.operands, strict=True)):
        if k < count:
            place, strides = _row(node, results[k], True, after=False), array.strides
        elif k < count + node["sequences"]:
            place, strides = _row(node, array, False, after=False), array.strides[1:]
        else:
            place, strides = Place(Address(array.block, array.offset * array.dtype.itemsize)), array.strides
        reach = [(size - 1) * stride for size, stride in zip(x.shape, strides, strict=True)] if x.size else []
        before = -sum(min(r, 0) for r in reach)
        elements = before + sum(max(r, 0) for r in reach) + bool(x.size)
        block = Block(elements * array.dtype.itemsize, "input", k)
        arrays.append(Array(block, array.dtype, x.shape, strides, before))
        start = Address(place.address.block, place.address.offset - before * array.dtype.itemsize)
        places[block] = place._replace(address=start)
    return arrays, places


def _invariant(steps: list[Step], fixed: set[Block]) -> tuple[list[Launch], list[Step]]:
    """The launches that do the same in each turn, such as the packing of weights, and all others."""
    once: list[Launch] = []
    made: set[Block] = set()
    for step in steps:
        own = set(step.writes)
        if (
            isinstance(step, Launch)
            and all(block in fixed or block in made or block in own for block in step.reads)
            and all(block.kind == "temporary" for block in own)
            and not any(own & set(other.writes) for other in steps if other not in once and other is not step)
        ):
            once.append(step)
            made |= own
    return once, [step for step in steps if step not in once]


def _moved(launch: Launch, places: dict[Block, Place]) -> Launch:
    """A launch of the step that runs outside of it."""

    def outside(block: Block) -> Block:
        return places[block].address.block if block in places else block

    arguments = []
    for value in launch.arguments:
        if isinstance(value, Address) and value.block in places:
            block, offset = places[value.block].address
            value = Address(block, offset + value.offset)
        arguments.append(value)
    return replace(
        launch,
        arguments=tuple(arguments),
        reads=[outside(block) for block in launch.reads],
        writes=[outside(block) for block in launch.writes],
        replaces=[],
    )
