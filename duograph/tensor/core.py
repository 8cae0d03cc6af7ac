"""Tensor: the user's handle on a value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from ..graph import dtype as dtypes
from ..graph import trace as tracing
from ..graph.body import unreadable
from ..graph.dialect import spoken, text
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, DeviceError, DTypeError, DuographError, GradientError, ShapeError
from ..graph.node import PRIMITIVES
from ..graph.primitives.rules import normalize_axis
from ..graph.trace import Leaf, Number, Value, alias, constant, record
from .device import CPU, META, Device


class Size(tuple[int, ...]):
    """A shape, with PyTorch's `numel()` and TensorFlow's `rank` and `as_list()`."""

    __slots__ = ()

    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self)

    def as_list(self) -> list[int]:
        """The sizes."""
        return list(self)

    def __repr__(self) -> str:
        return text("shape", self, False) or f"torch.Size({list(self)})"

    def __str__(self) -> str:
        return text("shape", self, True) or f"torch.Size({list(self)})"

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if type(other) is list and spoken() is not None else other)

    def __ne__(self, other: object) -> bool:
        return not tuple.__eq__(self, tuple(other) if type(other) is list and spoken() is not None else other)

    __hash__ = tuple.__hash__

    def __getitem__(self, key: Any) -> Any:
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, tuple(other)))


class Tensor:
    """An n-dimensional array of one dtype on one device, that may record where it came from.

    Made by `duograph.tensor`, `zeros`, `randn`, ...; operations on tensors give tensors. Nothing is computed until a
    content is observed (`item`, `numpy`, `print`, ...); mistakes in shapes and dtypes raise at the operation itself.
    """

    _value: Value
    _device: Device = CPU
    _grad: Tensor | None = None
    _leaf: type[Leaf] = Leaf  # what this tensor is on the tape when it requires gradients
    _base: Tensor | None = None  # the tensor this one is a view of: never a view itself
    _path: tuple[Any, ...] = ()  # how the view is made from the base: see views.py
    _detached = False  # a view that gradients do not see
    _views: list[ref[Tensor]] | None = None  # live views of this base
    _version = 0
    _hooks: Any = None
    _accumulated_hooks: Any = None
    _retains = False  # keeps its gradient though it is no leaf
    _row: tuple[Value, int] | None = None  # what `_value` will be a window on: a content in memory, and an index

    is_cuda = is_sparse = is_quantized = False
    layout = "torch.strided"
    __array_priority__ = 1000  # NumPy's arrays leave mixed operators to tensors

    if TYPE_CHECKING:  # the other rooms of this package, `ops` and `autograd` attach their methods: see `method`

        def __getattr__(self, name: str) -> Any: ...

        def __getitem__(self, key: Any) -> Tensor: ...

        def __setitem__(self, key: Any, new: Any) -> None: ...

        def _unary(self) -> Tensor: ...

        def _binary(self, other: Any) -> Tensor: ...

        __neg__ = __pos__ = __abs__ = __invert__ = _unary
        __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __matmul__ = _binary
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rmatmul__ = _binary
        __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _binary
        __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = _binary
        __eq__ = __ne__ = _binary  # type: ignore[assignment]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "_value" and (row := self._row) is not None:
                source, index = row
                window = source.buffer.view(source.buffer.array[index, ...])
                made = self._value = Value(source.shape[1:], source.dtype, window)
                self._row = None
                return made
            if name == "_value" and name in vars(self):  # another thread was quicker
                return vars(self)[name]
            raise self._no_attribute(name)

    @staticmethod
    def _no_attribute(name: str) -> AttributeError:
        """The error for an attribute that there is not."""
        return AttributeError(f"'Tensor' object has no attribute {name!r}")

    def __init__(self, *data: Any) -> None:
        if len(data) == 1 and isinstance(data[0], Tensor):
            self._value = alias(data[0]._value, None)
            self._device = data[0]._device
        else:
            from .convert import of_sizes_or_data

            self._value = of_sizes_or_data(data, get_default_dtype())._value

    # -- content -----------------------------------------------------------------------------------------------------
    @property
    def shape(self) -> Size:
        return Size(self._value.shape)

    @property
    def dtype(self) -> DType:
        return self._value.dtype

    @property
    def device(self) -> Device:
        return self._device

    @property
    def ndim(self) -> int:
        return len(self._value.shape)

    def dim(self) -> int:
        return len(self._value.shape)

    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self._value.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[normalize_axis(dim, self.ndim)]

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    def element_size(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.numel() * self.dtype.itemsize

    def __len__(self) -> int:
        if not self._value.shape:
            raise TypeError("len() of a 0-d tensor")
        return self._value.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._value.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter([self[i] for i in range(self._value.shape[0])])

    def __hash__(self) -> int:
        return id(self)

    def _array(self) -> np.ndarray:
        """The content, computed if it is pending; shared memory: only to be read."""
        value = self._value
        if self._device is META:
            raise DeviceError("a tensor on the meta device has no content: only its shape and dtype can be read")
        if tracing.local.capture is not None:
            tracing.local.capture.spoil("a tensor is read")
            if not tracing.local.trace.is_fixed(value):
                raise unreadable()
        if value.buffer is None or type(value.buffer) is tracing.Failure:
            try:
                tracing.realise(value)
            except DuographError as error:
                if (dialect := spoken(2)) is not None:
                    raise dialect.error(str(error)) from error
                raise
        buffer = value.buffer
        if type(buffer) is Number:
            return np.asarray(buffer.number, value.dtype.numpy)
        return buffer.array

    def item(self) -> bool | int | float:
        """The content of a one-element tensor as a Python number."""
        array = self._array()
        if array.size != 1:
            raise ArgumentError(
                "item() and conversions to a Python number need a tensor with one element. "
                f"Received: shape {self.shape}"
            )
        return array.item() if self.dtype is not dtypes.bfloat16 else float(array.item())

    def tolist(self) -> Any:
        """The content as nested lists of Python numbers (a number if 0-d)."""
        array = self._array()
        return (array.astype(np.float32) if self.dtype is dtypes.bfloat16 else array).tolist()

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise ArgumentError(
                f"the truth of a tensor with {self.numel()} elements is ambiguous: use .any() or .all(). "
                f"Received: shape {self.shape}"
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.differentiable:
            raise TypeError(f"only an integer tensor can be an index. Received: {self.dtype.name}")
        return operator.index(int(self.item()))

    def __format__(self, spec: str) -> str:
        if not self._value.shape and self._device is not META:
            return format(self.item(), spec)
        return str(self) if spoken() is None else str(self._array())

    # -- tape --------------------------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        return self._value.origin is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self.requires_grad_(flag)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Record gradients for this leaf from now on (or stop doing so)."""
        value = self._value
        if bool(requires_grad) == (value.origin is not None):
            return self
        if requires_grad:
            if not value.dtype.differentiable:
                raise GradientError(
                    f"only floating point and complex tensors can require gradients. Received: {value.dtype.name}"
                )
            self._value = alias(value, self._leaf(self))
        else:
            if not isinstance(value.origin, Leaf):
                raise GradientError(
                    "requires_grad can only be turned off on leaf tensors; use .detach() for a result of an operation"
                )
            self._value = alias(value, None)
        return self

    @property
    def is_leaf(self) -> bool:
        return self._value.origin is None or isinstance(self._value.origin, Leaf)

    @property
    def grad(self) -> Tensor | None:
        return self._grad

    @grad.setter
    def grad(self, grad: Tensor | None) -> None:
        if grad is not None:
            if not isinstance(grad, Tensor):
                raise TypeError(f"grad: expected a Tensor or None. Received: {type(grad).__name__}")
            if grad._value.shape != self._value.shape:
                raise ArgumentError(f"grad: expected shape {self.shape}. Received: {grad.shape}")
        self._grad = grad

    # -- operations ----------------------------------------------------------------------------------------------------
    def _record(self, op: Any, arguments: tuple[Any, ...], attributes: tuple[tuple[str, Any], ...]) -> Any:
        return apply(op, arguments, attributes)


