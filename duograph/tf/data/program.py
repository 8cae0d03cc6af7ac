"""Functions of elements, recorded once and computed for many elements together.

A recorded function is a course of steps on the host (see `hosted`), which end in one graph. What the Python code does
may depend on shapes and on nothing else, so after each step the course goes on by the shapes that the step gave: the
courses of a function are a tree, and elements that take one course are computed together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.graph.body import Body, unreadable
from duograph.graph.errors import UnreadableError
from duograph.graph.node import Graph
from duograph.graph.trace import Value, alias, local, record
from duograph.ops.random import Draw, Generator, default_generator
from duograph.tensor.core import Tensor, wrap
from duograph.transforms.vectorize import mapped

from .. import dtypes, structure
from ..autograph.symbolic import is_symbolic
from ..autograph.tracing import Traced, outside
from ..engine import recording_apart
from ..hosted import Hosted, UnknownStrings, recording
from ..tensors import convert_to_tensor
from ..text import StringTensor
from .columns import Column, Columns, column, joined, own, row, take
from .elements import Element, leaves_of, map_leaves

COURSES = 16
"""A function that takes more courses than this is not computed for many elements together."""
LENGTHS = 8
"""Plans for this many numbers of elements are made as they come; others are for the next power of two."""
HANDED = 4
"""How many elements are given to a thread at once."""
COMPARED = 8
"""So many elements show whether computing together gives the same bits."""

_drawing = threading.Lock()

Signature = tuple[tuple[np.dtype, tuple[int, ...]], ...]


class RefusedError(Exception):
    """A function that is not recorded: the reason."""


class _Place:
    """A place in the tree of courses: where it goes on from here by what the last step gave."""

    def __init__(self) -> None:
        self.step: _Step | None = None
        self.following: dict[Signature, _Place] = {}
        self.end: _End | None = None

    @property
    def is_known(self) -> bool:
        """Whether an element that came here was recorded to the end."""
        return self.step is not None or self.end is not None


class _From(int):
    """An argument of a step that is of the element: its place in the table of what is known so far."""


class _Step:
    """A call of a hosted function."""

    def __init__(self, function: Hosted, args: list[Any], keywords: dict[str, Any]) -> None:
        self.function, self.args, self.keywords = function, args, keywords

    def single(self, table: Sequence[Column], place: int) -> Any:
        """The result for one element."""

        def given(argument: Any) -> Any:
            return _as_tensor(row(table[argument], place)) if isinstance(argument, _From) else argument

        return self.function.single(*map(given, self.args), **{k: given(v) for k, v in self.keywords.items()})

    def columns(self, table: Sequence[Column], count: int, pool: Executor | None) -> list[Column]:
        """The leaves of the results for all elements."""
        strings = self._strings(table)
        slow = self.function.slow
        if pool is None or count <= HANDED or slow is None or strings is None or not slow(strings):
            return self._columns(table, count)
        wanted = {a for a in (*self.args, *self.keywords.values()) if isinstance(a, _From)}

        def of(part: range) -> list[Column]:
            return self._columns([take(c, part) if k in wanted else c for k, c in enumerate(table)], len(part))

        parts = [range(k, min(k + HANDED, count)) for k in range(0, count, HANDED)]
        made = list(pool.map(of, parts))
        return [joined(pieces) for pieces in zip(*made, strict=True)]

    def _columns(self, table: Sequence[Column], count: int) -> list[Column]:
        together = self._together(table)
        if together is not None:
            return together
        rows = [_leaves(self.single(table, place)) for place in range(count)]
        return [column(leaves) for leaves in zip(*rows, strict=True)]

    def _strings(self, table: Sequence[Column]) -> np.ndarray | None:
        """The column of strings that is the only argument which differs among elements; None if it is not so."""
        given = [a for a in (*self.args, *self.keywords.values()) if isinstance(a, _From)]
        strings = table[given[0]]
        return strings if len(given) == 1 and not isinstance(strings, list) and strings.dtype == object else None

    def _together(self, table: Sequence[Column]) -> list[Column] | None:
        strings, many = self._strings(table), self.function.many
        if many is None or strings is None or any(isinstance(a, _From) for a in self.keywords.values()):
            return None
        args = [strings if isinstance(a, _From) else a for a in self.args]
        try:
            result = many(*args, **self.keywords)
        except Exception:  # one by one, what is wrong is found at its element
            return None
        if result is None:
            return None
        return [column(leaf) if isinstance(leaf, list) else _as_array(leaf) for leaf in result]


class _End:
    """The end of a course: a graph of what is known, and which of its results, or of what is known, the function gives.

    Random numbers come from `generator`, where the function draws from the one that `set_seed` begins.
    """

    def __init__(self, traced: Traced, given: list[int], results: list[int | _From], form: Any, bytes: int) -> None:
        self.given, self.results, self.form, self.bytes = given, results, form, bytes
        firsts = {r: k for k, r in reversed([*enumerate(results)]) if isinstance(r, _From)}
        self._again = [k for k, r in enumerate(results) if isinstance(r, _From) and firsts[r] < k]
        self._draws = [source for source in traced.sources if isinstance(source, Draw)]
        graph, captured = traced.operation.graph, traced.captured
        own, others = graph.inputs[: len(given)], graph.inputs[len(given) :]
        drawn = [(n, source) for n, source in zip(others, captured, strict=True) if isinstance(source, tuple)]
        shared = [(n, source) for n, source in zip(others, captured, strict=True) if not isinstance(source, tuple)]
        self._drawn = [(*source, n.dtype.numpy) for n, source in drawn]
        self._shared = [source for _, source in shared]
        self._graph = Graph((*own, *(n for n, _ in drawn), *(n for n, _ in shared)), graph.outputs)
        self._lengths: set[int] = set()
        self._is_same: bool | None = None

    def __call__(self, table: list[Column], count: int) -> Columns:
        computed: list[np.ndarray] = []
        if self._graph.outputs:
            stacks = [np.ascontiguousarray(table[place]) for place in self.given]
            computed = self._computed([*stacks, *self._numbers(count)], count)
        leaves = [table[r] if isinstance(r, _From) else computed[r] for r in self.results]
        for k in self._again:
            again = leaves[k]
            leaves[k] = [leaf.copy() for leaf in again] if isinstance(again, list) else again.copy()
        return Columns(self.form, leaves, count)

    def _computed(self, stacks: list[np.ndarray], count: int) -> list[np.ndarray]:
        """The graph's results for all elements: together, if that gives the bits of each one alone."""
        if count == 1:
            return self._run(stacks, 1)
        if self._is_same is False:
            return [np.concatenate(parts) for parts in zip(*map(self._alone(stacks), range(count)), strict=True)]
        results = self._run(stacks, count)
        if self._is_same is None:
            few = range(min(count, COMPARED))
            alone = zip(*map(self._alone(stacks), few), strict=True)
            self._is_same = all(
                np.concatenate(parts).tobytes() == result[: len(few)].tobytes()
                for parts, result in zip(alone, results, strict=True)
            )
            if not self._is_same:
                return self._computed(stacks, count)
        return results

    def _alone(self, stacks: list[np.ndarray]) -> Callable[[int], list[np.ndarray]]:
        return lambda k: self._run([stack[k : k + 1] for stack in stacks], 1)

    def _run(self, stacks: list[np.ndarray], count: int) -> list[np.ndarray]:
        length = count
        if len(self._lengths) >= LENGTHS and count not in self._lengths:
            length = 1 << (count - 1).bit_length()
            stacks = [np.concatenate([s, np.repeat(s[-1:], length - count, 0)]) for s in stacks]
        self._lengths.add(length)
        inputs = [torch.from_numpy(stack)._value for stack in stacks]
        inputs += [_untaped(source._value if isinstance(source, Tensor) else source) for source in self._shared]
        attributes = (("body", self._graph), ("stacks", len(stacks)), ("length", length))
        with recording_apart():  # what the thread has recorded for its own ends is not computed with it
            found = record(mapped, tuple(inputs), attributes)
            values = found if isinstance(found, tuple) else (found,)
            return [wrap(value).numpy()[:count] for value in values]

    def _numbers(self, count: int) -> list[np.ndarray]:
        """What is drawn for each of the elements, in their order."""
        if not self._draws:
            return []
        states: dict[Any, Any] = {}
        with _drawing:
            rows = [[draw.ahead(states) for draw in self._draws] for _ in range(count)]
            for thing, state in states.items():
                thing.advance(state)
        return [np.array([found[s][k].number for found in rows], dtype) for s, k, dtype in self._drawn]


