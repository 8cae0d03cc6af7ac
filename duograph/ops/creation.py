"""Tensors from nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import dtype as dtypes
from ..graph import trace as tracing
from ..graph.dtype import DType
from ..graph.errors import ArgumentError
from ..graph.node import PRIMITIVES as P
from ..graph.trace import record
from ..tensor import convert, core
from ..tensor.core import Tensor, apply, method, wrap
from ..tensor.device import CPU, META, Device, defaults
from ..tensor.device import device as find_device
from .define import function, into, sizes_of


def _spec(dtype: Any, device: Any, like: Tensor | None = None, default: DType | None = None) -> tuple[DType, Device]:
    if dtype is not None:
        found = dtypes.dtype(dtype)
    else:
        found = like.dtype if like is not None else default or core.get_default_dtype()
    place = find_device(device) if device is not None else like._device if like is not None else defaults[-1]
    return found, place


def set_default_device(device: Any) -> None:
    """Where tensors are made when no device is named."""
    defaults[-1] = find_device(device)


def get_default_device() -> Device:
    return defaults[-1]


def filled(
    shape: tuple[int, ...], number: Any, dtype: DType, device: Device = CPU, requires_grad: bool = False
) -> Tensor:
    """A tensor of one number, realised at once: content that later steps can update in place."""
    if len(shape) > 64:
        raise ArgumentError(f"a tensor has at most 64 axes. Received: {len(shape)}")
    for size in shape:
        if size < 0:
            raise ArgumentError(f"sizes cannot be negative. Received: {shape}")
    if device is META:
        value = record(P["broadcast_to"], (tracing.constant(0, dtype),), (("shape", shape),))
        made = wrap(value, device)
    else:
        made = convert.from_buffer(np.full(shape, number, dtype.numpy) if number else np.zeros(shape, dtype.numpy))
    return made.requires_grad_() if requires_grad else made


def _maker(name: str, number: int) -> Callable[..., Tensor]:
    def make(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, out: Tensor | None = None,
             layout: Any = None, pin_memory: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
        if not size:
            size = ((),)
        made = filled(sizes_of(*size), number, *_spec(dtype, device), requires_grad)
        return into(out, made)

    def sized(*arguments: Any, size: Any = None, **keywords: Any) -> Tensor:
        return make(*(arguments if size is None else (size,)), **keywords)

    sized.__name__ = name
    sized.__doc__ = f"A tensor of the given sizes filled with {'ones' if number else 'zeros'}."
    return function(is_method=False)(sized)


zeros = _maker("zeros", 0)
ones = _maker("ones", 1)
empty = _maker("empty", 0)


def _like(name: str, number: int) -> Callable[..., Tensor]:
    def make(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
             layout: Any = None, pin_memory: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
        return filled(tuple(input.shape), number, *_spec(dtype, device, input), requires_grad)

    make.__name__ = name
    make.__doc__ = f"{name.split('_', maxsplit=1)[0].capitalize()} with the shape, dtype and device of `input`."
    return function(is_method=False)(make)


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)
empty_like = _like("empty_like", 0)


@function(is_method=False)
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
         out: Tensor | None = None, layout: Any = None, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A tensor of one number; its dtype is that of the number unless given."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    default = dtypes.of_number(fill_value, core.get_default_dtype())
    return into(out, filled(sizes_of(size), fill_value, *_spec(dtype, device, None, default), requires_grad))


@function(is_method=False)
def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
              layout: Any = None, memory_format: Any = None) -> Tensor:  # fmt: skip
    """One number in the shape of `input`."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    return filled(tuple(input.shape), fill_value, *_spec(dtype, device, input), requires_grad)


def _new(name: str, number: int) -> None:
    def make(
        self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **_: Any
    ) -> Tensor:
        return filled(sizes_of(*size) if size else (), number, *_spec(dtype, device, self), requires_grad)

    make.__doc__ = f"{name} of the given sizes with the dtype and device of this tensor."
    setattr(Tensor, f"new_{name}", make)


_new("zeros", 0)
_new("ones", 1)
_new("empty", 0)


def _new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    return filled(sizes_of(size), fill_value, *_spec(dtype, device, self), requires_grad)


def _new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    found, place = _spec(dtype, device, self)
    return convert.tensor(data, dtype=found, device=place, requires_grad=requires_grad)


method(_new_full, "new_full")
method(_new_tensor, "new_tensor")


