"""Every record of the table against PyTorch: values, and gradients where there are any."""

from __future__ import annotations

import numpy as np
import pytest

from duograph.gradient import gradient
from duograph.graph.dtype import DType, float32, float64
from duograph.graph.node import PRIMITIVES, Primitive, Sample, make
from duograph.graph.primitives.rules import zero_gradient
from duograph.runtime.interpreter import Interpretation
from tests.primitive_tools import NAMES, SAMPLES, in_dtype, recorded, run

torch = pytest.importorskip("torch")

# Relative to the magnitude of what is compared; sums of products of a few dozen terms lose a few units more.
TOLERANCE = {float32: 2e-5, float64: 1e-12}
COMPARED = [(name, *case) for name, case in zip(NAMES, SAMPLES, strict=True) if case[0].torch is not None]

# PyTorch's own series keep fewer digits: near the zeros of lgamma and digamma in float32, and nine of trigamma's.
FLOOR = {
    ("lgamma", float32): 1e-5,
    ("digamma", float32): 1e-5,
    ("digamma", float64): 2e-9,
    ("polygamma", float32): 1e-4,
    ("polygamma", float64): 2e-9,
}


@pytest.mark.filterwarnings("ignore:index_reduce", "ignore:Casting complex values to real")
@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda d: d.name)
@pytest.mark.parametrize(("op", "sample"), [case[1:] for case in COMPARED], ids=[case[0] for case in COMPARED])
def test_forward_and_backward(op: Primitive, sample: Sample, dtype: DType) -> None:
    fixed = op.name in ("bitcast", "scan") or op.kind == "control"  # graphs have dtypes of their own
    if any(a.dtype == np.float64 for a in sample.inputs) and not fixed:
        sample = in_dtype(sample, dtype)
    graph = recorded(op, sample)
    (y,) = graph.outputs
    arrays = [np.asarray(a) for a in sample.inputs]
    if op.name in ("fft", "rfft", "irfft") and not arrays[0].size:
        pytest.skip("PyTorch's library transforms nothing that has no elements")
    tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    attributes = dict(sample.attributes.items())
    expected = op.torch(torch, *tensors, **attributes)
    received = Interpretation(graph)(arrays)[0]
    assert str(expected.dtype) == f"torch.{y.dtype.name}"
    _compare(received, expected, dtype, op.name)
    if not expected.requires_grad or op.gradient in (None, zero_gradient) or not _has_one_gradient(op, sample):
        return
    cotangent = np.random.default_rng(5).uniform(0.5, 1.5, y.shape).astype(received.dtype)
    seed = make(PRIMITIVES["input"], position=len(arrays), shape=y.shape, dtype=y.dtype)
    leaves = [t for t in tensors if t.requires_grad]
    theirs = iter(torch.autograd.grad(expected, leaves, torch.tensor(cotangent), allow_unused=True))
    ours = gradient([y], [seed], graph.inputs)
    for node, tensor in zip(ours, tensors, strict=True):
        if tensor.requires_grad:
            grad = next(theirs)
            grad = torch.zeros_like(tensor) if grad is None else grad
            zeros = np.zeros(tensor.shape, arrays[0].dtype)
            mine = zeros if node is None else run((*graph.inputs, seed), [node], [*arrays, cotangent])[0]
            _compare(mine, grad, dtype, op.name)


def _has_one_gradient(op: Primitive, sample: Sample) -> bool:
    """PyTorch leaves the gradient open where several updates are set in one place."""
    if sample.attributes.get("mode") != "set":
        return True
    x, indices, _ = sample.inputs
    axis = sample.attributes["axis"]
    places = indices % max(x.shape[axis], 1)
    if not places.size:
        return True
    lines = places.reshape(1, -1) if op.name == "put" else np.moveaxis(places, axis, -1).reshape(-1, places.shape[axis])
    return all(len(set(line)) == len(line) for line in lines.tolist())


def _compare(received: np.ndarray, expected: torch.Tensor, dtype: DType, name: str) -> None:
    expected = expected.numpy(force=True)
    assert received.shape == expected.shape
    if expected.dtype.kind not in "fc":
        np.testing.assert_array_equal(received, expected)
        return
    tolerance = TOLERANCE[dtype]
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    floor = max(tolerance, FLOOR.get((name, dtype), 0)) * float(largest)
    np.testing.assert_allclose(received, expected, rtol=tolerance, atol=floor)
