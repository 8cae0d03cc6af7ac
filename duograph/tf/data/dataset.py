"""`tf.data.Dataset`: streams of elements, made when they are iterated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

import duograph.torch as torch

from ..errors import InvalidArgumentError, OutOfRangeError
from ..tensors import Tensor
from . import stages
from .batching import Batching
from .columns import Columns
from .elements import (
    leaves_of,
    map_leaves,
    owned,
    spec_of,
    to_element,
    to_tensors,
    without_axis,
)
from .mapping import Mapped, Mapping
from .rows import NONE, NumpyIterator, Rows, Seeds, TensorIterator
from .settings import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Options

_UNBOUNDED = -1


class Dataset(Batching):
    """A stream of elements: tensors, or nested tuples and dictionaries of tensors.

    Each method returns a new data set and computes nothing; iterating makes the elements, by the thread that iterates,
    or by one of its own before a `prefetch`. A function given to `map` is called once, as by TensorFlow, with tensors
    that stand for any element of these shapes; if it does more than compute, parse and decode, it is called with each
    element, as those given to `filter` and the like are, and replayed where it can be. An error in it is raised where
    the data set is iterated, and its traceback shows the line of the function.
    """

    @staticmethod
    def _new(*args: Any) -> Dataset:
        return Dataset(*args)

    def __init__(
        self,
        iterate: Callable[[], Iterable[Any]],
        cardinality: int | Callable[[], int] = UNKNOWN_CARDINALITY,
        spec: Any = None,
        rows: Rows | None = None,
        mapping: Mapping | None = None,
        peek: Callable[[], Any] | None = None,
    ) -> None:
        self._iterate = iterate
        self._cardinality = cardinality
        self._spec = spec  # specs, a function that finds them, or None: those of the first element
        self._rows = rows
        self._mapping = mapping
        self._example = peek
        self._options = Options()

    # -- iterating -----------------------------------------------------------------------------------------------------
    def iterate(self) -> Iterator[Any]:
        """The elements as arrays."""
        return iter(self._iterate())

    def __iter__(self) -> Iterator[Any]:
        return TensorIterator(self)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as NumPy arrays."""
        return NumpyIterator(self)

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element. Raises InvalidArgumentError where there is none or another."""
        found = list(itertools.islice(self, 2))
        if len(found) != 1:
            raise InvalidArgumentError(f"expected a data set of one element. Received: {len(found) or 'none'} or more")
        return found[0]

    def __len__(self) -> int:
        count = self._count()
        if count < 0:
            raise TypeError(f"The dataset is {'infinite' if count == -1 else 'of unknown length'}, so it has no len().")
        return count

    def __bool__(self) -> bool:
        return True

    def _count(self) -> int:
        return self._cardinality() if callable(self._cardinality) else self._cardinality

    def cardinality(self, name: str | None = None) -> Tensor:
        """The number of elements, INFINITE_CARDINALITY or UNKNOWN_CARDINALITY, as an int64 tensor."""
        return torch.tensor(self._count(), dtype=torch.int64)

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of the elements. Of mapped data sets those of the first element, which is made for that."""
        if callable(self._spec):
            self._spec = self._spec()
        if self._spec is None:
            first = next(self.iterate(), NONE)
            if first is NONE:
                raise OutOfRangeError("element_spec: the data set has no element to find it from")
            self._spec = spec_of(first)
        return self._spec

    def options(self) -> Options:
        """The settings."""
        return self._options

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """The same elements, with other settings."""
        made = Dataset(
            self._iterate, self._cardinality, lambda: self.element_spec, self._rows, self._mapping, self._peek
        )
        made._options = self._options.merge(options)
        return made

    def __repr__(self) -> str:
        return f"<tf.data.Dataset of {self._count() if self._count() >= 0 else '?'} elements>"

    def _peek(self) -> Any:
        """An element like these, where nobody can tell when it is made: it comes from memory or a file, by what
        computes and does no more. Elsewhere, and where there is none, `NONE`."""
        if self._mapping is not None:
            return self._mapping.peek()
        if self._rows is not None:
            return self._rows.peek()
        return NONE if self._example is None else self._example()

    def _same(self, stage: Callable[[Iterator[Any]], Iterable[Any]], count: Any) -> Dataset:
        """A data set of elements like these: which of them, or in which order, `stage` says."""
        return Dataset(lambda: stage(self.iterate()), count, lambda: self.element_spec)

    def _selected(self, stage: Callable[[Callable[[], Iterator[Any]]], Iterable[Any]], count: Any) -> Dataset:
        """As `_same`, by the places of the elements alone; `stage` is given what iterates over them.

        Of rows in memory their numbers are selected, and of what is computed what it is computed from: so batches are
        gathered and computed as a whole.
        """
        if self._rows is not None:
            numbers = self._rows.numbers
            rows = Rows(self._rows.columns, Dataset(lambda: stage(numbers.iterate)))
            return Dataset(rows.__iter__, count, lambda: self.element_spec, rows)
        if self._mapping is None:
            return Dataset(lambda: stage(self.iterate), count, lambda: self.element_spec, peek=self._peek)
        later = self._mapping.after(stage)
        return Dataset(
            lambda: later.iterate() if later.is_exact() else stage(self.iterate),
            count,
            lambda: self.element_spec,
            mapping=later,
        )

    def _batches(self, size: int, drop_remainder: bool) -> Iterator[Columns] | None:
        """Groups of elements put together, or None where elements have to be made one by one."""
        if self._rows is not None:
            return map(Columns.of_batch, self._rows.batches(size, drop_remainder))
        return None if self._mapping is None else self._mapping.batches(size, drop_remainder)

    # -- sources -------------------------------------------------------------------------------------------------------
    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element."""
        element = to_element(tensors)
        return Dataset(lambda: iter([owned(element)]), 1, spec_of(element), peek=lambda: element)

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of tensors, which must have as many of them. Raises ValueError otherwise."""
        columns = map_leaves(_as_column, to_element(tensors))
        lengths = {len(c) for c in leaves_of(columns) if c is not None}
        if len(lengths) != 1:
            raise ValueError(f"from_tensor_slices expected tensors of one length. Received: {sorted(lengths)}")
        count = lengths.pop()
        rows = Rows(columns, Dataset(lambda: iter(range(count))))
        return Dataset(rows.__iter__, count, without_axis(spec_of(columns)), rows)

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: str | None = None) -> Dataset:
        """range(stop), range(start, stop) or range(start, stop, step)."""
        numbers = range(*(int(a) for a in args))
        kind = np.dtype(getattr(output_type, "name", output_type)).type
        return Dataset(
            lambda: map(kind, numbers), len(numbers), spec_of(kind(0)), peek=lambda: kind(0) if numbers else NONE
        )

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What `generator(*args)` yields, checked against the signature. Raises TypeError for what does not fit it."""
        from .sources import generated

        return generated(generator, output_types, output_shapes, args, output_signature)

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool | None = None, seed: int | None = None, name: Any = None
    ) -> Dataset:
        """The names of the files that match a pattern (or any of several), in random order unless `shuffle` is False.

        Raises InvalidArgumentError where none does.
        """
        from .sources import listed

        files = listed(file_pattern)
        return files if shuffle is False else files.shuffle(len(files), seed=seed)

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several data sets (a nested structure of them) together, as long as all have one."""
        given = datasets if datasets is not None else args[0] if len(args) == 1 else tuple(args)
        flat = leaves_of(given)

        def together(parts: Iterable[Any]) -> Any:
            rest = dict(zip(map(id, flat), parts, strict=True))
            return map_leaves(lambda d: rest[id(d)], given)

        def iterate() -> Iterator[Any]:
            return map(together, zip(*(d.iterate() for d in flat), strict=False))

        def peek() -> Any:
            parts = [d._peek() for d in flat]
            return NONE if any(part is NONE for part in parts) else together(parts)

        if len({id(d) for d in flat}) < len(flat):  # one data set twice: two iterators of it
            return Dataset.zip(map_leaves(lambda d: d._same(iter, d._cardinality), given))
        return Dataset(
            iterate, lambda: _smallest([d._count() for d in flat]), lambda: map_leaves(_spec_of, given), peek=peek
        )

    @staticmethod
    def random(seed: int | None = None, rerandomize_each_iteration: bool = False, name: str | None = None) -> Dataset:
        """Random int64 numbers of 32 bits, without end."""
        seeds = Seeds(seed, rerandomize_each_iteration)

        def iterate() -> Iterator[Any]:
            rng = seeds.next()
            while True:
                yield from rng.integers(0, 2**32, 256)

        return Dataset(iterate, INFINITE_CARDINALITY, spec_of(np.int64(0)))

    # -- one element at a time -----------------------------------------------------------------------------------------
    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """`map_func` of each element; of a tuple its parts are the arguments.

        Elements keep their order. A function that is recorded is computed for many elements at once, with
        `num_parallel_calls` or where the elements come from memory or files; others that run as Python each time, since
        they read values or call NumPy, are called by `num_parallel_calls` threads.
        """
        mapping = Mapping(self, Mapped(map_func), None if num_parallel_calls is None else int(num_parallel_calls))
        return Dataset(mapping.iterate, self._cardinality, mapping.spec, mapping=mapping)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which `predicate` is true."""
        test = Mapped(predicate)
        return self._same(lambda elements: (e for e in elements if bool(test(e))), UNKNOWN_CARDINALITY)

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """(number, element), numbers of int64 from `start`."""
        return Dataset(
            lambda: ((np.int64(i), e) for i, e in enumerate(self.iterate(), int(start))),
            self._cardinality,
            lambda: (spec_of(np.int64(0)), self.element_spec),
            peek=lambda: NONE if (element := self._peek()) is NONE else (np.int64(0), element),
        )

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """The first `count` elements; all with -1."""
        n = int(count)
        if n < 0:
            return self
        size = lambda: n if self._count() == -1 else min(n, self._count())  # noqa: E731
        return self._selected(lambda elements: itertools.islice(elements(), n), size)

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """All but the first `count` elements; none with -1."""
        n = int(count)
        if n < 0:
            return self.take(0)
        size = lambda: self._count() if self._count() < 0 else max(0, self._count() - n)  # noqa: E731
        return self._selected(lambda elements: itertools.islice(elements(), n, None), size)

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from `index` on."""
        n, k = int(num_shards), int(index)
        if not 0 <= k < n:
            raise InvalidArgumentError(f"shard expected an index from 0 to {n - 1}. Received: {k}")
        size = lambda: self._count() if self._count() < 0 else len(range(k, self._count(), n))  # noqa: E731
        return self._selected(lambda elements: itertools.islice(elements(), k, None, n), size)

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """The elements `count` times; for ever with None or -1."""
        n = _UNBOUNDED if count is None else int(count)

        def size() -> int:
            own = self._count()
            if own == 0 or n == 0:
                return 0
            return INFINITE_CARDINALITY if n < 0 or own == -1 else own if own < 0 else n * own

        def again(source: Callable[[], Iterator[Any]]) -> Iterator[Any]:
            for _ in itertools.count() if n < 0 else range(n):
                empty = True
                for element in source():
                    empty = False
                    yield element
                if empty:
                    return

        return self._selected(again, size)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """These elements, then those of `dataset`."""

        def size() -> int:
            sizes = self._count(), dataset._count()
            return -1 if -1 in sizes else -2 if -2 in sizes else sum(sizes)

        return Dataset(lambda: itertools.chain(self.iterate(), dataset.iterate()), size, lambda: self.element_spec)

    def shuffle(
        self,
        buffer_size: Any,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The elements in random order, drawn from a buffer of `buffer_size` that is filled up in their order.

        With a seed, here or of `tf.random.set_seed`, the orders are fixed; each iteration has another one unless
        `reshuffle_each_iteration` is False. The orders are not TensorFlow's.
        """
        size = int(buffer_size)
        if size < 1:
            raise InvalidArgumentError(f"shuffle expected a buffer of at least one element. Received: {size}")
        seeds = Seeds(seed, reshuffle_each_iteration is not False)
        return self._selected(lambda elements: stages.shuffled(elements(), size, seeds.next()), self._cardinality)

    # -- data sets of data sets ----------------------------------------------------------------------------------------
    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that `map_func` makes of the elements, one after another."""
        return self.interleave(map_func, cycle_length=1)

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: int | None = None,
        block_length: int | None = None,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The elements of the data sets that `map_func` makes: `block_length` in turn from each of `cycle_length`."""
        cycle = 1 if cycle_length is None else int(cycle_length)
        cycle = 4 if cycle == AUTOTUNE else cycle

        def open_one(element: Any) -> Iterator[Any]:
            arguments = to_tensors(element)
            made = map_func(*arguments) if type(arguments) is tuple else map_func(arguments)
            if not isinstance(made, Dataset):
                raise TypeError(f"the function of flat_map or interleave must return a Dataset. Received: {type(made)}")
            return made.iterate()

        return Dataset(lambda: stages.interleaved(self.iterate(), open_one, cycle, int(block_length or 1)))

    # -- state ---------------------------------------------------------------------------------------------------------
    def scan(self, initial_state: Any, scan_func: Callable[[Any, Any], Any], name: str | None = None) -> Dataset:
        """What `(state, output) = scan_func(state, element)` gives as output, element by element."""

        def iterate() -> Iterator[Any]:
            state = to_element(initial_state)
            for element in self.iterate():
                state, output = to_element(scan_func(to_tensors(state), to_tensors(element)))
                yield output

        return Dataset(iterate, self._cardinality)

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any], name: str | None = None) -> Any:
        """The last `state = reduce_func(state, element)`."""
        step = Mapped(reduce_func)
        state = to_element(initial_state)
        for element in self.iterate():
            state = step.element((state, element))
        return to_tensors(state)

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements up to the first for which `predicate` is false."""
        test = Mapped(predicate)
        return self._same(lambda e: itertools.takewhile(lambda x: bool(test(x)), e), UNKNOWN_CARDINALITY)

    def unique(self, name: str | None = None) -> Dataset:
        """Each element once, where it is first."""

        def first(elements: Iterator[Any]) -> Iterator[Any]:
            seen: set[Any] = set()
            for element in elements:
                key = tuple(
                    leaf.item() if leaf.dtype == object and leaf.ndim == 0 else np.asarray(leaf).tobytes()
                    for leaf in leaves_of(element)
                )
                if key not in seen:
                    seen.add(key)
                    yield element

        return self._same(first, UNKNOWN_CARDINALITY)

    def apply(self, transformation_func: Callable[[Dataset], Dataset], name: str | None = None) -> Dataset:
        """`transformation_func(self)`."""
        return transformation_func(self)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """Not built: raises, since a stage that failed cannot go on here."""
        raise NotImplementedError("ignore_errors: catch the error in the mapped function and filter its result")

    # -- keeping -------------------------------------------------------------------------------------------------------
    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """The same elements, up to `buffer_size` of them made ahead by a thread; AUTOTUNE means 2."""
        size = int(buffer_size)
        if size == 0:
            return self
        size = stages.AHEAD if size == AUTOTUNE else size
        return Dataset(lambda: stages.ahead(self.iterate, size), self._cardinality, lambda: self.element_spec)

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """The same elements; the first whole iteration keeps them, in memory or in a file, and further ones read that.

        A file is safetensors, beside a description in JSON: not TensorFlow's format.
        """
        from .storage import cached

        return cached(self, filename)

    def save(self, path: str, compression: Any = None, shard_func: Any = None, checkpoint_args: Any = None) -> None:
        """Write the elements to a folder, for `Dataset.load`. Not TensorFlow's format."""
        from .storage import save

        save(self, path)

    @staticmethod
    def load(path: str, element_spec: Any = None, compression: Any = None, reader_func: Any = None) -> Dataset:
        """The elements that `save` wrote."""
        from .storage import load

        return load(path)

    @staticmethod
    def sample_from_datasets(
        datasets: Any,
        weights: Any = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> Dataset:
        """Elements of several data sets, each time of a random one by `weights`."""
        from .sources import sampled

        return sampled(list(datasets), weights, Seeds(seed, bool(rerandomize_each_iteration)), stop_on_empty_dataset)

    @staticmethod
    def choose_from_datasets(datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = True) -> Dataset:
        """Elements of several data sets, each time of the one whose number `choice_dataset` gives."""
        from .sources import chosen

        return chosen(list(datasets), lambda: map(int, choice_dataset.iterate()), stop_on_empty_dataset)


def _as_column(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray) and leaf.ndim:
        return leaf
    if leaf is None:
        raise ValueError("from_tensor_slices expected tensors. Received: None")
    raise ValueError("from_tensor_slices expected tensors with at least one axis. Received: a scalar")


def _spec_of(dataset: Dataset) -> Any:
    return dataset.element_spec


def _smallest(counts: list[int]) -> int:
    finite = [c for c in counts if c >= 0]
    return UNKNOWN_CARDINALITY if UNKNOWN_CARDINALITY in counts else min(finite) if finite else INFINITE_CARDINALITY
