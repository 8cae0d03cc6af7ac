"""`tf.math`: elementwise functions and reductions."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import duograph.torch as torch
from duograph.array_api.elementwise import sign
from duograph.graph import language as g
from duograph.graph.composite import composite
from duograph.graph.node import Node
from duograph.tensor.core import apply

from . import dtypes
from .errors import InvalidArgumentError, report
from .missing import missing
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor, TextError


@composite
def _maximum(x: Node, y: Node) -> Node:
    """The greater one, NaN if one is; where they are equal, all of the gradient is x's."""
    return g.select(g.equal(x, y), x, g.maximum(x, y))


@composite
def _minimum(x: Node, y: Node) -> Node:
    """The lesser one, NaN if one is; where they are equal, all of the gradient is x's."""
    return g.select(g.equal(x, y), x, g.minimum(x, y))


_UNARY = {
    "abs": torch.abs,
    "acos": torch.acos,
    "acosh": torch.acosh,
    "asin": torch.asin,
    "asinh": torch.asinh,
    "atan": torch.atan,
    "atanh": torch.atanh,
    "ceil": lambda x: torch.ceil(x.detach()),
    "cos": torch.cos,
    "cosh": torch.cosh,
    "digamma": torch.digamma,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "floor": lambda x: torch.floor(x.detach()),
    "is_finite": torch.isfinite,
    "is_inf": torch.isinf,
    "is_nan": torch.isnan,
    "lgamma": torch.lgamma,
    "log": torch.log,
    "log1p": torch.log1p,
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "logical_not": torch.logical_not,
    "negative": torch.neg,
    "reciprocal": torch.reciprocal,
    "round": lambda x: torch.round(x.detach()),
    "rsqrt": torch.rsqrt,
    "sigmoid": torch.sigmoid,
    "sign": sign,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "softplus": torch.nn.functional.softplus,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tan": torch.tan,
    "tanh": torch.tanh,
}
_BINARY = {
    "add": torch.add,
    "atan2": torch.atan2,
    "equal": torch.eq,
    "floordiv": lambda x, y: torch.floor_divide(x.detach(), y.detach()),
    "floormod": torch.remainder,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
    "maximum": lambda x, y: apply(_maximum, (x, y)),
    "minimum": lambda x, y: apply(_minimum, (x, y)),
    "mod": torch.remainder,
    "multiply": torch.mul,
    "not_equal": torch.ne,
    "pow": torch.pow,
    "subtract": torch.sub,
    "truediv": lambda x, y: true_quotient(x, y),
}


def true_quotient(x: Tensor, y: Tensor) -> Tensor:
    """x / y; integers become floats that hold them: float64 from 32 bits on, float32 below."""
    if x.dtype.category == "int":
        wide = dtypes.float64 if x.dtype.itemsize >= 4 else dtypes.float32
        x, y = x.to(wide), y.to(wide)
    return torch.true_divide(x, y)


