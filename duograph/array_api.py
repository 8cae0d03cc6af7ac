"""The core namespace `duograph.*`: the Python Array API standard, version 2024.12, over the supported dtypes.

Where the standard and PyTorch's tensors differ for the same operator, tensors behave as PyTorch's (see docs/design.md):
0-d tensors promote weakly. Complex dtypes are not there yet. Functions whose result's shape depends on content
(`nonzero`, `unique_*`, a boolean index) observe the content.
"""

from __future__ import annotations

import builtins
import math
from collections import namedtuple
from typing import Any

import numpy as np

from .graph import dtype as dtypes
from .graph.dtype import (
    bfloat16,
    bool_,
    float16,
    float32,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .graph.errors import ArgumentError, AxisError, DTypeError, ShapeError
from .ops import FUNCTIONS as F
from .ops import casting, creation
from .ops import reduction as reductions
from .tensor import convert
from .tensor.core import Tensor, cast, method, to_float
from .tensor.device import device as find_device

__array_api_version__ = "2024.12"
bool = bool_
pi, e, inf, nan, newaxis = math.pi, math.e, math.inf, math.nan, None
Axis = int | tuple[int, ...] | None

# -- elementwise -------------------------------------------------------------------------------------------------------
abs, ceil, floor, trunc, round, square, sign, signbit = (
    F[n] for n in ("abs", "ceil", "floor", "trunc", "round", "square", "sign", "signbit")
)
acos, acosh, asin, asinh, atan, atan2, atanh = (
    F[n] for n in ("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh")
)
cos, cosh, sin, sinh, tan, tanh = (F[n] for n in ("cos", "cosh", "sin", "sinh", "tan", "tanh"))
exp, expm1, log, log1p, log2, log10, sqrt, reciprocal = (
    F[n] for n in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "reciprocal")
)
add, subtract, multiply, divide, floor_divide, remainder, pow = (
    F[n] for n in ("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow")
)
maximum, minimum, hypot, logaddexp, copysign, nextafter = (
    F[n] for n in ("maximum", "minimum", "hypot", "logaddexp", "copysign", "nextafter")
)
equal, not_equal, less, less_equal, greater, greater_equal = (
    F[n] for n in ("eq", "not_equal", "less", "less_equal", "greater", "greater_equal")
)
logical_and, logical_or, logical_xor, logical_not = (
    F[n] for n in ("logical_and", "logical_or", "logical_xor", "logical_not")
)
bitwise_and, bitwise_or, bitwise_xor, bitwise_invert = (
    F[n] for n in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
)
bitwise_left_shift, bitwise_right_shift = F["bitwise_left_shift"], F["bitwise_right_shift"]
isnan, isinf, isfinite, negative, positive = (F[n] for n in ("isnan", "isinf", "isfinite", "negative", "positive"))
where = F["where"]


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Every element brought into [min, max]; the dtype of `x` stays."""
    if min is None and max is None:
        return F["clone"](x)
    return cast(F["clamp"](x, min, max), x.dtype)


# -- creation ----------------------------------------------------------------------------------------------------------
def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Tensor:
    """`obj` (numbers, sequences, anything that speaks the buffer protocol, DLPack or NumPy's) as a tensor."""
    if not isinstance(obj, Tensor | np.ndarray) and hasattr(obj, "__dlpack__") and not hasattr(obj, "__array__"):
        obj = convert.from_dlpack(obj)
    if copy is False and not isinstance(obj, Tensor | np.ndarray):
        raise ValueError("asarray(copy=False): the content of Python objects must be copied")
    if copy:
        return convert.tensor(obj, dtype=dtype, device=device)
    return convert.as_tensor(obj, dtype=dtype, device=device)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """start, start + step, ... before stop; none if the step leads away from it."""
    if stop is None:
        start, stop = 0, start
    if step and (stop - start) / step < 0:
        stop = start
        if dtype is None and builtins.any(isinstance(v, float) for v in (start, stop, step)):
            dtype = float32
    return creation.arange(start, stop, step, dtype=dtype, device=device)


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: Any = True
) -> Tensor:
    """`num` numbers evenly from start to stop (included if `endpoint`)."""
    found = dtypes.dtype(dtype) if dtype is not None else creation.core.get_default_dtype()
    return creation._placed(
        np.linspace(start, stop, num, endpoint=endpoint).astype(found.numpy), find_device(device), False
    )


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones on the k-th diagonal."""
    found = dtypes.dtype(dtype) if dtype is not None else creation.core.get_default_dtype()
    return creation._placed(np.eye(n_rows, n_cols, k, dtype=found.numpy), find_device(device), False)


zeros, ones, empty, zeros_like, ones_like, empty_like, full, full_like = (
    F[n] for n in ("zeros", "ones", "empty", "zeros_like", "ones_like", "empty_like", "full", "full_like")
)
meshgrid_ij = F["meshgrid"]
from_dlpack = convert.from_dlpack
tensor, from_numpy = convert.tensor, convert.from_numpy


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinate grids of 1-d tensors."""
    return meshgrid_ij(*arrays, indexing=indexing) if arrays else ()


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The lower triangle of matrices."""
    return F["tril"](x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The upper triangle of matrices."""
    return F["triu"](x, k)


