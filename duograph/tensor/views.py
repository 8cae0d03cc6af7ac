"""Views and in-place writes.

The graph is functional; aliasing lives here. A view knows its base and the *path* of view operations that leads to it.
Writing to a view rebuilds its base (each view operation has an inverse that writes), and then every live view of that
base is read anew. So a write reaches the base and all siblings, as PyTorch's users expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from sys import getrefcount
from typing import Any
from weakref import ref

import numpy as np

from ..graph import language as g
from ..graph import trace as tracing
from ..graph.composite import composite
from ..graph.dtype import dtype, int64
from ..graph.errors import ArgumentError, GradientError, ShapeError
from ..graph.node import PRIMITIVES, Attributes, Node
from ..graph.trace import Leaf, Value, alias, local, record
from ..runtime.buffer import Buffer
from .core import CPU, Tensor, method, wrap

Step = tuple[str, Attributes]  # an operation's name and attributes: one hop of a view's path


@composite
def as_real(x: Node) -> Node:
    """Real and imaginary parts along a last axis."""
    return g.concatenate([g.expand_dims(g.real(x), -1), g.expand_dims(g.imag(x), -1)], -1)


@composite
def as_complex(x: Node) -> Node:
    """The complex numbers whose parts are along the last axis."""
    re, im = (g.reshape(g.narrow(x, -1, k, 1), x.shape[:-1]) for k in (0, 1))
    return g.join(re, im)


@composite
def write_part(base: Node, new: Node, *, part: str) -> Node:
    """`base` with its real or its imaginary part replaced by `new`."""
    return g.join(new, g.imag(base)) if part == "real" else g.join(g.real(base), new)


@composite
def row(x: Node, *, index: int) -> Node:
    """`x[index]`."""
    return g.reshape(g.narrow(x, 0, index, 1), x.shape[1:])


def _places(size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Node:
    """Where the elements of a strided tensor are in its memory, in a row."""
    places = g.full(size, offset, int64)
    for axis, (n, hop) in enumerate(zip(size, stride, strict=True)):
        along = g.iota(n, int64) * g.constant(hop, int64)
        places = places + g.reshape(along, tuple(n if k == axis else 1 for k in range(len(size))))
    return g.reshape(places, (-1,))


@composite
def as_strided(x: Node, *, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Node:
    """The elements at `offset` plus multiples of the strides in the memory of `x`, which lies in order."""
    return g.reshape(g.take(g.reshape(x, (-1,)), _places(size, stride, offset)), size)


@composite
def write_strided(base: Node, new: Node, *, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Node:
    """`base` with `new` written where `as_strided` reads."""
    flat = g.put(g.reshape(base, (-1,)), _places(size, stride, offset), g.reshape(new, (-1,)))
    return g.reshape(flat, base.shape)


_OPERATIONS: dict[str, Any] = {
    **PRIMITIVES, "as_real": as_real, "as_complex": as_complex, "as_strided": as_strided, "row": row,
}  # fmt: skip
"""What a step of a path may name."""


@composite
def write_slice(base: Node, new: Node, *, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> Node:
    """`base` with `base[start:stop:step]` replaced by `new`."""
    flipped = tuple(k for k, s in enumerate(step) if s < 0)
    if flipped:
        new = g.flip(new, flipped)
    low, high, interior = [], [], []
    for size, count, first, hop in zip(base.shape, new.shape, start, step, strict=True):
        if hop < 0:
            first, hop = first + (count - 1) * hop, -hop
        low.append(first)
        interior.append(hop - 1)
        high.append(size - first - (count + (count - 1) * (hop - 1) if count else 0))
    changed = [k for k in range(base.ndim) if low[k] or high[k] or interior[k]]
    if len(changed) == 1 and not any(interior):
        axis = changed[0]
        before = g.narrow(base, axis, 0, low[axis])
        after = g.narrow(base, axis, base.shape[axis] - high[axis], high[axis])
        return g.concatenate([p for p in (before, new, after) if p.shape[axis]], axis)
    if not changed:
        return new
    from ..graph.dtype import bool_

    written = g.pad(g.full(new.shape, True, bool_), low, high, interior, g.constant(False, bool_))
    return g.select(written, g.pad(new, low, high, interior), base)


def walk(value: Value, step: Step) -> Value:
    """What one hop of a path makes of a content."""
    name, attributes = step
    return record(_OPERATIONS[name], (value,), attributes)


def _write(value: Value, step: Step, new: Value) -> Value:
    """The value before `step` such that after it one reads `new`."""
    name, attributes = step
    if name == "reshape":
        return record(PRIMITIVES["reshape"], (new,), (("shape", value.shape),))
    if name == "permute":
        axes = dict(attributes)["axes"]
        inverse = tuple(int(k) for k in np.argsort(axes))
        return record(PRIMITIVES["permute"], (new,), (("axes", inverse),))
    if name == "slice":
        return record(write_slice, (value, new), attributes)
    if name == "row":
        (_, index), rest = attributes[0], value.shape[1:]
        zeros, ones = (0,) * len(rest), (1,) * len(value.shape)
        cut = ("start", (index, *zeros)), ("stop", (index + 1, *rest)), ("step", ones)
        new = record(PRIMITIVES["reshape"], (new,), (("shape", (1, *rest)),))
        return record(write_slice, (value, new), cut)
    if name in ("as_real", "as_complex"):
        return record(as_complex if name == "as_real" else as_real, (new,))
    if name in ("real", "imag"):
        return record(write_part, (value, new), (("part", name),))
    if name == "as_strided" and not _overlaps(**{k: v for k, v in attributes if k != "offset"}):
        return record(write_strided, (value, new), attributes)
    raise ArgumentError(
        "in-place write to an expanded or strided tensor: several of its elements are one place in memory. "
        "Write to a .clone() of it"
    )


def _overlaps(size: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether several elements may be one place in memory."""
    reach = 0
    for hop, n in sorted((hop, n) for hop, n in zip(stride, size, strict=True) if n > 1):
        if hop <= reach:
            return True
        reach += hop * (n - 1)
    return False


