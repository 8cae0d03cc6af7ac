"""Random graphs over the whole language, for the tests of passes that must keep the values of any graph.

The numbers are whole and small, or infinite, or NaN, so that sums have one value in whatever order they are taken, and
a comparison does not turn on the last bit. What is computed by functions that round is kept apart (`rounded`): no
operation that jumps is applied to it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from duograph.graph import language as lang
from duograph.graph.dtype import DType, bfloat16, bool_, float16, float32, float64, int8, int64, uint8
from duograph.graph.errors import DuographError
from duograph.graph.node import PRIMITIVES, Graph, Node, make
from duograph.runtime.interpreter import evaluate

SHAPES = [(), (1,), (3,), (4,), (2, 3), (4, 1), (3, 3), (1, 4), (2, 1, 3), (2, 2, 2), (0, 3)]
DTYPES = [float64, float64, float32, int64, bool_, int8, uint8, float16]
NUMBERS = [0, 1, -1, 2, 0.5, 4, -0.0, -3]
LARGEST = {float64: 1e6, float32: 1e5, float16: 500, bfloat16: 100}
STEPS = [
    "unary", "binary", "binary", "binary", "number", "number", "select", "compare", "logic", "cast", "reduce", "reduce",
    "reshape", "reshape", "permute", "permute", "broadcast", "broadcast", "slice", "slice", "slice", "pad", "pad",
    "concatenate", "concatenate", "matmul", "matmul", "take", "put", "scan", "smooth", "divide", "sum", "copy",
    "stack", "batch",
]  # fmt: skip


def array(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Whole numbers, among them a few that are not finite where the dtype has such."""
    x = rng.integers(-4, 5, shape)
    if not dtype.is_floating_point:
        return (x > 0 if dtype is bool_ else x).astype(dtype.numpy)
    odd = rng.choice([np.nan, np.inf, -np.inf, -0.0], shape)
    return np.where(rng.random(shape) < 0.03, odd, x).astype(dtype.numpy)


