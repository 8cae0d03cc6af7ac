"""`tf.debugging`: assertions about tensors. One that fails raises InvalidArgumentError, or ValueError for ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duograph.torch as torch

from . import dtypes, math
from .errors import InvalidArgumentError
from .missing import missing
from .tensors import Tensor, convert_to_tensor
from .text import StringTensor

__all__ = [
    "Assert", "assert_all_finite", "assert_equal", "assert_greater", "assert_greater_equal", "assert_integer",
    "assert_less", "assert_less_equal", "assert_near", "assert_negative", "assert_non_negative", "assert_non_positive",
    "assert_none_equal", "assert_positive", "assert_proper_iterable", "assert_rank", "assert_rank_at_least",
    "assert_rank_in", "assert_same_float_dtype", "assert_scalar", "assert_shapes", "assert_type", "check_numerics",
    "disable_traceback_filtering", "enable_traceback_filtering", "is_numeric_tensor",
    "is_traceback_filtering_enabled",
]  # fmt: skip


def _shown(x: Any) -> str:
    return f"{x.numpy()!r}" if x.shape.numel() <= 10 else f"a tensor of shape {tuple(x.shape)}"


def _comparison(name: str, compare: Callable[..., Any], sign: str) -> Callable[..., None]:
    label = name

    def check(
        x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
    ) -> None:
        if not isinstance(x, Tensor | StringTensor) and isinstance(y, Tensor):
            x = convert_to_tensor(x, y.dtype)
        x = convert_to_tensor(x)
        y = y if isinstance(y, Tensor | StringTensor) else convert_to_tensor(y, x.dtype)
        if not bool(torch.all(compare(x, y))):
            raise InvalidArgumentError(
                f"{message or ''} {label}: x {sign} y does not hold. x: {_shown(x)}, y: {_shown(y)}"
            )

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raises InvalidArgumentError unless x {sign} y for all elements."
    return check


assert_equal = _comparison("assert_equal", lambda x, y: math.equal(x, y), "==")
assert_none_equal = _comparison("assert_none_equal", lambda x, y: math.not_equal(x, y), "!=")
assert_less = _comparison("assert_less", lambda x, y: math.less(x, y), "<")
assert_less_equal = _comparison("assert_less_equal", lambda x, y: math.less_equal(x, y), "<=")
assert_greater = _comparison("assert_greater", lambda x, y: math.greater(x, y), ">")
assert_greater_equal = _comparison("assert_greater_equal", lambda x, y: math.greater_equal(x, y), ">=")


def _bound(name: str, holds: Callable[[Any], Any], sign: str) -> Callable[..., None]:
    label = name

    def check(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
        x = convert_to_tensor(x)
        if not bool(torch.all(holds(x))):
            raise InvalidArgumentError(f"{message or ''} {label}: x {sign} 0 does not hold. x: {_shown(x)}")

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raises InvalidArgumentError unless x {sign} 0 for all elements."
    return check


assert_negative = _bound("assert_negative", lambda x: x < 0, "<")
assert_positive = _bound("assert_positive", lambda x: x > 0, ">")
assert_non_negative = _bound("assert_non_negative", lambda x: x >= 0, ">=")
assert_non_positive = _bound("assert_non_positive", lambda x: x <= 0, "<=")


def Assert(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> None:
    """Raises InvalidArgumentError, with `data`, where the condition is false."""
    if not bool(torch.all(convert_to_tensor(condition).to(dtypes.bool))):
        raise InvalidArgumentError(f"the asserted condition is false. Data: {data}")


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: Any = None,
    name: Any = None,
) -> None:
    """Raises InvalidArgumentError unless |x - y| <= atol + rtol |y|; both 10 epsilons of the dtype by default."""
    x, y = math.operands("debugging.assert_near", x, y)
    epsilon = 10 * torch.finfo(x.dtype).eps
    rtol, atol = (epsilon if t is None else t for t in (rtol, atol))
    if not bool(torch.all(torch.abs(x - y) <= atol + rtol * torch.abs(y))):
        raise InvalidArgumentError(f"{message or ''} assert_near: x and y differ. x: {_shown(x)}, y: {_shown(y)}")


def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """`x`. Raises InvalidArgumentError where it holds an infinite number or none."""
    return check_numerics(x, message)


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """`tensor`. Raises InvalidArgumentError where it holds an infinite number or none."""
    x = convert_to_tensor(tensor)
    if bool(torch.any(torch.isnan(x))):
        raise InvalidArgumentError(f"{message} : Tensor had NaN values")
    if bool(torch.any(torch.isinf(x))):
        raise InvalidArgumentError(f"{message} : Tensor had Inf values")
    return x


def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises ValueError unless x has `rank` axes."""
    assert_rank_in(x, [int(rank)], message)


