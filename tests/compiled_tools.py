"""Graphs run by the interpreter and as machine code, and the comparison of the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from duograph.graph.dtype import BY_NUMPY
from duograph.graph.node import Graph
from duograph.runtime.buffer import Buffer
from duograph.runtime.interpreter import Interpretation
from duograph.runtime.native import Native
from tests.contract_tools import Guarded

Order = tuple[int, ...] | None


def laid_out(array: np.ndarray, order: Order) -> np.ndarray:
    """A copy whose axes lie in memory in this order."""
    if order is None:
        return np.array(array, order="C")
    return np.array(array.transpose(order), order="C").transpose(np.argsort(order))


def between_guards(array: np.ndarray, order: Order, *, at_end: bool) -> tuple[Any, np.ndarray]:
    """The same between pages that must not be touched; the memory must be kept as long as the array is used."""
    axes = tuple(range(array.ndim)) if order is None else order
    packed = array.transpose(axes)
    memory = Guarded(packed.nbytes, at_end=at_end)
    copy = memory.array(packed.shape, packed.dtype)
    copy[...] = packed
    return memory, copy.transpose(np.argsort(axes))


def natively(
    plan: Native, arrays: Sequence[np.ndarray], orders: Sequence[Order] | None = None, *, guards: str = "none"
) -> list[np.ndarray]:
    """The outputs of a plan. Its inputs are not changed; no address outside of them is touched.

    Args:
        guards: Whether inputs lie between pages that must not be touched: their `"start"` or their `"end"` beside one.
    """
    orders = orders or [None] * len(arrays)
    kept = []
    placed = []
    for array, order in zip(arrays, orders, strict=True):
        if guards == "none":
            placed.append(laid_out(array, order))
        else:
            memory, copy = between_guards(array, order, at_end=guards == "end")
            kept.append(memory)
            placed.append(copy)
    before = [a.tobytes() for a in placed]
    outputs = [buffer.array for buffer in plan([Buffer(a) for a in placed])]
    # the list of leaves is gone and with it all but `placed`, which is why nothing was overwritten
    assert before == [a.tobytes() for a in placed], "an input that someone holds was written to"
    results = [np.array(a) for a in outputs]
    del outputs, placed, kept
    return results


def interpreted(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(a) for a in Interpretation(graph)(list(arrays))]


def compare(
    expected: np.ndarray, received: np.ndarray, ulps: float, what: object = "", *, scaled: bool = False
) -> None:
    """Whole numbers exactly, floats to so many units in the last place of each number: of a normal one, or where
    `scaled`, of the largest finite one and at least of 1."""
    assert (received.dtype, received.shape) == (expected.dtype, expected.shape), what
    dtype = BY_NUMPY[expected.dtype]
    if not dtype.is_floating_point or not ulps:
        np.testing.assert_array_equal(received, expected, err_msg=str(what))
        return
    limits = ml_dtypes.finfo(dtype.numpy)
    a, b = expected.astype(np.float64), received.astype(np.float64)
    least = max(1.0, np.abs(a[np.isfinite(a)]).max(initial=0)) if scaled else float(limits.smallest_normal)
    tolerance = ulps * float(limits.eps)
    np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * least, err_msg=str(what))
