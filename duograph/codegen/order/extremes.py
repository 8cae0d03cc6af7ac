"""What an extreme is: NaN is more extreme than any number, in both directions, and an equal element changes nothing."""

from __future__ import annotations

import numpy as np

from ...graph.dtype import DType, bool_, uint8
from .. import types
from ..emitter import Function, Reg
from ..storage import held


def ordered(dtype: DType) -> DType:
    """The type whose elements lie in the same bits, in the same order, and can be compared in vectors: booleans are
    small integers."""
    return uint8 if dtype is bool_ else dtype


def least(f: Function, dtype: DType, lanes: int, largest: bool) -> Reg:
    """What no element falls short of: the neutral element of the extreme."""
    type = held(dtype, lanes)
    if dtype.is_floating_point:
        return f.const(type, -np.inf if largest else np.inf)
    limits = np.iinfo(dtype.numpy)
    return f.const(type, int(limits.min if largest else limits.max))


def beats(f: Function, dtype: DType, seen: Reg, best: Reg, largest: bool) -> Reg:
    """Whether `seen` is more extreme than `best`; false where they are equal, or both NaN."""
    relation = "gt" if largest else "lt"
    if dtype.is_floating_point:  # greater or not comparable, unless it is `best` that is a NaN
        return f.compare(f"u{relation}", seen, best) & f.compare("ord", best, best)
    return f.compare(relation if dtype.signed else f"u{relation}", seen, best)


def extreme(f: Function, dtype: DType, best: Reg, seen: Reg, largest: bool) -> Reg:
    """The more extreme of two; the first of them if they are equal."""
    relation = "gt" if largest else "lt"
    if not dtype.is_floating_point and not dtype.signed:
        relation = f"u{relation}"
    # One instruction, which gives `best` if either is a NaN.
    better = f.select(f.compare(relation, seen, best), seen, best)
    return f.select(f.compare("uno", seen, seen), seen, better) if dtype.is_floating_point else better


def position_type(dtype: DType, size: int) -> str:
    """The integer that positions are kept in beside elements of this type: as wide as they are, so that both fill
    vectors alike, and wide enough for `size`."""
    return "i64" if types.size(held(dtype)) == 8 or size > 2**31 - 1 else "i32"