def wrap(value: Value, device: Device = CPU) -> Tensor:
    """A new tensor that holds `value`."""
    tensor = Tensor.__new__(Tensor)
    tensor._value = value
    if device is not CPU:
        tensor._device = device
    return tensor


def apply(op: Any, arguments: tuple[Any, ...], attributes: tuple[tuple[str, Any], ...] = ()) -> Any:
    """Record an operation on tensors; None stays None and a number takes the dtype of the first tensor.

    Returns a tensor, or a tuple of tensors where the operation has several results. Raises DeviceError where tensors
    live on different devices, and what the operation's own checks raise.
    """
    if tracing.local.autocast is not None:
        return tracing.local.autocast.apply(op, arguments, attributes)
    values: list[Value | None] = []
    device = CPU
    for argument in arguments:
        if isinstance(argument, Tensor):
            values.append(argument._value)
            if argument._device is not CPU:
                device = argument._device
        else:
            values.append(None if argument is None else _number(op, argument, arguments))
    if device is not CPU:
        _check_devices(op, arguments, device)
    result = record(op, tuple(values), attributes)
    if type(result) is Value:
        return wrap(result, device)
    return tuple([wrap(value, device) for value in result])


def _check_devices(op: Any, arguments: tuple[Any, ...], device: Device) -> None:
    for place, argument in enumerate(arguments):
        if isinstance(argument, Tensor) and argument._device != device and argument._value.shape:
            raise DeviceError(
                f"{op.name}: expected all tensors on one device. Received: {device} and {argument._device} "
                f"(argument {place})"
            )


