"""Reverse mode over nodes: a transformation from graphs to graphs.

Each primitive's record holds its rule, written in graph language, so a gradient is a graph like any other and can be
differentiated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from .graph import language as lang
from .graph.composite import Operation
from .graph.dtype import DType
from .graph.errors import GradientError
from .graph.node import (
    PRIMITIVES,
    Attributes,
    Node,
    Shape,
    make,
    substitute,
    topological,
)

Signature = tuple[tuple[Shape, DType] | None, ...]


def gradient(outputs: Sequence[Node], cotangents: Sequence[Node | None], wrt: Sequence[Node]) -> list[Node | None]:
    """The cotangents of `wrt` for these cotangents of `outputs` (None: no contribution).

    Gives None for a node that no output depends on differentiably. Integers and booleans carry no gradient. The
    cotangent of a complex number z is dL/dRe z + i dL/dIm z, as in PyTorch. Raises
    GradientError where the way leads through an operation that has no rule.
    """
    parts: dict[Node, list[Node]] = {}

    def contribute(node: Node, cotangent: Node) -> None:
        parts.setdefault(node, []).append(lang.cast(lang.sum_to(cotangent, node.shape), node.dtype))

    depends = {w for w in wrt if w.dtype.differentiable}
    order = topological(outputs)
    for node in order:
        if node.dtype.differentiable and not depends.isdisjoint(node.inputs):
            depends.add(node)
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if cotangent is not None and output in depends:
            contribute(output, cotangent)
    calls: dict[tuple[Any, ...], list[Node]] = {}  # the results of each call that has several
    for node in order:
        if node.op.joint:
            calls.setdefault(node.call, []).append(node)
    for node in reversed(order):
        together = calls[node.call] if node.op.joint else [node]
        # the first of several results is met last, when the cotangents of all are complete
        if node is not together[0] or parts.keys().isdisjoint(together) or depends.isdisjoint(node.inputs):
            continue
        rule = node.op.gradient
        if rule is None:
            raise GradientError(f"{node.op.name} has no gradient. Put stop_gradient (detach) around it, or avoid it")
        if node.op.joint:
            received = [(result, _total(parts[result])) for result in together if result in parts]
            found = rule(received, [operand in depends for operand in node.inputs], gradient)
        else:
            found = _pulled(node, _total(parts[node]))
        for operand, cotangent in zip(node.inputs, found, strict=True):
            if cotangent is not None and operand in depends:
                contribute(operand, cotangent)
    return [_total(parts[w]) if w in parts else None for w in wrt]


def _pulled(node: Node, cotangent: Node) -> Sequence[Node | None]:
    """The cotangents of a node's inputs by its rule. Of complex numbers they are dL/dRe + i dL/dIm: for an analytic
    function, the cotangent times the conjugate of the derivative."""
    op = node.op
    assert op.gradient is not None
    if op.wirtinger or op.moves_bits or not node.dtype.is_complex:
        return op.gradient(node, cotangent)
    found = op.gradient(node, lang.conjugate(cotangent))
    return [None if f is None else lang.conjugate(f) for f in found]


def _total(parts: list[Node]) -> Node:
    """The sum of cotangents. Those of slices that do not overlap are joined rather than padded and added, so that the
    gradient of a sequence cut into steps, or of gates cut from one product, costs its length and not its square.
    """
    slices: dict[int, list[Node]] = {}
    terms: list[Node] = []
    for part in parts if len(parts) > 1 else ():
        axis = _padded_axis(part)
        (terms if axis is None else slices.setdefault(axis, [])).append(part)
    for axis, pads in slices.items():
        terms += _joined(pads, axis)
    total, *rest = terms or parts
    for term in rest:
        total = total + term
    return total


def _padded_axis(x: Node) -> int | None:
    """The one axis along which `x` is something with zeros around it, the cotangent of a slice; None if it is not."""
    if x.op.name != "pad" or any(x["interior"]) or min(*x["low"], *x["high"], 0) < 0:
        return None
    value = x.inputs[1]
    if value.op.name != "constant" or value["value"] != 0:
        return None
    axes = [k for k, ends in enumerate(zip(x["low"], x["high"], strict=True)) if any(ends)]
    return axes[0] if len(axes) == 1 else None


def _joined(pads: list[Node], axis: int) -> list[Node]:
    """Terms with the sum of `pads`: the concatenation of what does not overlap, and the others."""
    like, rest = pads[0], []
    pieces: list[Node] = []
    end = 0

    def fill(start: int) -> None:
        if start > end:
            gap = (*like.shape[:axis], start - end, *like.shape[axis + 1 :])
            pieces.append(lang.full(gap, 0, like.dtype))

    for pad in sorted(pads, key=lambda p: p["low"][axis]):
        if pad["low"][axis] < end:
            rest.append(pad)
            continue
        fill(pad["low"][axis])
        pieces.append(pad.inputs[0])
        end = pad.shape[axis] - pad["high"][axis]
    if len(pads) - len(rest) == 1:
        return pads
    fill(like.shape[axis])
    return [lang.concatenate(pieces, axis), *rest]


class VectorJacobianProduct:
    """The operation that takes the inputs of `op` and the cotangents of some outputs to cotangents of some inputs.

    Its inputs are those of `op` (None where an optional one is absent) followed by the cotangents of the outputs marked
    in `given`; its results are the cotangents of the inputs marked in `needed`, zeros where there is no path. It states
    `op` again; in one trace interned nodes make that free, in another it is computed anew.
    """

    def __init__(self, op: Operation, needed: tuple[bool, ...], given: tuple[bool, ...]) -> None:
        self.op = op
        self.needed = needed
        self.given = given
        self.name = f"{op.name}_vjp"

    def __repr__(self) -> str:
        return f"<vjp of {self.op!r}>"

    def build(self, inputs: Sequence[Node | None], attributes: Attributes) -> tuple[Node, ...]:
        return _template(self, attributes, repr(attributes), _signature(inputs)).bind(inputs)


@cache
def vjp(op: Operation, needed: tuple[bool, ...], given: tuple[bool, ...]) -> VectorJacobianProduct:
    """The vector-Jacobian product of `op`; the same object for the same arguments.

    Args:
        op: what was recorded.
        needed: for each input, whether its cotangent is wanted.
        given: for each output, whether its cotangent is among the inputs.
    """
    return VectorJacobianProduct(op, needed, given)


def uses(
    product: VectorJacobianProduct, attributes: Attributes, inputs: Signature
) -> tuple[frozenset[int], frozenset[int]]:
    """The positions of the inputs and of the outputs of `product.op` whose *values* its results depend on.

    `inputs` are the shapes and dtypes of the inputs of `product` (None for an absent one). A gradient that needs only
    the shape of an input does not use it; one that is written with the output, as that of `exp`, uses the output. Masks
    and indices made from an input (where the maximum was) count as kept apart, not as a use of its value.
    """
    if getattr(product.op, "keeps_result", False):
        return frozenset(), frozenset({0})
    return _template(product, attributes, repr(attributes), inputs).uses()


class _Template(NamedTuple):
    """A product built over stand-ins for its inputs, each its own node even where the actual inputs coincide or depend
    on each other: only so are the inputs differentiated independently."""

    stand_ins: tuple[Node | None, ...]
    outputs: tuple[Node, ...]
    results: tuple[Node, ...]

    def bind(self, inputs: Sequence[Node | None]) -> tuple[Node, ...]:
        replacements = {s: i for s, i in zip(self.stand_ins, inputs, strict=True) if s is not None and i is not None}
        return substitute(self.results, replacements)

    def uses(self) -> tuple[frozenset[int], frozenset[int]]:
        found: set[Node] = set()
        stack = list(self.results)
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                if node not in self.outputs and node.dtype.differentiable:
                    stack.extend(node.inputs)
        count = len(self.stand_ins)
        inputs = frozenset(k for k, s in zip(range(count), self.stand_ins, strict=True) if s in found)
        return inputs, frozenset(k for k, o in enumerate(self.outputs) if o in found)


def _signature(inputs: Sequence[Node | None]) -> Signature:
    return tuple(None if i is None else (i.shape, i.dtype) for i in inputs)


@lru_cache(maxsize=4096)
def _template(
    product: VectorJacobianProduct,
    attributes: Attributes,
    _spelling: str,
    inputs: Signature,
) -> _Template:
    """`_spelling` is the repr of the attributes: 1, 1.0 and True are equal keys and mean different things."""
    stand_ins = tuple(
        None if s is None else make(PRIMITIVES["input"], position=k, shape=s[0], dtype=s[1])
        for k, s in enumerate(inputs)
    )
    arguments, rest = (
        stand_ins[: len(product.needed)],
        iter(stand_ins[len(product.needed) :]),
    )
    outputs = product.op.build(arguments, attributes)
    cotangents = [next(rest) if given else None for given in product.given]
    wrt = [a for a, needed in zip(arguments, product.needed, strict=True) if needed and a is not None]
    found = gradient(outputs, cotangents, wrt)
    return _Template(
        stand_ins,
        outputs,
        tuple(lang.zeros_like(w) if f is None else f for w, f in zip(wrt, found, strict=True)),
    )
