"""What a computation is: immutable, interned nodes over the table of primitives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .dtype import DType
from .errors import ArgumentError
from .sizes import Ratio, Size, Space

Shape = tuple[int, ...]
Attributes = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """One call of a primitive for the tests: input arrays (float inputs in float64) and attributes."""

    inputs: tuple[np.ndarray, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Primitive:
    """All there is to know about one operation.

    name        also the name in GraphDL
    kind        "source", "elementwise", "reduction", "scan", "movement", "index", "sort", "contraction", "window",
                "attention", "random", "loop" or "control": which rule of the compiler lowers it; "linalg" is left to
                the interpreter, and so to LAPACK
    arity       number of inputs; None for any number (at least one)
    attributes  names of the attributes, in GraphDL's order; all are hashable
    shape       (*input shapes, **attributes) -> shape; raises ShapeError, AxisError or ArgumentError
    dtype       (*input dtypes, **attributes) -> DType; raises DTypeError
    evaluate    (*arrays, **attributes) -> array: the reference meaning. 16-bit floats arrive widened to float32
                unless `moves_bits`
    gradient    (node, cotangent) -> one cotangent or None for each input, in graph language; None if the operation
                has no useful derivative. A cotangent may keep axes that broadcasting added: they are summed away
    torch       (torch, *tensors, **attributes) -> tensor: the same in PyTorch, for the tests
    samples     () -> Samples that the tests run
    moves_bits  evaluate works on any bits: no arithmetic, so 16-bit floats need no widening
    exact       the result is the exact one, rounded once: the same bits by whatever way it is computed
    wirtinger   `gradient` is right for complex numbers as it stands: it gives dL/dRe + i dL/dIm of its inputs from that
                of its result, as any rule does that is linear with real coefficients. Otherwise it is taken to be
                written for an analytic function, and reverse mode conjugates what it is given and what it gives
    joint       it has several results: nodes that differ in the attribute `result` alone are computed together. Then
                `gradient` takes pairs (node, cotangent) of one call, whether each input's cotangent is wanted, and
                reverse mode itself (`gradient.gradient`)
    """

    name: str
    kind: str
    arity: int | None
    shape: Callable[..., Shape]
    dtype: Callable[..., DType]
    evaluate: Callable[..., np.ndarray]
    attributes: tuple[str, ...] = ()
    gradient: Callable[..., Sequence[Node | None]] | None = None
    torch: Callable[..., Any] | None = None
    samples: Callable[[], Iterable[Sample]] = tuple
    moves_bits: bool = False
    exact: bool = False
    wirtinger: bool = False
    joint: bool = False

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def build(self, inputs: Sequence[Node], attributes: Attributes) -> tuple[Node, ...]:
        """The operation protocol that primitives share with composites (see `composite.py`)."""
        return (make(self, *inputs, **dict(attributes)),)


PRIMITIVES: dict[str, Primitive] = {}


def register(record: Primitive) -> Primitive:
    """Enter a record into the table."""
    if record.name in PRIMITIVES:
        raise ValueError(f"primitive {record.name!r} is in the table already")
    PRIMITIVES[record.name] = record
    return record


class Node:
    """`op(inputs, attributes)` with its shape and data type. Made by `make`; equal nodes are the same object."""

    __slots__ = ("__weakref__", "attributes", "dtype", "inputs", "op", "shape")

    op: Primitive
    inputs: tuple[Node, ...]
    attributes: Attributes
    shape: Shape
    dtype: DType

    @property
    def is_exact(self) -> bool:
        """Whether this operation on these dtypes has one result, whoever computes it: what moves bits, whole numbers,
        and floats where a result is rounded once and no 16-bit float is between."""
        if self.op.kind in ("loop", "control"):
            return all(node.is_exact for graph in self.graphs for node in graph.nodes())
        if self.op.moves_bits or self.op.kind == "source":
            return True
        if any(i.dtype.is_half for i in self.inputs) or self.dtype.is_half:
            return False
        if self.dtype.is_complex or any(i.dtype.is_complex for i in self.inputs):
            return False
        whole = not self.dtype.differentiable and not any(i.dtype.differentiable for i in self.inputs)
        return self.op.exact or (whole and self.op.kind in ("elementwise", "reduction", "scan", "index"))

    def __getitem__(self, attribute: str) -> Any:
        """The value of an attribute."""
        for name, value in self.attributes:
            if name == attribute:
                return value
        raise KeyError(f"{self.op.name} has no attribute {attribute!r}")

    @property
    def call(self) -> tuple[Any, ...]:
        """Equal for nodes that are results of one call of an operation that has several."""
        return self.op, self.inputs, tuple([value for name, value in self.attributes if name != "result"])

    @property
    def graphs(self) -> list[Graph]:
        """The graphs that a loop, or other control flow, is made of."""
        return [value for _, value in self.attributes if isinstance(value, Graph)]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.dtype.name}{list(self.shape)}>"

    # Graph language: a number beside a node is a constant of the node's own dtype.
    def __add__(self, other: Operand) -> Node:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Node:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Node:
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> Node:
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> Node:
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> Node:
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> Node:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Node:
        return apply("divide", other, self)

    def __neg__(self) -> Node:
        return apply("negative", self)

    def __lt__(self, other: Operand) -> Node:
        return apply("less", self, other)

    def __le__(self, other: Operand) -> Node:
        return apply("less_equal", self, other)

    def __gt__(self, other: Operand) -> Node:
        return apply("less", other, self)

    def __ge__(self, other: Operand) -> Node:
        return apply("less_equal", other, self)

    def __and__(self, other: Operand) -> Node:
        return apply("bitwise_and", self, other)

    def __or__(self, other: Operand) -> Node:
        return apply("bitwise_or", self, other)

    def __xor__(self, other: Operand) -> Node:
        return apply("bitwise_xor", self, other)

    def __invert__(self) -> Node:
        return apply("bitwise_not", self)


Number = bool | int | float
Operand = Node | Number

_interned: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


def make(op: Primitive, *inputs: Node, **attributes: Any) -> Node:
    """The node `op(*inputs, **attributes)`, checked; the same object for the same expression.

    Raises ShapeError, DTypeError, AxisError or ArgumentError from the rules of `op`.
    """
    if op.arity is not None and len(inputs) != op.arity:
        raise ArgumentError(f"{op.name} takes {op.arity} inputs. Received: {len(inputs)}")
    try:
        named = tuple((name, attributes[name]) for name in op.attributes)
    except KeyError as missing:
        raise ArgumentError(f"{op.name} needs the attribute {missing}. Received: {sorted(attributes)}") from None
    if len(attributes) != len(named):
        raise ArgumentError(f"{op.name} takes the attributes {op.attributes}. Received: {sorted(attributes)}")
    # repr tells 1 from 1.0 and True, and 0.0 from -0.0, which compare equal but mean different things
    key = (op.name, inputs, tuple([value if type(value) is Graph else repr(value) for _, value in named]))
    node = _interned.get(key)
    if node is None:
        node = Node()
        node.op = op
        node.inputs = inputs
        node.attributes = named
        node.shape = op.shape(*(i.shape for i in inputs), **attributes)
        node.dtype = op.dtype(*(i.dtype for i in inputs), **attributes)
        _interned[key] = node
    return node


def constant(number: Number | complex | Size | Ratio, dtype: DType) -> Node:
    """A zero-dimensional constant; of a number that hangs on sizes, the input that brings it."""
    if isinstance(number, Size | Ratio):
        return size_input(number.space, number.space.input(number, dtype))
    return make(PRIMITIVES["constant"], value=dtype.numpy.type(number).item(), dtype=dtype)


def size_input(space: Space, place: int) -> Node:
    """The input that brings the number at `place` of `space.inputs`: those of the computation itself come before."""
    return make(PRIMITIVES["input"], position=space.leaves + place, shape=(), dtype=space.inputs[place][1])


def apply(name: str, *operands: Operand, **attributes: Any) -> Node:
    """The primitive called `name` on nodes and numbers; a number becomes a constant of the nodes' dtype."""
    like = next((o for o in operands if isinstance(o, Node)), None)
    nodes = [o if isinstance(o, Node) else constant(o, like.dtype) for o in operands]  # type: ignore[union-attr]
    return make(PRIMITIVES[name], *nodes, **attributes)


