"""The methods of data sets that put elements together: batches, windows, groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import duograph.torch as torch

from ..errors import InvalidArgumentError
from . import stages
from .columns import Columns
from .elements import leaves_of, map_leaves, padded, spec_of, stacked, with_axis, without_axis
from .mapping import Mapped
from .rows import batch_count, chunks, positive
from .settings import UNKNOWN_CARDINALITY


class Batching:
    """Part of `Dataset`. `_new` makes one."""

    _batches: Callable[[int, bool], Iterator[Columns] | None]
    _new: Callable[..., Any]
    _count: Callable[[], int]
    iterate: Callable[[], Iterator[Any]]
    element_spec: Any

    def batch(
        self,
        batch_size: Any,
        drop_remainder: bool = False,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Any:
        """`batch_size` elements stacked along a new first axis; fewer at the end, unless `drop_remainder`.

        Raises InvalidArgumentError, when iterated, for elements of different shapes.
        """
        size = positive("batch", batch_size)

        def iterate() -> Iterator[Any]:
            together = self._batches(size, drop_remainder)
            if together is None:
                return map(stacked, chunks(self.iterate(), size, drop_remainder))
            return (columns.batch() for columns in together)

        return self._new(
            iterate,
            lambda: batch_count(self._count(), size, drop_remainder),
            lambda: with_axis(self.element_spec, size if drop_remainder else None),
        )

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Any:
        """Batches of elements of different sizes, filled up with zeros or `padding_values`.

        Each axis becomes as long as `padded_shapes` says, or, with None, as in the longest element of the batch.
        """
        size = positive("padded_batch", batch_size)
        return self._new(
            lambda: (padded(c, padded_shapes, padding_values) for c in chunks(self.iterate(), size, drop_remainder)),
            lambda: batch_count(self._count(), size, drop_remainder),
        )

    def unbatch(self, name: str | None = None) -> Any:
        """The rows of each element."""

        def iterate() -> Iterator[Any]:
            for element in self.iterate():
                for i in range(len(leaves_of(element)[0])):
                    yield map_leaves(lambda leaf, i=i: leaf[i, ...].copy(), element)

        return self._new(iterate, UNKNOWN_CARDINALITY, lambda: without_axis(self.element_spec))

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: str | None = None) -> Any:
        """The rows of the elements in batches of another size."""
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(
        self, size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False, name: Any = None
    ) -> Any:
        """Data sets of `size` elements, `stride` apart, each beginning `shift` elements after the one before."""
        n = positive("window", size)
        step = n if shift is None else positive("window", shift)

        def iterate() -> Iterator[Any]:
            for group in stages.windows(self.iterate(), n, step, int(stride), drop_remainder):
                yield map_leaves(self._of_column, map_leaves(lambda *column: list(column), *group))

        return self._new(iterate)

    def group_by_window(
        self,
        key_func: Callable[..., Any],
        reduce_func: Callable[[Any, Any], Any],
        window_size: int | None = None,
        window_size_func: Callable[[Any], Any] | None = None,
        name: str | None = None,
    ) -> Any:
        """Elements of one key gathered until there are as many as the window, then reduced by `reduce_func`."""
        if (window_size is None) == (window_size_func is None):
            raise ValueError("group_by_window expected one of window_size and window_size_func")
        key_of = Mapped(key_func)
        wrapped = lambda key: torch.tensor(key, dtype=torch.int64)  # noqa: E731

        def reduce(key: int, group: list[Any]) -> Iterator[Any]:
            members = self._new(lambda: iter(group), len(group), lambda: self.element_spec)
            return reduce_func(wrapped(key), members).iterate()

        def size_of(key: int) -> int:
            return int(window_size if window_size_func is None else window_size_func(wrapped(key)))  # type: ignore[arg-type]

        return self._new(lambda: stages.grouped(self.iterate(), lambda e: int(key_of(e)), reduce, size_of))

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Any:
        """Padded batches of elements of like length. Bucket i takes lengths from boundary i - 1 to below boundary i."""
        boundaries, sizes = [int(b) for b in bucket_boundaries], [int(s) for s in bucket_batch_sizes]
        if len(sizes) != len(boundaries) + 1:
            raise ValueError(f"expected {len(boundaries) + 1} bucket_batch_sizes. Received: {len(sizes)}")
        length_of = Mapped(element_length_func)

        def bucket(element: Any) -> int:
            return int(np.searchsorted(boundaries, int(length_of(element)), side="right"))

        def batch(key: int, group: list[Any]) -> Iterator[Any]:
            if drop_remainder and len(group) < sizes[key]:
                return
            if no_padding:
                yield stacked(group)
                return
            shapes = padded_shapes
            if pad_to_bucket_boundary:
                if key == len(boundaries):
                    raise InvalidArgumentError("pad_to_bucket_boundary: an element is longer than the last boundary")
                limit = boundaries[key] - 1
                shapes = map_leaves(lambda a: [limit if i == 0 else n for i, n in enumerate(a.shape)], group[0])
            yield padded(group, shapes, padding_values)

        return self._new(lambda: stages.grouped(self.iterate(), bucket, batch, lambda key: sizes[key]))

    def _of_column(self, column: list[Any]) -> Any:
        return self._new(lambda: iter(column), len(column), lambda: spec_of(column[0]))
