"""`tf.TensorShape`: a shape whose sizes, or whose number of axes, may be unknown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

__all__ = ["TensorShape"]


class TensorShape:
    """Sizes, None for those that are unknown; None for a shape of which nothing is known."""

    def __init__(self, dims: Any = None) -> None:
        self._sizes: tuple[int | None, ...] | None
        if isinstance(dims, TensorShape):
            self._sizes = dims._sizes
        elif dims is None:
            self._sizes = None
        else:
            sizes = [dims] if isinstance(dims, int) else list(dims)
            self._sizes = tuple(None if n is None else int(n) for n in sizes)
            if any(n is not None and n < 0 for n in self._sizes):
                raise ValueError(f"TensorShape expected sizes of at least 0. Received: {self._sizes}")

    @property
    def rank(self) -> int | None:
        """The number of axes."""
        return None if self._sizes is None else len(self._sizes)

    @property
    def ndims(self) -> int | None:
        return self.rank

    @property
    def dims(self) -> list[int | None] | None:
        return None if self._sizes is None else list(self._sizes)

    def as_list(self) -> list[int | None]:
        """The sizes. Raises ValueError where nothing is known."""
        if self._sizes is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape")
        return list(self._sizes)

    def is_fully_defined(self) -> bool:
        """Whether all sizes are known."""
        return self._sizes is not None and None not in self._sizes

    def assert_is_fully_defined(self) -> None:
        """Raises ValueError unless all sizes are known."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def num_elements(self) -> int | None:
        """The number of elements, None where it is unknown."""
        return math.prod(self.as_list()) if self.is_fully_defined() else None  # type: ignore[arg-type]

    def is_compatible_with(self, other: Any) -> bool:
        """Whether one shape can be both."""
        other = TensorShape(other)
        if self._sizes is None or other._sizes is None:
            return True
        return len(self._sizes) == len(other._sizes) and all(
            a is None or b is None or a == b for a, b in zip(self._sizes, other._sizes, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raises ValueError unless one shape can be both."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def merge_with(self, other: Any) -> TensorShape:
        """What is known from both. Raises ValueError where they differ."""
        other = TensorShape(other)
        self.assert_is_compatible_with(other)
        if self._sizes is None or other._sizes is None:
            return TensorShape(self if other._sizes is None else other)
        return TensorShape([b if a is None else a for a, b in zip(self._sizes, other._sizes, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """The axes of one, then those of the other."""
        other = TensorShape(other)
        if self._sizes is None or other._sizes is None:
            return TensorShape(None)
        return TensorShape([*self._sizes, *other._sizes])

    def with_rank(self, rank: int) -> TensorShape:
        """This shape, which has `rank` axes. Raises ValueError where it has not."""
        return self.merge_with(TensorShape([None] * rank))

    def assert_has_rank(self, rank: int) -> None:
        """Raises ValueError unless there can be `rank` axes."""
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def __len__(self) -> int:
        return len(self.as_list())

    def __iter__(self) -> Iterator[int | None]:
        return iter(self.as_list())

    def __getitem__(self, key: Any) -> Any:
        found = tuple(self.as_list())[key]
        return TensorShape(found) if isinstance(key, slice) else found

    def __bool__(self) -> bool:
        return self._sizes is not None

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __eq__(self, other: object) -> bool:
        if other is not None and not isinstance(other, TensorShape | tuple | list):
            return NotImplemented
        return self._sizes == TensorShape(other)._sizes

    def __hash__(self) -> int:
        return hash(self._sizes)

    def __str__(self) -> str:
        if self._sizes is None:
            return "<unknown>"
        return f"({', '.join(map(str, self._sizes))}{',' if len(self._sizes) == 1 else ''})"

    def __repr__(self) -> str:
        return f"TensorShape({None if self._sizes is None else list(self._sizes)})"
