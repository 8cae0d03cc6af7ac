"""Traces that differ in sizes alone: what they share, and their computation with sizes as expressions.

A step's *skeleton* is its key without whole numbers: the shapes of leaves and the numbers in attributes are taken out,
in order. Traces with equal skeletons (`Skeleton` is a node of the tree of these) are one computation at several sizes.
When such a trace comes with other numbers than before, `symbolic` builds its graph once more, each number that varies
being a symbol; the rules of shapes then work on expressions, see `sizes`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from .node import PRIMITIVES, Graph, Node, make, note_line, size_input
from .sizes import LEAST, Space
from .value import Kind, kind_of

if TYPE_CHECKING:
    from .dtype import DType
    from .trace import Step

MOST_RULES = 4
"""Rules for the shapes of one operation: for one query and for many, say."""


class Skeleton:
    """A node of the tree of skeletons.

    Attributes:
        families: What the traces that end here compute, by live slots.
        given, kinds: The sizes of the operation's inputs and attributes when it was last built, and what its results
            were.
        shapes: How these follow from those, for some sizes each.
        most: How many such rules it may have: none if they cannot be written as expressions.
        line: The user's line of the first step with this skeleton, once that is known.
    """

    __slots__ = ("families", "following", "given", "kinds", "line", "most", "shapes")

    def __init__(self) -> None:
        self.following: dict[Any, Skeleton] = {}
        self.families: dict[tuple[int, ...], Any] = {}
        self.given: tuple[int, ...] | None = None
        self.kinds: tuple[Kind, ...] | None = None
        self.shapes: list[Shapes] = []
        self.most = MOST_RULES
        self.line: str | None = None

    def next(self, key: Any) -> tuple[Skeleton, tuple[int, ...]]:
        """Where a step with this key leads, and the numbers that were taken out of it."""
        bones, numbers = take_apart(key)
        found = self.following.get(bones)
        if found is None:
            found = self.following.setdefault(bones, Skeleton())
        return found, numbers

    def results(self, key: Any, numbers: tuple[int, ...], inputs: Sequence[Kind | None]) -> tuple[Kind, ...] | None:
        """The kinds of the results of the operation that leads here, if they are known without building its nodes.

        At its first sighting they are not: see `learn`. At the second, with other sizes, its nodes are built over
        expressions, which says how the results' sizes follow from the inputs'.

        Args:
            key: Of the step.
            numbers: Those in the key.
        """
        given = _given(numbers, inputs)
        if given == self.given:
            return self.kinds
        for shapes in self.shapes:
            kinds = shapes.of(given)
            if kinds is not None:
                return kinds
        if self.given is None or len(self.shapes) >= self.most:
            return None
        pattern = Pattern.of(list(zip(given, self.given, strict=True)))
        if pattern is None:
            return None
        found = _shapes(key, inputs, pattern, given)
        if found is None:
            self.most = 0
            return None
        self.shapes.append(found)
        return found.of(given)

    def learn(self, numbers: tuple[int, ...], inputs: Sequence[Kind | None], results: tuple[Kind, ...]) -> None:
        """What the results of the operation are."""
        self.given, self.kinds = _given(numbers, inputs), results


def _given(numbers: tuple[int, ...], inputs: Sequence[Kind | None]) -> tuple[int, ...]:
    return numbers + tuple([size for kind in inputs if kind is not None for size in kind.shape])


class Shapes(NamedTuple):
    """The kinds of an operation's results as a function of the sizes of its inputs and attributes."""

    pattern: Pattern
    holds: Callable[[Sequence[int]], bool]
    sizes: Callable[[Sequence[int]], tuple[int, ...]]
    results: tuple[tuple[int, DType], ...]

    def of(self, given: Sequence[int]) -> tuple[Kind, ...] | None:
        """The kinds; None if the function does not hold for these sizes."""
        values = self.pattern.read(given)
        if values is None or not self.holds(values):
            return None
        sizes = iter(self.sizes(values))
        return tuple([kind_of(tuple(islice(sizes, ndim)), dtype) for ndim, dtype in self.results])


def _shapes(key: Any, inputs: Sequence[Kind | None], pattern: Pattern, now: tuple[int, ...]) -> Shapes | None:
    op, attributes, *_ = key
    space = Space(len(inputs))
    given = pattern.expressions(space, now)
    put = put_back(attributes, given)
    stand_ins = [
        None if kind is None else make(
            PRIMITIVES["input"], position=k, shape=tuple([next(given) for _ in kind.shape]), dtype=kind.dtype
        )
        for k, kind in enumerate(inputs)
    ]  # fmt: skip
    try:
        built = op.build(stand_ins, put)
    except Exception:  # whatever it is, building the nodes for these sizes will tell
        return None
    sizes = space.evaluator([size for node in built for size in node.shape])
    holds = space.checker()
    space.close()
    return Shapes(pattern, holds, sizes, tuple([(node.ndim, node.dtype) for node in built]))


