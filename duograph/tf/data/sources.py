"""Data sets of generators, of file names, and of other data sets taken in turn."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import InvalidArgumentError, NotFoundError
from ..function import TensorSpec
from ..tensors import convert_to_tensor
from ..text import StringTensor, as_bytes
from .dataset import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from .elements import map_leaves, to_leaf


def generated(generator: Any, types: Any, shapes: Any, args: Any, signature: Any) -> Dataset:
    """`Dataset.from_generator`."""
    if not callable(generator):
        raise TypeError(f"from_generator expected a function that returns an iterator. Received: {type(generator)}")
    if signature is None:
        if types is None:
            raise TypeError("from_generator expected an output_signature, or output_types")
        types = map_leaves(dtypes.as_dtype, tuple(types) if isinstance(types, list) else types)
        unknown = shapes is None
        signature = map_leaves(lambda t: TensorSpec(None, t), types) if unknown else _with_shapes(types, shapes)
    elif isinstance(signature, list):
        signature = tuple(signature)
    arguments = tuple(a.numpy() if hasattr(a, "numpy") else a for a in map(convert_to_tensor, args or ()))

    def iterate() -> Iterator[Any]:
        for item in generator(*arguments):
            item = tuple(item) if isinstance(signature, tuple) and isinstance(item, list) else item
            try:
                element = map_leaves(_as, signature, item)
            except (KeyError, ValueError, AttributeError, IndexError) as error:
                raise TypeError(f"from_generator expected elements like {signature}. Received: {item!r}") from error
            yield element

    return Dataset(iterate, UNKNOWN_CARDINALITY, signature)


def _with_shapes(types: Any, shapes: Any) -> Any:
    if isinstance(types, tuple):
        return tuple(_with_shapes(t, s) for t, s in zip(types, shapes, strict=True))
    if isinstance(types, dict):
        return {key: _with_shapes(t, shapes[key]) for key, t in types.items()}
    return TensorSpec(shapes, types)


def _as(spec: TensorSpec, item: Any) -> Any:
    """An item of a generator as the array that the spec describes."""
    if spec.dtype is dtypes.string:
        leaf: Any = as_bytes(item)
    else:
        if hasattr(item, "numpy"):
            item = to_leaf(item)
        leaf = np.asarray(item, spec.dtype.numpy)
    sizes = spec.shape
    if sizes is not None and (
        len(sizes) != leaf.ndim or any(n is not None and n != m for n, m in zip(sizes, leaf.shape, strict=True))
    ):
        raise TypeError(f"from_generator expected the shape {sizes}. Received: {leaf.shape}")
    return leaf


def listed(patterns: Any) -> Dataset:
    """`Dataset.list_files`, in the order of the names."""
    names = sorted({f for p in names_of(patterns) for f in glob.glob(p)})
    if not names:
        raise InvalidArgumentError(f"list_files: no file matches {names_of(patterns)}")
    return Dataset.from_tensor_slices(StringTensor(names))


def names_of(files: Any) -> list[str]:
    """File names given as a string, a path, a list, a string tensor or a data set of them."""
    if isinstance(files, Dataset):
        return [os.fsdecode(np.asarray(name, object).item()) for name in files.iterate()]
    if isinstance(files, str | bytes | os.PathLike):
        return [os.fsdecode(files)]
    if isinstance(files, StringTensor):
        return [os.fsdecode(name) for name in files._content.ravel()]
    return [name for file in files for name in names_of(file)]


def opened(name: str) -> Any:
    """A file to read bytes from. Raises NotFoundError where there is none."""
    try:
        return open(name, "rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"{name}: no such file") from error


def sampled(datasets: list[Dataset], weights: Any, seeds: Any, stop_on_empty: bool) -> Dataset:
    """`Dataset.sample_from_datasets`."""
    if isinstance(weights, Dataset):
        raise NotImplementedError("sample_from_datasets with a data set of weights: use choose_from_datasets")
    given = np.ones(len(datasets)) if weights is None else np.asarray(convert_to_tensor(weights).numpy(), np.float64)
    if given.shape != (len(datasets),) or (given < 0).any() or not given.sum():
        raise ValueError(f"sample_from_datasets expected {len(datasets)} weights. Received: {given.tolist()}")

    def iterate() -> Iterator[Any]:
        rng, left = seeds.next(), given / given.sum()
        iterators = [d.iterate() for d in datasets]
        while left.any():
            place = int(rng.choice(len(datasets), p=left / left.sum()))
            try:
                yield next(iterators[place])
            except StopIteration:
                if stop_on_empty:
                    return
                left[place] = 0

    return Dataset(iterate, _joint(datasets, stop_on_empty), lambda: datasets[0].element_spec)


def chosen(datasets: list[Dataset], choices: Callable[[], Iterator[int]], stop_on_empty: bool) -> Dataset:
    """`Dataset.choose_from_datasets`."""

    def iterate() -> Iterator[Any]:
        iterators = [d.iterate() for d in datasets]
        for place in choices():
            if not 0 <= place < len(iterators):
                raise InvalidArgumentError(f"choose_from_datasets has {len(datasets)} data sets. Received: {place}")
            try:
                yield next(iterators[place])
            except StopIteration:
                if stop_on_empty:
                    return

    return Dataset(iterate, UNKNOWN_CARDINALITY, lambda: datasets[0].element_spec)


def _joint(datasets: list[Dataset], stop_on_empty: bool) -> int:
    sizes = [d._count() for d in datasets]
    if stop_on_empty or UNKNOWN_CARDINALITY in sizes:
        return UNKNOWN_CARDINALITY
    return INFINITE_CARDINALITY if INFINITE_CARDINALITY in sizes else sum(sizes)