def _array_view(array: np.ndarray, step: Step) -> np.ndarray | None:
    """The view of realised memory that a step makes; None where NumPy would have to copy."""
    name, attributes = step
    given = dict(attributes)
    if name == "permute":
        return array.transpose(given["axes"])
    if name == "row":
        return array[given["index"], ...]
    if name == "slice":
        return array[
            tuple(
                slice(a, None if b < 0 else b, s)
                for a, b, s in zip(given["start"], given["stop"], given["step"], strict=True)
            )
        ]
    if name == "broadcast_to":
        return np.broadcast_to(array, given["shape"])
    if name in ("real", "imag"):
        return getattr(array, name)
    if name == "as_real":
        pairs = array[..., None]  # an axis of one element, which any view can widen
        return pairs.view(array.real.dtype)
    if name == "as_complex":
        whole = np.result_type(array.dtype, np.complex64)
        return array.view(whole)[..., 0] if array.strides[-1] == array.itemsize else None
    if name == "as_strided":
        if not array.flags.c_contiguous:
            return None
        hops = [hop * array.itemsize for hop in given["stride"]]
        return np.lib.stride_tricks.as_strided(array.reshape(-1)[given["offset"] :], given["size"], hops)
    try:
        view = array.view()
        view.shape = given["shape"]
        return view
    except AttributeError:
        return None


def _window(value: Value, steps: tuple[Step, ...]) -> Value | None:
    """What view operations make of realised content, on the same memory. None where that cannot be, or is watched."""
    buffer = value.buffer
    if type(buffer) is not Buffer or local.capture is not None:
        return None
    array: np.ndarray | None = buffer.array
    for step in steps:
        if array is None:
            return None
        array = _array_view(array, step)
    if array is None:
        return None
    kind = value.dtype if array.dtype is value.dtype.numpy else dtype(array.dtype)
    return Value(array.shape, kind, buffer.view(array))


