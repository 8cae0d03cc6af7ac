"""Arrays for the samples that the table's tests run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np

from ..node import Sample, Shape

SHAPES: tuple[Shape, ...] = ((), (7,), (3, 5), (0, 3))
PAIRS: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((5,), (5,)),
    ((3, 1, 5), (2, 1)),
    ((), (4,)),
    ((0, 3), (1, 3)),
)


def uniform(low: float, high: float, *shape: int) -> np.ndarray:
    """Distinct values spread evenly over [low, high], in a fixed disorder: far from ties, the same in every run."""
    count = prod(shape)
    order = np.random.default_rng(count).permutation(count)
    return (low + (high - low) * (order + 0.5) / max(count, 1)).reshape(shape)


def integers(low: int, high: int, *shape: int) -> np.ndarray:
    """int64 values in [low, high), in a fixed disorder."""
    return np.random.default_rng(prod(shape)).integers(low, high, shape)


def unary_samples(low: float, high: float, **attributes: Any) -> Callable[[], Iterable[Sample]]:
    """One input with values between `low` and `high`, of several shapes."""
    return lambda: [Sample((uniform(low, high, *shape),), attributes) for shape in SHAPES]


def binary_samples(
    x: tuple[float, float] = (-3, 3), y: tuple[float, float] = (-2, 4)
) -> Callable[[], Iterable[Sample]]:
    """Two inputs with values in these ranges, of shapes that broadcast. The values never tie."""
    return lambda: [Sample((uniform(*x, *a), uniform(*y, *b) + 0.0137)) for a, b in PAIRS]


def integer_pairs(low: int, high: int) -> Callable[[], Iterable[Sample]]:
    """Two int64 inputs, the second between `low` and `high`, of shapes that broadcast."""
    return lambda: [Sample((integers(-9, 90, *a), integers(low, high, *b))) for a, b in PAIRS]
