"""Elements of data sets: nested tuples and dictionaries of arrays inside a pipeline, of tensors outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import duograph.torch as torch

from .. import dtypes
from ..errors import InvalidArgumentError
from ..function import TensorSpec
from ..tensors import Tensor, convert_to_tensor
from ..text import StringTensor

Element = Any
"""Arrays of numbers, object arrays of byte strings, or what has no array (a data set, a ragged tensor, None)."""


def map_leaves(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the leaves of structures of one form. A list is a leaf, since `tf.data` makes a tensor of it."""
    first = structures[0]
    if isinstance(first, np.ndarray):
        return function(*structures)
    if isinstance(first, tuple):
        parts = [map_leaves(function, *group) for group in zip(*structures, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, dict):
        return {key: map_leaves(function, *(s[key] for s in structures)) for key in first}
    return function(*structures)


def leaves_of(structure: Any) -> list[Any]:
    """The leaves, in the order of `tf.nest`."""
    if isinstance(structure, tuple):
        return [leaf for part in structure for leaf in leaves_of(part)]
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in leaves_of(structure[key])]
    return [structure]


def to_leaf(value: Any) -> Any:
    """A value as it is kept inside a pipeline."""
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if isinstance(value, StringTensor):
        return value._content
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind not in "OSU":
        return value
    if value is None or hasattr(value, "element_spec") or hasattr(value, "row_splits"):
        return value
    return to_leaf(convert_to_tensor(value))


def to_tensor(leaf: Any) -> Any:
    """A leaf of a pipeline as its user sees it."""
    if isinstance(leaf, np.ndarray | np.generic):
        return StringTensor.of(np.asarray(leaf)) if leaf.dtype == object else torch.from_numpy(np.asarray(leaf))
    return leaf


def to_element(structure: Any) -> Element:
    kind = type(structure)  # these two run for every element: the usual kinds first
    if kind is Tensor:
        return structure.numpy() if structure._value.origin is None else structure.detach().numpy()
    if kind is tuple:
        return tuple([to_element(part) for part in structure])
    return map_leaves(to_leaf, structure)


def to_tensors(element: Element) -> Any:
    kind = type(element)
    if kind is np.ndarray and element.dtype != object:
        return torch.from_numpy(element)
    if kind is tuple:
        return tuple([to_tensors(part) for part in element])
    return map_leaves(to_tensor, element)


def owned(element: Element) -> Element:
    """The element in memory of its own, so that writing to a tensor made of it changes nothing else."""
    return map_leaves(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, element)


def to_numpy(leaf: Any) -> Any:
    """A leaf as `as_numpy_iterator` gives it: strings as bytes objects."""
    if isinstance(leaf, np.ndarray):
        return leaf if leaf.ndim else leaf[()]
    return leaf


def stacked(elements: Sequence[Element]) -> Element:
    """A batch: the leaves along a new first axis. Raises InvalidArgumentError where shapes or dtypes differ."""
    return map_leaves(lambda *column: stack(column), *elements)


def stack(column: Sequence[Any]) -> Any:
    first = column[0]
    if not isinstance(first, np.ndarray | np.generic):
        if all(leaf is None for leaf in column):
            return None
        raise InvalidArgumentError(f"batch expected tensors. Received: {type(first).__name__}")
    shape = first.shape
    for place, leaf in enumerate(column):
        if leaf.shape != shape:
            raise InvalidArgumentError(
                f"batch expected elements of one shape. Received: {first.shape} for element 0 and {leaf.shape} for "
                f"element {place}. Use padded_batch for elements that differ"
            )
    if not first.ndim and first.dtype != object:
        return np.array(column, first.dtype)
    batch = np.empty((len(column), *first.shape), first.dtype)
    for place, leaf in enumerate(column):
        batch[place] = leaf if first.ndim else leaf[()]
    return batch


def padded(elements: Sequence[Element], shapes: Any, values: Any) -> Element:
    """A batch of elements of different sizes: each axis as long as `shapes` says, or as its longest element."""
    flat = [leaves_of(element) for element in elements]
    count = len(flat[0])
    shapes = [None] * count if shapes is None else _per_leaf(shapes, elements[0], count, is_shape=True)
    values = [None] * count if values is None else _per_leaf(values, elements[0], count, is_shape=False)
    columns = iter([_pad(column, s, v) for column, s, v in zip(zip(*flat, strict=True), shapes, values, strict=True)])
    order = {key: next(columns) for key in _paths(elements[0])}
    return _rebuilt(elements[0], order, ())


