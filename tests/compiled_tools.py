"""Graphs run by the interpreter and as machine code, the comparison of the two, and random graphs for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import ml_dtypes
import numpy as np

from duograph.graph import language as lang
from duograph.graph.dtype import BY_NUMPY, bfloat16, bool_, float16, float32, float64, int8, int32, int64, uint8
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.graph.value import Number
from duograph.runtime import native
from duograph.runtime.buffer import Buffer, order_of
from duograph.runtime.interpreter import Interpretation
from duograph.runtime.native import Native
from tests.contract_tools import Guarded
from tests.simplify_tools import STEPS, Builder, array

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


def poisoned(plan: Native, leaves: list[Buffer | Number]) -> list[Buffer]:
    """The outputs of a plan that finds nonsense wherever it has not written."""

    def empty(*args: Any, **named: Any) -> np.ndarray:
        made = np.zeros(*args, **named)
        made.reshape(-1).view(np.uint8).fill(0xA5)
        return made

    for arena in native._arenas.free:
        arena.memory.fill(0xA5)
    with patch.object(np, "empty", empty):
        return plan(leaves)


def natively(
    plan: Native, arrays: Sequence[np.ndarray], orders: Sequence[Order] | None = None, *, guards: str = "none"
) -> list[np.ndarray]:
    """The outputs of a plan. Its inputs are held here and must not be changed.

    Args:
        guards: Whether inputs lie between pages that must not be touched: their `"start"` or their `"end"` beside one.
    """
    orders = orders or [None] * len(arrays)
    kept, placed = [], []
    for a, order in zip(arrays, orders, strict=True):
        if guards == "none":
            placed.append(laid_out(a, order))
        else:
            memory, copy = between_guards(a, order, at_end=guards == "end")
            kept.append(memory)
            placed.append(copy)
    before = [a.tobytes() for a in placed]
    outputs = [np.array(buffer.array) for buffer in poisoned(plan, [Buffer(a) for a in placed])]
    assert before == [a.tobytes() for a in placed], "an input that someone holds was written to"
    return outputs


def overwriting(
    plan: Native,
    arrays: Sequence[np.ndarray],
    orders: Sequence[Order] | None = None,
    *,
    plain: Callable[[], bool] = bool,
) -> list[np.ndarray]:
    """The outputs of a plan whose inputs nobody else holds, so that it may write over them.

    Args:
        plain: Whether the next single number is to be a number of Python.
    """
    leaves: list[Buffer | Number] = []
    for a, order in zip(arrays, orders or [None] * len(arrays), strict=True):
        if a.shape == () and a.dtype != bfloat16.numpy and plain():
            leaves.append(Number(a.item(), False))
        else:
            leaves.append(Buffer(laid_out(a, order).copy(order="K")))
    return [buffer.array for buffer in poisoned(plan, leaves)]


def interpreted(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(a) for a in Interpretation(graph)(list(arrays))]


def compare(
    expected: np.ndarray, received: np.ndarray, ulps: float, what: object = "", *, scaled: bool = False
) -> None:
    """Whole numbers exactly, floats to so many units in the last place of each number: of a normal one, or where
    `scaled`, of the largest finite one and at least of 1. Complex numbers: their distance, to four times that."""
    assert (received.dtype, received.shape) == (expected.dtype, expected.shape), what
    dtype = BY_NUMPY[expected.dtype]
    if dtype.is_complex and ulps:
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(np.isfinite(received), finite, err_msg=str(what))
        a, b = expected[finite].astype(np.complex128), received[finite].astype(np.complex128)
        size = np.maximum(np.abs(a).max(initial=1.0), 1.0) if scaled else np.abs(a)
        far = np.abs(a - b) > 4 * ulps * float(np.finfo(dtype.numpy).eps) * size
        assert not far.any(), (what, a[far], b[far])
        return
    if dtype.is_half:
        expected, received = expected.astype(np.float32), received.astype(np.float32)
    if not dtype.is_floating_point or not ulps:
        np.testing.assert_array_equal(received, expected, err_msg=str(what))
        return
    limits = ml_dtypes.finfo(dtype.numpy)
    a, b = expected.astype(np.float64), received.astype(np.float64)
    least = max(1.0, np.abs(a[np.isfinite(a)]).max(initial=0)) if scaled else float(limits.smallest_normal)
    tolerance = ulps * float(limits.eps)
    np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * least, err_msg=str(what))


EXTRA = [
    "softmax", "norm", "centre", "centre", "order", "windows", "convolution", "lookup", "write", "split", "many",
]  # fmt: skip


class Programs(Builder):
    """Random graphs with what a compiler stumbles over: sizes that fit no vector and no tile, rows that are gone over
    several times, windows, products of views, several outputs that are one another's views.

    Args:
        large: Whether sizes go beyond a vector.
    """

    dtypes = (float64, float32, float32, int64, int32, bool_, int8, uint8, float16, bfloat16)
    steps = (*STEPS, *EXTRA)
    rounding = ("smooth", "divide", "softmax", "norm")
    calm = 16.0

    def __init__(self, seed: int, *, large: bool) -> None:
        rng = np.random.default_rng(seed)
        sizes = [1, 2, 3, 4, 5, 7, 9, 16, 17, 23, 33, 40, 67] if large else [1, 2, 3, 4, 5, 7]
        a, b, c = (int(n) for n in rng.choice(sizes, 3))
        if rng.random() < 0.03:
            a = 0
        self.most = 4000 if large else 300
        shapes = [(), (a,), (b,), (a, b), (b, a), (a, 1), (1, b), (b, c), (2, a, b), (a, b, c), (1, c, 1), (2, 2, a, b)]
        self.shapes = [shape for shape in shapes if np.prod(shape) <= self.most]
        super().__init__(seed)

    def fresh(self, x: np.ndarray) -> Node:
        """Another input."""
        node = make(PRIMITIVES["input"], position=len(self.inputs), shape=x.shape, dtype=BY_NUMPY[x.dtype])
        self.inputs.append(node)
        self.values[node] = x
        return node

    def softmax(self, x: Node) -> Node | None:
        if not x.ndim or not x.dtype.is_floating_point:
            return None
        axis = self.integer(0, x.ndim - 1)
        shifted = x - lang.max(x, axis, keepdims=True)
        if self.integer(0, 1):
            return shifted - lang.log(lang.sum(lang.exp(shifted), axis, keepdims=True))
        powers = lang.exp(shifted)
        return powers / lang.sum(powers, axis, keepdims=True)

    def norm(self, x: Node) -> Node | None:
        if not x.ndim or not x.dtype.is_floating_point:
            return None
        axes = tuple(sorted(self.random.sample(range(x.ndim), self.integer(1, x.ndim))))
        centred = x - lang.mean(x, axes, keepdims=True)
        return centred * lang.rsqrt(lang.mean(centred * centred, axes, keepdims=True) + 1)

    def centre(self, x: Node) -> Node | None:
        """Something with what is known of its rows."""
        if not x.ndim or x.dtype is bool_:
            return None
        axes = tuple(sorted(self.random.sample(range(x.ndim), self.integer(1, x.ndim))))
        total = lang.apply(
            "reshape", self.reduced(x, axes), shape=tuple(1 if k in axes else n for k, n in enumerate(x.shape))
        )
        return lang.apply(self.choose(["add", "subtract", "maximum"]), x, total)

    def reduced(self, x: Node, axes: tuple[int, ...]) -> Node:
        return lang.apply(self.choose(["sum", "max", "min"]), x, axes=axes)

    def many(self, x: Node) -> Node | None:
        """A sum of several reductions of one array."""
        axes = tuple(k for k in range(x.ndim) if self.integer(0, 1))
        if x.dtype is bool_:
            return None
        return self.reduced(x, axes) + self.reduced(x, axes) * 2

    def order(self, x: Node) -> Node | None:
        if not x.ndim or x in self.rounded:
            return None
        axis = self.integer(0, x.ndim - 1)
        if self.integer(0, 1):
            return lang.argsort(x, axis, bool(self.integer(0, 1)))
        return lang.apply(self.choose(["argmax", "argmin"]), x, axis=axis)

    def geometry(self, x: Node, count: int, *, padded: bool = True) -> dict[str, Any]:
        window = tuple(self.integer(1, min(3, n)) for n in x.shape[x.ndim - count :])
        return {
            "window": window,
            "stride": tuple(self.integer(1, 2) for _ in window),
            "padding": tuple((self.integer(0, w - 1), self.integer(0, w - 1)) if padded else (0, 0) for w in window),
            "dilation": tuple(self.integer(1, 2) if n > 6 else 1 for n in x.shape[x.ndim - count :]),
        }

    def windows(self, x: Node) -> Node | None:
        if x.ndim < 2 or x.dtype is bool_ or not x.size:
            return None
        count = self.integer(1, min(2, x.ndim - 1))
        names = ["window_sum", "window_max"] if x in self.rounded else ["window_sum", "window_max", "window_argmax"]
        return lang.window(self.choose(names), x, **self.geometry(x, count))

    def convolution(self, x: Node) -> Node | None:
        if x.ndim < 3 or not x.dtype.is_floating_point or not x.size:
            return None
        geometry = self.geometry(x, x.ndim - 2)
        window, channels = geometry.pop("window"), x.shape[1]
        groups = self.choose([1, 1, channels])
        filters = groups * self.integer(1, 3)
        shape = (filters, channels // groups, *window)
        # finite: the interpreter multiplies borders of zeros by it, which kernels skip
        fits = [
            n
            for n, value in self.values.items()
            if n.dtype is x.dtype and n.shape == shape and np.isfinite(value).all()
        ]
        weight = self.choose(fits) if fits else self.fresh(self.rng.integers(-3, 4, shape).astype(x.dtype.numpy))
        return lang.apply("convolution", x, weight, groups=groups, **geometry)

    def lookup(self, x: Node) -> Node | None:
        """Elements at indices that are computed."""
        if not x.ndim or not x.size:
            return None
        axis = self.integer(0, x.ndim - 1)
        dtype = self.choose([int64, int32, uint8])
        indices = lang.apply("remainder", lang.iota(self.integer(1, 6), dtype) * 3, x.shape[axis])
        return lang.take(x, indices, axis)

    def write(self, x: Node) -> Node | None:
        if not x.ndim or not x.size or x in self.rounded:
            return None
        axis, count = self.integer(0, x.ndim - 1), self.integer(0, 9)
        size = x.shape[axis]
        mode = self.choose(["set", "add", "maximum", "minimum"]) if x.dtype is not bool_ else "set"
        if self.integer(0, 1):
            shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
            indices = self.fresh(self.rng.integers(-size, size, count))
            updates = self.node(lambda n: n.dtype is x.dtype and n.shape == shape and n not in self.rounded)
            return lang.put(x, indices, updates or self.fresh(array(self.rng, shape, x.dtype)), axis, mode)
        shape = (*x.shape[:axis], min(count, size), *x.shape[axis + 1 :])
        indices = self.fresh(self.rng.integers(-size, size, shape).astype(self.choose([np.int64, np.int32])))
        return lang.put_along(x, indices, self.fresh(array(self.rng, shape, x.dtype)), axis, mode)

    def split(self, x: Node) -> Node | None:
        """An axis looked at as two, or two as one; and some computation in between."""
        if x.ndim > 1 and self.integer(0, 1):
            axis = self.integer(0, x.ndim - 2)
            return lang.reshape(x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))
        cuts = [(k, d) for k, n in enumerate(x.shape) for d in (2, 3, 4, 5) if n > d and n % d == 0]
        if not cuts:
            return None
        axis, divisor = self.choose(cuts)
        return lang.reshape(x, (*x.shape[:axis], x.shape[axis] // divisor, divisor, *x.shape[axis + 1 :]))

    def slice(self, x: Node) -> Node:
        if not x.ndim or not x.size or self.integer(0, 1):
            return super().slice(x)
        axis = self.integer(0, x.ndim - 1)
        size, step = x.shape[axis], self.choose([-1, -2, -3, 2, 3])
        start, stop, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
        first, last = sorted((self.integer(0, size - 1), self.integer(0, size - 1)))
        steps[axis] = step
        start[axis], stop[axis] = (last, first - 1) if step < 0 else (first, last + 1)
        return lang.apply("slice", x, start=tuple(start), stop=tuple(stop), step=tuple(steps))


@dataclass
class Case:
    """A graph, arrays for its inputs, the orders in which they lie in memory, and which outputs are exact."""

    graph: Graph
    arrays: list[np.ndarray]
    orders: list[Order]
    exact: list[bool]


def random_case(seed: int, steps: int, *, large: bool) -> Case:
    """Nearly everything that is computed is used or is an output; outputs may be inputs, constants, and one another."""
    builder = Programs(seed, large=large)
    for _ in range(steps):
        builder.step()
    nodes = list(builder.values)
    used = {i for n in nodes for i in n.inputs}
    outputs = [n for n in nodes if n not in used or builder.integer(0, 9) == 0]
    builder.random.shuffle(outputs)
    extras = ["twice", "reshape", "permute", "slice", "broadcast", "constant", "input"]
    for kind in builder.random.sample(extras, builder.integer(0, 3)):
        x = builder.choose(outputs)
        if kind in ("twice", "input", "constant"):
            number = lang.full((2, 3), 4, float32)
            outputs.append({"twice": x, "input": builder.choose(builder.inputs), "constant": number}[kind])
        else:
            view = getattr(builder, kind)(x)
            if view.size <= builder.most:
                outputs.append(view)
                builder.rounded |= {view} if x in builder.rounded else set()
    orders = []
    for node in builder.inputs:
        order = tuple(builder.random.sample(range(node.ndim), node.ndim))
        orders.append(order_of(laid_out(builder.values[node], order)) if builder.integer(0, 1) else None)
    arrays = [builder.values[i] for i in builder.inputs]
    graph = Graph(tuple(builder.inputs), tuple(outputs))
    return Case(graph, arrays, orders, [o not in builder.rounded for o in outputs])
