"""One call of an elementwise primitive on registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...graph.dtype import DType
from ..emitter import Function
from ..operands import Reg

Fail = Callable[[Reg, Reg], None]


@dataclass(frozen=True)
class Call:
    """What `emit` was given. An operation is a function from a call to its result.

    Attributes:
        f: Where instructions go.
        args: The operands, as `storage.held` has them, all of as many lanes.
        dtypes: Their data types.
        result: The data type of the result.
        attributes: Those of the primitive.
        fail: Notes refused data: a condition by lanes, and an `i64` that says what was refused.
    """

    f: Function
    args: Sequence[Reg]
    dtypes: Sequence[DType]
    result: DType
    attributes: Mapping[str, Any]
    fail: Fail

    @property
    def dtype(self) -> DType:
        """The data type of the operands that are values: the last one's."""
        return self.dtypes[-1]


Operation = Callable[[Call], Reg]