def operands(function: str, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors of one dtype: what is no tensor takes the dtype of the other.

    Raises InvalidArgumentError for tensors of two dtypes, which TensorFlow does not mix.
    """
    if isinstance(x, Tensor) or not isinstance(y, Tensor):
        x = convert_to_tensor(x)
        y = y if isinstance(y, Tensor) or hasattr(y, "__torch_function__") else convert_to_tensor(y, x.dtype)
    else:
        x = x if hasattr(x, "__torch_function__") else convert_to_tensor(x, y.dtype)
    x, y = convert_to_tensor(x), convert_to_tensor(y)
    if x.dtype is not y.dtype:
        raise InvalidArgumentError(
            f"tf.{function} expected operands of one dtype. Received: {x.dtype.name} and {y.dtype.name}. "
            "Use tf.cast on one of them"
        )
    return x, y


_OF_FLOATS = """
    acos acosh asin asinh atan atanh cos cosh digamma erf erfc exp expm1 lgamma log log1p log_sigmoid rsqrt sigmoid sin
    sinh softplus sqrt tan tanh
"""
_OF_BOOLS = ["logical_and", "logical_not", "logical_or", "logical_xor"]


def check_kind(function: str, x: Any, *categories: str) -> None:
    """Raises InvalidArgumentError for a tensor whose dtype is of another category."""
    if isinstance(x, StringTensor):
        raise TextError(f"tf.{function}: strings are host data, which cannot enter a computation")
    if x.dtype.category not in categories:
        raise InvalidArgumentError(
            f"tf.{function} expected a tensor of {' or '.join(categories)}. Received: {x.dtype.name}. Use tf.cast"
        )


def _unary(name: str, function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    label, kinds = name, ("float", "complex") if name in _OF_FLOATS.split() else ("bool",) * (name in _OF_BOOLS)

    def elementwise(x: Any, name: str | None = None) -> Tensor:
        x = convert_to_tensor(x)
        if kinds and x.dtype.category not in kinds:
            check_kind(label, x, *kinds)
        return function(x)

    elementwise.__name__ = elementwise.__qualname__ = name
    elementwise.__doc__ = f"{name}, elementwise."
    return elementwise


def _binary(name: str, function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    label, boolean, of_text = name, name in _OF_BOOLS, {"equal": operator.eq, "not_equal": operator.ne}.get(name)

    def elementwise(x: Any, y: Any, name: str | None = None) -> Tensor:
        if of_text is not None and (isinstance(x, StringTensor) or isinstance(y, StringTensor)):
            return of_text(convert_to_tensor(x), convert_to_tensor(y))
        x, y = operands(label, x, y)
        if boolean:
            check_kind(label, x, "bool")
        return function(x, y)

    elementwise.__name__ = elementwise.__qualname__ = name
    elementwise.__doc__ = f"{name}, elementwise with broadcasting; both of one dtype."
    return elementwise


globals().update({name: _unary(name, function) for name, function in _UNARY.items()})
globals().update({name: _binary(name, function) for name, function in _BINARY.items()})


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, elementwise."""
    return true_quotient(*operands("divide", x, y))


def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, and 0 where y is 0."""
    x, y = operands("divide_no_nan", x, y)
    zero = y == 0
    return torch.where(zero, torch.zeros_like(x), x / torch.where(zero, torch.ones_like(y), y))


def squared_difference(x: Any, y: Any, name: str | None = None) -> Tensor:
    """(x - y)²."""
    x, y = operands("squared_difference", x, y)
    return torch.square(x - y)


def xlogy(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x log y, and 0 where x is 0."""
    return torch.xlogy(*operands("xlogy", x, y))


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of a list of tensors of one shape."""
    total, *rest = (convert_to_tensor(x) for x in inputs)
    for x in rest:
        total = total + x
    return total


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Tensor:
    """`t` with values outside [clip_value_min, clip_value_max] replaced by the nearer bound."""
    t = convert_to_tensor(t)
    low, high = (
        x if isinstance(x, int | float) else convert_to_tensor(x, t.dtype) for x in (clip_value_min, clip_value_max)
    )
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return torch.minimum(torch.maximum(t, convert_to_tensor(low, t.dtype)), convert_to_tensor(high, t.dtype))
    return torch.clamp(t, low, high)


# -- reductions --------------------------------------------------------------------------------------------------------
def axes(axis: Any) -> Any:
    """An axis, a tuple of axes, or None for all, given also as a list or a tensor."""
    if isinstance(axis, Tensor):
        axis = axis.tolist()
    return tuple(int(a) for a in axis) if isinstance(axis, list | tuple) else axis


def reduce_sum(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The sum over `axis`, in the dtype of the input."""
    x = convert_to_tensor(input_tensor)
    return torch.sum(x, dim=axes(axis), keepdim=keepdims, dtype=x.dtype)


def reduce_mean(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The mean over `axis`; of integers, rounded towards zero, as TensorFlow's is."""
    x = convert_to_tensor(input_tensor)
    if x.dtype.is_floating_point:
        return torch.mean(x, dim=axes(axis), keepdim=keepdims)
    total = reduce_sum(x, axis, keepdims)
    return torch.div(total, x.numel() // max(total.numel(), 1), rounding_mode="trunc").to(x.dtype)


def reduce_prod(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The product over `axis`, in the dtype of the input."""
    x = convert_to_tensor(input_tensor)
    if axis is None:
        product = torch.prod(x, dtype=x.dtype)
        return product.reshape((1,) * x.ndim) if keepdims else product
    chosen = axes(axis)
    for one in sorted({a % x.ndim for a in (chosen if isinstance(chosen, tuple) else (chosen,))}, reverse=True):
        x = torch.prod(x, dim=one, keepdim=keepdims, dtype=x.dtype)
    return x


def _extremum(name: str, function: Callable[..., Tensor], doc: str) -> Callable[..., Tensor]:
    def reduce(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
        x = convert_to_tensor(input_tensor)
        return function(x, dim=tuple(range(x.ndim)) if axis is None else axes(axis), keepdim=keepdims)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = doc
    return reduce


reduce_max = _extremum("reduce_max", torch.amax, "The largest value over `axis`.")
reduce_min = _extremum("reduce_min", torch.amin, "The smallest value over `axis`.")
reduce_logsumexp = _extremum("reduce_logsumexp", torch.logsumexp, "log of the sum of exponentials over `axis`.")


def _logical(name: str, function: Callable[..., Tensor], doc: str) -> Callable[..., Tensor]:
    label = name

    def reduce(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
        x = convert_to_tensor(input_tensor)
        check_kind(label, x, "bool")
        return function(x, dim=tuple(range(x.ndim)) if axis is None else axes(axis), keepdim=keepdims)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = doc
    return reduce


reduce_any = _logical("reduce_any", torch.any, "Whether any value over `axis` is true.")
reduce_all = _logical("reduce_all", torch.all, "Whether all values over `axis` are true.")


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The mean squared deviation over `axis`."""
    return torch.var(convert_to_tensor(input_tensor), dim=axes(axis), keepdim=keepdims, correction=0)


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The square root of the mean squared deviation over `axis`."""
    return torch.std(convert_to_tensor(input_tensor), dim=axes(axis), keepdim=keepdims, correction=0)


def argmax(input: Any, axis: int | None = 0, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """The index of the largest value along `axis` (by default the first), the first of equals."""
    return torch.argmax(convert_to_tensor(input), dim=0 if axis is None else axis).to(dtypes.as_dtype(output_type))


def argmin(input: Any, axis: int | None = 0, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """The index of the smallest value along `axis` (by default the first), the first of equals."""
    return torch.argmin(convert_to_tensor(input), dim=0 if axis is None else axis).to(dtypes.as_dtype(output_type))


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """How many values over `axis` are not zero."""
    return torch.sum(convert_to_tensor(input) != 0, dim=axes(axis), keepdim=keepdims, dtype=dtypes.as_dtype(dtype))


def cumsum(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Running sums along `axis`; `exclusive` leaves each value itself out, `reverse` runs from the end."""
    x = convert_to_tensor(x)
    forward = torch.flip(x, (axis,)) if reverse else x
    sums = torch.cumsum(forward, dim=axis, dtype=x.dtype)
    if exclusive:
        sums = sums - forward
    return torch.flip(sums, (axis,)) if reverse else sums


def cumprod(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """Running products along `axis`; `exclusive` leaves each value itself out, `reverse` runs from the end."""
    x = convert_to_tensor(x)
    forward = torch.flip(x, (axis,)) if reverse else x
    if exclusive:
        first = torch.ones_like(forward.narrow(axis, 0, 1))
        forward = torch.cat([first, forward.narrow(axis, 0, x.shape[axis] - 1)], dim=axis)
    products = torch.cumprod(forward, dim=axis, dtype=x.dtype)
    return torch.flip(products, (axis,)) if reverse else products


class TopK(NamedTuple):
    """What `top_k` finds."""

    values: Tensor
    indices: Tensor


def top_k(input: Any, k: int = 1, sorted: bool = True, name: str | None = None) -> TopK:
    """The k largest values along the last axis and their int32 indices, largest first."""
    values, indices = torch.topk(convert_to_tensor(input), int(k), dim=-1)
    return TopK(values, indices.to(dtypes.int32))


def in_top_k(targets: Any, predictions: Any, k: int, name: str | None = None) -> Tensor:
    """Whether each target class is among the k largest predictions of its row."""
    predictions, targets = convert_to_tensor(predictions), convert_to_tensor(targets)
    own = torch.gather(predictions, 1, targets.to(dtypes.int64).unsqueeze(1))
    return torch.sum(predictions > own, dim=1) < int(k)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None) -> Tensor:
    """x / sqrt(max(sum x², epsilon)) over `axis`."""
    x = convert_to_tensor(x)
    return x * torch.rsqrt(torch.clamp(reduce_sum(torch.square(x), axis, keepdims=True), min=epsilon))


def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: int, name: str | None = None) -> Tensor:
    """Sums of the rows of `data` that share a segment: shape (num_segments, ...)."""
    data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids).to(dtypes.int64)
    rest = data.shape[ids.ndim :]
    return torch.zeros((int(num_segments), *rest), dtype=data.dtype).index_add(
        0, ids.reshape(-1), data.reshape(-1, *rest)
    )


def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: int, name: str | None = None) -> Tensor:
    """Means of the rows of `data` that share a segment; 0 for an empty one."""
    data = convert_to_tensor(data)
    count = unsorted_segment_sum(
        torch.ones(convert_to_tensor(segment_ids).shape, dtype=data.dtype), segment_ids, num_segments
    )
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return total / torch.clamp(count, min=1).reshape(-1, *(1,) * (total.ndim - 1))


def unsorted_segment_max(data: Any, segment_ids: Any, num_segments: int, name: str | None = None) -> Tensor:
    """Maxima of the rows of `data` that share a segment; the smallest number of the dtype for an empty one."""
    data, ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
    member = ids.reshape(-1) == torch.arange(int(num_segments), dtype=ids.dtype).unsqueeze(1)  # (segments, rows)
    rest = data.shape[ids.ndim :]
    least = (torch.finfo if data.dtype.is_floating_point else torch.iinfo)(data.dtype).min
    rows = torch.where(
        member.reshape(*member.shape, *(1,) * len(rest)),
        data.reshape(1, -1, *rest),
        torch.tensor(least, dtype=data.dtype),
    )
    return torch.amax(rows, dim=1)


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: int | None = None,
    weights: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How often each label (row) met each prediction (column): shape (num_classes, num_classes)."""
    labels, predictions = (convert_to_tensor(x).to(dtypes.int64).reshape(-1) for x in (labels, predictions))
    n = int(max(labels.max().item(), predictions.max().item())) + 1 if num_classes is None else int(num_classes)
    amount = torch.ones_like(labels) if weights is None else convert_to_tensor(weights).reshape(-1)
    counts = torch.zeros(n * n, dtype=amount.dtype).index_add(0, labels * n + predictions, amount)
    return counts.reshape(n, n).to(dtypes.as_dtype(dtype))


def bincount(
    arr: Any,
    weights: Any = None,
    minlength: int | None = None,
    maxlength: int | None = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
    axis: int | None = None,
    binary_output: bool = False,
) -> Tensor:
    """How often (or with what weight) each number 0, 1, 2, ... occurs: of them all, or with `axis=-1` in each row.

    Args:
        arr: Integers; rows of them, (n, m) or ragged, where `axis` is -1.
        weights: As many numbers, whose sums are counted in their dtype.
        minlength: The least length of the result (along its last axis).
        maxlength: The greatest: larger numbers are not counted.
        binary_output: Whether to tell only which numbers occur, by 1 and 0.
    """
    if axis not in (None, 0, -1):
        raise ValueError(f"bincount expected axis None, 0 or -1. Received: {axis}")
    rows, row, numbers = _rows(arr, each=axis == -1)
    weights = None if weights is None else _rows(weights)[2]
    depth = max(minlength or 0, int(numbers.max()) + 1 if numbers.numel() else 0)
    depth = depth if maxlength is None else min(depth, maxlength)
    counted = numbers < depth
    places = (row * depth + numbers)[counted]
    counts = torch.bincount(places, None if weights is None else weights[counted], minlength=(rows or 1) * depth)
    if binary_output:
        counts = (torch.bincount(places, minlength=(rows or 1) * depth) > 0).to(dtypes.as_dtype(dtype))
    elif weights is None:
        counts = counts.to(dtypes.as_dtype(dtype))
    else:
        counts = counts.to(weights.dtype)
    return counts if rows is None else counts.reshape(rows, depth)


def _rows(arr: Any, each: bool = False) -> tuple[int | None, Any, Tensor]:
    """How many rows there are (None: it is all one), the row of each number (0: the same), and the numbers."""
    from .ragged import RaggedTensor

    if isinstance(arr, RaggedTensor):
        row = arr.value_rowids().to(dtypes.int64)
        return (int(arr.nrows()), row, arr.flat_values) if each else (None, 0, arr.flat_values)
    arr = convert_to_tensor(arr)
    flat = arr.reshape(-1)
    if not each or arr.ndim < 2:
        return None, 0, flat
    return arr.shape[0], torch.arange(arr.shape[0]).repeat_interleave(arr.shape[1]), flat


def log_softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Tensor:
    """x - log sum exp(x) along `axis`."""
    return torch.log_softmax(convert_to_tensor(logits), dim=-1 if axis is None else axis)


def softmax(logits: Any, axis: int | None = -1, name: str | None = None) -> Tensor:
    """exp(x) / sum exp(x) along `axis`."""
    return torch.softmax(convert_to_tensor(logits), dim=-1 if axis is None else axis)


def _of_rows(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The reduction, of ragged tensors too."""

    @functools.wraps(function)
    def reduce(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
        if hasattr(input_tensor, "row_splits"):
            from .ragged import reduced

            return reduced(function, input_tensor, axis, keepdims)
        return function(input_tensor, axis, keepdims)

    return reduce


for _name in ("sum", "mean", "prod", "max", "min", "any", "all"):
    globals()[f"reduce_{_name}"] = _of_rows(_name, globals()[f"reduce_{_name}"])
_PUBLIC = [name for name, found in globals().items() if getattr(found, "__module__", "") == __name__ and name[0] != "_"]
report(globals(), [name for name in _PUBLIC if name not in ("operands", "axes", "true_quotient", "check_kind")])
from .segments import *  # noqa: E402 these two are made of what stands above
from .special import *  # noqa: E402

__getattr__ = missing(__name__, globals())
