"""The pass that takes complex numbers out of a graph.

A complex input `[*shape]` becomes a real one `[*shape, 2]` over the same memory, and a complex output likewise, so the
caller's buffers need no conversion. In between, real and imaginary parts are two nodes that fuse as any others do.
What has no rule, such as a decomposition or a Fourier transform, is computed on pairs by the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...graph import language as lang
from ...graph.dtype import bool_
from ...graph.node import PRIMITIVES, Graph, Node, make
from . import pair
from .pair import Pair

Value = Node | Pair


def legalise(graph: Graph) -> Graph:
    """The graph without complex numbers, itself if it has none: complex inputs and outputs have one more axis, of 2."""
    if not any(_is_complex(node) for node in graph.nodes()):
        return graph
    return _Legaliser(graph).graph()


def _is_complex(node: Node) -> bool:
    return node.dtype.is_complex or any(_is_complex(inner) for graph in node.graphs for inner in graph.nodes())


class _Legaliser:
    def __init__(self, graph: Graph) -> None:
        self.before = graph
        self.values: dict[Node, Value] = {}
        self.lines: dict[Node, str] = {}
        self.known: set[Node] = set()

    def graph(self) -> Graph:
        for node in self.before.nodes():
            value = self.values[node] = self.rewritten(node)
            for part in (value.re, value.im) if isinstance(value, Pair) else (value,):
                self.note(part, self.before.lines.get(node))
        outputs = tuple(_packed(self.values[o]) for o in self.before.outputs)
        return Graph(tuple(_packed(self.values[i]) for i in self.before.inputs), outputs, self.lines)

    def note(self, node: Node, line: str | None) -> None:
        """The nodes that were made for a node come from its line."""
        stack = [node]
        while stack:
            made = stack.pop()
            if made not in self.known:
                self.known.add(made)
                stack.extend(made.inputs)
                if line is not None:
                    self.lines[made] = line

    def rewritten(self, node: Node) -> Value:
        operands = [self.values[i] for i in node.inputs]
        if node.op.kind in ("loop", "control"):
            return _of_graphs(node, operands)
        if not node.dtype.is_complex and not any(isinstance(x, Pair) for x in operands):
            return make(node.op, *operands, **dict(node.attributes)) if operands else node  # type: ignore[arg-type]
        rule = _RULES.get(node.op.name) or (_parts if node.op.kind == "movement" else _on_host)
        return rule(node, *operands)


def _packed(value: Value) -> Node:
    """Both parts in one node, along a last axis of 2."""
    if isinstance(value, Node):
        return value
    return value.packed or lang.concatenate([lang.expand_dims(value.re, -1), lang.expand_dims(value.im, -1)], -1)


def _unpacked(packed: Node) -> Pair:
    re, im = (lang.reshape(lang.narrow(packed, -1, k, 1), packed.shape[:-1]) for k in (0, 1))
    return Pair(re, im, packed)


def _parts(node: Node, *operands: Value) -> Pair:
    """The same operation on each part: what is linear with real coefficients, or moves elements."""

    def part(name: str) -> Node:
        return make(
            node.op, *(getattr(x, name) if isinstance(x, Pair) else x for x in operands), **dict(node.attributes)
        )

    return Pair(part("re"), part("im"))


def _bilinear(node: Node, a: Pair, b: Pair) -> Pair:
    def product(x: Node, y: Node) -> Node:
        return make(node.op, x, y, **dict(node.attributes))

    return Pair(product(a.re, b.re) - product(a.im, b.im), product(a.re, b.im) + product(a.im, b.re))


def _matmul(node: Node, a: Pair, b: Pair) -> Pair:
    """One real product of twice the size: rows of pairs with b as [[re, im], [-im, re]] for each of its elements."""
    *batch, m, k = a.re.shape
    n = b.re.shape[-1]
    rows = lang.reshape(_packed(a), (*batch, m, 2 * k))
    both = [lang.expand_dims(_packed(x), -3) for x in (b, b.turned())]
    columns = lang.reshape(lang.concatenate(both, -3), (*batch, 2 * k, 2 * n))
    return _unpacked(lang.reshape(lang.matmul(rows, columns), (*batch, m, n, 2)))


def _on_host(node: Node, *operands: Value) -> Value:
    """Computed by the interpreter, which has complex numbers."""
    made = make(
        PRIMITIVES["on_pairs"], *map(_packed, operands), operation=node.op.name, attributes=node.attributes,
        pairs=tuple(isinstance(x, Pair) for x in operands), gives_pairs=node.dtype.is_complex,
    )  # fmt: skip
    return _unpacked(made) if node.dtype.is_complex else made


def _of_graphs(node: Node, operands: Sequence[Value]) -> Value:
    """The step of a loop is a graph with the same convention for what it takes and gives, and so is a branch."""
    attributes = {name: legalise(value) if isinstance(value, Graph) else value for name, value in node.attributes}
    made = make(node.op, *map(_packed, operands), **attributes)
    return _unpacked(made) if node.dtype.is_complex else made


def _input(node: Node) -> Value:
    return _unpacked(
        make(node.op, position=node["position"], shape=(*node.shape, 2), dtype=node.dtype.to_real())
    )  # fmt: skip


def _constant(node: Node) -> Value:
    dtype, value = node.dtype.to_real(), node["value"]
    return Pair(lang.full((), value.real, dtype), lang.full((), value.imag, dtype))


def _cast(node: Node, x: Value) -> Value:
    to = node.dtype
    if isinstance(x, Node):
        re = lang.cast(x, to.to_real())
        return Pair(re, lang.zeros_like(re))
    if to.is_complex:
        return Pair(lang.cast(x.re, to.to_real()), lang.cast(x.im, to.to_real()))
    return _truth(x) if to is bool_ else lang.cast(x.re, to)


def _truth(x: Pair) -> Node:
    return lang.not_equal(x.re, 0) | lang.not_equal(x.im, 0)


def _join(node: Node, re: Node, im: Node) -> Value:
    return Pair(lang.broadcast_to(re, node.shape), lang.broadcast_to(im, node.shape))


def _choose(node: Node, condition: Node, x: Pair, y: Pair) -> Value:
    return pair.select(condition, x, y)


def _put(node: Node, *operands: Value) -> Value:
    return _parts(node, *operands) if node["mode"] in ("set", "add") else _on_host(node, *operands)


def _of(function: Callable[..., Value]) -> Callable[..., Value]:
    return lambda node, *operands: function(*operands)


_RULES: dict[str, Callable[..., Value]] = {
    "input": _input,
    "constant": _constant,
    "cast": _cast,
    "complex": _join,
    "real": _of(lambda x: x.re),
    "imag": _of(lambda x: x.im),
    "conjugate": _of(Pair.conjugate),
    "select": _choose,
    "put": _put,
    "put_along": _put,
    "matmul": _matmul,
    "add": _of(Pair.__add__),
    "subtract": _of(Pair.__sub__),
    "multiply": _of(Pair.__mul__),
    "divide": _of(Pair.__truediv__),
    "negative": _of(Pair.__neg__),
    "equal": _of(lambda x, y: lang.equal(x.re, y.re) & lang.equal(x.im, y.im)),
    "not_equal": _of(lambda x, y: lang.not_equal(x.re, y.re) | lang.not_equal(x.im, y.im)),
    "any": lambda node, x: lang.any(_truth(x), node["axes"]),
    "all": lambda node, x: lang.all(_truth(x), node["axes"]),
    **dict.fromkeys(("sum", "cumsum", "copy", "stop_gradient", "take", "take_along"), _parts),
    **dict.fromkeys(("convolution", "convolution_input_gradient", "convolution_weight_gradient"), _bilinear),
    **{
        function.__name__: _of(function)
        for function in (
            pair.absolute, pair.sign, pair.exp, pair.expm1, pair.log, pair.log1p, pair.sqrt, pair.rsqrt, pair.power,
            pair.sin, pair.cos, pair.tan, pair.asin, pair.acos, pair.atan, pair.sinh, pair.cosh, pair.tanh,
            pair.asinh, pair.acosh, pair.atanh,
        )
    },
}  # fmt: skip