# -- dtypes ------------------------------------------------------------------------------------------------------------
def astype(x: Tensor, dtype: Any, /, *, copy: Any = True, device: Any = None) -> Tensor:
    """`x` in another dtype; a copy even if it has it already, unless `copy=False`."""
    found = dtypes.dtype(dtype)
    made = cast(x, found)
    made = F["clone"](made) if copy and made is x else made
    return made if device is None else made.to(device=device)


def can_cast(from_: Any, to: Any, /) -> Any:
    """Whether promotion leads from one dtype to the other."""
    source = from_.dtype if isinstance(from_, Tensor) else dtypes.dtype(from_)
    try:
        return dtypes.promote(source, dtypes.dtype(to)) is dtypes.dtype(to)
    except DTypeError:
        return False


def finfo(type: Any, /) -> Any:
    """Limits of a floating point dtype, or of a tensor's."""
    info = casting.finfo(type.dtype if isinstance(type, Tensor) else type)
    info.dtype = dtypes.dtype(info.dtype)  # type: ignore[assignment]
    return info


def iinfo(type: Any, /) -> Any:
    """Limits of an integer dtype, or of a tensor's."""
    info = casting.iinfo(type.dtype if isinstance(type, Tensor) else type)
    info.dtype = dtypes.dtype(info.dtype)  # type: ignore[assignment]
    return info


_KINDS = {
    "bool": (bool_,),
    "signed integer": (int8, int16, int32, int64),
    "unsigned integer": (uint8, uint16, uint32, uint64),
    "integral": dtypes.INTEGRAL,
    "real floating": dtypes.FLOATING,
    "complex floating": (),
    "numeric": (*dtypes.INTEGRAL, *dtypes.FLOATING),
}


def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether a dtype is one, or is of a kind such as "integral" (or of one of several)."""
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise ArgumentError(f"isdtype: kind: expected one of {', '.join(_KINDS)}. Received: {kind!r}")
        return dtype in _KINDS[kind]
    return dtype is dtypes.dtype(kind)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype of an operation between tensors, dtypes and numbers; among tensors all count alike."""
    strong = [a.dtype if isinstance(a, Tensor) else a for a in arrays_and_dtypes]
    return creation.core.result_type(*strong)


# -- manipulation ------------------------------------------------------------------------------------------------------
def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; flattened first if it is None."""
    parts = [F["ravel"](a) for a in arrays] if axis is None else list(arrays)
    return F["cat"](parts, 0 if axis is None else axis)


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """Tensors beside each other along a new axis."""
    return F["stack"](list(arrays), axis)


def expand_dims(x: Tensor, /, *, axis: int = 0) -> Tensor:
    """A view with an axis of size 1 inserted."""
    return F["unsqueeze"](x, axis)


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """A view without the named axes. Raises ValueError where one is not of size 1."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise AxisError(f"squeeze: axis {a} does not exist in {x.ndim} dimensions")
        if x.shape[a] != 1:
            raise ShapeError(f"squeeze: expected size 1 for axis {a}. Received: shape {tuple(x.shape)}")
    return F["squeeze"](x, axes) if axes else x


def permute_dims(x: Tensor, /, axes: Any) -> Tensor:
    """A view with the axes in another order."""
    return F["permute"](x, tuple(axes))


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """A view with some axes moved."""
    return F["movedim"](x, source, destination)


def flip(x: Tensor, /, *, axis: Axis = None) -> Tensor:
    """Axes reversed (all if None)."""
    return F["flip"](x, tuple(range(x.ndim)) if axis is None else axis)


def roll(x: Tensor, /, shift: Any, *, axis: Axis = None) -> Tensor:
    """Elements moved around along axes."""
    if isinstance(shift, int) and isinstance(axis, tuple):
        shift = (shift,) * len(axis)
    return F["roll"](x, shift, axis)


def reshape(x: Tensor, /, shape: Any, *, copy: Any = None) -> Tensor:
    """Another shape of the same elements."""
    made = F["reshape"](x, tuple(shape))
    return F["clone"](made) if copy else made


