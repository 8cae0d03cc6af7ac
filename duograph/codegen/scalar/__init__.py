"""What the elementwise primitives do to values in registers.

    y = scalar.emit(f, "maximum", [a, b], [float32, float32], float32, {}, fail)

The meaning is the primitive's `evaluate` in NumPy. Values are held as `storage.held` says, in any number of lanes: the
lanes do not touch one another, and the result in a lane does not depend on how many there are. 16-bit floats are
computed in float and not rounded, since memory rounds them; where an operation is about the 16 bits themselves (`cast`
to such a dtype, `bitcast`, `nextafter`), it rounds.

Nothing traps and nothing is poison, whatever the operands. What NumPy refuses, an integer divisor of zero, is handed
to `fail`, and the lane goes on with a divisor of 1. Lanes that are not part of the data must not be reported: who masks
them off gives a `fail` that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...graph.dtype import DType
from ..emitter import Function
from ..operands import Reg
from . import arithmetic, conversion, division, powers, special
from .call import Call, Fail, Operation

_OPERATIONS: dict[str, Operation] = {
    **arithmetic.OPERATIONS,
    **conversion.OPERATIONS,
    **division.OPERATIONS,
    **powers.OPERATIONS,
    **special.OPERATIONS,
}

SUPPORTED: frozenset[str] = frozenset(_OPERATIONS)


def emit(
    f: Function,
    op: str,
    args: Sequence[Reg],
    dtypes: Sequence[DType],
    result: DType,
    attributes: Mapping[str, Any],
    fail: Fail,
) -> Reg:
    """Emit the elementwise primitive `op`.

    Args:
        f: Where instructions go.
        op: The primitive's name, one of `SUPPORTED`.
        args: The operands, of the types that `storage.held` gives for their dtypes and one number of lanes.
        dtypes: The operands' dtypes, which the primitive's rule has admitted.
        result: The dtype that the rule gives.
        attributes: The primitive's attributes by name.
        fail: Called while emitting, with a condition by lanes and the `i64` that is refused where it holds.

    Returns:
        The result, of the type `storage.held(result, lanes)`.

    Raises:
        ValueError: `op` is not an elementwise primitive.
    """
    operation = _OPERATIONS.get(op)
    if operation is None:
        raise ValueError(f"op: expected an elementwise primitive. Received: {op!r}")
    return operation(Call(f, args, dtypes, result, attributes, fail))