def take_apart(key: Any) -> tuple[Any, tuple[int, ...]]:
    """The key of a step without its sizes, and these: the shape of a leaf, and whole numbers in attributes."""
    if _is_leaf(key):
        kind, order = (key, None) if isinstance(key, Kind) else key
        return ("leaf", kind.dtype, len(kind.shape), order), kind.shape
    if _is_operation(key):
        op, attributes, *slots = key
        numbers: list[int] = []
        return (op, _without(attributes, numbers), *slots), tuple(numbers)
    return ("other", key), ()


def _is_leaf(key: Any) -> bool:
    return isinstance(key, Kind) or (type(key) is tuple and len(key) == 2 and isinstance(key[0], Kind))


def _is_operation(key: Any) -> bool:
    return type(key) is tuple and len(key) > 1 and hasattr(key[0], "build")


def _without(value: Any, numbers: list[int]) -> Any:
    kind = type(value)
    if kind is tuple:
        return tuple([_without(v, numbers) for v in value])
    if kind is int:
        numbers.append(value)
        return int
    if kind is Graph:
        return _bones(value, numbers)
    # 1, 1.0 and True are equal as keys, and are not the same attribute
    return (kind, repr(value)) if kind is float or kind is bool or kind is complex else value


def _bones(graph: Graph, numbers: list[int]) -> Any:
    """The step of a loop without its sizes."""
    nodes = graph.nodes()
    places = {node: place for place, node in enumerate(nodes)}

    def where(some: Iterable[Node]) -> tuple[int, ...]:
        return tuple([places[node] for node in some])

    rows = tuple([(node.op, where(node.inputs), _without(node.attributes, numbers)) for node in nodes])
    return Graph, rows, where(graph.inputs), where(graph.outputs)


def _fleshed(graph: Graph, numbers: Iterator[Any]) -> Graph:
    """The step of a loop with other sizes."""
    made: dict[Node, Node] = {}
    for node in graph.nodes():
        attributes = dict(put_back(node.attributes, numbers))
        made[node] = make(node.op, *[made[i] for i in node.inputs], **attributes)
    lines = {made[node]: line for node, line in graph.lines.items() if node in made}
    return Graph(tuple([made[i] for i in graph.inputs]), tuple([made[o] for o in graph.outputs]), lines)


def put_back(value: Any, numbers: Iterator[Any]) -> Any:
    """Attributes with other numbers in the places of theirs."""
    if type(value) is int:
        return next(numbers)
    if type(value) is tuple:
        return tuple([put_back(v, numbers) for v in value])
    if type(value) is Graph:
        return _fleshed(value, numbers)
    return value


class Term(NamedTuple):
    """What a number of a trace is: `offset + factor * symbols...`."""

    offset: int
    factor: int = 0
    symbols: tuple[int, ...] = ()

    def of(self, values: Sequence[Any]) -> Any:
        """Its value for these values of the symbols."""
        product = self.factor
        for symbol in self.symbols:
            product = product * values[symbol]
        return product + self.offset


