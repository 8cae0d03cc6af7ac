"""In and out: Python data, NumPy, the buffer protocol, DLPack."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import tree
from ..graph import dialect
from ..graph import dtype as dtypes
from ..graph import trace as tracing
from ..graph.dtype import DType
from ..graph.errors import ArgumentError, DeviceError, DTypeError, GradientError
from ..graph.trace import Number, Value
from ..runtime import memory
from ..runtime.buffer import Buffer
from . import core, views
from .core import META, Size, Tensor, cast, method, wrap
from .device import device as find_device


def from_buffer(array: np.ndarray, foreign: bool = False) -> Tensor:
    """A tensor over `array`, whose memory it takes over (or shares with the caller, if `foreign`)."""
    kind = dtypes.BY_NUMPY.get(array.dtype) or dtypes.dtype(array.dtype)
    return wrap(Value(array.shape, kind, Buffer(array, foreign)))


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares memory with a NumPy array: a write to either is seen by both. A read-only array is copied.

    Raises DTypeError for a dtype that tensors do not have (strings, objects, structures).
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray. Received: {type(array).__name__}")
    if not array.dtype.isnative:
        raise ArgumentError(
            f"from_numpy: expected native byte order. Received: {array.dtype}. "
            "Use array.astype(array.dtype.newbyteorder('='))"
        )
    return from_buffer(array, foreign=True) if array.flags.writeable else from_buffer(array.copy())


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of `data`: numbers, nested sequences, arrays, tensors.

    The dtype is that of the data; for Python numbers bool, int64 or the default floating point dtype.
    Raises ArgumentError for ragged sequences, DTypeError for contents that are not numbers.
    """
    wanted = None if dtype is None else dtypes.dtype(dtype)
    if isinstance(data, Tensor):
        value = data._value
        if value.buffer is None or value.origin is not None:
            value = tracing.alias(value, None)
        made = wrap(value, data._device)
        made = cast(made, wanted) if wanted is not None and wanted is not made.dtype else copy(made)
    else:
        made = from_buffer(_array(data, wanted))
    made = to_device(made, device) if device is not None else made
    return made.requires_grad_() if requires_grad else made


def of_sizes_or_data(arguments: tuple[Any, ...], dtype: DType) -> Tensor:
    """What PyTorch's older constructors make (`torch.Tensor`, `torch.FloatTensor`, `Tensor.new`).

    Integers and a `Size` are sizes, of a tensor that is zero here and undefined there; anything else is data.
    """
    if len(arguments) == 1 and not isinstance(arguments[0], int | np.integer):
        (data,) = arguments
        if not isinstance(data, Size):
            return tensor(data, dtype)
        arguments = data
    return from_buffer(np.zeros(arguments or (0,), dtype.numpy))


def copy(source: Tensor) -> Tensor:
    """A fresh tensor with the same content."""
    buffer = source._value.buffer
    if isinstance(buffer, Buffer) and source._value.origin is None and tracing.local.capture is None:
        return wrap(
            Value(source._value.shape, source._value.dtype, Buffer(memory.copied(buffer.array))), source._device
        )
    return core.apply(core.PRIMITIVES["copy"], (source,))


def _array(data: Any, wanted: DType | None) -> np.ndarray:
    """A fresh array of `data` in the dtype that tensors give it."""
    if isinstance(data, np.ndarray | np.generic):
        found = wanted or dtypes.dtype(data.dtype)
        return np.array(data, dtype=found.numpy, order="C")
    if isinstance(data, list | tuple | range) and _has_tensors(data):
        data = _plain(data)
    try:
        array = np.asarray(data)
    except ValueError:
        raise ArgumentError(f"tensor: expected numbers in equally long sequences. Received: {_short(data)}") from None
    if array.dtype == object or (array.dtype.kind not in "biufc" and array.dtype not in dtypes.BY_NUMPY):
        raise DTypeError(f"tensor: expected numbers. Received: {_short(data)}")
    if wanted is None:
        wanted = dtypes.dtype(array.dtype)
        if isinstance(data, list | tuple | range | bool | int | float | complex):  # Python's have no size of their own
            if wanted.differentiable and not _has_numpy(data):
                default = core.get_default_dtype()
                wanted = default.to_complex() if wanted.is_complex else default
            elif wanted.category == "int":
                wanted = dtypes.int64
    with np.errstate(all="ignore"):
        return np.array(array, dtype=wanted.numpy, order="C")