class _Recording:
    """The recording of a function for one element: which course it takes."""

    def __init__(self, root: _Place, leaves: list[np.ndarray]) -> None:
        self.table: list[np.ndarray] = []
        self.given: list[int] = []
        self._values: dict[int, tuple[Value, int]] = {}  # where a value that is known stands in the table, by id
        self.place = self._after(root, leaves)

    def _after(self, place: _Place, leaves: list[np.ndarray]) -> _Place:
        self.table += leaves
        return place.following.setdefault(_signature(leaves), _Place())

    def enter(self, tensor: Tensor, place: int) -> Tensor:
        """A tensor that stands for what is in the table."""
        self._values[id(tensor._value)] = tensor._value, place
        self.given.append(place)
        return tensor

    def known(self, thing: Any) -> _From | None:
        """Where something stands in the table."""
        if isinstance(thing, UnknownStrings):
            return _From(thing.place)
        if isinstance(thing, Tensor) and id(thing._value) in self._values:
            return _From(self._values[id(thing._value)][1])
        return None

    def call(self, function: Hosted, args: tuple[Any, ...], keywords: Any) -> Any:
        """See `Recorder`."""

        def argument(thing: Any) -> Any:
            found = self.known(thing)
            if found is None and is_symbolic(thing):
                raise unreadable()
            return thing if found is None else found

        step = _Step(function, list(map(argument, args)), {k: argument(v) for k, v in keywords.items()})
        if not any(isinstance(a, _From) for a in (*step.args, *step.keywords.values())):
            with recording(None):
                return function.single(*args, **keywords)
        trace = local.trace
        if not (isinstance(trace, Body) and trace.is_whole):
            raise unreadable()
        with recording(None), outside():
            result = step.single([leaf[None] for leaf in self.table], 0)
            leaves = _leaves(result)
        if self.place.step is None:
            self.place.step = step
        first = len(self.table)
        self.place = self._after(self.place, leaves)
        return structure.pack_like(result, [self._unknown(trace, leaf, first + k) for k, leaf in enumerate(leaves)])

    def _unknown(self, trace: Body, leaf: np.ndarray, place: int) -> Any:
        if leaf.dtype == object:
            return UnknownStrings(place, leaf.shape)
        return self.enter(wrap(trace.input(leaf.shape, dtypes.as_dtype(leaf.dtype))), place)