def topological(outputs: Iterable[Node]) -> list[Node]:
    """Every node that `outputs` depend on, inputs first; the order is a function of the graph alone."""
    order: list[Node] = []
    done: set[Node] = set()
    for output in outputs:
        stack: list[tuple[Node, Iterator[Node]]] = []
        if output not in done:
            done.add(output)
            stack.append((output, iter(output.inputs)))
        while stack:
            node, rest = stack[-1]
            following = next((i for i in rest if i not in done), None)
            if following is None:
                stack.pop()
                order.append(node)
            else:
                done.add(following)
                stack.append((following, iter(following.inputs)))
    return order


@dataclass(frozen=True)
class Graph:
    """A computation: input nodes in the order of its arguments, and output nodes. Equal if these are the same nodes.

    `lines` maps a node to the user's source line that recorded it, where known.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    lines: dict[Node, str] = field(default_factory=dict, compare=False)

    def nodes(self) -> list[Node]:
        """All nodes, inputs first."""
        return topological((*self.inputs, *self.outputs))

    def __repr__(self) -> str:
        from .text import write

        return write(self)


def note_line(lines: dict[Node, str], nodes: Iterable[Node], line: str | None) -> None:
    """Say of nodes, and of what they need, that the user's line recorded them, unless another did before."""
    stack = list(nodes) if line is not None else []
    while stack:
        node = stack.pop()
        if node not in lines:
            lines[node] = line  # type: ignore[assignment]
            stack.extend(node.inputs)


def substitute(outputs: Sequence[Node], replacements: dict[Node, Node]) -> tuple[Node, ...]:
    """`outputs` with some nodes replaced by others of the same shape and dtype."""
    new = dict(replacements)
    for node in topological(outputs):
        if node not in new:
            inputs = tuple(new[i] for i in node.inputs)
            new[node] = node if inputs == node.inputs else make(node.op, *inputs, **dict(node.attributes))
    return tuple(new[o] for o in outputs)
