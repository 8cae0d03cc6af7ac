"""Control flow that data decide, over tensors: each part is recorded once, and nothing is read.

Parts may use tensors from outside, and gradients flow to them. They may also give such tensors other content: what is
written in a branch that is not taken, or in a loop without turns, stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph import control
from ..graph import language as lang
from ..graph.body import Part, Written, content_of
from ..graph.dtype import DType, bool_, uint64
from ..graph.errors import GraphError, ShapeError
from ..graph.node import PRIMITIVES, Graph, Node, Shape
from ..graph.trace import Value, alias, constant, local, record
from ..tensor.core import Tensor, cast, wrap
from ..tensor.views import overwrite, walk

Kind = tuple[Shape, DType]


class _Recorded:
    """A part as a graph: what it takes, in the order of the graph's inputs, and what it writes."""

    def __init__(self, part: Callable[..., Any], arguments: Sequence[Value], turns: int | None) -> None:
        self.body = body = Part(turns)
        with body.recording():
            given = [body.input(x.shape, x.dtype) for x in arguments]
            try:
                self.result = part(*map(wrap, given))
                self.written = body.writings()
                self.contents = [w.tensor._value for w in self.written]
            finally:
                restore(body.writings())

    def graph(self, outputs: Sequence[Tensor], written: Sequence[Written]) -> Graph:
        """The graph of these outputs, and then of what these tensors hold at the end."""
        now = {id(w.tensor): content for w, content in zip(self.written, self.contents, strict=True)}
        with self.body.recording():
            return self.body.graph([*(x._value for x in outputs), *(now.get(id(w.tensor), w.before) for w in written)])


def restore(written: Sequence[Written]) -> None:
    """Give tensors the content back that they had before a part was recorded."""
    for tensor, before, in_place in written:
        tensor._value = before
        if in_place:
            before.overwritten = None
            for reference in tensor._views or ():
                made = reference()
                if made is not None:
                    content = before
                    for step in made._path:
                        content = walk(content, step)
                    made._value = content


def write(written: Sequence[Written], contents: Sequence[Value]) -> None:
    """Give tensors the content that a recorded part has made for them."""
    for (tensor, before, in_place), content in zip(written, contents, strict=True):
        if in_place:
            overwrite((tensor,), (alias(content, None),))
            before.overwritten = content.origin or True  # who writes has seen what was there before
        else:
            local.trace.writes(tensor, False)
            tensor._value = alias(content, tensor._value.origin)


def _union(*parts: _Recorded) -> list[Written]:
    found: dict[int, Written] = {}
    for part in parts:
        for w in part.written:
            found.setdefault(id(w.tensor), w)
    return list(found.values())


def _shared(
    graphs: Sequence[Graph], takes: Sequence[Sequence[Value]], declared: Sequence[Value]
) -> tuple[list[Graph], list[Value]]:
    """The graphs as functions of one list of values, that begins with `declared`; and this list.

    Args:
        takes: What the inputs of each graph are.
    """
    places = {value: k for k, value in enumerate(declared)}
    for taken in takes:
        for value in taken:
            places.setdefault(value, len(places))
    inputs: list[Node] = [control.input_like(k, v.shape, v.dtype) for k, v in enumerate(places)]
    found = [
        control.with_inputs(graph, inputs, {k: places[value] for k, value in enumerate(taken)})
        for graph, taken in zip(graphs, takes, strict=True)
    ]
    return found, list(places)


def kinds_after(part: Callable[..., Any], arguments: Sequence[Tensor]) -> Any:
    """What a part gives for arguments of these kinds, recorded in vain: only shapes and dtypes can be read off it."""
    return _Recorded(part, [x._value for x in arguments], None).result


def _twins(written: Sequence[Written], *parts: _Recorded) -> tuple[list[Value], list[int]]:
    """Values that hold what written tensors held before, under another tape (those of `detach`), as the parts use them;
    and which of the tensors these are."""
    contents = {content_of(w.before): k for k, w in enumerate(written)}
    used = dict.fromkeys(value for part in parts for value in part.body.captured)
    twins = [v for v in used if content_of(v) in contents and v is not written[contents[content_of(v)]].before]
    return twins, [contents[content_of(v)] for v in twins]


def _values(found: Value | tuple[Value, ...]) -> list[Value]:
    return list(found) if isinstance(found, tuple) else [found]


def _listed(then: Any, otherwise: Any) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    return list(then), list(otherwise)


