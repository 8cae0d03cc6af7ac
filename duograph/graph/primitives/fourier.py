"""Discrete Fourier transforms, without a factor in either direction, evaluated by NumPy's pocketfft.

Axes count from the back, so that a transform of many is the same operation with more axes before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import language as lang
from ..dtype import DType
from ..errors import ArgumentError, AxisError, DTypeError
from ..node import Node, Primitive, Sample, Shape, register
from .rules import same_dtype
from .samples import uniform


def _size(x: Shape, axis: int) -> int:
    if not -len(x) <= axis < 0:
        raise AxisError(f"expected an axis in [-{len(x)}, 0), counted from the back. Received: {axis}")
    if not x[axis]:
        raise ArgumentError(f"a Fourier transform needs at least one element along its axis. Received: shape {x}")
    return x[axis]


def _with_size(x: Shape, axis: int, size: int) -> Shape:
    return (*x[: len(x) + axis], size, *x[len(x) + axis + 1 :])


def _real(x: DType, **_: Any) -> DType:
    dtype = same_dtype("float")(x)
    if dtype.is_half:
        raise DTypeError(f"expected dtype float32 or float64. Received: {dtype.name}")
    return dtype.to_complex()


def _on_axis(weights: Sequence[float], like: Node, axis: int) -> Node:
    """`weights[0]`, then as many of `weights[1]` as fit, then `weights[2:]`, along an axis of something as `like`."""
    size = like.shape[axis]
    dtype = like.dtype.to_real()
    runs = [(weights[0], 1), (weights[1], size - 1 - len(weights[2:])), *((w, 1) for w in weights[2:])]
    row = lang.concatenate([lang.full((count,), w, dtype) for w, count in runs if count])
    return lang.cast(lang.reshape(row, (size, *(1,) * (-axis - 1))), like.dtype)


def _fft_shape(x: Shape, *, axes: tuple[int, ...], inverse: bool) -> Shape:
    for axis in axes:
        _size(x, axis)
    return x


def _fft(x: np.ndarray, *, axes: tuple[int, ...], inverse: bool) -> np.ndarray:
    if not x.size:
        return x
    return np.fft.ifftn(x, None, axes, "forward") if inverse else np.fft.fftn(x, None, axes)


def _fft_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """The matrix is symmetric, and its conjugate the inverse's."""
    return (lang.fft(dy, node["axes"], not node["inverse"]),)


def _rfft_gradient(node: Node, dy: Node) -> Sequence[Node]:
    """The adjoint's real part: `irfft` counts all but the first coefficient, and the last of an even size, twice."""
    axis, size = node["axis"], node.inputs[0].shape[node["axis"]]
    weights = _on_axis((1.0, 0.5, 1.0) if size % 2 == 0 else (1.0, 0.5), dy, axis)
    return (lang.irfft(dy * weights, axis, size),)


def _irfft_gradient(node: Node, dy: Node) -> Sequence[Node]:
    axis, size = node["axis"], node["size"]
    made = lang.rfft(dy, axis)
    return (made * _on_axis((1.0, 2.0, 1.0) if size % 2 == 0 else (1.0, 2.0), made, axis),)


def _irfft_shape(x: Shape, *, axis: int, size: int) -> Shape:
    if size < 1 or _size(x, axis) != size // 2 + 1:
        raise ArgumentError(
            f"irfft: expected a size of at least 1, and size // 2 + 1 coefficients. Received: size {size}, shape {x}"
        )
    return _with_size(x, axis, size)


def _rfft(x: np.ndarray, *, axis: int) -> np.ndarray:
    shape = _with_size(x.shape, axis, x.shape[axis] // 2 + 1)
    return np.fft.rfft(x, None, axis) if x.size else np.empty(shape, np.result_type(x.dtype, np.complex64))


def _irfft(x: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    return np.fft.irfft(x, size, axis, "forward") if x.size else np.empty(_with_size(x.shape, axis, size), x.real.dtype)


def _complex(*shape: int) -> np.ndarray:
    return uniform(-3, 3, *shape) + 1j * uniform(-2, 4, *shape[::-1]).reshape(shape)


def _fft_samples() -> Iterable[Sample]:
    for shape, axes in [((1,), (-1,)), ((6,), (-1,)), ((3, 5), (-2,)), ((2, 3, 4), (-3, -1)), ((0, 4), (-1,))]:
        for inverse in (False, True):
            yield Sample((_complex(*shape),), {"axes": axes, "inverse": inverse})


def _of(make: Callable[..., np.ndarray], *cases: tuple[Shape, dict[str, Any]]) -> Callable[[], Iterable[Sample]]:
    return lambda: [Sample((make(*shape),), attributes) for shape, attributes in cases]


def _fft_in_torch(torch: Any, x: Any, *, axes: tuple[int, ...], inverse: bool) -> Any:
    return torch.fft.ifftn(x, dim=axes, norm="forward") if inverse else torch.fft.fftn(x, dim=axes)


register(
    Primitive(
        name="fft", kind="linalg", arity=1, attributes=("axes", "inverse"), shape=_fft_shape,
        dtype=same_dtype("complex"), evaluate=_fft, gradient=_fft_gradient, torch=_fft_in_torch, samples=_fft_samples,
        wirtinger=True,
    )
)  # fmt: skip
register(
    Primitive(
        name="rfft", kind="linalg", arity=1, attributes=("axis",),
        shape=lambda x, *, axis: _with_size(x, axis, _size(x, axis) // 2 + 1), dtype=_real, evaluate=_rfft,
        gradient=_rfft_gradient, torch=lambda torch, x, *, axis: torch.fft.rfft(x, dim=axis),
        samples=_of(
            lambda *shape: uniform(-3, 3, *shape), ((1,), {"axis": -1}), ((2,), {"axis": -1}), ((7,), {"axis": -1}),
            ((3, 6), {"axis": -1}), ((4, 3), {"axis": -2}), ((0, 4), {"axis": -1}),
        ),
        wirtinger=True,
    )
)  # fmt: skip
register(
    Primitive(
        name="irfft", kind="linalg", arity=1, attributes=("axis", "size"), shape=_irfft_shape,
        dtype=lambda x, **_: same_dtype("complex")(x).to_real(), evaluate=_irfft, gradient=_irfft_gradient,
        torch=lambda torch, x, *, axis, size: torch.fft.irfft(x, size, axis, "forward"),
        samples=_of(
            _complex, ((1,), {"axis": -1, "size": 1}), ((2,), {"axis": -1, "size": 2}), ((2,), {"axis": -1, "size": 3}),
            ((3, 4), {"axis": -1, "size": 7}), ((4, 3), {"axis": -2, "size": 6}), ((0, 4), {"axis": -1, "size": 6}),
        ),
        wirtinger=True,
    )
)  # fmt: skip