class Builder:
    """Draws a graph node by node and computes it as it goes: what fails or grows large is not added.

    Attributes:
        shapes, dtypes: What inputs are made of.
        steps: The methods that add nodes, as often as they shall be taken.
        rounding: Those of them whose results are rounded.
        most: Elements of a node.
        calm: The largest number that may come out of functions that round.
    """

    shapes: Sequence[tuple[int, ...]] = SHAPES
    dtypes: Sequence[DType] = DTYPES
    steps: Sequence[str] = STEPS
    rounding = ("smooth", "divide")
    most = 200
    calm = math.inf

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.values: dict[Node, np.ndarray] = {}
        self.rounded: set[Node] = set()
        self.rounds = False
        self.inputs: list[Node] = []
        for position in range(self.integer(1, 4)):
            shape, dtype = self.choose(self.shapes), self.choose(self.dtypes)
            node = make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)
            self.inputs.append(node)
            self.values[node] = array(self.rng, shape, dtype)

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def choose(self, among: Any) -> Any:
        return self.random.choice(among)

    def node(self, condition: Callable[[Node], bool] = lambda _: True) -> Node | None:
        """One of the nodes so far, rather a late one."""
        fitting = [n for n in self.values if condition(n)]
        if not fitting:
            return None
        return self.choose(fitting[-6:] if self.integer(0, 2) else fitting)

    def add(self, node: Node | None) -> None:
        if node is None or node in self.values or node.size > self.most:
            return
        known = dict(self.values)
        order, stack = [], [node]
        while stack:
            top = stack.pop()
            if top not in known:
                order.append(top)
                stack += top.inputs
        try:
            for new in reversed(order):
                if new not in known:
                    known[new] = evaluate(new, [known[i] for i in new.inputs])
                    if new.dtype.is_floating_point:
                        finite = known[new][np.isfinite(known[new])]
                        if finite.size and np.abs(finite).max() > LARGEST[new.dtype]:
                            return
        except (DuographError, KeyError):
            return
        if self.rounds or any(o in self.rounded for n in order for o in n.inputs):
            value = known[node]
            if node.dtype.is_floating_point and np.abs(value[np.isfinite(value)]).max(initial=0) > self.calm:
                return
            self.rounded.add(node)
        self.values[node] = known[node]

    def step(self) -> None:
        kind = self.choose(self.steps)
        exact = kind in ("compare", "cast", "floor", "take", "put", "logic")
        x = self.node(lambda n: not (exact and n in self.rounded))
        if x is None:
            return
        self.rounds = kind in self.rounding
        try:
            self.add(getattr(self, kind)(x))
        except (DuographError, OverflowError):  # the operation does not take this dtype or shape
            return

    def partner(self, x: Node) -> Node | None:
        def broadcasts(n: Node) -> bool:
            pairs = zip(n.shape[::-1], x.shape[::-1], strict=False)
            return n.dtype is x.dtype and all(a == b or 1 in (a, b) for a, b in pairs)

        return self.node(broadcasts)

    def unary(self, x: Node) -> Node:
        jumps = ["sign", "floor", "round"] if x not in self.rounded else []
        return lang.apply(self.choose(["negative", "negative", "absolute", "bitwise_not", *jumps]), x)

    def smooth(self, x: Node) -> Node:
        return lang.apply(self.choose(["tanh", "sin", "atan"]), x)

    def binary(self, x: Node) -> Node | None:
        y = self.partner(x)
        if y is None:
            return None
        return lang.apply(self.choose(["add", "add", "subtract", "multiply", "maximum", "minimum"]), x, y)

    def number(self, x: Node) -> Node:
        value = self.choose(NUMBERS)
        pair = (x, value) if self.integer(0, 2) else (value, x)
        names = ["add", "subtract", "multiply", "maximum"]
        if x.dtype.category == "int":
            names += ["floor_divide", "remainder", "bitwise_and", "bitwise_or", "bitwise_xor"]
        return lang.apply(self.choose(names), *pair)

    def divide(self, x: Node) -> Node | None:
        y = self.partner(x)
        if self.integer(0, 1) or y is None or (self.values[y] == 0).any():
            return lang.apply("divide", x, self.choose([2, 4, 0.5, 8]))
        return lang.apply("divide", x, y)

    def select(self, x: Node) -> Node | None:
        condition, y = self.node(lambda n: n.dtype is bool_), self.partner(x)
        return None if condition is None or y is None else lang.select(condition, x, y)

    def compare(self, x: Node) -> Node | None:
        name = self.choose(["equal", "not_equal", "less", "less_equal"])
        y = self.partner(x) if self.integer(0, 1) else None
        if y is None or y in self.rounded:
            return lang.apply(name, x, self.choose([0, 1, 2]))
        return lang.apply(name, x, y)

    def logic(self, x: Node) -> Node | None:
        y = self.partner(x)
        if y is None or y in self.rounded:
            return None
        return lang.apply(self.choose(["bitwise_and", "bitwise_or", "bitwise_xor"]), x, y)

    def cast(self, x: Node) -> Node | None:
        dtype = self.choose(self.dtypes)
        value = self.values[x].astype(np.float64)
        if dtype.category == "int" and not (np.isfinite(value).all() and (np.abs(value) < 100).all()):
            return None
        return lang.cast(x, dtype)

    def reduce(self, x: Node) -> Node:
        axes = tuple(k for k in range(x.ndim) if self.integer(0, 1))
        jumps = ["any", "all"] if x not in self.rounded else []
        return lang.apply(self.choose(["sum", "sum", "sum", "max", "min", "prod", *jumps]), x, axes=axes)

    def copy(self, x: Node) -> Node:
        return lang.apply(self.choose(["copy", "stop_gradient"]), x)

    def scan(self, x: Node) -> Node:
        return lang.cumulative(self.choose(["cumsum", "cummax"]), x, self.integer(0, max(x.ndim - 1, 0)))

    def reshape(self, x: Node) -> Node:
        shapes = [*self.shapes, (x.size,), (1, *x.shape), (*x.shape, 1), tuple(n for n in x.shape if n != 1)]
        fitting = [s for s in shapes if int(np.prod(s)) == x.size]
        if x.ndim > 1 and x.size:
            fitting.append((x.shape[0] * x.shape[1], *x.shape[2:]))
        return lang.apply("reshape", x, shape=self.choose(fitting))

    def permute(self, x: Node) -> Node:
        return lang.apply("permute", x, axes=tuple(self.random.sample(range(x.ndim), x.ndim)))

    def broadcast(self, x: Node) -> Node:
        shape = tuple(self.integer(1, 3) if n == 1 else n for n in x.shape)
        return lang.apply("broadcast_to", x, shape=(*((2,) if self.integer(0, 1) else ()), *shape))

    def slice(self, x: Node) -> Node:
        starts, stops, steps = [], [], []
        for size in x.shape:
            start, stop = sorted((self.integer(0, size), self.integer(0, size)))
            step = self.choose([1, 1, 1, 2, -1])
            if not self.integer(0, 2):
                start, stop = 0, size
            if step < 0 and start < stop:
                start, stop = stop - 1, start - 1
            starts.append(start)
            stops.append(stop)
            steps.append(step)
        return lang.apply("slice", x, start=tuple(starts), stop=tuple(stops), step=tuple(steps))

    def pad(self, x: Node) -> Node:
        low, high, interior = [], [], []
        only = self.integer(0, max(x.ndim - 1, 0))
        cuts = self.integer(0, 4) == 0
        for k in range(x.ndim):
            here = k == only or self.integer(0, 3) == 0
            low.append(self.integer(-1 if cuts else 0, 2) if here else 0)
            high.append(self.integer(-1 if cuts else 0, 2) if here else 0)
            interior.append(self.choose([0, 0, 0, 1]) if here else 0)
        return lang.apply("pad", x, self.choose([0, 0, 1]), low=tuple(low), high=tuple(high), interior=tuple(interior))

    def concatenate(self, x: Node) -> Node | None:
        if not x.ndim:
            return None
        axis, pieces = self.integer(0, x.ndim - 1), [x]

        def fits(n: Node) -> bool:
            rest = n.shape[:axis] + n.shape[axis + 1 :]
            return n.dtype is x.dtype and n.ndim == x.ndim and rest == x.shape[:axis] + x.shape[axis + 1 :]

        pieces += [self.node(fits) or x for _ in range(self.integer(0, 3))]
        if self.integer(0, 2) == 0 and x.shape[axis] > 1:  # the parts of an array
            cut = self.integer(1, x.shape[axis] - 1)
            pieces = [lang.narrow(x, axis, 0, cut), lang.narrow(x, axis, cut, x.shape[axis] - cut)]
        return lang.apply("concatenate", *pieces, axis=axis)

    def matmul(self, x: Node) -> Node | None:
        if x.ndim < 2:
            return None
        y = self.node(lambda n: n.dtype is x.dtype and n.ndim >= 2 and n.shape[-2] == x.shape[-1])
        return lang.matmul(x, y if y is not None else lang.transpose(x))

    def sum(self, x: Node) -> Node | None:
        """The sum of several terms of one kind, as gradients have it."""
        if not x.ndim or x.dtype is bool_:
            return None
        kind, terms = self.choose(["slices", "products", "sums"]), []
        for _ in range(self.integer(2, 4)):
            y = self.node(lambda n: n.dtype is x.dtype and n.shape == x.shape)
            assert y is not None
            if kind == "products" and x.ndim == 2:
                terms.append(lang.matmul(lang.transpose(y), x))
            elif kind == "sums":
                terms.append(lang.sum(y, (0,)))
            else:
                axis = self.integer(0, x.ndim - 1)
                start = self.integer(0, x.shape[axis])
                low, high = [0] * x.ndim, [0] * x.ndim
                low[axis], high[axis] = start, x.shape[axis] - start
                terms.append(lang.pad(y, low, high))
        shape = terms[0].shape
        total = terms[0]
        for term in terms[1:]:
            total = total + term if term.shape == shape else total
        return total

    def stack(self, x: Node) -> Node:
        """Arrays as the rows of one, looked at as one long array or summed, as time steps are."""
        others = [self.node(lambda n: n.dtype is x.dtype and n.shape == x.shape) or x for _ in range(2)]
        stacked = lang.concatenate([lang.expand_dims(y, 0) for y in (x, *others)])
        if x.ndim and self.integer(0, 1):
            return lang.reshape(stacked, (stacked.shape[0] * stacked.shape[1], *x.shape[1:]))
        return lang.sum(stacked, (0, 1) if x.ndim else 0)

    def batch(self, x: Node) -> Node | None:
        """The sum of a stack of products, or of sums."""
        if x.ndim < 3:
            return None
        axis = self.integer(0, x.ndim - 2)
        return lang.sum(self.matmul(x) if self.integer(0, 1) else lang.sum(x, self.integer(0, x.ndim - 1)), axis)

    def take(self, x: Node) -> Node | None:
        if not x.ndim:
            return None
        indices = self.node(lambda n: n.dtype.category == "int" and n not in self.rounded)
        axis = self.integer(0, x.ndim - 1)
        return None if indices is None else lang.apply(self.choose(["take", "take_along"]), x, indices, axis=axis)

    def put(self, x: Node) -> Node | None:
        """A choice of one element a row, and its gradient."""
        if not x.ndim:
            return None
        axis = self.integer(0, x.ndim - 1)
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        indices = self.node(lambda n: n.dtype.category == "int" and n.shape == shape)
        if indices is None:
            return None
        taken = lang.take_along(x, indices, axis)
        self.add(taken)
        return lang.put_along(lang.zeros_like(x), indices, taken, axis, "add")


def program(seed: int, steps: int) -> tuple[Graph, list[np.ndarray], list[bool]]:
    """A graph, arrays for its inputs, and for each output whether it is exact. Most results are used or are outputs."""
    builder = Builder(seed)
    for _ in range(steps):
        builder.step()
    nodes = list(builder.values)
    used = {i for n in nodes for i in n.inputs}
    outputs = [n for n in nodes if n not in used or builder.integer(0, 9) == 0]
    arrays = [builder.values[i] for i in builder.inputs]
    return Graph(tuple(builder.inputs), tuple(outputs)), arrays, [o not in builder.rounded for o in outputs]