def cond(
    predicate: Tensor, then: Callable[[], Any], otherwise: Callable[[], Any],
    joined: Callable[[Any, Any], tuple[Sequence[Tensor], Sequence[Tensor]]] = _listed,
) -> list[Tensor]:  # fmt: skip
    """What `then` gives where the predicate (one element) holds, else what `otherwise` does. Both are recorded.

    Args:
        joined: Makes of what the branches give the tensors of each, which are the same in number and kind.

    Raises:
        ShapeError: The branches give tensors of different number, shape or dtype.
        UnreadableError: A branch reads a value.
    """
    parts = [_Recorded(branch, (), 1) for branch in (then, otherwise)]
    results = joined(parts[0].result, parts[1].result)
    kinds = [[(x._value.shape, x._value.dtype) for x in tensors] for tensors in results]
    if kinds[0] != kinds[1]:
        spelled = [", ".join(f"{d.name}{list(s)}" for s, d in kind) for kind in kinds]
        raise ShapeError(f"cond: expected both branches to give the same. Received: {spelled[0]} and {spelled[1]}")
    written = _union(*parts)
    if not (kinds[0] or written):
        return []
    drawn = [part.graph(tensors, written) for part, tensors in zip(parts, results, strict=True)]
    graphs, operands = _shared(drawn, [part.body.captured for part in parts], ())
    truth = cast(predicate, bool_).reshape(())
    attributes = ("then", graphs[0]), ("otherwise", graphs[1])
    found = _values(record(control.choose, (truth._value, *operands), attributes))
    count = len(kinds[0])
    write(written, found[count:])
    return [wrap(value) for value in found[:count]]


def while_loop(
    condition: Callable[..., Tensor], body: Callable[..., Sequence[Tensor]], carries: Sequence[Tensor]
) -> list[Tensor]:
    """The carries, as `body` has made them once `condition` of them does not hold any more. Both are recorded once, the
    body first.

    Reverse mode makes the turns once more and keeps what each started from; derivatives of higher order take time that
    grows with the square of the number of turns.

    Args:
        condition: Takes the carries; gives one truth value, and writes nothing.
        body: Takes the carries; gives the next ones.

    Raises:
        ShapeError: A carry is of another shape or dtype after a turn.
        GraphError: The condition writes to a tensor.
        UnreadableError: A value is read.
    """
    # each carry is a value of its own, even where several begin with the same one
    start = [alias(x._value, x._value.origin, x._value.index) for x in carries]
    turn = _Recorded(body, start, None)
    check = _Recorded(lambda *given: cast(condition(*given), bool_).reshape(()), start, None)
    if check.written:
        raise GraphError("while_loop: the condition gives a tensor other content: do so in the body")
    written = turn.written
    twins, of = _twins(written, turn, check)
    declared = [*start, *(w.before for w in written), *twins]
    counts = turn.body.counts or check.body.counts
    if counts:
        declared.append(number := constant(0, uint64))
    takes, graphs = [], []
    for part, outputs, more in ((check, [check.result], ()), (turn, turn.result, written)):
        graph = part.graph(outputs, more)
        takes.append([*start, *([number] if part.body.counts else []), *part.body.captured])
        graphs.append(graph)
    (checked, turned), operands = _shared(graphs, takes, declared)
    outputs = (*turned.outputs, *(lang.stop_gradient(turned.outputs[len(start) + k]) for k in of))
    if counts:
        outputs = (*outputs, turned.inputs[len(declared) - 1] + 1)
    turned = Graph(turned.inputs, outputs, turned.lines)
    attributes = ("condition", checked), ("body", turned), ("carries", len(declared))
    results = _values(record(control.repeat, tuple(operands), attributes))
    write(written, results[len(start) : len(start) + len(written)])
    return [wrap(value) for value in results[: len(start)]]


def each(
    body: Callable[..., Sequence[Tensor]], carries: Sequence[Tensor], sequences: Sequence[Tensor], length: int
) -> list[Tensor]:
    """The carries after a turn for each slice of the sequences along their first axis.

    Args:
        body: Takes the carries and a slice of each sequence; gives the next carries. It is recorded once.
        length: How many slices there are.

    Raises:
        ShapeError: A carry is of another shape or dtype after a turn.
        UnreadableError: A value is read.
    """
    start = [alias(x._value, x._value.origin, x._value.index) for x in carries]
    rows = [x._value for x in sequences]
    slices = [Value(x.shape[1:], x.dtype) for x in rows]
    turn = _Recorded(body, [*start, *slices], length)
    written = turn.written
    twins, of = _twins(written, turn)
    before = [*(w.before for w in written), *twins]
    numbers = [record(PRIMITIVES["iota"], (), (("size", length), ("dtype", uint64)))] if turn.body.counts else []
    turns = [Value((), uint64) for _ in numbers]
    graph = turn.graph(turn.result, written)
    takes = [*start, *slices, *turns, *turn.body.captured]
    (whole,), places = _shared([graph], [takes], [*start, *before, *slices, *turns])
    outputs = (*whole.outputs, *(lang.stop_gradient(whole.outputs[len(start) + k]) for k in of))
    whole = Graph(whole.inputs, outputs, whole.lines)
    along = dict(zip((*slices, *turns), (*rows, *numbers), strict=True))
    attributes = (
        ("body", whole), ("carries", len(start) + len(before)), ("sequences", len(along)), ("length", length),
    )  # fmt: skip
    found = _values(record(control.each, tuple(along.get(p, p) for p in places), attributes))
    write(written, found[len(start) : len(start) + len(written)])
    return [wrap(value) for value in found[: len(start)]]