def view(tensor: Tensor, *steps: Step) -> Tensor:
    """A view of `tensor` through view operations: the primitives "reshape", "permute", "slice", "broadcast_to", "real"
    and "imag", and the composites "as_real", "as_complex", "as_strided" and "row".

    On realised content that needs no gradient nothing is recorded: the view is a window on the same memory.
    """
    value = tensor._value
    if value.origin is None and (window := _window(value, steps)) is not None:
        return _attach(wrap(window, tensor._device), tensor, steps)
    for step in steps:
        value = walk(value, step)
    return _attach(wrap(value, tensor._device), tensor, steps)


def row_at(tensor: Tensor, index: int) -> Tensor | None:
    """`tensor[index]` as a window on realised content, quickly; None where `view` must do it, or refuse.

    Data sets are read so, sample by sample. The window is made when it is looked at: a batch is not made of windows.
    """
    value = tensor._value
    shape, buffer = value.shape, value.buffer
    if value.origin is not None or type(buffer) is not Buffer or not shape or local.capture is not None:
        return None
    if index < 0:
        index += shape[0]
    if not 0 <= index < shape[0]:
        return None
    made = Tensor.__new__(Tensor)
    made._row = value, index
    if tensor._device is not CPU:
        made._device = tensor._device
    return _attach(made, tensor, (("row", (("index", index),)),))


def view_of_base(tensor: Tensor, step: Step) -> Tensor:
    """A view of the base of `tensor`, whose gradient goes to `tensor` for the elements that it shares with it."""
    base = base_of(tensor)
    if tensor._value.origin is None or base is tensor:
        return view(detach(base) if tensor._detached else base, step)
    content = _rebuild(alias(base._value, None) if tensor._detached else base._value, tensor._path, tensor._value)
    return _attach(wrap(walk(content, step), tensor._device), base, (step,), tensor._detached)


def base_of(tensor: Tensor) -> Tensor:
    """What the tensor is a view of; itself if of nothing."""
    return tensor if tensor._base is None else tensor._base


def _attach(made: Tensor, tensor: Tensor, steps: tuple[Step, ...], detached: bool = False) -> Tensor:
    base = base_of(tensor)
    made._base = base
    made._path = tensor._path + steps
    if detached or tensor._detached:
        made._detached = True
    views = base._views
    if views is None:
        base._views = [ref(made)]
    else:
        if len(views) >= 16 and len(views) & (len(views) - 1) == 0:
            base._views = views = [r for r in views if r() is not None]
        views.append(ref(made))
    return made


def detach(tensor: Tensor) -> Tensor:
    """The same content and memory without the tape: gradients stop here, writes are shared."""
    value = tensor._value
    if not local.trace.readable and value.dtype.differentiable:  # its graph will be differentiated as a whole
        value = record(PRIMITIVES["stop_gradient"], (value,))
        value.origin = None
    made = wrap(value if value.origin is None else alias(value, None), tensor._device)
    return _attach(made, tensor, (), detached=True)


def is_view_of(tensor: Tensor, other: Tensor) -> bool:
    """Whether the two share a base."""
    return base_of(tensor) is base_of(other)