def _number(op: Any, number: Any, arguments: tuple[Any, ...]) -> Value:
    like = next((a for a in arguments if isinstance(a, Tensor)), None)
    is_number = isinstance(number, NUMBERS)
    if like is None or not is_number:
        kind = f"{type(number).__module__}.{type(number).__qualname__}".removeprefix("builtins.")
        raise TypeError(f"{op.name}: expected a Tensor. Received: {kind}")
    return constant(number, like._value.dtype)


# -- promotion ---------------------------------------------------------------------------------------------------------
default_dtype = dtypes.float32


def set_default_dtype(dtype: Any) -> None:
    """The dtype of floating point tensors made from Python numbers, and of integers divided."""
    global default_dtype
    found = dtypes.dtype(dtype)
    if not found.is_floating_point:
        raise DTypeError(f"set_default_dtype: expected a floating point dtype. Received: {found.name}")
    default_dtype = found


def get_default_dtype() -> DType:
    return default_dtype


NUMBERS = (bool, int, float, complex, np.generic)
OPERANDS = (Tensor, *NUMBERS, np.ndarray)
"""What stands beside a tensor in arithmetic."""
RANKS = {
    bool: 0,
    int: 1,
    float: 2,
    complex: 3,
}  # the weakest category that takes such a number as it is: see DType.rank


def result_type(*operands: Any) -> DType:
    """PyTorch's promotion: tensors with axes decide, then 0-d tensors, then Python numbers, each of which counts only
    if it is of a stronger category (bool < int < float < complex) than what came before."""
    ranked: list[DType | None] = [None, None, None]
    for operand in operands:
        if isinstance(operand, Tensor):
            rank, found = (0 if operand._value.shape else 1), operand._value.dtype
        elif isinstance(operand, DType):
            rank, found = 0, operand
        elif isinstance(operand, np.generic) and not isinstance(operand, np.bool_ | np.float64 | np.complex128):
            rank, found = 1, dtypes.dtype(operand.dtype)
        else:
            rank, found = 2, dtypes.of_number(operand, default_dtype)
        now = ranked[rank]
        ranked[rank] = found if now is None else dtypes.promote(now, found)
    present = [found for found in ranked if found is not None]
    if not present:
        raise ArgumentError("result_type() needs at least one operand")
    result = present.pop()
    while present:
        result = dtypes.combine(present.pop(), result)
    return result


