"""Values: what tensors hold, the buffers of those that are numbers, and the tape between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import ref

from .dtype import DType
from .node import Attributes, Shape

if TYPE_CHECKING:
    from .trace import Step, Trace


class Number:
    """The buffer of a value that is a Python number: baked into the graph if `fixed`, a run-time input otherwise."""

    __slots__ = ("fixed", "number", "simple")
    order: Final = None  # of its axes in memory: it has none
    exports: Final = ()

    def __init__(self, number: Any, fixed: bool) -> None:
        self.number = number
        self.fixed = fixed
        self.simple = not fixed

    def snapshot(self) -> Number:
        return self


class Failure:
    """The buffer of a value whose computation failed: observing it raises the error again."""

    __slots__ = ("error",)
    simple: Final = False

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Origin:
    """The tape: which operation a value came from. Shared by the results of one operation.

    `hooks` are called with the cotangent of an output (by index) when it is complete. `successor` is the class of the
    origins of what is computed from here, `readable` whether `numpy()` reads such values without `detach()`. `step` is
    where it was recorded in `trace`; None for what is on the tape alone.
    """

    __slots__ = ("attributes", "freed", "hooks", "inputs", "line", "op", "outputs", "step", "trace")
    readable = False
    successor: ClassVar[type[Origin]]

    def __init__(
        self, op: Any, inputs: tuple[Value | None, ...], attributes: Attributes, outputs: int, line: str | None,
        step: Step | None = None, trace: Trace | None = None,
    ) -> None:  # fmt: skip
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.outputs = outputs
        self.line = line
        self.step = step
        self.trace = trace
        self.freed = False
        self.hooks: dict[int, list[Callable[[Any], Any]]] | None = None


class Leaf:
    """The end of the tape: gradients that arrive here are accumulated in the owner, a tensor."""

    __slots__ = ("owner",)
    readable = False
    successor: ClassVar[type[Origin]]

    def __init__(self, owner: Any) -> None:
        self.owner = ref(owner)


class ReadableOrigin(Origin):
    """The tape behind a readable leaf."""

    __slots__ = ()
    readable = True


class ReadableLeaf(Leaf):
    """A variable of TensorFlow's or Keras's, whose users expect `numpy()` to read whatever was computed from it."""

    __slots__ = ()
    readable = True


Origin.successor = Leaf.successor = Origin
ReadableOrigin.successor = ReadableLeaf.successor = ReadableOrigin


class Kind:
    """The shape and dtype of a value, and whether gradients flow through it. One object for each: see `kind_of`."""

    __slots__ = ("differentiable", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: DType) -> None:
        self.shape = shape
        self.dtype = dtype
        self.differentiable = dtype.differentiable


@cache
def kind_of(shape: Shape, dtype: DType) -> Kind:
    """The kind of a value."""
    return Kind(shape, dtype)


class Value:
    """What a tensor holds. Pending: `buffer` is None and it is slot `slot` of `trace`. Realised: `buffer` is set; then
    `trace` and `slot` say where it was used last.

    `origin` is None unless gradients flow through this value; `index` says which output of the origin it is.
    `overwritten` is set when the tensor that held the value was written in place: to the origin of what was written.
    """

    __slots__ = ("__weakref__", "buffer", "dtype", "index", "kind", "origin", "overwritten", "shape", "slot", "trace")

    def __init__(
        self, shape: Shape, dtype: DType, buffer: Any = None, trace: Trace | None = None, slot: int = -1,
        origin: Origin | Leaf | None = None, index: int = 0, kind: Kind | None = None,
    ) -> None:  # fmt: skip
        self.shape = shape
        self.dtype = dtype
        self.kind = kind or kind_of(shape, dtype)
        self.buffer = buffer
        self.trace = trace
        self.slot = slot
        self.origin = origin
        self.index = index
        self.overwritten: Any = None


class Snapshot(Value):
    """The content that a value over memory which others may write had when an operation used it.

    It stands for the value on the tape: gradients are those of what the operation saw.
    """

    __slots__ = ("source",)

    def __init__(self, source: Value, buffer: Any) -> None:
        self.source = source
        self.shape = source.shape
        self.dtype = source.dtype
        self.kind = source.kind
        self.buffer = buffer
        self.trace = None
        self.slot = -1
        self.origin = source.origin
        self.index = source.index

    @property
    def overwritten(self) -> Any:
        """Whether the tensor was written in place, of which this is the content before."""
        return self.source.overwritten

    @overwritten.setter
    def overwritten(self, writer: Any) -> None:
        pass