def assert_rank_in(x: Any, ranks: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises ValueError unless the number of axes is one of `ranks`."""
    found = convert_to_tensor(x).ndim
    if found not in [int(r) for r in ranks]:
        raise ValueError(f"{message or ''} expected {' or '.join(str(int(r)) for r in ranks)} axes. Received: {found}")


def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises ValueError unless x has at least `rank` axes."""
    found = convert_to_tensor(x).ndim
    if found < int(rank):
        raise ValueError(f"{message or ''} expected at least {int(rank)} axes. Received: {found}")


def assert_scalar(tensor: Any, message: str | None = None, name: str | None = None) -> Any:
    """`tensor`. Raises ValueError where it has axes."""
    assert_rank(tensor, 0, message)
    return tensor


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises TypeError unless the dtype is a whole one."""
    dtype = convert_to_tensor(x).dtype
    if dtype.category != "int":
        raise TypeError(f"{message or ''} expected integers. Received: {dtype.name}")


def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """Raises TypeError unless the dtype is `tf_type`."""
    dtype, wanted = convert_to_tensor(tensor).dtype, dtypes.as_dtype(tf_type)
    if dtype is not wanted:
        raise TypeError(f"{message or ''} expected {wanted.name}. Received: {dtype.name}")


def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    """The dtype that all have, float32 of none. Raises ValueError where they differ or are no floats."""
    found = {convert_to_tensor(t).dtype for t in tensors or ()} | (
        {dtypes.as_dtype(dtype)} if dtype is not None else set()
    )
    if len(found) > 1 or any(not d.is_floating_point for d in found):
        raise ValueError(f"expected one floating point dtype. Received: {', '.join(sorted(d.name for d in found))}")
    return found.pop() if found else dtypes.float32


def assert_proper_iterable(values: Any) -> None:
    """Raises TypeError for what is no collection: a tensor, an array, a string."""
    if isinstance(values, Tensor | StringTensor | str | bytes) or not hasattr(values, "__iter__"):
        raise TypeError(f"expected a list or the like. Received: {type(values).__name__}")


def assert_shapes(
    shapes: Any, data: Any = None, summarize: Any = None, message: str | None = None, name: str | None = None
) -> None:
    """Raises ValueError unless tensors have shapes in which equal symbols are equal sizes.

    `shapes` has pairs of a tensor and a shape of numbers, symbols, None for any size and "..." in front for any axes.
    """
    known: dict[Any, int] = {}
    for tensor, pattern in shapes.items() if isinstance(shapes, dict) else shapes:
        sizes = tuple(convert_to_tensor(tensor).shape)
        wanted = (pattern,) if isinstance(pattern, int) else tuple(pattern)
        if wanted and wanted[0] in ("...", "*", ...):
            wanted = wanted[1:]
            sizes = sizes[len(sizes) - len(wanted) :]
        if len(sizes) != len(wanted):
            raise ValueError(f"{message or ''} expected {len(wanted)} axes, {wanted}. Received: shape {sizes}")
        for size, symbol in zip(sizes, wanted, strict=True):
            if symbol is None:
                continue
            expected = int(symbol) if str(symbol).isdigit() else known.setdefault(symbol, size)
            if size != expected:
                raise ValueError(
                    f"{message or ''} expected size {expected} for {symbol!r} in {wanted}. Received: {size}"
                )


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether it is a tensor of numbers."""
    return isinstance(tensor, Tensor) and tensor.dtype is not dtypes.bool


_filtered = True


def enable_traceback_filtering() -> None:
    """Remembered only: Duograph's errors name the user's line themselves."""
    global _filtered
    _filtered = True


def disable_traceback_filtering() -> None:
    """Remembered only: Duograph's errors name the user's line themselves."""
    global _filtered
    _filtered = False


def is_traceback_filtering_enabled() -> bool:
    """What was last chosen."""
    return _filtered


__getattr__ = missing(
    __name__,
    globals(),
    {"enable_check_numerics": "use duograph.debug, which finds the first operation that gives a NaN"},
)