@function(is_method=False)
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without end. Whole numbers give int64, others the default float."""
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if step == 0:
        raise ArgumentError("arange: step must not be zero")
    if out is not None and dtype is None:
        dtype = out.dtype
    if not all(map(math.isfinite, (start, end))):
        raise ArgumentError(f"arange: expected finite ends. Received: {start}, {end}")
    if (end - start) / step < 0:
        raise ArgumentError(f"arange: the step leads away from the end. Received: {start}, {end}, {step}")
    whole = all(isinstance(x, int | np.integer) for x in (start, end, step))
    found, place = _spec(dtype, device, None, dtypes.int64 if whole else None)
    if found is dtypes.int64:  # as PyTorch: the arguments become whole numbers before they are counted
        start, end, step, whole = int(start), int(end), int(step), True
        if step == 0:
            raise ArgumentError("arange: step must not be zero in int64")
    count = max(0, math.ceil((end - start) / step))
    array = (start + step * np.arange(count, dtype=np.int64 if whole else np.float64)).astype(found.numpy)
    return into(out, placed(array, place, requires_grad))


def placed(array: np.ndarray, device: Device, requires_grad: bool = False) -> Tensor:
    """A tensor over a fresh array, on a device."""
    made = convert.from_buffer(array)
    if device is not CPU:
        made = convert.to_device(made, device)
    return made.requires_grad_() if requires_grad else made


@function(is_method=False)
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
             out: Tensor | None = None) -> Tensor:  # fmt: skip
    """`steps` numbers at even distances from start to end, both included."""
    found, place = _spec(dtype, device)
    return into(out, placed(_spaced(start, end, steps, found).astype(found.numpy), place, requires_grad))


def _spaced(start: Any, end: Any, steps: int, dtype: DType) -> np.ndarray:
    """Even distances; the ends are whole where the dtype is, as in PyTorch."""
    if isinstance(steps, float):
        raise TypeError(f"steps: expected a whole number. Received: {steps}")
    if steps < 0:
        raise ArgumentError(f"steps: expected at least 0. Received: {steps}")
    kind = complex if dtype.is_complex else float if dtype.is_floating_point else int
    return np.linspace(kind(start), kind(end), int(steps))


@function(is_method=False)
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None,
             requires_grad: bool = False, out: Tensor | None = None) -> Tensor:  # fmt: skip
    """`base` to the power of evenly spaced exponents."""
    found, place = _spec(dtype, device)
    return into(
        out,
        placed(np.power(float(base), _spaced(start, end, steps, found)).astype(found.numpy), place, requires_grad),
    )


@function(is_method=False)
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
        out: Tensor | None = None) -> Tensor:  # fmt: skip
    """Ones on the main diagonal of an n by m matrix."""
    if n < 0 or (m or 0) < 0:
        raise ArgumentError(f"eye: expected sizes of at least 0. Received: {n}, {m}")
    found, place = _spec(dtype, device)
    return into(out, placed(np.eye(n, m, dtype=found.numpy), place, requires_grad))


@function(is_method=False)
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None) -> Tensor:
    """Row and column numbers of the lower triangle."""
    return placed(
        np.stack(np.tril_indices(row, offset, col)).astype(dtypes.dtype(dtype).numpy), find_device(device), False
    )


@function(is_method=False)
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None) -> Tensor:
    """Row and column numbers of the upper triangle."""
    return placed(
        np.stack(np.triu_indices(row, offset, col)).astype(dtypes.dtype(dtype).numpy), find_device(device), False
    )


@function(is_method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinate grids of 1-d tensors, in matrix ("ij") or Cartesian ("xy") order."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing: expected 'ij' or 'xy'. Received: {indexing!r}")
    swap = indexing == "xy" and len(tensors) >= 2
    ordered = [tensors[1], tensors[0], *tensors[2:]] if swap else list(tensors)
    shape = tuple(t.numel() for t in ordered)
    grids = []
    for k, t in enumerate(ordered):
        grid = t.reshape(tuple(-1 if j == k else 1 for j in range(len(ordered)))).expand(shape)
        grids.append(grid)
    return tuple([grids[1], grids[0], *grids[2:]] if swap else grids)


@function()
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with its own memory; gradients pass."""
    return apply(P["copy"], (input,))


for _made in (convert.tensor, convert.from_numpy, convert.from_dlpack):
    function(is_method=False)(_made)
function("asarray", is_method=False)(convert.as_tensor)
