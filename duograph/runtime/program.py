"""Programs: what the compiler made of a graph, before it is bound to memory."""

from __future__ import annotations

from dataclasses import dataclass

from ..codegen import lower, scalar
from ..codegen.contract import Machine
from ..codegen.lower import Step
from ..compiler import check
from ..compiler.arrays import Array, Block, ordered_strides
from ..compiler.complex import legalise
from ..compiler.schedule import Schedule
from ..compiler.simplify import simplify
from ..graph.check import enabled as checks
from ..graph.node import Graph
from ..graph.skeleton import Symbolic, with_numbers
from . import log, targets
from .draft import Orders


@dataclass
class Program:
    """Launches in their order, and what they were made of.

    Attributes:
        simple: As it is computed.
        schedule: Where everything lies.
        steps: What runs.
    """

    simple: Graph
    schedule: Schedule
    steps: list[Step]


def compiled(graph: Graph, orders: Orders, journal: log.Journal, symbols: Symbolic | None = None) -> Program:
    """The program of a graph.

    Args:
        orders: For each input, in which order its axes lie in memory; None for row-major order.
        symbols: What the graph's sizes are, if they are expressions.
    """
    real = legalise(graph)
    simple = simplify(real)
    if symbols is not None:
        simple = with_numbers(simple, symbols.space)
        orders = (*orders, *[None] * (len(simple.inputs) - len(orders)))
    checking = checks() and symbols is None
    if checking:
        check.check_graph(real, simple)
    journal.mark("simplify")
    inputs = []
    for position, (node, order) in enumerate(zip(simple.inputs, orders, strict=True)):
        block = Block(node.nbytes, "input", position)
        axes = tuple(range(node.ndim))
        strides = ordered_strides(node.shape, axes if order is None else (*order, *axes[len(order) :]))
        inputs.append(Array(block, node.dtype, node.shape, strides))
    machine = Machine.of(targets.target(), targets.caches())
    schedule = Schedule(simple, inputs, scalar.SUPPORTED)
    if checking:
        check.check_schedule(schedule)
    journal.mark("schedule")
    steps = lower.lower(machine, schedule)
    return Program(simple, schedule, steps)
