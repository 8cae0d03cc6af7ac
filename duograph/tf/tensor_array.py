"""`tf.TensorArray`: a list of tensors, or, in a loop of the graph, one tensor that holds them all."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch
from duograph.graph.body import is_recording
from duograph.graph.errors import UnreadableError

from . import dtypes
from .tensors import Tensor, cast, convert_to_tensor

__all__ = ["TensorArray"]


class TensorArray:
    """A list of tensors that a loop writes. As in TensorFlow `write` returns the array to go on with.

    In a loop of the graph, and where a place is a tensor whose value is not known, all tensors are of one shape and the
    size is fixed.
    """

    def __init__(
        self, dtype: Any, size: Any = None, dynamic_size: bool | None = None, clear_after_read: bool | None = None,
        tensor_array_name: str | None = None, handle: Any = None, flow: Any = None, infer_shape: bool = True,
        element_shape: Any = None, colocate_with_first_write_call: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        self.dtype = dtypes.as_dtype(dtype)
        self.dynamic_size = bool(dynamic_size)
        self._shape = None if element_shape is None else _known_shape(element_shape)
        self._items: list[Any] | None = [None] * int(0 if size is None else size)
        self._content: Tensor | None = None  # all of them along a first axis, in place of the list

    # -- one tensor --------------------------------------------------------------------------------------------------
    @property
    def is_of_known_kind(self) -> bool:
        """Whether the shape of its tensors is known."""
        return self._content is not None or self._kind() is not None

    def _kind(self) -> tuple[int, ...] | None:
        if self._content is not None:
            return tuple(self._content.shape[1:])
        assert self._items is not None
        return next((tuple(t.shape) for t in self._items if t is not None), self._shape)

    @property
    def content(self) -> Tensor:
        """All tensors along a first axis."""
        assert self._content is not None
        return self._content

    def stacked(self, like: TensorArray | None = None) -> TensorArray:
        """The same array as one tensor; where nothing was written, zeros of the shape that `like` has.

        Raises:
            UnreadableError: It grows, or nobody knows the shape.
        """
        if self._content is not None:
            return self
        assert self._items is not None
        if self.dynamic_size:
            raise UnreadableError("a TensorArray that grows in a loop of the graph: give it its size")
        kind = self._kind() or (like._kind() if like is not None else None)
        if kind is None:
            raise UnreadableError("a TensorArray to which nothing was written and whose element_shape is not given")
        if not self._items:
            return self.holding(torch.zeros((0, *kind), dtype=self.dtype))
        zeros = torch.zeros(kind, dtype=self.dtype)
        if all(t is None for t in self._items):
            return self.holding(torch.zeros((len(self._items), *kind), dtype=self.dtype))
        return self.holding(torch.stack([zeros if t is None else t for t in self._items]))

    def holding(self, content: Tensor) -> TensorArray:
        """An array like this one with other tensors."""
        made = self._copy()
        made._items, made._content = None, content
        return made

    def of_kind(self, other: TensorArray) -> TensorArray:
        """This array, to which nothing was written, for tensors as another one holds them."""
        made = self._copy()
        made._shape = other._kind()
        return made

    def _copy(self) -> TensorArray:
        made = object.__new__(TensorArray)
        made.dtype, made.dynamic_size, made._shape = self.dtype, self.dynamic_size, self._shape
        made._items = None if self._items is None else list(self._items)
        made._content = self._content
        return made

    # -- TensorFlow's methods ----------------------------------------------------------------------------------------
    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """Raises IndexError for a place outside an array that does not grow."""
        value = convert_to_tensor(value, None if isinstance(value, Tensor) else self.dtype)
        made = self._copy() if is_recording() else self
        place = _place(index)
        if made._items is None or place is None:
            array = made if made._items is None else made.of_kind(_One(value)).stacked()
            where = _index(index)
            return array.holding(torch.index_put(array.content, (where,), value.unsqueeze(0)))
        if place >= len(made._items):
            if not self.dynamic_size:
                raise IndexError(f"TensorArray of size {len(made._items)} without dynamic_size: no place {place}")
            made._items += [None] * (place + 1 - len(made._items))
        if place < 0:
            raise IndexError(f"TensorArray has no place {place}")
        made._items[place] = value
        return made

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The tensor at a place; zeros where none was written and another shows the shape."""
        place = _place(index)
        if self._items is None or place is None:
            content = self.stacked().content
            return torch.index_select(content, 0, _index(index)).reshape(tuple(content.shape[1:]))
        found = self._items[place]
        return self._zeros() if found is None else found

    def _zeros(self) -> Tensor:
        kind = self._kind()
        if kind is None:
            raise ValueError("TensorArray: nothing was written")
        return torch.zeros(kind, dtype=self.dtype)

    def _rows(self) -> list[Tensor]:
        if self._items is None:
            return list(torch.unbind(self.content, 0))
        return [self._zeros() if t is None else t for t in self._items]

    def stack(self, name: str | None = None) -> Tensor:
        """All along a new first axis."""
        if self._content is not None:
            return self._content
        rows = self._rows()
        return torch.stack(rows) if rows else torch.zeros((0, *(self._shape or ())), dtype=self.dtype)

    def concat(self, name: str | None = None) -> Tensor:
        """All along their first axis."""
        return torch.cat(self._rows())

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """Those at `indices`, along a new first axis."""
        return torch.index_select(self.stack(), 0, convert_to_tensor(indices))

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array of the rows of `value`."""
        return self._become(list(convert_to_tensor(value).unbind(0)))

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The rows of `value` written to the places `indices`."""
        found = self
        for place, row in zip(convert_to_tensor(indices).unbind(0), convert_to_tensor(value).unbind(0), strict=True):
            found = found.write(place, row)
        return found

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array of parts of `value` with these lengths along the first axis."""
        return self._become(list(torch.split(convert_to_tensor(value), convert_to_tensor(lengths).tolist())))

    def _become(self, items: list[Tensor]) -> TensorArray:
        made = self._copy() if is_recording() else self
        made._items, made._content = items, None
        return made

    def size(self, name: str | None = None) -> Tensor:
        count = self.content.shape[0] if self._items is None else len(self._items)
        return torch.tensor(count, dtype=dtypes.int32)

    def identity(self) -> TensorArray:
        return self

    def grad(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("TensorArray.grad: gradients flow through the array; take them with a GradientTape")


class _One(TensorArray):
    """What is known of an array by one of its tensors."""

    def __init__(self, value: Tensor) -> None:
        super().__init__(value.dtype, element_shape=tuple(value.shape))


def _known_shape(shape: Any) -> tuple[int, ...] | None:
    sizes = shape.as_list() if hasattr(shape, "as_list") else list(shape)
    return None if any(n is None for n in sizes) else tuple(int(n) for n in sizes)


def _place(index: Any) -> int | None:
    """A place as a number; None where nobody knows it yet."""
    if not isinstance(index, Tensor):
        return int(index)
    try:
        return int(index)
    except UnreadableError:
        return None


def _index(index: Any) -> Tensor:
    return cast(convert_to_tensor(index), dtypes.int64).reshape(1)
