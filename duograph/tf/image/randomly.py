"""Random changes of images. The `stateless_` ones are functions of their seed, a pair of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duograph.torch as torch

from ..array import slice as cut
from ..autograph.symbolic import is_symbolic
from ..errors import InvalidArgumentError
from ..random import stateless_uniform, uniform
from ..tensors import Tensor, _sizes, convert_to_tensor
from . import colour, geometry

__all__ = [
    "random_brightness", "random_contrast", "random_crop", "random_flip_left_right", "random_flip_up_down",
    "random_hue", "random_saturation", "stateless_random_brightness", "stateless_random_contrast",
    "stateless_random_crop", "stateless_random_flip_left_right", "stateless_random_flip_up_down",
    "stateless_random_hue", "stateless_random_saturation",
]  # fmt: skip

Draw = Callable[..., Tensor]
"""shape, low and high to uniform numbers."""


def _drawn(seed: Any) -> Draw:
    return lambda shape, low, high: uniform(shape, low, high, seed=seed)


def _from(seed: Any) -> Draw:
    return lambda shape, low, high: stateless_uniform(shape, seed, low, high)


def _flipped(image: Any, draw: Draw, flip: Callable[[Any], Tensor]) -> Tensor:
    x = convert_to_tensor(image)
    kept = draw(x.shape[:-3], 0.0, 1.0) < 0.5
    return torch.where(kept.reshape(*kept.shape, 1, 1, 1), x, flip(x))


def random_flip_left_right(image: Any, seed: int | None = None) -> Tensor:
    """Each image mirrored or not, with equal chance."""
    return _flipped(image, _drawn(seed), geometry.flip_left_right)


def stateless_random_flip_left_right(image: Any, seed: Any) -> Tensor:
    """Each image mirrored or not, with equal chance."""
    return _flipped(image, _from(seed), geometry.flip_left_right)


def random_flip_up_down(image: Any, seed: int | None = None) -> Tensor:
    """Each image turned upside down or not, with equal chance."""
    return _flipped(image, _drawn(seed), geometry.flip_up_down)


def stateless_random_flip_up_down(image: Any, seed: Any) -> Tensor:
    """Each image turned upside down or not, with equal chance."""
    return _flipped(image, _from(seed), geometry.flip_up_down)


def _cropped(value: Any, size: Any, draw: Draw) -> Tensor:
    x = convert_to_tensor(value)
    sizes = tuple(n if s == -1 else s for s, n in zip(_sizes(size), x.shape, strict=True))
    if any(s > n for s, n in zip(sizes, x.shape, strict=True)):
        raise InvalidArgumentError(f"random_crop expected at least the size {sizes}. Received: shape {tuple(x.shape)}")
    parts = draw((x.ndim,), 0.0, 1.0)
    rooms = [n - s for n, s in zip(x.shape, sizes, strict=True)]
    if not is_symbolic(parts):
        return cut(x, [min(int(p * (room + 1)), room) for p, room in zip(parts.tolist(), rooms, strict=True)], sizes)
    for axis, (size, room) in enumerate(zip(sizes, rooms, strict=True)):
        if room:
            first = torch.clamp((parts[axis].to(torch.float64) * (room + 1)).to(torch.int64), max=room)
            x = torch.index_select(x, axis, first + torch.arange(size))
    return x


def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """A box of `size` at a random place, over all axes. Raises InvalidArgumentError where the tensor is smaller."""
    return _cropped(value, size, _drawn(seed))


def stateless_random_crop(value: Any, size: Any, seed: Any, name: str | None = None) -> Tensor:
    """A box of `size` at a random place, over all axes. Raises InvalidArgumentError where the tensor is smaller."""
    return _cropped(value, size, _from(seed))


def _range(lower: float, upper: float, function: str) -> tuple[float, float]:
    if upper <= lower or lower < 0:
        raise ValueError(f"{function} expected 0 <= lower < upper. Received: {lower} and {upper}")
    return lower, upper


def _symmetric(bound: float, function: str, top: float = float("inf")) -> tuple[float, float]:
    if not 0 <= bound <= top:
        raise ValueError(f"{function} expected max_delta between 0 and {top}. Received: {bound}")
    return -bound, bound


def random_brightness(image: Any, max_delta: float, seed: int | None = None) -> Tensor:
    """`adjust_brightness` by a number from [-max_delta, max_delta)."""
    return colour.adjust_brightness(image, _drawn(seed)((), *_symmetric(max_delta, "random_brightness")))


def stateless_random_brightness(image: Any, max_delta: float, seed: Any) -> Tensor:
    """`adjust_brightness` by a number from [-max_delta, max_delta)."""
    return colour.adjust_brightness(image, _from(seed)((), *_symmetric(max_delta, "random_brightness")))


def random_hue(image: Any, max_delta: float, seed: int | None = None) -> Tensor:
    """`adjust_hue` by a number from [-max_delta, max_delta), max_delta at most 0.5."""
    return colour.adjust_hue(image, _drawn(seed)((), *_symmetric(max_delta, "random_hue", 0.5)))


def stateless_random_hue(image: Any, max_delta: float, seed: Any) -> Tensor:
    """`adjust_hue` by a number from [-max_delta, max_delta), max_delta at most 0.5."""
    return colour.adjust_hue(image, _from(seed)((), *_symmetric(max_delta, "random_hue", 0.5)))


def random_contrast(image: Any, lower: float, upper: float, seed: int | None = None) -> Tensor:
    """`adjust_contrast` by a factor from [lower, upper)."""
    return colour.adjust_contrast(image, _drawn(seed)((), *_range(lower, upper, "random_contrast")))


def stateless_random_contrast(image: Any, lower: float, upper: float, seed: Any) -> Tensor:
    """`adjust_contrast` by a factor from [lower, upper)."""
    return colour.adjust_contrast(image, _from(seed)((), *_range(lower, upper, "random_contrast")))


def random_saturation(image: Any, lower: float, upper: float, seed: int | None = None) -> Tensor:
    """`adjust_saturation` by a factor from [lower, upper)."""
    return colour.adjust_saturation(image, _drawn(seed)((), *_range(lower, upper, "random_saturation")))


def stateless_random_saturation(image: Any, lower: float, upper: float, seed: Any = None) -> Tensor:
    """`adjust_saturation` by a factor from [lower, upper)."""
    return colour.adjust_saturation(image, _from(seed)((), *_range(lower, upper, "random_saturation")))