class Program:
    """A function of elements that is recorded: at the first element, and again for each course that others take.

    What the function draws by the generator that `tf.random.set_seed` begins comes from a sequence of its own, which
    that generator begins: the numbers of an element do not depend on who else draws meanwhile.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._root = _Place()
        self._courses = 0
        self._generator: Generator | None = None
        self._refusal: str | None = None
        self._lock = threading.RLock()

    def learn(self, element: Element) -> _End | None:
        """The end of the course that an element takes, or None where the function is not recorded."""
        try:
            columns = Columns.of([element])
            ((_, end, _),) = self._courses_of(self._root, [], columns.leaves, range(1), columns.form)
        except Exception:  # it is called as it is then, and raises what it raises at its element
            return None
        return end

    def __call__(self, given: Columns, pool: Executor | None = None) -> Columns:
        """The results for all elements; threads of the pool do what is slow. Raises RefusedError, or what the function
        raises for one of them."""
        parts = list(self._courses_of(self._root, [], given.leaves, range(given.count), given.form, pool))
        results = [(rows, end(table, len(rows))) for rows, end, table in parts]
        if len(results) == 1:
            return results[0][1]
        order = np.argsort([place for rows, _ in results for place in rows])
        columns = []
        for leaves in zip(*(result.leaves for _, result in results), strict=True):
            flat = [own(leaf, k) for leaf, (rows, _) in zip(leaves, results, strict=True) for k in range(len(rows))]
            columns.append(column([flat[k] for k in order]))
        return Columns(results[0][1].form, columns, given.count)

    def _courses_of(
        self,
        place: _Place,
        table: list[Column],
        found: list[Column],
        rows: Sequence[int],
        form: Any,
        pool: Executor | None = None,
    ) -> Iterator[tuple[Sequence[int], _End, list[Column]]]:
        """The courses that elements take: which of them, the end, and what is known there.

        Args:
            place, table: Where they are, and what was known before the last step.
            found: What that gave.
            rows: The numbers of the elements.
            form: That of an element.
        """
        for signature, places in _by_signature(found, len(rows)):
            if len(places) == len(rows):
                known, here = [*table, *found], rows
            else:
                known = [take(c, places) for c in (*table, *found)]
                here = [rows[k] for k in places]
            following = self._following(place, signature, [row(c, 0) for c in known], form)
            if following.step is not None:
                given = following.step.columns(known, len(here), pool)
                yield from self._courses_of(following, known, given, here, form, pool)
            elif following.end is not None:
                yield here, following.end, known

    def _following(self, place: _Place, signature: Signature, table: list[np.ndarray], form: Any) -> _Place:
        """Where the course goes on; it is recorded if no element has taken it."""
        found = place.following.get(signature)
        if found is None or not found.is_known:
            with self._lock:
                self._record(table, form)
            found = place.following.get(signature)
            if found is None or not found.is_known:
                raise RefusedError("calls of the function for elements of the same shapes differ")
        return found

    def _record(self, table: list[np.ndarray], form: Any) -> None:
        """Record the course of the element that the table begins with."""
        if self._refusal is None and self._courses >= COURSES:
            self._refusal = f"it takes more than {COURSES} courses"
        if self._refusal is not None:
            raise RefusedError(self._refusal)
        try:
            self._record_leaves(table[: len(leaves_of(form))], form)
        except Exception as error:
            self._refusal = str(error)
            raise
        self._courses += 1

    def _record_leaves(self, leaves: list[np.ndarray], form: Any) -> None:
        course = _Recording(self._root, leaves)
        numeric = [k for k, leaf in enumerate(leaves) if leaf.dtype != object]
        results: list[Any] = []
        shape: Any = None

        def call(tensors: Sequence[Tensor]) -> list[Tensor]:
            nonlocal shape
            entered = {k: course.enter(t, k) for k, t in zip(numeric, tensors, strict=True)}
            arguments = structure.pack_like(
                form, [entered[k] if k in entered else UnknownStrings(k, leaf.shape) for k, leaf in enumerate(leaves)]
            )
            with recording(course):
                result = self._function(*arguments) if type(arguments) is tuple else self._function(arguments)
            result = tuple(result) if isinstance(result, list) else result
            results.extend(map(_as_result, leaves_of(result)))
            shape = map_leaves(lambda _: None, result)
            return [x for x in results if course.known(x) is None]

        traced = Traced(call, [torch.from_numpy(np.array(leaves[k])) for k in numeric], "element")
        if traced.written or any(isinstance(c, Tensor) and type(c) is not Tensor for c in traced.captured):
            raise UnreadableError("it reads variables, which may be assigned between two elements")
        for k, source in enumerate(traced.sources):
            if not isinstance(source, Draw):
                raise UnreadableError("it takes numbers from elsewhere")
            if source.generator is default_generator:
                traced.sources[k] = Draw(self._own_generator(), source.blocks)
        places = [course.known(x) for x in results]
        computed = iter(range(len(results)))
        course.place.end = _End(
            traced, course.given, [next(computed) if p is None else p for p in places], shape,
            sum(leaf.nbytes for leaf in course.table) + sum(node.nbytes for node in traced.operation.graph.outputs),
        )  # fmt: skip

    def _own_generator(self) -> Generator:
        if self._generator is None:
            self._generator = Generator().manual_seed(int(torch.randint(0, 2**63 - 1, ())))
        return self._generator


def _untaped(value: Value) -> Value:
    return value if value.origin is None else alias(value, None)


def _as_tensor(leaf: np.ndarray) -> Any:
    return StringTensor.of(np.asarray(leaf)) if leaf.dtype == object else torch.from_numpy(np.array(leaf))


def _leaves(result: Any) -> list[Any]:
    """What a hosted function gives, leaf by leaf. Raises UnreadableError for what is no tensor."""
    return list(map(_as_array, structure.flatten(result)))


def _as_array(leaf: Any) -> np.ndarray:
    if isinstance(leaf, np.ndarray):
        return leaf
    if isinstance(leaf, StringTensor):
        return leaf._content
    if isinstance(leaf, Tensor):
        return leaf.numpy()
    raise UnreadableError(f"a function that is recorded once gives tensors. Received: {type(leaf).__name__}")


def _as_result(leaf: Any) -> Any:
    """A leaf of the function's result as a tensor. Raises UnreadableError for what is none."""
    if isinstance(leaf, UnknownStrings):
        return leaf
    if leaf is None or hasattr(leaf, "element_spec") or hasattr(leaf, "row_splits") or hasattr(leaf, "dense_shape"):
        raise UnreadableError(f"a function that is recorded once gives tensors. Received: {type(leaf).__name__}")
    tensor = convert_to_tensor(leaf)
    if not isinstance(tensor, Tensor):
        raise UnreadableError(f"a function that is recorded once gives tensors. Received: {type(leaf).__name__}")
    return tensor


def _signature(leaves: Sequence[np.ndarray]) -> Signature:
    return tuple((leaf.dtype, leaf.shape) for leaf in leaves)


def _by_signature(found: Sequence[Column], count: int) -> list[tuple[Signature, list[int] | range]]:
    """The rows of what a step gave by their shapes and dtypes."""
    if not any(isinstance(c, list) for c in found):
        return [(tuple((c.dtype, c.shape[1:]) for c in found), range(count))]  # type: ignore[union-attr]
    groups: dict[Signature, list[int]] = {}
    for k in range(count):
        groups.setdefault(_signature([row(c, k) for c in found]), []).append(k)
    return list(groups.items())
