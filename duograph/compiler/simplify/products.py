"""Rules of matrix products: fewer and larger ones. They change the order in which terms are added, and so the rounding.

Transposes stay outside of products, on inputs or results, where they are a way to read memory.
"""

from __future__ import annotations

from math import prod

from ...graph.node import PRIMITIVES, Node
from ...graph.sizes import hint
from .rewriter import BROADCAST, Rewriter
from .view import View

MATMUL = PRIMITIVES["matmul"]
PERMUTE = PRIMITIVES["permute"]


def _one_matrix(x: Node) -> Node | None:
    """The matrix, still with batch axes of size 1, that `x` repeats along all its batch axes."""
    if x.op is not BROADCAST:
        return None
    (source,) = x.inputs
    return source if source.shape[-2:] == x.shape[-2:] and prod(source.shape[:-2]) == 1 else None


def matmul_of_broadcast(rewriter: Rewriter, node: Node) -> Node | None:
    """A stack of matrices times one matrix is one product: the rows of all of them in a matrix. Exact."""
    a, b = node.inputs
    right = _one_matrix(b)
    if right is None:
        return None
    right = rewriter.reshape(right, b.shape[-2:])
    left = _one_matrix(a)
    if left is not None:
        product = rewriter.make("matmul", rewriter.reshape(left, a.shape[-2:]), right)
        return rewriter.broadcast_to(product, node.shape)
    flat = rewriter.reshape(a, (prod(a.shape[:-1]), a.shape[-1]))
    return rewriter.reshape(rewriter.make("matmul", flat, right), node.shape)


def permute_of_matmul(rewriter: Rewriter, view: View, node: Node) -> Node | None:
    """(a b)' = b' a', where the product has no other use. What is left of the permutation keeps rows before columns.
    Exact."""
    (product,), axes = node.inputs, node["axes"]
    last = node.ndim - 1
    if product.op is not MATMUL or not view.once(product) or axes.index(last) > axes.index(last - 1):
        return None
    a, b = (view.new[i] for i in product.inputs)
    turned = rewriter.make("matmul", rewriter.transpose(b), rewriter.transpose(a))
    exchanged = {last: last - 1, last - 1: last}
    return rewriter.permute(turned, [exchanged.get(k, k) for k in axes])


def sum_of_matmul(rewriter: Rewriter, view: View, node: Node) -> Node | None:
    """The sum of a stack of products is one product: the stacks laid end to end along the contracted axis."""
    (product,) = node.inputs
    batch = product.ndim - 2
    if product.op is not MATMUL or node["axes"] != tuple(range(batch)) or not batch or not view.once(product):
        return None
    a, b = (view.new[i] for i in product.inputs)
    size = prod(a.shape[:-1][:batch]) * a.shape[-1]
    stack = tuple(range(batch))
    if a.op.name == "permute" and a["axes"] == (*stack, batch + 1, batch):
        left = rewriter.transpose(rewriter.reshape(a.inputs[0], (size, a.shape[-2])))
    else:
        left = rewriter.reshape(rewriter.permute(a, (batch, *stack, batch + 1)), (a.shape[-2], size))
    return rewriter.make("matmul", left, rewriter.reshape(b, (size, b.shape[-1])))


FEW_ROWS = 2
"""Rows up to which a product with a transposed matrix is a few dot products a row: the matrix is read once as it lies,
where a larger product would first be packed."""

SHORTEST = 64
"""Terms from which a dot product fills vectors."""


def few_rows(rewriter: Rewriter, node: Node) -> Node | None:
    """Some rows times a transposed matrix: every element is the dot product of two rows. Another order of terms."""
    a, b = node.inputs
    rows, terms = map(hint, a.shape[-2:])
    if node.ndim != 2 or rows > FEW_ROWS or terms < SHORTEST or not node.dtype.is_floating_point:
        return None
    if b.op is not PERMUTE or b.inputs[0].op is PERMUTE:
        return None
    (matrix,) = b.inputs
    left = rewriter.reshape(a, (a.shape[0], 1, a.shape[1]))
    right = rewriter.reshape(matrix, (1, *matrix.shape))
    return rewriter.make("sum", rewriter.make("multiply", left, right), axes=(2,))


RULES = {"matmul": (matmul_of_broadcast, few_rows)}
WHOLE_RULES = {"permute": (permute_of_matmul,), "sum": (sum_of_matmul,)}
