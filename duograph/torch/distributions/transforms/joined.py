"""A transform for each part of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....ops import FUNCTIONS as F
from ....tensor.core import Tensor
from .. import constraints
from ..utils import sum_rightmost
from .base import Transform

__all__ = [
    "CatTransform",
    "StackTransform",
]


class CatTransform(Transform):
    """A transform for each part of an axis, of these lengths (1 by default)."""

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.lengths = list(lengths) if lengths is not None else [1] * len(self.transforms)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(f"CatTransform: expected {len(self.transforms)} lengths. Received: {self.lengths}")
        self.domain = constraints.cat([t.domain for t in self.transforms], dim, self.lengths)
        self.codomain = constraints.cat([t.codomain for t in self.transforms], dim, self.lengths)
        self.bijective = all(t.bijective for t in self.transforms)

    @property
    def length(self) -> int:
        """The length of the axis."""
        return sum(self.lengths)

    def _parts(self, x: Tensor) -> Any:
        return zip(self.transforms, x.split(self.lengths, self.dim), strict=True)

    def _call(self, x: Tensor) -> Tensor:
        return F["cat"]([t(part) for t, part in self._parts(x)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return F["cat"]([t.inv(part) for t, part in self._parts(y)], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        events, terms = self.domain_event_dim, []
        for (t, before), after in zip(self._parts(x), y.split(self.lengths, self.dim), strict=True):
            term = t.log_abs_det_jacobian(before, after)
            terms.append(sum_rightmost(term, events - t.domain_event_dim))
        dim = self.dim - x.ndim if self.dim >= 0 else self.dim
        if dim + events < 0:  # the axis is none of the event's
            return F["cat"](terms, dim + events)
        return sum(terms[1:], terms[0])


class StackTransform(Transform):
    """A transform for each slice of an axis."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.domain = constraints.stack([t.domain for t in self.transforms], dim)
        self.codomain = constraints.stack([t.codomain for t in self.transforms], dim)
        self.bijective = all(t.bijective for t in self.transforms)

    def _slices(self, x: Tensor) -> Any:
        return zip(self.transforms, x.unbind(self.dim), strict=True)

    def _call(self, x: Tensor) -> Tensor:
        return F["stack"]([t(part) for t, part in self._slices(x)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return F["stack"]([t.inv(part) for t, part in self._slices(y)], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(self._slices(x), y.unbind(self.dim), strict=True)
        return F["stack"]([t.log_abs_det_jacobian(before, after) for (t, before), after in pairs], self.dim)