def assign(tensor: Tensor, new: Value, writer: Any = None) -> Tensor:
    """Make `new` (same shape and dtype) the content of `tensor`, in place: bases and views follow.

    `writer` is the origin of the operation that read the old content to make the new one, if not that of `new`: it may
    use the old content for its gradient, as only it saw it before the write.
    Raises GradientError for a leaf that requires gradients, unless gradients are off.
    """
    value = tensor._value
    writer = writer or new.origin or True
    if new.shape != value.shape:
        raise ShapeError(
            f"in-place operation: expected a result of the tensor's own shape {tuple(value.shape)}. "
            f"Received: {tuple(new.shape)}"
        )
    base = base_of(tensor)
    is_leaf = isinstance(value.origin, Leaf)
    taped = local.gradients and not (tensor._detached and value.origin is None)
    if taped and (is_leaf or tensor._detached or isinstance(base._value.origin, Leaf)):
        kind = "a leaf tensor" if is_leaf else "a view of a leaf tensor"
        raise GradientError(f"{kind} that requires grad is written in place: do it under no_grad(), or on a .clone()")
    if not taped and new.origin is not None:
        new = alias(new, None)
    if tensor._path:
        new = _rebuild(base._value, tensor._path, new)
    _rebind(base, new, taped, writer)
    value.overwritten = writer
    return tensor


def overwrite(tensors: Sequence[Tensor], results: Sequence[Value]) -> None:
    """`assign` under no_grad, of many results that were recorded just now and that nobody else holds.

    Cheaper where a tensor has no views and nobody outside sees its memory: parameters and running statistics.
    """
    for tensor, new in zip(tensors, results, strict=True):
        old = tensor._value
        buffer = old.buffer
        seen = buffer is not None and not buffer.simple and _is_shared(buffer)
        if seen or tensor._views or tensor._base is not None:
            mode, local.gradients = local.gradients, False
            try:
                assign(tensor, new)
            finally:
                local.gradients = mode
        else:
            local.trace.writes(tensor, True)
            old.overwritten = new.origin or True
            new.origin, new.index = old.origin, old.index
            tensor._value = new
            tensor._version += 1


class Refill:
    """Tensors that get new content again and again, all at once and computed already: parameters and their states.

    The values that they hold take the new buffers, instead of giving way to new values, while nobody else has got hold
    of them: no tape, no other tensor, no view.
    """

    __slots__ = ("_counts", "_in_place", "tensors", "values")

    def __init__(self, tensors: Sequence[Tensor], in_place: Sequence[bool] | None = None) -> None:
        self.tensors = list(tensors)
        self.values: list[Value] = []
        self._counts: list[int] = []
        self._in_place = self.tensors if in_place is None else [t for t, i in zip(tensors, in_place, strict=True) if i]

    def take(self) -> None:
        """Take the values that the tensors hold: they were made just now, and nobody else knows of them."""
        for tensor in self.tensors:
            tensor._views = [r for r in tensor._views or () if r() is not None] or None
        self.values = [t._value for t in self.tensors]
        self._counts = list(map(getrefcount, self.values))

    def is_for(self, tensors: Sequence[Tensor | None]) -> bool:
        """Whether these are the tensors."""
        return len(tensors) == len(self.tensors) and all(map(is_, tensors, self.tensors))

    def is_held(self) -> bool:
        """Whether the tensors still hold the values that were taken."""
        return [t._value for t in self.tensors] == self.values

    def is_alone(self) -> bool:
        """Whether they do, and nobody else holds them or sees their memory. The caller holds no list of them either."""
        return (
            [t._value for t in self.tensors] == self.values
            and list(map(getrefcount, self.values)) == self._counts
            and [t._views for t in self.tensors].count(None) == len(self.values)
            and False not in [v.buffer is not None and v.buffer.simple for v in self.values]
        )

    def fill(self, buffers: Sequence[Buffer]) -> None:
        """New content, written in place."""
        for value, buffer in zip(self.values, buffers, strict=True):
            value.buffer = buffer
            value.trace = None  # where it was used before, it was the old content
        for tensor in self._in_place:
            tensor._version += 1


def _is_shared(buffer: Any) -> bool:
    return type(buffer) is Buffer and buffer.shared


def _rebuild(value: Value, path: tuple[Step, ...], new: Value) -> Value:
    """The base content from which `path` reads `new`."""
    before = [value]
    for step in path[:-1]:
        before.append(walk(before[-1], step))
    for value, step in zip(reversed(before), reversed(path), strict=True):
        new = _write(value, step, new)
    return new


