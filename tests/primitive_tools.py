"""The table's samples as graphs and arrays, for the tests that walk the table."""

from __future__ import annotations

import numpy as np

from duograph.graph.dtype import DType, complex128, dtype, float64
from duograph.graph.errors import DTypeError
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
    """The sample with its values, not its indices and conditions, in another dtype: rounded where that is whole, with
    imaginary parts where it is complex. Complex samples stay complex."""
    kinds = {a.dtype.kind for a in sample.inputs}
    value_kind = next((kind for kind in "cfi" if kind in kinds), None)

    def convert(a: np.ndarray) -> np.ndarray:
        if a.dtype.kind != value_kind or (value_kind == "c" and not to.is_complex):
            return a
        if to.is_complex:
            with np.errstate(invalid="ignore"):
                return (a if value_kind == "c" else a + 0.75j * np.flip(a)).astype(to.numpy)
        if not to.is_floating_point:
            a = np.rint(np.nan_to_num(a, posinf=9, neginf=-9)).astype(np.int64)
        with np.errstate(over="ignore"):
            return a.astype(to.numpy)

    return Sample(tuple(convert(a) for a in sample.inputs), sample.attributes)


UP_TO_PHASES = frozenset(["eigh_vectors", "svd_left", "svd_right", "eig_vectors"])
"""Complex vectors of these are given up to a phase, on which a loss must not depend."""


def differentiable(op: Primitive, sample: Sample) -> bool:
    """Whether finite differences can speak of this call: among float64 and complex128, and not hidden on purpose."""
    graph = recorded(op, sample)
    floats = [node.dtype in (float64, complex128) for node in (*graph.outputs, *graph.inputs)]
    free = op.name in UP_TO_PHASES and graph.outputs[0].dtype.is_complex
    return floats[0] and any(floats[1:]) and op.name != "stop_gradient" and not free


def accepted(op: Primitive, sample: Sample) -> Sample | None:
    """The sample, if it has complex numbers and the primitive takes them."""
    try:
        graph = recorded(op, sample)
    except DTypeError:
        return None
    return sample if any(node.dtype.is_complex for node in graph.inputs) else None
