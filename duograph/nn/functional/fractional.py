"""Maxima over windows at random places (Graham, "Fractional max-pooling", 2014)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...graph.dtype import int64
from ...graph.errors import ArgumentError, ShapeError
from ...ops import FUNCTIONS
from ...tensor.core import Tensor, cast
from .common import per_axis


def _starts(samples: Tensor, size: int, out: int, window: int) -> Tensor:
    """Where the windows along one axis begin, for random numbers `[N, C]` from [0, 1): `[N, C, out]`."""
    if out == 1:
        return cast(samples.unsqueeze(-1) * 0, int64) + (size - window)
    step = (size - window) / (out - 1)
    places = FUNCTIONS["arange"](out - 1, dtype=samples.dtype)
    u = samples.unsqueeze(-1)
    begins = cast(((places + u) * step).floor() - (u * step).floor(), int64)
    return FUNCTIONS["cat"]([begins, begins[..., :1] * 0 + (size - window)], -1)


def _fractional(n: int) -> Callable[..., Any]:
    def function(
        input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> Any:  # fmt: skip
        if input.ndim not in (n + 1, n + 2):
            raise ShapeError(f"{name}: input: expected {n + 1} or {n + 2} dimensions. Received: {tuple(input.shape)}")
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(f"{name}: expected either output_size or output_ratio. Received: both or neither")
        x = input if input.ndim == n + 2 else input.unsqueeze(0)
        sizes, window = tuple(x.shape[2:]), per_axis(name, "kernel_size", kernel_size, n)
        if output_size is None:
            ratios = per_axis(name, "output_ratio", output_ratio, n)
            output_size = [int(s * r) for s, r in zip(sizes, ratios, strict=True)]
        out = per_axis(name, "output_size", output_size, n)
        if any(o + k - 1 > s for o, k, s in zip(out, window, sizes, strict=True)):
            raise ArgumentError(
                f"{name}: output_size: expected windows that fit into {sizes}. Received: {out}, {window}"
            )
        batch = tuple(x.shape[:2])
        samples = _random_samples
        samples = FUNCTIONS["rand"]((*batch, n), dtype=x.dtype) if samples is None else samples[: batch[0]]
        flat: Any = 0
        for k in range(n):
            drawn = samples.select(-1, n - 1 - k if n == 2 else k)
            reached = _starts(drawn, sizes[k], out[k], window[k]).unsqueeze(-1) + FUNCTIONS["arange"](window[k])
            shape = [1] * (2 * n)
            shape[k], shape[n + k] = out[k], window[k]
            flat = flat * sizes[k] + reached.reshape(*batch, *shape)
        count = math.prod(window)
        places = flat.reshape(*batch, math.prod(out), count)
        values = x.flatten(2).gather(2, places.flatten(2)).reshape(tuple(places.shape))
        best, at = values.max(-1)
        result = (*batch, *out) if input.ndim == n + 2 else (batch[1], *out)
        indices = places.gather(-1, at.unsqueeze(-1)).reshape(result)
        return (best.reshape(result), indices) if return_indices else best.reshape(result)

    name = function.__name__ = f"fractional_max_pool{n}d"
    function.__doc__ = f"Maxima over windows of a size at random places of the last {n} axes."
    return function


fractional_max_pool2d, fractional_max_pool3d = _fractional(2), _fractional(3)