def broadcast_to(x: Tensor, /, shape: Any) -> Tensor:
    """A view in which axes of size 1 repeat."""
    return F["broadcast_to"](x, tuple(shape))


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """All in their common shape."""
    return list(F["broadcast_tensors"](*arrays))


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Every element (or slice along an axis) so many times."""
    if axis is None:
        x, axis = F["ravel"](x), 0
    axis = axis % x.ndim
    counts = repeats._array() if isinstance(repeats, Tensor) else np.asarray(repeats)
    places = np.repeat(np.arange(x.shape[axis]), counts)
    return F["index_select"](x, axis, convert.from_buffer(places.astype(np.int64)))


def tile(x: Tensor, repetitions: Any, /) -> Tensor:
    """Copies side by side."""
    return F["tile"](x, tuple(repetitions))


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of all places of an axis."""
    return F["unbind"](x, axis)


# -- reductions --------------------------------------------------------------------------------------------------------
def _total_dtype(x: Tensor, dtype: Any) -> Any:
    if dtype is not None or x.dtype.is_floating_point:
        return dtype
    return uint64 if x.dtype.category == "int" and not x.dtype.signed else int64


def sum(x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: Any = False) -> Tensor:
    """Sums; integers add up in 64 bits."""
    return _reduced(reductions.total, cast(x, d) if (d := _total_dtype(x, dtype)) else x, axis, keepdims)


def prod(x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: Any = False) -> Tensor:
    """Products; integers multiply in 64 bits."""
    return _reduced(reductions.product, cast(x, d) if (d := _total_dtype(x, dtype)) else x, axis, keepdims)


def _reduced(op: Any, x: Tensor, axis: Axis, keepdims: Any) -> Tensor:
    if axis == ():
        return F["clone"](x)
    return reductions.reduce(op, x, axis, keepdims)


def mean(x: Tensor, /, *, axis: Axis = None, keepdims: Any = False) -> Tensor:
    """Means."""
    return _reduced(reductions.average, cast(x, to_float(x.dtype)), axis, keepdims)


def max(x: Tensor, /, *, axis: Axis = None, keepdims: Any = False) -> Tensor:
    """Largest elements."""
    return _reduced(reductions.largest, x, axis, keepdims)


def min(x: Tensor, /, *, axis: Axis = None, keepdims: Any = False) -> Tensor:
    """Smallest elements."""
    return _reduced(reductions.smallest, x, axis, keepdims)


def any(x: Tensor, /, *, axis: Axis = None, keepdims: Any = False) -> Tensor:
    """True where some element is nonzero."""
    return cast(x, bool_) if axis == () else reductions.reduce(reductions.exists, x, axis, keepdims)


def all(x: Tensor, /, *, axis: Axis = None, keepdims: Any = False) -> Tensor:
    """True where every element is nonzero."""
    return cast(x, bool_) if axis == () else reductions.reduce(reductions.holds, x, axis, keepdims)


def var(x: Tensor, /, *, axis: Axis = None, correction: Any = 0.0, keepdims: Any = False) -> Tensor:
    """Variances: squared distances from the mean, summed, over the count less `correction`."""
    count = math.prod(
        x.shape[a] for a in (range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis)
    )
    away = x - mean(x, axis=axis, keepdims=True)
    return sum(away * away, axis=axis, keepdims=keepdims) / float(builtins.max(count - correction, 0))


def std(x: Tensor, /, *, axis: Axis = None, correction: Any = 0.0, keepdims: Any = False) -> Tensor:
    """Standard deviations."""
    return F["sqrt"](var(x, axis=axis, correction=correction, keepdims=keepdims))


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: Any = False) -> Tensor:
    """How many elements are not zero."""
    return sum(x != 0, axis=axis, keepdims=keepdims)


def cumulative_sum(x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: Any = False) -> Tensor:
    """Running sums along an axis, with a leading 0 if `include_initial`."""
    return _cumulative("cumsum", 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: Any = False
) -> Tensor:
    """Running products along an axis, with a leading 1 if `include_initial`."""
    return _cumulative("cumprod", 1, x, axis, dtype, include_initial)


