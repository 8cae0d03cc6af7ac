"""Control flow that data decide: how `cond` and `while_loop` are made of graphs, and their gradients.

The graphs of one operation take the same operands. What none of them looks at is left out, and what a loop does not
change is no carry of it, so that a caller may hand over all it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import language as lang
from .composite import composite
from .dtype import DType, int64
from .errors import ArgumentError, ShapeError
from .node import PRIMITIVES, Graph, Node, Shape, constant, make, substitute, topological
from .scan import scan_graph

Reverse = Callable[[Sequence[Node], Sequence[Node | None], Sequence[Node]], list[Node | None]]
"""Reverse mode: see `gradient.gradient`."""


def input_like(position: int, shape: Shape, dtype: DType) -> Node:
    """An input of a graph."""
    return make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)


def rearranged(graph: Graph, places: Sequence[int]) -> Graph:
    """The graph with only some inputs: which one comes at each position. Those left out are not used."""
    inputs = [input_like(k, graph.inputs[p].shape, graph.inputs[p].dtype) for k, p in enumerate(places)]
    return with_inputs(graph, inputs, {p: k for k, p in enumerate(places)})


def with_inputs(graph: Graph, inputs: Sequence[Node], places: Mapping[int, int]) -> Graph:
    """The graph with other inputs: `places` are the positions among them of its own, by their position."""
    new: dict[Node, Node] = {graph.inputs[k]: inputs[place] for k, place in places.items()}
    lines = {}
    for node in topological(graph.outputs):
        if node not in new:
            operands = tuple(new[i] for i in node.inputs)
            new[node] = node if operands == node.inputs else make(node.op, *operands, **dict(node.attributes))
        if node in graph.lines:
            lines[new[node]] = graph.lines[node]
    return Graph(tuple(inputs), tuple(new[o] for o in graph.outputs), lines)


def _used(*graphs: Graph) -> list[int]:
    """The inputs that some of the graphs look at."""
    reached = {node for graph in graphs for node in topological(graph.outputs)}
    return [k for k, node in enumerate(graphs[0].inputs) if node in reached]


def cond(predicate: Node, then: Graph, otherwise: Graph, operands: Sequence[Node]) -> tuple[Node, ...]:
    """What `then` makes of the operands where the predicate (bool, 0-d) holds, else what `otherwise` does.

    Raises:
        ShapeError: The branches differ in what they give, or the predicate is no single truth value.
    """
    if len(then.outputs) != len(otherwise.outputs):
        counts = len(then.outputs), len(otherwise.outputs)
        raise ShapeError(
            f"cond: expected both branches to give the same. Received: {counts[0]} and {counts[1]} results"
        )
    results: list[Node | None] = []
    for a, b in zip(then.outputs, otherwise.outputs, strict=True):
        handed_on = a is b and a in then.inputs
        results.append(
            operands[then.inputs.index(a)] if handed_on else a if a is b and a.op.name == "constant" else None
        )
    chosen = [k for k, result in enumerate(results) if result is None]
    branches = [Graph(g.inputs, tuple(g.outputs[k] for k in chosen), g.lines) for g in (then, otherwise)]
    used = _used(*branches)
    then, otherwise = (rearranged(g, used) for g in branches)
    given = [operands[k] for k in used]
    for place, k in enumerate(chosen):
        results[k] = make(PRIMITIVES["cond"], predicate, *given, then=then, otherwise=otherwise, result=place)
    return tuple(result for result in results if result is not None)


def gradient_of_cond(
    received: Sequence[tuple[Node, Node]], needed: Sequence[bool], gradient: Reverse
) -> list[Node | None]:
    """The cotangents of the operands: by the gradient of the branch that was taken."""
    node = received[0][0]
    then, otherwise = node["then"], node["otherwise"]
    inputs, count = then.inputs, len(then.inputs)
    seeds = [input_like(count + k, made.shape, made.dtype) for k, (made, _) in enumerate(received)]
    wanted = [k for k in range(count) if needed[k + 1] and inputs[k].dtype.differentiable]
    found = [
        gradient([graph.outputs[made["result"]] for made, _ in received], seeds, [inputs[k] for k in wanted])
        for graph in (then, otherwise)
    ]
    reached = [j for j in range(len(wanted)) if not (found[0][j] is None and found[1][j] is None)]
    pulls = []
    for cotangents in found:
        made = [cotangents[j] for j in reached]
        outputs = tuple(
            lang.zeros_like(inputs[wanted[j]]) if c is None else c for j, c in zip(reached, made, strict=True)
        )
        pulls.append(Graph((*inputs, *seeds), outputs))
    results: list[Node | None] = [None] * len(node.inputs)
    if reached:
        operands = (*node.inputs[1:], *(cotangent for _, cotangent in received))
        for j, result in zip(reached, cond(node.inputs[0], pulls[0], pulls[1], operands), strict=True):
            results[wanted[j] + 1] = result
    return results


def while_loop(condition: Graph, body: Graph, carries: Sequence[Node], constants: Sequence[Node]) -> tuple[Node, ...]:
    """The carries, as the body has made them once the condition does not hold any more.

    Args:
        condition: Takes carries and constants; gives a truth value (bool, 0-d).
        body: Takes the same; gives the next carries, of the same shapes and dtypes.

    Raises:
        ArgumentError: There is no carry.
        ShapeError: A carry is of another shape or dtype after a turn.
    """
    count = len(carries)
    if not count:
        raise ArgumentError("while_loop: expected something that changes from turn to turn. Received: no carries")
    changed = [k for k in range(count) if body.outputs[k] is not body.inputs[k]] or [0]
    same = [k for k in _used(condition, body) if k not in changed]
    places = [*changed, *same]
    given = [(*carries, *constants)[k] for k in places]
    turn = rearranged(Graph(body.inputs, tuple(body.outputs[k] for k in changed), body.lines), places)
    results = list(carries)
    for k, carry in enumerate(changed):
        results[carry] = make(
            PRIMITIVES["while_loop"], *given, condition=rearranged(condition, places), body=turn,
            carries=len(changed), result=k,
        )  # fmt: skip
    return tuple(results)


def gradient_of_while_loop(
    received: Sequence[tuple[Node, Node]], needed: Sequence[bool], gradient: Reverse
) -> list[Node | None]:
    """The cotangents of the operands. How many turns there are is known when they are over, so the turns are made once
    more, keeping what each started from, and are then gone through backwards."""
    node = received[0][0]
    body, carries = node["body"], node["carries"]
    inputs, count = body.inputs, len(body.inputs)
    moving = [k for k in range(carries) if inputs[k].dtype.differentiable]
    wanted = [k for k in range(carries, count) if needed[k] and inputs[k].dtype.differentiable]
    seeds = [input_like(count + j, inputs[k].shape, inputs[k].dtype) for j, k in enumerate(moving)]
    found = gradient([body.outputs[k] for k in moving], seeds, [inputs[k] for k in (*moving, *wanted)])
    reached = [k for k, f in zip(wanted, found[len(moving) :], strict=True) if f is not None]
    outputs = [lang.zeros_like(s) if f is None else f for s, f in zip(seeds, found, strict=False)]
    outputs += [f for f in found[len(moving) :] if f is not None]
    cotangents = {made["result"]: cotangent for made, cotangent in received}
    given = [cotangents[k] if k in cotangents else lang.zeros_like(node.inputs[k]) for k in moving]
    results: list[Node | None] = [None] * count
    for result, k in enumerate((*moving, *reached)):
        results[k] = make(
            PRIMITIVES["while_loop_gradient"], *node.inputs, *given, condition=node["condition"], body=body,
            pull=Graph((*inputs, *seeds), tuple(outputs)), carries=carries, result=result,
        )  # fmt: skip
    return results


def gradient_of_while_loop_gradient(
    received: Sequence[tuple[Node, Node]], needed: Sequence[bool], gradient: Reverse
) -> list[Node | None]:
    """Derivatives of higher order: those of the same written with loops alone, which has gradients of any order.

    There the turn with number t starts from what t turns make of the beginning, computed anew for each t: nothing need
    be kept, and time grows with the square of the number of turns.
    """
    node = received[0][0]
    stand_ins = [input_like(k, x.shape, x.dtype) for k, x in enumerate(node.inputs)]
    seeds = [input_like(len(stand_ins) + k, made.shape, made.dtype) for k, (made, _) in enumerate(received)]
    outputs = _pulled_by_loops(node, stand_ins)
    wanted = [k for k, x in enumerate(stand_ins) if needed[k] and x.dtype.differentiable]
    found = gradient([outputs[made["result"]] for made, _ in received], seeds, [stand_ins[k] for k in wanted])
    actual = dict(zip((*stand_ins, *seeds), (*node.inputs, *(c for _, c in received)), strict=True))
    results: list[Node | None] = [None] * len(stand_ins)
    for k, cotangent in zip(wanted, found, strict=True):
        if cotangent is not None:
            results[k] = substitute([cotangent], actual)[0]
    return results


def _pulled_by_loops(node: Node, operands: Sequence[Node]) -> tuple[Node, ...]:
    """All results of a `while_loop_gradient`, by a loop over the turns from the last to the first."""
    body, pull, carries = node["body"], node["pull"], node["carries"]
    count = len(body.inputs)
    start, constants, seeds = operands[:carries], operands[carries:count], operands[count:]
    zero = constant(0, int64)

    number = input_like(0, (), int64)
    inner = _shifted(body.inputs, 1)
    limit = input_like(1 + count, (), int64)
    turn = (number + 1, *_applied(body, inner))
    check = _applied(node["condition"], inner)
    turns = while_loop(
        Graph((number, *inner), check), Graph((number, *inner), turn), (zero, *start), constants
    )[0]  # fmt: skip
    several = Graph((number, *inner, limit), (number < limit,)), Graph((number, *inner, limit), turn)

    # the loop backwards carries the number of turns that are left, the cotangents, and sums for the constants
    left = input_like(0, (), int64)
    coming = _shifted(pull.outputs, 1)
    around = _shifted(body.inputs, 1 + len(coming))
    before = while_loop(*several, (zero, *around[:carries]), (*around[carries:], left - 1))[1:]
    given = coming[: len(seeds)]
    pulled = _applied(pull, (*before, *around[carries:], *given))
    sums = [total + more for total, more in zip(coming[len(seeds) :], pulled[len(seeds) :], strict=True)]
    inputs = (left, *coming, *around)
    totals = [lang.zeros_like(o) for o in pull.outputs[len(seeds) :]]
    return while_loop(
        Graph(inputs, (lang.apply("less", zero, left),)),
        Graph(inputs, (left - 1, *pulled[: len(seeds)], *sums)),
        (turns, *seeds, *totals),
        (*start, *constants),
    )[1:]


def _shifted(like: Sequence[Node], by: int) -> tuple[Node, ...]:
    return tuple(input_like(k + by, x.shape, x.dtype) for k, x in enumerate(like))


def _applied(graph: Graph, operands: Sequence[Node]) -> tuple[Node, ...]:
    return substitute(graph.outputs, dict(zip(graph.inputs, operands, strict=True)))


SMALL = 4096
"""Elements up to which both branches are computed and one result is taken."""
FEW = 64
"""Operations up to which they are."""
_SIMPLE = frozenset({"source", "elementwise", "movement", "reduction"})


def is_cheap(node: Node) -> bool:
    """Whether both branches of a `cond` are as quick as the choice between them."""
    nodes = topological((*node["then"].outputs, *node["otherwise"].outputs))
    return len(nodes) <= FEW and all(n.size <= SMALL and n.op.kind in _SIMPLE for n in nodes)


def _is_decided_by_host(node: Node) -> bool:
    return node.op.kind == "linalg" or (node.op.kind == "control" and not (node.op.name == "cond" and is_cheap(node)))


@composite
def each(*operands: Node, body: Graph, carries: int, sequences: int, length: int) -> tuple[Node, ...]:
    """The carries after a turn for each slice of the sequences, recorded as one operation.

    The operands are the carries, the sequences and what the body has captured, as the inputs of `body` are. It is a
    `scan` if kernels compute all of a turn, and otherwise a `while_loop`, whose turns are plans.
    """
    ends = carries, carries + sequences
    start, rows, fixed = operands[: ends[0]], operands[ends[0] : ends[1]], operands[ends[1] :]
    if not any(map(_is_decided_by_host, body.nodes())):
        return scan_graph(body, start, rows, fixed, length=length, reverse=False).ends()
    number, limit = input_like(0, (), int64), constant(length, int64)
    given = [input_like(1 + k, x.shape, x.dtype) for k, x in enumerate((*start, *rows, *fixed))]
    place = lang.reshape(number, (1,))
    slices = [
        lang.reshape(lang.take(x, place, 0), mine.shape)
        for x, mine in zip(given[ends[0] : ends[1]], body.inputs[ends[0] : ends[1]], strict=True)
    ]
    after = _applied(body, (*given[: ends[0]], *slices, *given[ends[1] :]))
    inputs = (number, *given)
    check, turn = Graph(inputs, (number < limit,)), Graph(inputs, (number + 1, *after))
    return while_loop(check, turn, (constant(0, int64), *start), (*rows, *fixed))[1:]


@composite
def choose(predicate: Node, *operands: Node, then: Graph, otherwise: Graph) -> tuple[Node, ...]:
    """`cond`, recorded as one operation."""
    return cond(predicate, then, otherwise, operands)


@composite
def repeat(*operands: Node, condition: Graph, body: Graph, carries: int) -> tuple[Node, ...]:
    """`while_loop`, recorded as one operation: the operands are the carries and then the constants."""
    return while_loop(condition, body, operands[:carries], operands[carries:])
