"""Matrix products and convolutions: what the multiplier does."""

from __future__ import annotations

from collections.abc import Sequence

from .. import language as lang
from ..errors import ShapeError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import same_dtype
from .samples import uniform


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or a[-1] != b[-2]:
        raise ShapeError(
            f"matmul: expected shapes [..., m, k] and [..., k, n] with equal batch axes. Received: {a}, {b}"
        )
    return (*a[:-1], b[-1])


def _matmul_gradient(node: Node, dy: Node) -> Sequence[Node]:
    a, b = node.inputs
    return lang.matmul(dy, lang.transpose(b)), lang.matmul(lang.transpose(a), dy)


register(
    Primitive(
        name="matmul",
        kind="contraction",
        arity=2,
        shape=_matmul_shape,
        dtype=same_dtype("int float"),
        evaluate=lambda a, b: a @ b,
        gradient=_matmul_gradient,
        torch=lambda torch, a, b: a @ b,
        samples=lambda: [
            Sample((uniform(-2, 3, *a), uniform(-1, 2, *b)))
            for a, b in [
                ((1, 1), (1, 1)),
                ((3, 5), (5, 2)),
                ((2, 3, 5), (2, 5, 7)),
                ((2, 1, 3, 4), (2, 1, 4, 2)),
                ((3, 0), (0, 2)),
                ((0, 3), (3, 2)),
            ]
        ],
    )
)