def _has_tensors(data: Any) -> bool:
    return any(isinstance(d, Tensor) or (isinstance(d, list | tuple) and _has_tensors(d)) for d in data)


def _has_numpy(data: Any) -> bool:
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic) and not isinstance(data, float | complex)


def _plain(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.tolist()
    return [_plain(d) for d in data] if isinstance(data, list | tuple) else data


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) < 80 else text[:77] + "..."


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where possible: tensors pass, NumPy arrays share their memory."""
    wanted = None if dtype is None else dtypes.dtype(dtype)
    if isinstance(data, Tensor):
        made = data if wanted is None else cast(data, wanted)
    elif (
        isinstance(data, np.ndarray) and data.dtype.isnative and (wanted is None or dtypes.dtype(data.dtype) is wanted)
    ):
        made = from_numpy(data)
    else:
        made = tensor(data, dtype=dtype)
    return made if device is None else to_device(made, device)


@method
def to_device(source: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """`source` on another device. Raises DeviceError for content asked from the meta device."""
    place = find_device(device)
    if source._device == place:
        return source
    if source._device is META:
        raise DeviceError(
            "cannot copy out of the meta device: its tensors have no content. Use torch.empty_like(x, device='cpu')"
        )
    made = wrap(source._value)
    made._device = place
    return made


def _check_off_tape(source: Tensor, force: bool) -> None:
    origin = source._value.origin
    if origin is not None and not origin.readable and not force:
        raise GradientError("numpy(): the tensor requires grad. Use tensor.detach().numpy()")


def numpy(source: Tensor, *, force: bool = False) -> np.ndarray:
    """The content as a NumPy array that shares the tensor's memory (`force`: also off a tape).

    Raises GradientError for a tensor that requires grad, as PyTorch does.
    """
    _check_off_tape(source, force)
    array = source._array()
    buffer = source._value.buffer
    if isinstance(buffer, Number):
        shared = Buffer(np.array(array))
        source._value = Value(source._value.shape, source._value.dtype, shared, None, -1, source._value.origin)
        return shared.export()
    trace = tracing.local.trace
    if any(leaf is buffer or (leaf.exports is buffer.exports and leaf.exports != ()) for leaf in trace.leaves):
        tracing.realiser(trace)  # what is pending on this memory must not see what is written to it from now on
    return buffer.export()


def array_protocol(source: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """`numpy.asarray(tensor)`."""
    array = numpy(source)
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError("unable to avoid a copy: the dtype differs")
        return array.astype(dtype)
    return array.copy() if copy else array


def from_dlpack(source: Any) -> Tensor:
    """A tensor over the memory of any CPU array that speaks DLPack, or over that of a bare capsule: no copy is made,
    but of memory that must not be written."""
    if isinstance(source, Tensor):
        return source
    if type(source).__name__ == "PyCapsule":
        source = _Capsule(source)
    return from_numpy(np.from_dlpack(source))


class _Capsule:
    """A bare capsule as an object that NumPy's from_dlpack takes."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@method