def cast(tensor: Tensor, dtype: DType) -> Tensor:
    """`tensor` in another dtype; itself if it has it already."""
    value = tensor._value
    if value.dtype is dtype:
        return tensor
    if type(value.buffer) is Number and value.origin is None and tracing.local.trace.is_fixed(value):
        number = constant if value.buffer.fixed else tracing.scalar
        content = value.buffer.number
        if type(content) is complex and not dtype.is_complex and dtype is not dtypes.bool_:
            content = content.real
        return wrap(number(content, dtype), tensor._device)
    return apply(PRIMITIVES["cast"], (tensor,), (("dtype", dtype),))


def operand(x: Any, dtype: DType) -> Tensor:
    """A tensor or a number as an operand of dtype `dtype`."""
    return cast(x, dtype) if isinstance(x, Tensor) else wrap(constant(x, dtype))


def promoted(
    op: Any,
    *operands: Any,
    to: Callable[[DType], DType] | None = None,
    attributes: tuple[tuple[str, Any], ...] = (),
) -> Any:
    """Record an operation on operands brought to their common dtype (or to `to` of it); Python's numbers are weak.

    Raises TypeError where an operand is no tensor, number or array.
    """
    for x in operands:
        if not isinstance(x, OPERANDS):
            raise TypeError(f"{op.name}: expected a Tensor or a number. Received: {type(x).__name__}")
    tensors = [_of_array(x) if isinstance(x, np.ndarray) else x for x in operands]
    dtype = result_type(*tensors)
    if to is not None:
        dtype = to(dtype)
    return apply(op, tuple([operand(x, dtype) for x in tensors]), attributes)


def binary(op: Any, x: Any, y: Any, to: Callable[[DType], DType] | None = None) -> Any:
    """`promoted` on two operands, as Python's operators need it: NotImplemented where one is no operand.

    Every operator in a program comes here, so the usual cases go straight to the recorder: two tensors of one dtype, or
    a tensor and a number that fits beside it. In the others the two faces differ: see `graph.dialect`.
    """
    try:
        if isinstance(x, Tensor):
            value = x._value
            dtype = value.dtype
            if to is None or to(dtype) is dtype:
                if isinstance(y, Tensor):
                    if y._value.dtype is dtype and y._device is x._device:
                        return wrap(record(op, (value, y._value)), x._device)
                elif RANKS.get(type(y), 4) <= dtype.rank:
                    return wrap(record(op, (value, constant(y, dtype))), x._device)
        elif isinstance(y, Tensor):
            value = y._value
            dtype = value.dtype
            if RANKS.get(type(x), 4) <= dtype.rank and (to is None or to(dtype) is dtype):
                return wrap(record(op, (constant(x, dtype), value)), y._device)
    except ShapeError as error:
        if (dialect := spoken(2)) is not None:
            raise dialect.error(str(error)) from error
        raise
    if (dialect := spoken(2)) is not None:
        return dialect.operate(op, x, y)
    if isinstance(x, OPERANDS) and isinstance(y, OPERANDS):
        return promoted(op, x, y, to=to)
    return NotImplemented


def _of_array(array: np.ndarray) -> Tensor:
    from .convert import from_numpy

    return from_numpy(array)


def to_float(dtype: DType) -> DType:
    """Integers become the default floating point dtype."""
    return dtype if dtype.differentiable else default_dtype


def method(function: Any, *names: str) -> Any:
    """Decorator: make a function of a tensor (or a property) a member of Tensor, under its own name or `names`."""
    for name in names or (function.__name__,):
        setattr(Tensor, name, function)
    return function
