"""Loops of tensors: a step is recorded once and runs many times, as one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph.body import Body, loop
from ..graph.dtype import DType, uint64
from ..graph.errors import ArgumentError
from ..graph.node import PRIMITIVES, Graph, Shape
from ..graph.trace import record
from ..tensor.core import Tensor, wrap
from ..tensor.device import Device

Step = Callable[[list[Tensor], list[Tensor]], tuple[Sequence[Tensor], Sequence[Tensor]]]


def scan(
    step: Step,
    carries: Sequence[Tensor],
    sequences: Sequence[Tensor] = (),
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Repeat a step, each turn with the next slice of `sequences` and with what the turn before made of the carries.

    The step is called once, with tensors that stand for those of any turn. It may use tensors from outside, and
    gradients flow to them; values cannot be read in it. Time to record and to plan does not depend on the number of
    turns.

    Args:
        step: Takes the carries and a slice of each sequence; gives the next carries, of the same shapes (other dtypes
            are cast), and what else it makes.
        carries: What the first turn starts from.
        sequences: Tensors with the same first size, the number of turns.
        length: The number of turns, needed where there is no sequence.
        reverse: Begin with the last slice.

    Returns:
        The carries after the last turn, and what the turns made besides, stacked in the order of the slices.

    Raises:
        ArgumentError: The number of turns is not given, or the sequences do not have it.
        ShapeError: A carry has another shape after the step.
        GraphError: The step reads a value.
    """
    lengths = {x.shape[0] for x in sequences} | ({length} if length is not None else set())
    if len(lengths) != 1:
        raise ArgumentError(f"scan: expected one number of turns, by `length` or by sequences. Received: {lengths}")
    (turns,) = lengths
    body, graph, device, _ = _recorded(step, carries, sequences, turns)
    along = [x._value for x in sequences]
    if body.counts:
        along.append(record(PRIMITIVES["iota"], (), (("size", turns), ("dtype", uint64))))
    inputs = (*(x._value for x in carries), *along, *body.captured)
    attributes = (
        ("body", graph), ("carries", len(carries)), ("sequences", len(along)), ("length", turns), ("reverse", reverse),
    )  # fmt: skip
    found = record(loop, inputs, attributes)
    results = [wrap(value, device) for value in (found if isinstance(found, tuple) else (found,))]
    return results[: len(carries)], results[len(carries) :]


def results_of(step: Step, carries: Sequence[Tensor], sequences: Sequence[Tensor] = ()) -> list[tuple[Shape, DType]]:
    """The shapes and dtypes of what one turn makes besides the next carries."""
    *_, emitted = _recorded(step, carries, sequences, 1)
    return [(x._value.shape, x._value.dtype) for x in emitted]


def _recorded(
    step: Step, carries: Sequence[Tensor], sequences: Sequence[Tensor], turns: int
) -> tuple[Body, Graph, Device, Sequence[Tensor]]:
    body = Body(turns)
    device = next(x._device for x in (*carries, *sequences))
    with body.recording():
        before = [wrap(body.input(x._value.shape, x._value.dtype), x._device) for x in carries]
        slices = [wrap(body.input(x._value.shape[1:], x._value.dtype), x._device) for x in sequences]
        after, emitted = step(before, slices)
        after = [new.to(old.dtype) for new, old in zip(after, before, strict=True)]
        graph = body.graph([x._value for x in (*after, *emitted)])
    return body, graph, device, emitted