def __dlpack__(
    source: Tensor,
    /,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A DLPack capsule over the tensor's memory.

    Raises GradientError for a tensor on a tape, DTypeError for bfloat16, BufferError where it cannot be had as asked.
    """
    if source.dtype is dtypes.bfloat16:
        raise DTypeError("DLPack through NumPy has no bfloat16: use x.to(float32), or x.view(uint16) for the bits")
    if source._value.origin is not None:
        raise GradientError("DLPack: the tensor requires grad. Use tensor.detach()")
    return numpy(source).__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


@method
def __dlpack_device__(source: Tensor, /) -> tuple[int, int]:
    """DLPack's number for the CPU, and which one."""
    return (1, 0)


def array_function(
    source: Tensor, function: Any, types: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """NumPy's `function` of tensors (NEP 18).

    It calls their methods of that name, as it does on any object with such, and as it does on PyTorch's tensors. In a
    dialect whose tensors have none of NumPy's methods it sees arrays in their place.
    """
    if dialect.spoken() is None:
        return function._implementation(*arguments, **keywords)
    as_arrays = functools.partial(tree.map, lambda leaf: np.asarray(leaf) if isinstance(leaf, Tensor) else leaf)
    return function(*as_arrays(arguments), **as_arrays(keywords))


def array_or_scalar(source: Tensor, *, force: bool = False) -> Any:
    """The content as a NumPy array that shares the tensor's memory (`force`: also off a tape).

    Of one number a 0-d array, as PyTorch gives; in another dialect one of NumPy's scalars.
    Raises GradientError for a tensor that requires grad, as PyTorch does.
    """
    _check_off_tape(source, force)
    source._array()  # here, so that a failure is an error of who called this
    array = numpy(source, force=force)
    return array if array.ndim or dialect.spoken() is None else array[()]


method(array_or_scalar, "numpy")
method(array_protocol, "__array__")
method(array_function, "__array_function__")


def completed(kind: type[Tensor], content: Tensor, requires_grad: bool, extra: dict[str, Any]) -> Tensor:
    """`content` as a tensor of the class `kind`, with what users and subclasses put on the instance."""
    made = kind.__new__(kind)
    made._value = content._value
    for name, value in extra.items():
        setattr(made, name, value)
    return made.requires_grad_() if requires_grad else made


def own_attributes(source: Tensor) -> dict[str, Any]:
    """What users and subclasses put on the instance."""
    return {k: v for k, v in vars(source).items() if not k.startswith("_")}


def _rebuild(kind: type[Tensor], array: np.ndarray, requires_grad: bool, extra: dict[str, Any]) -> Tensor:
    return completed(kind, from_buffer(array), requires_grad, extra)


def _memory_of(source: Tensor) -> Tensor | None:
    """The base of a view off the tape: then a copy of the view is a view of a copy of the base."""
    base = source._base
    taped = base is None or base._value.origin is not None or source._value.origin is not None
    return None if taped or source._grad is not None else base


def _window(base: Tensor, path: tuple[Any, ...], extra: dict[str, Any]) -> Tensor:
    made = views.view(base, *path) if path else views.detach(base)
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def reduce_content(source: Tensor) -> tuple[Any, ...]:
    """How a tensor is pickled: by itself, without its tape and the memory that it is a view of."""
    content = np.array(source._array(), order="C")
    return _rebuild, (type(source), content, source.requires_grad, own_attributes(source))


def _deepcopy(source: Tensor, memo: dict[int, Any]) -> Tensor:
    import copy as copying

    if id(source) in memo:
        return memo[id(source)]
    if not source.is_leaf:
        raise GradientError("deepcopy is for leaf tensors: take .detach() of a result of an operation first")
    extra = copying.deepcopy(own_attributes(source), memo)
    if (base := _memory_of(source)) is not None:
        made = _window(copying.deepcopy(base, memo), source._path, extra)
    else:
        made = _rebuild(type(source), np.array(source._array(), order="C"), source.requires_grad, extra)
    if source._device is not core.CPU:
        made._device = source._device
    if source._grad is not None:
        made._grad = _deepcopy(source._grad, memo)
    memo[id(source)] = made
    return made


def _copy(source: Tensor) -> Tensor:
    """`copy.copy`: another tensor on the same memory, a leaf."""
    made = views.detach(source)
    made.__dict__.update(own_attributes(source))
    if type(source) is not Tensor:
        made.__class__ = type(source)
    return made.requires_grad_() if source.requires_grad else made


method(lambda source, protocol: reduce_content(source), "__reduce_ex__")
method(_copy, "__copy__")
method(_deepcopy, "__deepcopy__")