def _paths(structure: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(structure, tuple):
        return [p for place, part in enumerate(structure) for p in _paths(part, (*path, place))]
    if isinstance(structure, dict):
        return [p for key in sorted(structure) for p in _paths(structure[key], (*path, key))]
    return [path]


def _rebuilt(structure: Any, leaves: dict[tuple[Any, ...], Any], path: tuple[Any, ...]) -> Any:
    if isinstance(structure, tuple):
        parts = [_rebuilt(part, leaves, (*path, place)) for place, part in enumerate(structure)]
        return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)
    if isinstance(structure, dict):
        return {key: _rebuilt(part, leaves, (*path, key)) for key, part in structure.items()}
    return leaves[path]


def _per_leaf(given: Any, like: Any, count: int, is_shape: bool) -> list[Any]:
    """Shapes, or padding values, for each leaf: given once for all, or in the structure of the element."""
    if isinstance(like, dict):
        return [x for key in sorted(like) for x in _per_leaf(given[key], like[key], 1, is_shape)]
    if isinstance(like, tuple):
        if not isinstance(given, tuple | list):
            return [given] * count
        if is_shape and all(n is None or isinstance(n, int) for n in given) and count != len(given):
            return [given] * count
        return [x for g, part in zip(given, like, strict=True) for x in _per_leaf(g, part, 1, is_shape)]
    return [given]


def _pad(column: Sequence[Any], shape: Any, value: Any) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in column]
    rank = arrays[0].ndim
    if isinstance(shape, Tensor):
        shape = shape.tolist()
    sizes = [None] * rank if shape is None else [None if n in (None, -1) else int(n) for n in shape]
    if len(sizes) != rank or any(a.ndim != rank for a in arrays):
        raise InvalidArgumentError(f"padded_batch expected tensors with {len(sizes)} axes. Received: {arrays[0].shape}")
    longest = [max(a.shape[axis] for a in arrays) for axis in range(rank)]
    for size, length in zip(sizes, longest, strict=True):
        if size is not None and size < length:
            raise InvalidArgumentError(f"padded_batch to {sizes} received an element with an axis of {length}")
    full = [length if size is None else size for size, length in zip(sizes, longest, strict=True)]
    dtype = arrays[0].dtype
    is_text = dtype.kind == "O"
    fill = (b"" if is_text else 0) if value is None else to_leaf(value)
    if is_text and isinstance(fill, np.ndarray):
        fill = fill[()]
    batch = np.empty((len(arrays), *full), dtype)
    batch[...] = fill
    for place, array in enumerate(arrays):
        corner: tuple[int | slice, ...] = (place, *map(slice, array.shape))
        batch[corner] = array
    return batch


def spec_of(element: Element) -> Any:
    """The TensorSpecs of an element."""

    def of(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray | np.generic):
            return TensorSpec(leaf.shape, dtypes.string if leaf.dtype == object else leaf.dtype)
        return getattr(leaf, "element_spec", leaf)

    return map_leaves(of, element)


def without_sizes(spec: Any, sizes: set[int]) -> Any:
    """Specs whose first size is None where it is one of these."""

    def of(leaf: Any) -> Any:
        if not isinstance(leaf, TensorSpec) or not leaf.shape or leaf.shape[0] not in sizes:
            return leaf
        return TensorSpec((None, *leaf.shape[1:]), leaf.dtype)

    return map_leaves(of, spec)


def with_axis(spec: Any, size: int | None) -> Any:
    """Specs with one more axis in front."""
    return map_leaves(
        lambda s: (
            TensorSpec(None if s.shape is None else (size, *s.shape), s.dtype) if isinstance(s, TensorSpec) else s
        ),
        spec,
    )


def without_axis(spec: Any) -> Any:
    """Specs without their first axis."""
    return map_leaves(
        lambda s: TensorSpec(None if s.shape is None else s.shape[1:], s.dtype) if isinstance(s, TensorSpec) else s,
        spec,
    )
