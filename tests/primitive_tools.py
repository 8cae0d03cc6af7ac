"""The table's samples as graphs and arrays, for the tests that walk the table."""

from __future__ import annotations

import numpy as np

from duograph.graph.dtype import DType, dtype, float64
from duograph.graph.node import PRIMITIVES, Graph, Node, Primitive, Sample, make
from duograph.runtime.interpreter import Interpretation

SAMPLES = [
    (op, sample)
    for op in PRIMITIVES.values()
    for sample in op.samples()
    if sample.inputs or op.name in ("constant", "iota")
]
NAMES = [f"{op.name}-{k}" for k, (op, _) in enumerate(SAMPLES)]


def parameters(sample: Sample) -> tuple[Node, ...]:
    """An input node for each array."""
    return tuple(
        make(PRIMITIVES["input"], position=k, shape=a.shape, dtype=dtype(a.dtype)) for k, a in enumerate(sample.inputs)
    )


def recorded(op: Primitive, sample: Sample) -> Graph:
    """The graph of one call."""
    inputs = parameters(sample)
    return Graph(inputs, (make(op, *inputs, **sample.attributes),))


def run(inputs: tuple[Node, ...], outputs: list[Node], arrays: list[np.ndarray]) -> list[np.ndarray]:
    return Interpretation(Graph(inputs, tuple(outputs)))(arrays)


def in_dtype(sample: Sample, to: DType) -> Sample:
    """The sample with its values, not its indices and conditions, in another dtype: rounded where that is no float."""
    kinds = {a.dtype.kind for a in sample.inputs}
    value_kind = "f" if "f" in kinds else "i" if "i" in kinds else None

    def convert(a: np.ndarray) -> np.ndarray:
        if a.dtype.kind != value_kind:
            return a
        if to.category != "float":
            a = np.rint(np.nan_to_num(a, posinf=9, neginf=-9)).astype(np.int64)
        with np.errstate(over="ignore"):
            return a.astype(to.numpy)

    return Sample(tuple(convert(a) for a in sample.inputs), sample.attributes)


def differentiable(op: Primitive, sample: Sample) -> bool:
    """Whether finite differences can speak of this call: from float64 to float64, and not hidden on purpose."""
    graph = recorded(op, sample)
    floats = [node.dtype is float64 for node in (*graph.outputs, *graph.inputs)]
    return floats[0] and any(floats[1:]) and op.name != "stop_gradient"
