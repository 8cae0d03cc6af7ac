"""`range` over tensors whose values nobody knows yet: something to loop over."""

from __future__ import annotations

from typing import Any, NoReturn

from duograph.graph.body import unreadable

from . import dtypes
from .tensors import Tensor, cast, convert_to_tensor, maximum_zero


class SymbolicRange:
    """start, start + delta, ... up to but without limit, for loops: how many there are shows when the graph runs."""

    def __init__(self, start: Any, limit: Any, delta: Any) -> None:
        given = [x for x in (start, limit, delta) if isinstance(x, Tensor)]
        self.dtype = given[0].dtype
        self.start, self.limit, self.delta = (convert_to_tensor(x, self.dtype) for x in (start, limit, delta))

    @property
    def length(self) -> Tensor:
        """How many there are, int64."""
        return maximum_zero(self.limit - self.start, self.delta)

    def item(self, number: Tensor) -> Tensor:
        return self.start + cast(number, self.dtype) * self.delta

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise unreadable()

    def __iter__(self) -> NoReturn:
        raise unreadable()


def ranged(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> SymbolicRange:
    """`tf.range`, and Python's, of tensors."""
    if limit is None:
        start, limit = 0, start
    found = SymbolicRange(start, limit, delta)
    if dtype is not None:
        wanted = dtypes.as_dtype(dtype)
        return SymbolicRange(*(cast(x, wanted) for x in (found.start, found.limit, found.delta)))
    return found
