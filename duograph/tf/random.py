"""`tf.random`: numbers drawn from Duograph's counter-based generator; a seed fixes them on every machine."""

from __future__ import annotations

from typing import Any

import duograph.torch as torch

from . import dtypes
from .missing import missing
from .tensors import Tensor, _sizes, convert_to_tensor

__all__ = ["categorical", "normal", "set_seed", "shuffle", "truncated_normal", "uniform"]


def set_seed(seed: int) -> None:
    """Fix all numbers drawn from here on."""
    torch.manual_seed(int(seed))


def _generator(seed: int | None) -> Any:
    return None if seed is None else torch.Generator().manual_seed(int(seed))


def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers from the normal distribution."""
    return torch.randn(_sizes(shape), generator=_generator(seed), dtype=dtypes.as_dtype(dtype)) * stddev + mean


def uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers from [minval, maxval), by default [0, 1); for an integer dtype `maxval` must be given."""
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_floating_point:
        if maxval is None:
            raise ValueError(f"tf.random.uniform expected maxval for the dtype {dtype.name}. Received: None")
        return torch.randint(int(minval), int(maxval), _sizes(shape), generator=_generator(seed), dtype=dtype)
    drawn = torch.rand(_sizes(shape), generator=_generator(seed), dtype=dtype)
    return drawn if maxval is None and minval == 0 else drawn * ((1 if maxval is None else maxval) - minval) + minval


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers from the normal distribution, kept within two standard deviations: the inverse of the cumulative
    distribution function at uniform numbers."""
    low, high = 0.02275013194817921, 0.9772498680518208  # Φ(-2), Φ(2)
    drawn = uniform(shape, low, high, dtype, seed)
    return torch.clamp(torch.erfinv(drawn * 2 - 1) * 2**0.5, -2, 2) * stddev + mean


def shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """The rows of `value` in random order."""
    value = convert_to_tensor(value)
    return value[torch.randperm(value.shape[0], generator=_generator(seed))]


def categorical(
    logits: Any, num_samples: int, dtype: Any = dtypes.int64, seed: int | None = None, name: str | None = None
) -> Tensor:
    """Classes drawn from unnormalised log-probabilities of shape (batch, classes): shape (batch, num_samples)."""
    probabilities = torch.softmax(convert_to_tensor(logits), dim=-1)
    return torch.multinomial(probabilities, int(num_samples), replacement=True, generator=_generator(seed)).to(
        dtypes.as_dtype(dtype)
    )


__getattr__ = missing(__name__, globals())
