"""Control flow in compiled plans: the host decides what runs next, and what runs are plans of their own.

So no memory is planned for a number of turns that nobody knows. A branch is compiled when it is first taken. A turn of
a loop is one plan, which also says whether there is another turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph.control import input_like, rearranged
from ..graph.node import Graph, Node, substitute, topological
from .buffer import Buffer

Plan = Callable[[Sequence[Buffer], int], list[Buffer]]
Planner = Callable[[Graph], Plan]
"""Compiles a graph."""
Driven = Callable[..., list[np.ndarray]]
"""Computes results of control flow from its operands."""

ALONE, SHARED = 1, 0
"""Who holds the leaves of a plan: the list that it is given alone, so that what is dead may be overwritten, or others
too. Windows on the memory of the plan outside are overwritten in no case."""


class Branches:
    """One of two graphs."""

    def __init__(self, node: Node, wanted: Sequence[int], planner: Planner) -> None:
        self.graphs = {
            truth: Graph(graph.inputs, tuple(graph.outputs[k] for k in wanted), graph.lines)
            for truth, graph in ((True, node["then"]), (False, node["otherwise"]))
        }
        self.planner = planner
        self.plans: dict[bool, Plan] = {}

    def __call__(self, predicate: np.ndarray, *operands: np.ndarray) -> list[np.ndarray]:
        truth = bool(predicate)
        plan = self.plans.get(truth)
        if plan is None:
            plan = self.plans[truth] = self.planner(self.graphs[truth])
        return [made.array for made in plan([Buffer(x) for x in operands], SHARED)]


class Turns:
    """The turns of a loop, without the carries that neither its condition nor what is wanted of it depends on."""

    def __init__(self, node: Node, wanted: Sequence[int], planner: Planner) -> None:
        body, condition, count = node["body"], node["condition"], node["carries"]
        carries = _needed(body, condition, count, wanted)
        self.places = [*carries, *range(count, len(body.inputs))]
        self.results = [carries.index(k) for k in wanted]
        self.count = len(carries)
        turn = rearranged(Graph(body.inputs, tuple(body.outputs[k] for k in carries), body.lines), self.places)
        check = rearranged(condition, self.places)
        after = dict(zip(check.inputs, (*turn.outputs, *turn.inputs[self.count :]), strict=True))
        again = substitute(check.outputs, after)
        self.turn = Graph(turn.inputs, (*turn.outputs, *again), {**check.lines, **turn.lines})
        self.check, self.planner = check, planner
        self._first: Plan | None = None
        self._turn: Plan | None = None

    def __call__(self, *operands: np.ndarray) -> list[np.ndarray]:
        state = self.run(operands, None)
        return [state[k].array for k in self.results]

    def run(self, operands: Sequence[np.ndarray], history: list[list[Buffer]] | None) -> list[Buffer]:
        """The carries at the end; `history` is given those that each turn started from."""
        given = [Buffer(operands[k]) for k in self.places]
        state, constants = given[: self.count], given[self.count :]
        if self._first is None:
            self._first = self.planner(self.check)
        (again,) = self._first(given, SHARED)
        while again.array:
            if self._turn is None:
                self._turn = self.planner(self.turn)
            if history is not None:
                history.append(state)
            leaves = [*state, *constants]
            state = []
            *state, again = self._turn(leaves, ALONE)
        return state


def _needed(body: Graph, condition: Graph, count: int, wanted: Sequence[int]) -> list[int]:
    """The carries that the condition, and some of the results, depend on."""
    place = {node: k for k, node in enumerate(body.inputs[:count])}
    conditions = {condition.inputs[k]: k for k in range(count)}
    found = set(wanted) | {conditions[n] for n in topological(condition.outputs) if n in conditions}
    stack = list(found)
    while stack:
        for node in topological([body.outputs[stack.pop()]]):
            k = place.get(node)
            if k is not None and k not in found:
                found.add(k)
                stack.append(k)
    return sorted(found)


class Reversed:
    """The turns of a loop once more, and then the way back through them."""

    def __init__(self, node: Node, wanted: Sequence[int], planner: Planner) -> None:
        body, pull, count = node["body"], node["pull"], node["carries"]
        self.inputs, self.wanted, self.planner = len(body.inputs), list(wanted), planner
        self.turns = Turns(node, range(count), planner)
        seeds = len(pull.inputs) - self.inputs
        self.seeds = seeds
        sums = pull.outputs[seeds:]
        totals = [input_like(len(pull.inputs) + k, x.shape, x.dtype) for k, x in enumerate(sums)]
        added = [total + x for total, x in zip(totals, sums, strict=True)]
        self.pull = Graph((*pull.inputs, *totals), (*pull.outputs[:seeds], *added), pull.lines)
        self.zeros = [(x.shape, x.dtype.numpy) for x in sums]
        self._pull: Plan | None = None

    def __call__(self, *operands: np.ndarray) -> list[np.ndarray]:
        history: list[list[Buffer]] = []
        self.turns.run(operands[: self.inputs], history)
        constants = [Buffer(x) for x in operands[self.turns.count : self.inputs]]
        found = [Buffer(x) for x in operands[self.inputs :]] + [Buffer(np.zeros(*kind)) for kind in self.zeros]
        while history:
            if self._pull is None:
                self._pull = self.planner(self.pull)
            leaves = [*history.pop(), *constants, *found]
            found = []
            found = self._pull(leaves, ALONE)
        return [found[k].array for k in self.wanted]


def driven(node: Node, wanted: Sequence[int], planner: Planner) -> Driven:
    """What computes some results of control flow from arrays."""
    kind: Any = {"cond": Branches, "while_loop": Turns, "while_loop_gradient": Reversed}[node.op.name]
    return kind(node, wanted, planner)