def _cumulative(name: str, start: int, x: Tensor, axis: int | None, dtype: Any, include_initial: Any) -> Tensor:
    if axis is None:
        if x.ndim > 1:
            raise AxisError(f"{name}: expected axis for {x.ndim} dimensions")
        axis = 0
    found = _total_dtype(x, dtype)
    result = F[name](x, axis, dtype=found if found is not None else x.dtype)
    if include_initial:
        first = list(result.shape)
        first[axis] = 1
        result = F["cat"]([full(tuple(first), start, dtype=result.dtype), result], axis)
    return result


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along an axis, n times."""
    x = F["cat"]([p for p in (prepend, x, append) if p is not None], axis)
    for _ in range(n):
        size = x.shape[axis]
        x = F["narrow"](x, axis, 1, size - 1) - F["narrow"](x, axis, 0, size - 1)
    return x


# -- search, sets, order -----------------------------------------------------------------------------------------------
def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: Any = False) -> Tensor:
    """Where the largest element is."""
    return F["argmax"](x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: Any = False) -> Tensor:
    """Where the smallest element is."""
    return F["argmin"](x, axis, keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The indices of elements that are not zero, by axis."""
    if not x.ndim:
        raise ShapeError("nonzero: expected at least one dimension. Received: a 0-d tensor")
    return F["nonzero"](x, as_tuple=True)


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where elements would be inserted to keep order."""
    return F["searchsorted"](x1 if sorter is None else take(x1, sorter), x2, side=side)


def sort(x: Tensor, /, *, axis: int = -1, descending: Any = False, stable: Any = True) -> Tensor:
    """Values in order along an axis."""
    return F["sort"](x, axis, descending).values


def argsort(x: Tensor, /, *, axis: int = -1, descending: Any = False, stable: Any = True) -> Tensor:
    """The indices that sort along an axis."""
    return F["argsort"](x, axis, descending)


UniqueAll = namedtuple("UniqueAll", "values indices inverse_indices counts")
UniqueCounts = namedtuple("UniqueCounts", "values counts")
UniqueInverse = namedtuple("UniqueInverse", "values inverse_indices")


def unique_all(x: Tensor, /) -> UniqueAll:
    """Distinct elements, where each first stands, which each element is, and how often each occurs."""
    array = x._array()
    values, first, inverse, counts = np.unique(
        array, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    parts = (values, first, inverse.reshape(array.shape), counts)
    return UniqueAll(*(convert.from_buffer(np.ascontiguousarray(p)) for p in parts))


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """Distinct elements and how often each occurs."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """Distinct elements and which each element is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Tensor, /) -> Tensor:
    """Distinct elements."""
    return unique_all(x).values


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The places `indices` of an axis."""
    return F["index_select"](x, 0 if axis is None else axis, indices)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Elements picked along an axis, by position."""
    return F["take_along_dim"](x, indices, axis)


# -- linear algebra ----------------------------------------------------------------------------------------------------
matmul = F["matmul"]


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes exchanged."""
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: expected at least 2 dimensions. Received: {x.ndim}")
    return F["transpose"](x, -1, -2)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Sums of products over pairs of axes."""
    pairs = (tuple(range(x1.ndim - axes, x1.ndim)), tuple(range(axes))) if isinstance(axes, int) else axes
    left, right = (tuple(a % x.ndim for a in axis) for x, axis in zip((x1, x2), pairs, strict=True))
    rest1 = [k for k in range(x1.ndim) if k not in left]
    rest2 = [k for k in range(x2.ndim) if k not in right]
    inner = math.prod(x1.shape[k] for k in left)
    shape1, shape2 = [x1.shape[k] for k in rest1], [x2.shape[k] for k in rest2]
    a = reshape(permute_dims(x1, (*rest1, *left)), (math.prod(shape1), inner))
    b = reshape(permute_dims(x2, (*right, *rest2)), (inner, math.prod(shape2)))
    return reshape(matmul(a, b), (*shape1, *shape2))


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Inner products along an axis."""
    if x1.shape[axis] != x2.shape[axis]:
        raise ShapeError(
            f"vecdot: expected equal sizes along axis {axis}. Received: {tuple(x1.shape)}, {tuple(x2.shape)}"
        )
    product = x1 * x2
    return sum(product, axis=axis, dtype=product.dtype)


# -- the namespace itself ----------------------------------------------------------------------------------------------
class _Info:
    """What the namespace can do: see the standard's inspection API."""

    def capabilities(self) -> dict[str, Any]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Any:
        return find_device(None)

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        return {"real floating": creation.core.get_default_dtype(), "integral": int64, "indexing": int64}

    def devices(self) -> list[Any]:
        return [find_device(None)]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        names = {d.name: d for d in (*dtypes.ALL,) if d is not float16 and d is not bfloat16}
        return {n: d for n, d in names.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> _Info:
    """The inspection object of the standard."""
    return _Info()


def _array_namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
        raise ValueError(f"__array_namespace__: expected a version up to 2024.12. Received: {api_version!r}")
    import duograph

    return duograph


def _to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    return convert.to_device(self, find_device(device))


method(_array_namespace, "__array_namespace__")
method(_to_device, "to_device")
