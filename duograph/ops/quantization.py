"""Numbers rounded to what an integer of few bits could hold, for training that knows of it (Jacob et al. 2018)."""

from __future__ import annotations

from ..graph.errors import ArgumentError, ShapeError
from ..graph.primitives.rules import normalize_axis
from ..tensor.convert import tensor
from ..tensor.core import Tensor, cast
from .define import function
from .elementwise import where


def _fake_quantized(x: Tensor, scale: Tensor, zero_point: Tensor, quant_min: int, quant_max: int) -> Tensor:
    """The gradient passes where the number is in range, as if it had not been rounded (Bengio et al. 2013)."""
    if quant_min > quant_max:
        raise ArgumentError(f"fake_quantize: expected quant_min <= quant_max. Received: {quant_min} > {quant_max}")
    zero = cast(zero_point, x.dtype)
    level = (x.detach() * scale.detach().reciprocal()).round() + zero
    rounded = (level.clamp(quant_min, quant_max) - zero) * scale.detach()
    through = where((level >= quant_min) & (level <= quant_max), x, 0)
    return rounded + (through - through.detach())


@function(is_method=False)
def fake_quantize_per_tensor_affine(
    input: Tensor, scale: float | Tensor, zero_point: int | Tensor, quant_min: int, quant_max: int
) -> Tensor:
    """The nearest of the numbers `(q - zero_point) * scale` for whole q in [quant_min, quant_max]."""
    scale = cast(scale, input.dtype) if isinstance(scale, Tensor) else tensor(scale, input.dtype)
    zero_point = zero_point if isinstance(zero_point, Tensor) else tensor(zero_point)
    return _fake_quantized(input, scale, zero_point, quant_min, quant_max)


@function(is_method=False)
def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """`fake_quantize_per_tensor_affine` with a `scale [n]` and `zero_point [n]` for each index along an axis of size n.

    Raises ShapeError for another number of them.
    """
    axis = normalize_axis(axis, input.ndim)
    size = input.shape[axis]
    if tuple(scale.shape) != (size,) or tuple(zero_point.shape) != (size,):
        raise ShapeError(
            f"fake_quantize_per_channel_affine: expected scale and zero_point of shape ({size},). "
            f"Received: {tuple(scale.shape)} and {tuple(zero_point.shape)}"
        )
    along = [size if k == axis else 1 for k in range(input.ndim)]
    return _fake_quantized(
        input, cast(scale, input.dtype).reshape(along), zero_point.reshape(along), quant_min, quant_max
    )
