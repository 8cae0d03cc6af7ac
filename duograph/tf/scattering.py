"""The methods of variables that assign some rows or elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duograph.torch as torch
from duograph.autograd import no_grad

from . import dtypes
from .array import gather_nd, tensor_scatter_nd_add, tensor_scatter_nd_update
from .tensors import Tensor, convert_to_tensor


class Scattering:
    """Assignments to some rows or elements, each of which returns the variable.

    `scatter_...(sparse_delta)` combines rows of the variable with those of an IndexedSlices that name them, and
    `scatter_nd_...(indices, updates)` elements or slices at index vectors with `updates`. What is named several times
    is combined with each. Raises TypeError for what is no IndexedSlices.
    """

    assign: Callable[..., Any]

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._rows("scatter_update", sparse_delta, lambda x, i, rows: torch.index_copy(x, 0, i, rows))

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._rows("scatter_add", sparse_delta, lambda x, i, rows: torch.index_add(x, 0, i, rows))

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._rows("scatter_sub", sparse_delta, lambda x, i, rows: torch.index_add(x, 0, i, -rows))

    def scatter_mul(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._rows("scatter_mul", sparse_delta, _reduced("prod"))

    def scatter_div(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        product = _reduced("prod")
        return self._rows("scatter_div", sparse_delta, lambda x, i, rows: x / product(torch.ones_like(x), i, rows))

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._rows("scatter_max", sparse_delta, _reduced("amax"))

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._rows("scatter_min", sparse_delta, _reduced("amin"))

    def _rows(self, name: str, delta: Any, combined: Callable[[Any, Tensor, Tensor], Tensor]) -> Any:
        if not (hasattr(delta, "indices") and hasattr(delta, "values")):
            raise TypeError(f"{name} expected an IndexedSlices. Received: {type(delta).__name__}")
        with no_grad():
            rows = convert_to_tensor(delta.values, self.dtype)  # type: ignore[attr-defined]
            return self.assign(combined(self, convert_to_tensor(delta.indices).to(dtypes.int64), rows))

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        with no_grad():
            return self.assign(tensor_scatter_nd_update(self, indices, updates))

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        with no_grad():
            return self.assign(tensor_scatter_nd_add(self, indices, updates))

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        with no_grad():
            negated = -convert_to_tensor(updates, self.dtype)  # type: ignore[attr-defined]
            return self.assign(tensor_scatter_nd_add(self, indices, negated))

    def batch_scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        """Rows of each matrix (or higher) of a batch assigned: the last axis of the indices is the row."""
        indices = convert_to_tensor(sparse_delta.indices).to(dtypes.int64)
        batch = torch.meshgrid(*(torch.arange(n) for n in indices.shape), indexing="ij")[:-1]
        return self.scatter_nd_update(torch.stack([*batch, indices], -1), sparse_delta.values)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements or slices at index vectors."""
        return gather_nd(self, indices)

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """The rows that `indices` name."""
        indices = convert_to_tensor(indices).to(dtypes.int64)
        return self[indices]  # type: ignore[index]


def _reduced(how: str) -> Callable[[Any, Tensor, Tensor], Tensor]:
    return lambda x, i, rows: torch.index_reduce(x, 0, i, rows, how)
