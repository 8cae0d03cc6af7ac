"""A computation that is repeated: what the next step starts from is what the one before it made."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import language as lang
from .. import scan
from ..dtype import DType, float64, int64
from ..errors import ArgumentError, DTypeError, ShapeError
from ..evaluation import evaluate
from ..node import PRIMITIVES, Graph, Node, Primitive, Sample, Shape, make, register, topological
from .samples import uniform


def _shape(*shapes: Shape, body: Graph, carries: int, sequences: int, length: int, reverse: bool, result: int) -> Shape:
    if len(shapes) != len(body.inputs) or carries + sequences > len(shapes) or min(carries, sequences, length) < 0:
        raise ArgumentError(
            f"scan: expected an input for each of the body's {len(body.inputs)}, of which {carries} carries and "
            f"{sequences} sequences come first, and a length of at least 0. "
            f"Received: {len(shapes)} inputs, {length} steps"
        )
    if not (carries <= len(body.outputs) and 0 <= result < len(body.outputs)):
        raise ArgumentError(
            f"scan: expected a body that gives {carries} carries first, and one of its results. "
            f"Received: result {result} of {len(body.outputs)}"
        )
    for k, (shape, node) in enumerate(zip(shapes, body.inputs, strict=True)):
        expected = (length, *node.shape) if carries <= k < carries + sequences else node.shape
        if shape != expected:
            raise ShapeError(f"scan: input {k}: expected shape {expected}. Received: {shape}")
    for k, (before, after) in enumerate(zip(body.inputs[:carries], body.outputs, strict=False)):
        if (before.shape, before.dtype) != (after.shape, after.dtype):
            raise ShapeError(
                f"scan: carry {k}: expected {before.dtype.name}{list(before.shape)} after each step as before it. "
                f"Received: {after.dtype.name}{list(after.shape)}"
            )
    return (length + (result < carries), *body.outputs[result].shape)


def _dtype(*dtypes: DType, body: Graph, result: int, **_: Any) -> DType:
    for k, (dtype, node) in enumerate(zip(dtypes, body.inputs, strict=True)):
        if dtype is not node.dtype:
            raise DTypeError(f"scan: input {k}: expected {node.dtype.name}. Received: {dtype.name}")
    return body.outputs[result].dtype


@functools.lru_cache(maxsize=256)
def _order(body: Graph, carries: int, result: int) -> list[Node]:
    """What has to be computed in each step, inputs first."""
    return [n for n in topological((*body.outputs[:carries], body.outputs[result])) if n.op.name != "input"]


def _evaluate(
    *arrays: np.ndarray, body: Graph, carries: int, sequences: int, length: int, reverse: bool, result: int
) -> np.ndarray:
    wanted = body.outputs[result]
    found = np.empty((length + (result < carries), *wanted.shape), wanted.dtype.numpy)
    state = list(arrays[:carries])
    if result < carries:
        found[-1 if reverse else 0] = state[result]
    for step in range(length)[:: -1 if reverse else 1]:
        slices = [x[step] for x in arrays[carries : carries + sequences]]
        values = dict(zip(body.inputs, [*state, *slices, *arrays[carries + sequences :]], strict=True))
        for node in _order(body, carries, result):
            values[node] = evaluate(node, [values[i] for i in node.inputs])
        state = [values[o] for o in body.outputs[:carries]]
        found[step + (result < carries and not reverse)] = values[wanted]
    return found


def _torch(
    torch: Any, *tensors: Any, body: Graph, carries: int, sequences: int, length: int, reverse: bool, result: int
) -> Any:
    state = list(tensors[:carries])
    found = [state[result]] if result < carries else []
    for step in range(length)[:: -1 if reverse else 1]:
        slices = [x[step] for x in tensors[carries : carries + sequences]]
        values = dict(zip(body.inputs, [*state, *slices, *tensors[carries + sequences :]], strict=True))
        for node in _order(body, carries, result):
            assert node.op.torch is not None
            values[node] = node.op.torch(torch, *(values[i] for i in node.inputs), **dict(node.attributes))
        state = [values[o] for o in body.outputs[:carries]]
        found.append(values[body.outputs[result]])
    return torch.stack(found[::-1] if reverse else found)


def _samples() -> Iterable[Sample]:
    def input(position: int, *shape: int, dtype: DType = float64) -> Node:
        return make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)

    h, x, w = input(0, 2, 3), input(1, 2, 3), input(2, 3, 3)
    product = lang.matmul(h, w)
    new = lang.tanh(product + x)
    network = Graph((h, x, w), (new, lang.sum(new * h, 1), product))
    arrays = uniform(-1, 1, 2, 3), uniform(-2, 2, 5, 2, 3), uniform(-1, 1, 3, 3)
    for result in range(3):
        for reverse in (False, True):
            yield Sample(arrays, {"body": network, "carries": 1, "sequences": 1, "length": 5, "reverse": reverse,
                                  "result": result})  # fmt: skip
    yield Sample(
        (arrays[0], uniform(-1, 1, 1, 2, 3), arrays[2]),
        {"body": network, "carries": 1, "sequences": 1, "length": 1, "reverse": False, "result": 0},
    )
    yield Sample(
        (arrays[0], np.zeros((0, 2, 3)), arrays[2]),
        {"body": network, "carries": 1, "sequences": 1, "length": 0, "reverse": False, "result": 0},
    )
    # two carries of which one only counts, and nothing that runs along
    n, y = input(0, dtype=int64), input(1, 4)
    growing = Graph((n, y), (n + 1, y * lang.cast(n, float64) * 0.5))
    yield Sample(
        (np.array(2), uniform(-1, 1, 4)),
        {"body": growing, "carries": 2, "sequences": 0, "length": 4, "reverse": False, "result": 1},
    )
    # no carry: the same for each row
    table, places = input(0, 5, 2), input(1, 3, dtype=int64)
    yield Sample(
        (uniform(-1, 1, 3, 5, 2), np.array([[0, 1, 4], [-1, 2, 2], [3, 0, 0]])),
        {"body": Graph((table, places), (lang.take(table, places),)), "carries": 0, "sequences": 2, "length": 3,
         "reverse": False, "result": 0},
    )  # fmt: skip


register(
    Primitive(
        name="scan",
        kind="loop",
        arity=None,
        attributes=("body", "carries", "sequences", "length", "reverse", "result"),
        shape=_shape,
        dtype=_dtype,
        evaluate=_evaluate,
        gradient=scan.gradient_of_scan,
        torch=_torch,
        samples=_samples,
        moves_bits=True,
        joint=True,
    )
)
