"""`range` over tensors whose values nobody knows yet: something to loop over."""

from __future__ import annotations

from typing import Any, NoReturn

import duograph.torch as torch
from duograph.graph.body import unreadable

from .. import dtypes
from ..tensors import Tensor, cast, convert_to_tensor
from .symbolic import is_symbolic


class SymbolicRange:
    """start, start + delta, ... up to but without limit, for loops: how many there are shows when the graph runs."""

    def __init__(self, start: Any, limit: Any, delta: Any) -> None:
        given = [x for x in (start, limit, delta) if isinstance(x, Tensor)]
        self.dtype = given[0].dtype
        self.start, self.limit, self.delta = (convert_to_tensor(x, self.dtype) for x in (start, limit, delta))

    @classmethod
    def of(cls, start: Any, limit: Any, delta: Any, dtype: Any) -> SymbolicRange | None:
        """What `tf.range` of these is, where their values are not known; None where they are."""
        if not any(map(is_symbolic, (start, limit, delta))):
            return None
        if limit is None:
            start, limit = 0, start
        if dtype is not None:
            wanted = dtypes.as_dtype(dtype)
            start, limit, delta = (cast(x, wanted) if isinstance(x, Tensor) else x for x in (start, limit, delta))
        return cls(start, limit, delta)

    @property
    def length(self) -> Tensor:
        """How many there are, int64."""
        span = self.limit - self.start
        whole = (
            torch.ceil(span / self.delta) if self.dtype.is_floating_point else -torch.floor_divide(-span, self.delta)
        )
        return torch.clamp(cast(whole, dtypes.int64), min=0)

    def item(self, number: Tensor) -> Tensor:
        return self.start + cast(number, self.dtype) * self.delta

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise unreadable()

    def __iter__(self) -> NoReturn:
        raise unreadable()