def _rebind(base: Tensor, new: Value, taped: bool, writer: Any) -> None:
    local.trace.writes(base, True)
    old = base._value
    old.overwritten = writer
    if not taped and old.origin is not None:
        # what is written without tape takes the place of the old content on the tape
        new = alias(new, old.origin, old.index)
    if _is_shared(old.buffer):
        new = _write_back(old, new)
    elif new is old or (new.buffer is not None and new.origin is None and not taped):
        new = alias(new, new.origin, new.index)
    base._value = new
    base._version += 1
    for made in _live_views(base):
        made._value.overwritten = True
        _reread(made, new)


def _live_views(base: Tensor) -> list[Tensor]:
    if not base._views:
        return []
    base._views = [r for r in base._views if r() is not None]
    return [made for r in base._views if (made := r()) is not None]


def _reread(made: Tensor, content: Value) -> None:
    leaf = made._value.origin if isinstance(made._value.origin, Leaf) else None
    _read(made, content)
    if leaf is not None and made._value.origin is None:
        made._value = alias(made._value, leaf)  # a leaf of its own, which shares the memory only


def _read(made: Tensor, content: Value) -> None:
    if made._detached and content.origin is not None:
        content = alias(content, None)
    if made._path and content.origin is None and _is_shared(content.buffer):
        window = _window(content, made._path)  # it must show what others write from now on
        if window is not None:
            made._value = window
            return
    for step in made._path:
        content = walk(content, step)
    made._value = content if made._path else alias(content, content.origin, content.index)


def _write_back(old: Value, new: Value) -> Value:
    """Memory that the outside sees must show the write now: compute, and copy the result into it."""
    tracing.realise(new)
    source = np.asarray(new.buffer.number) if type(new.buffer) is tracing.Number else new.buffer.array
    np.copyto(old.buffer.array, source)
    return Value(old.shape, old.dtype, old.buffer, None, -1, new.origin, new.index)


def move(base: Tensor, buffer: Buffer) -> None:
    """Let a tensor that is no view, and its views, lie in other memory, which holds the same content."""
    old = base._value
    base._value = Value(old.shape, old.dtype, buffer, None, -1, old.origin, old.index)
    for made in _live_views(base):
        _reread(made, base._value)


def set_memory(tensor: Tensor, source: Tensor) -> None:
    """Let a tensor without views be a view of another one's memory, in its shape and dtype; the tape does not see it.

    Raises GradientError for a tensor that requires gradients, ArgumentError for one of which there are views.
    """
    if tensor._value.origin is not None:
        raise GradientError("set_: expected a tensor that does not require grad: take x.data")
    if _live_views(tensor):
        raise ArgumentError("set_: expected a tensor without views: they would stay behind in the old memory")
    made = detach(source)
    local.trace.writes(tensor, False)
    tensor._value, tensor._base, tensor._path, tensor._detached = made._value, made._base, made._path, True
    tensor._device = made._device
    assert made._base is not None and made._base._views is not None
    made._base._views.append(ref(tensor))


def set_data(tensor: Tensor, new: Tensor) -> None:
    """`tensor.data = new`: other content, dtype and shape allowed; the tape and the identity of the tensor stay."""
    origin = tensor._value.origin
    if origin is not None and not isinstance(origin, Leaf):
        raise GradientError("setting .data of a tensor that an operation made: use an in-place operation instead")
    local.trace.writes(tensor, False)
    tensor._value = alias(new._value, tensor._leaf(tensor) if origin is not None else None)
    tensor._base, tensor._path, tensor._views = None, (), None
    if tensor._device is not new._device:
        tensor._device = new._device


def version(tensor: Tensor) -> int:
    """How often the memory of `tensor` was written in place."""
    return base_of(tensor)._version


method(detach, "detach")
method(property(detach, set_data, doc="The content without the tape."), "data")
method(property(version), "_version_counter")
