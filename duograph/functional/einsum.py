"""Einstein's summation, by diagonals, sums, permutations and matrix products."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

from ..graph import language as g
from ..graph.composite import composite
from ..graph.errors import ArgumentError
from ..graph.node import Node
from .checks import check_same_dtype, check_shape
from .linear import diagonal


@dataclass(frozen=True, eq=False)
class Term:
    """A tensor with a label, a letter, for each axis; no letter twice."""

    labels: str
    x: Node

    def size(self, label: str) -> int:
        return self.x.shape[self.labels.index(label)] if label in self.labels else 1


@composite
def einsum(*operands: Node, equation: str) -> Node:
    """The sum of products that `equation` names, e.g. `"bij,bjk->bik"`.

    A letter repeated within an operand takes its diagonal; a letter absent from the result is summed; `...` stands
    for broadcast axes. Without `->` the result has the letters that occur once, in alphabetical order. The operands
    are multiplied in the order that keeps the intermediate results small. Raises ArgumentError or ShapeError.
    """
    check_same_dtype(**{f"operand {k + 1}": x for k, x in enumerate(operands)})
    terms, output = _parse(equation, operands)
    while len(terms) > 1:
        a, b = _cheapest(terms, output)
        rest = [t for t in terms if t is not a and t is not b]
        kept = "".join([output, *(t.labels for t in rest)])
        terms = [_product(a, b, kept), *rest]
    last = _sum_out(terms[0], output)
    return g.permute(last.x, tuple(last.labels.index(c) for c in output))


def _parse(equation: str, operands: tuple[Node, ...]) -> tuple[list[Term], str]:
    """The operands as terms, diagonals taken and axes of size 1 that broadcast dropped; and the result's labels."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    names = left.split(",")
    if len(names) != len(operands):
        raise ArgumentError(
            f"equation: expected {len(operands)} operands in {equation!r}, one for each tensor. Received: {len(names)}"
        )
    letters = set(left + right) - set("...,")
    if not all(c in string.ascii_letters for c in letters):
        raise ArgumentError(f"equation: expected letters, '...', ',' and '->'. Received: {equation!r}")
    spare = [c for c in string.ascii_letters if c not in letters]
    spread = [x.ndim - len(n.replace("...", "")) if "..." in n else 0 for n, x in zip(names, operands, strict=True)]
    if max(spread, default=0) > len(spare):
        raise ArgumentError(f"equation: more letters than the alphabet has. Received: {equation!r}")
    ellipsis = "".join(spare[: max(spread, default=0)])
    raw = []
    for k, (name, x, axes) in enumerate(zip(names, operands, spread, strict=True)):
        labels = name.replace("...", ellipsis[len(ellipsis) - axes :] if axes > 0 else "")
        check_shape(axes >= 0 and len(labels) == x.ndim, f"operand {k + 1}", f"an axis for each letter of {name!r}", x)
        raw.append(_diagonals(labels, x, k))
    if arrow:
        if right.count("...") != (1 if "..." in right else 0) or "." in right.replace("...", ""):
            raise ArgumentError(f"equation: expected at most one '...' in the result. Received: {equation!r}")
        output = right.replace("...", ellipsis)
    else:
        single = sorted(c for c in letters if left.count(c) == 1)
        output = ellipsis + "".join(single)
    known = set("".join(t.labels for t in raw))
    if len(set(output)) != len(output) or not set(output) <= known:
        raise ArgumentError(
            f"equation: expected each letter of the result once there, and among the operands. Received: {equation!r}"
        )
    return _drop_ones(raw), output


def _diagonals(labels: str, x: Node, position: int) -> Term:
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            a = labels.index(label)
            b = labels.index(label, a + 1)
            check_shape(x.shape[a] == x.shape[b], f"operand {position + 1}", f"equal sizes along the axes {label!r}", x)
            x = diagonal(x, axis1=a, axis2=b)
            labels = labels[:a] + labels[a + 1 : b] + labels[b + 1 :] + label
    return Term(labels, x)


def _drop_ones(terms: list[Term]) -> list[Term]:
    """Checks that sizes agree, and removes axes of size 1 that another operand has larger: products broadcast."""
    sizes: dict[str, int] = {}
    for k, term in enumerate(terms):
        for label, size in zip(term.labels, term.x.shape, strict=True):
            known = sizes.setdefault(label, size)
            check_shape(1 in (size, known) or size == known, f"operand {k + 1}", f"size {known} for {label!r}", term.x)
            if known == 1:
                sizes[label] = size
    slim = []
    for term in terms:
        labels = "".join(c for c in term.labels if term.size(c) == sizes[c])
        slim.append(Term(labels, g.reshape(term.x, tuple(term.size(c) for c in labels))))
    return slim


def _cheapest(terms: list[Term], output: str) -> tuple[Term, Term]:
    """The pair whose product is smallest beside what it replaces; the first among equals."""
    best = None
    for i, a in enumerate(terms):
        for j in range(i + 1, len(terms)):
            b = terms[j]
            kept = set(output).union(*(t.labels for t in terms if t is not a and t is not b))
            labels = kept & set(a.labels + b.labels)
            grown = math.prod(max(a.size(c), b.size(c)) for c in labels) - a.x.size - b.x.size
            if best is None or grown < best[0]:
                best = grown, a, b
    assert best is not None
    return best[1], best[2]


def _sum_out(term: Term, kept: str) -> Term:
    """`term` with the axes summed that nobody else needs."""
    gone = tuple(k for k, c in enumerate(term.labels) if c not in kept)
    return Term("".join(c for c in term.labels if c in kept), g.sum(term.x, gone) if gone else term.x)


def _product(a: Term, b: Term, kept: str) -> Term:
    """The product of two terms, summed over the labels they share that are not among `kept`: a batched matmul."""
    a, b = _sum_out(a, kept + b.labels), _sum_out(b, kept + a.labels)
    batch = "".join(c for c in a.labels if c in b.labels and c in kept)
    inner = "".join(c for c in a.labels if c in b.labels and c not in kept)
    rows = "".join(c for c in a.labels if c not in b.labels)
    columns = "".join(c for c in b.labels if c not in a.labels)
    left = _arranged(a, batch, rows, inner)
    right = _arranged(b, batch, inner, columns)
    product = g.matmul(left, right) if inner else left * right  # [..., m, 1] * [..., 1, n]: the outer product
    shape = (*map(a.size, batch), *map(a.size, rows), *map(b.size, columns))
    return Term(batch + rows + columns, g.reshape(product, shape))


def _arranged(term: Term, *groups: str) -> Node:
    """The axes of `term` grouped: batch axes apart, each further group of labels as one axis."""
    order = "".join(groups)
    x = g.permute(term.x, tuple(term.labels.index(c) for c in order))
    batch, *others = groups
    return g.reshape(x, (*map(term.size, batch), *(math.prod(map(term.size, group)) for group in others)))