class Pattern:
    """What the numbers of traces have in common.

    Args:
        places: For each symbol, where in the numbers it stands first.
        terms: What each number must be.
    """

    __slots__ = ("_expected", "_fixed", "_varying", "places", "terms")

    def __init__(self, places: Sequence[int], terms: Sequence[Term]) -> None:
        self.places = places
        self.terms = terms
        fixed = [k for k, term in enumerate(terms) if not term.symbols]
        self._fixed = fixed
        self._expected = [terms[k].offset for k in fixed]
        self._varying = [(k, term) for k, term in enumerate(terms) if term.symbols and k not in places]

    @staticmethod
    def of(columns: Sequence[tuple[int, ...]]) -> Pattern | None:
        """The pattern of some traces, of which each has a row; None if nothing varies, or what does cannot be a symbol.

        That is a guess from a few, and is looked at again for each further one: numbers that were always equal are one
        symbol, and those that were always a multiple of one, a product of two, or more or less by the same, are
        expressions.
        """
        terms: dict[tuple[int, ...], Term] = {}
        symbols: list[tuple[int, ...]] = []
        for column in sorted(set(columns)):
            if column.count(column[0]) == len(column):
                terms[column] = Term(column[0])
                continue
            if min(column) < 0:
                return None
            term = _in_terms_of(column, symbols)
            if term is None:
                if min(column) < LEAST:
                    return None
                term = Term(0, 1, (len(symbols),))
                symbols.append(column)
            terms[column] = term
        if not symbols:
            return None
        return Pattern([columns.index(s) for s in symbols], [terms[c] for c in columns])

    def read(self, numbers: Sequence[int]) -> list[int] | None:
        """The values of the symbols in a trace of these numbers; None if it is not of this pattern."""
        if [numbers[k] for k in self._fixed] != self._expected:
            return None
        values = [numbers[place] for place in self.places]
        for k, term in self._varying:
            if numbers[k] != term.of(values):
                return None
        return values

    def expressions(self, space: Space, hints: Sequence[int]) -> Iterator[Any]:
        """The numbers as expressions over new symbols, one after another."""
        symbols = [space.symbol(hints[place]) for place in self.places]
        return iter([term.of(symbols) for term in self.terms])


class Symbolic(NamedTuple):
    """A computation with sizes as expressions.

    Attributes:
        graph: Its inputs are the leaves, and after them the numbers that hang on sizes: `space.inputs`.
        space: Where its sizes live.
        pattern: What the numbers of a trace must be.
    """

    graph: Graph
    space: Space
    pattern: Pattern


def symbolic(walk: Sequence[Step], before: Sequence[Sequence[int]], live: Sequence[int]) -> Symbolic | None:
    """The computation of a trace's slots `live`, with symbols for what varies.

    Args:
        walk: The trace's steps.
        before: The numbers of earlier traces of this skeleton.

    Returns: None if nothing varies, or what varies cannot be a symbol.
    """
    now = numbers_of(walk)
    pattern = Pattern.of(list(zip(now, *before, strict=True)))
    if pattern is None:
        return None
    space = Space(walk[-1].leaves)
    given = pattern.expressions(space, now)
    nodes: list[Node] = []
    inputs: list[Node] = []
    lines: dict[Node, str] = {}
    for step in walk:
        built = _built(step, nodes, len(inputs), given)
        nodes.extend(built)
        if step.parent is not None and step.leaves > step.parent.leaves:
            inputs.extend(built)
        note_line(lines, built, step.line)
    graph = Graph(tuple(inputs), tuple(nodes[slot] for slot in live), lines)
    return Symbolic(with_numbers(graph, space), space, pattern)


def _built(step: Step, nodes: Sequence[Node], leaves: int, given: Iterator[Any]) -> Sequence[Node]:
    """The nodes of a step, as `trace.Trace.extend` builds them, with the sizes that are `given` next."""
    key = step.key
    if _is_leaf(key):
        kind = key if isinstance(key, Kind) else key[0]
        shape = tuple([next(given) for _ in kind.shape])
        return (make(PRIMITIVES["input"], position=leaves, shape=shape, dtype=kind.dtype),)
    if _is_operation(key):
        op, attributes, *slots = key
        return op.build([None if s is None else nodes[s] for s in slots], put_back(attributes, given))
    return step.nodes


def _in_terms_of(column: tuple[int, ...], symbols: Sequence[tuple[int, ...]]) -> Term | None:
    products: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((k,), s) for k, s in enumerate(symbols)]
    products += [
        ((j, k), tuple(map(operator.mul, symbols[j], symbols[k]))) for k in range(len(symbols)) for j in range(k + 1)
    ]
    for which, values in products:
        factors = {divmod(c, v) for c, v in zip(column, values, strict=True)}
        if len(factors) == 1:
            [(factor, rest)] = factors
            if not rest:
                return Term(0, factor, which)
    for which, values in products:
        offsets = {c - v for c, v in zip(column, values, strict=True)}
        if len(offsets) == 1:
            return Term(offsets.pop(), 1, which)
    return None


def numbers_of(walk: Iterable[Step]) -> tuple[int, ...]:
    """The numbers that were taken out of the keys of these steps."""
    return tuple([number for step in walk for number in step.numbers])


def with_numbers(graph: Graph, space: Space) -> Graph:
    """A graph with inputs for the numbers that hang on sizes, after its own."""
    inputs = [size_input(space, k) for k in range(len(space.inputs))]
    leaves = graph.inputs[: space.leaves]
    return Graph((*leaves, *inputs), graph.outputs, graph.lines)
