"""Rules of all elementwise operations: constants are computed, and operands are not broadcast before they are used."""

from __future__ import annotations

import math

import numpy as np

from ...graph.dtype import DType
from ...graph.errors import DuographError
from ...graph.node import PRIMITIVES, Node, Number, constant
from ...graph.primitives.rules import broadcast_shapes
from .movement import only_adds_leading
from .rewriter import BROADCAST, CONSTANT, RESHAPE, Rewriter

_SPREAD = (BROADCAST, RESHAPE)


def fold(_: Rewriter, node: Node) -> Node | None:
    """An operation on constants is a constant, computed as the interpreter does: 16-bit floats in float32, rounded
    once. What fails at run time, or has no defined value, is left to fail there."""
    inputs = node.inputs
    for operand in inputs:
        if operand.op is not CONSTANT:
            return None
    op = node.op
    if op.name == "cast" and not _casts(inputs[0]["value"], node.dtype):
        return None
    arrays = [np.asarray(i["value"], i.dtype.numpy) for i in inputs]
    if not op.moves_bits:
        arrays = [a.astype(np.float32) if i.dtype.is_half else a for a, i in zip(arrays, inputs, strict=True)]
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(op.evaluate(*arrays, **dict(node.attributes))).astype(node.dtype.numpy)
    except DuographError:
        return None
    return constant(float(result) if node.dtype.is_floating_point else result.item(), node.dtype)


def _casts(value: Number, to: DType) -> bool:
    """Whether the cast of a number is defined: a float outside the range of integers has no integer."""
    if to.category != "int" or not isinstance(value, float):
        return True
    limits = np.iinfo(to.numpy)
    return math.isfinite(value) and int(limits.min) <= value <= int(limits.max)


def spread_operands(rewriter: Rewriter, node: Node) -> Node | None:
    """f(broadcast_to(x), y) = f(x, y): elementwise operations broadcast by themselves.

    Where all operands are broadcast along an axis, the result is broadcast instead: less is computed. The same goes for
    reshapes that add leading axes of size 1. Exact.
    """
    inputs = node.inputs
    for operand in inputs:
        if operand.op in _SPREAD:
            break
    else:
        return None
    shape = node.shape
    plain = [i.inputs[0] if i.op is BROADCAST or (i.op is RESHAPE and only_adds_leading(i)) else i for i in inputs]
    if tuple(plain) == inputs or 0 in shape:
        return None
    small = broadcast_shapes(*(p.shape for p in plain))
    result = rewriter.remake(node, *plain)
    return result if small == shape else rewriter.broadcast_to(result, shape)


RULES = dict.fromkeys((op.name for op in PRIMITIVES.values() if op.kind == "elementwise"), (fold, spread_operands))
