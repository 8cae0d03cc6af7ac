"""`tf.random`: numbers drawn from Duograph's counter-based generator; a seed fixes them on every machine."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np

import duograph.torch as torch
from duograph.ops.random import scalar

from . import dtypes
from .autograph.symbolic import is_symbolic, plain
from .errors import InvalidArgumentError, report
from .missing import missing
from .tensors import Tensor, _sizes, convert_to_tensor

__all__ = [
    "categorical", "gamma", "normal", "poisson", "set_seed", "shuffle", "stateless_categorical", "stateless_gamma",
    "stateless_normal", "stateless_poisson", "stateless_shuffle", "stateless_truncated_normal", "stateless_uniform",
    "truncated_normal", "uniform",
]  # fmt: skip


def set_seed(seed: int) -> None:
    """Fix all numbers drawn from here on."""
    torch.manual_seed(int(seed))


def _generator(seed: Any) -> Any:
    """A source of numbers: a generator as it is, one fixed by a seed, or None for that of `set_seed`."""
    return seed if seed is None or isinstance(seed, torch.Generator) else torch.Generator().manual_seed(int(seed))


def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: Any = None,
    name: str | None = None,
) -> Tensor:
    """Numbers from the normal distribution."""
    return torch.randn(_sizes(shape), generator=_generator(seed), dtype=dtypes.as_dtype(dtype)) * stddev + mean


def uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: Any = None,
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
    seed: Any = None,
    name: str | None = None,
) -> Tensor:
    """Numbers from the normal distribution, kept within two standard deviations: the inverse of the cumulative
    distribution function at uniform numbers."""
    low, high = 0.02275013194817921, 0.9772498680518208  # Φ(-2), Φ(2)
    drawn = uniform(shape, low, high, dtype, seed)
    return torch.clamp(torch.erfinv(drawn * 2 - 1) * 2**0.5, -2, 2) * stddev + mean


def shuffle(value: Any, seed: Any = None, name: str | None = None) -> Tensor:
    """The rows of `value` in random order."""
    value = convert_to_tensor(value)
    return value[torch.randperm(value.shape[0], generator=_generator(seed))]


def categorical(
    logits: Any, num_samples: int, dtype: Any = dtypes.int64, seed: Any = None, name: str | None = None
) -> Tensor:
    """Classes drawn from unnormalised log-probabilities of shape (batch, classes): shape (batch, num_samples)."""
    logits = convert_to_tensor(logits)
    if logits.ndim != 2:
        raise InvalidArgumentError(f"tf.random.categorical expected (batch, classes). Received: {tuple(logits.shape)}")
    probabilities = torch.softmax(logits, dim=-1)
    return torch.multinomial(probabilities, int(num_samples), replacement=True, generator=_generator(seed)).to(
        dtypes.as_dtype(dtype)
    )


def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Numbers from the gamma distribution of shape `alpha` and rate `beta`: of shape `shape` + that of the two.

    Drawn on the host by NumPy's generator from a seed of ours, so no gradient flows to the parameters.
    """
    alpha, beta = (convert_to_tensor(x, dtype).numpy() for x in (alpha, 1.0 if beta is None else beta))
    full = (*_sizes(shape), *np.broadcast_shapes(alpha.shape, beta.shape))
    drawn = _on_host(seed).gamma(alpha, 1 / beta, full)
    return convert_to_tensor(drawn.astype(dtypes.as_dtype(dtype).numpy))


def poisson(shape: Any, lam: Any, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None) -> Tensor:
    """Numbers from the Poisson distribution of mean `lam`: of shape `shape` + lam.shape."""
    lam = convert_to_tensor(lam).numpy()
    drawn = _on_host(seed).poisson(lam, (*_sizes(shape), *lam.shape))
    return convert_to_tensor(drawn.astype(dtypes.as_dtype(dtype).numpy))


def _on_host(seed: Any) -> np.random.Generator:
    """NumPy's generator, from a seed that `seed` or the state behind `set_seed` gives."""
    return np.random.default_rng(int(torch.randint(0, 2**31 - 1, (), generator=_generator(seed))))


# -- functions of their seed -------------------------------------------------------------------------------------------
class _Keyed(torch.Generator):
    """The numbers that belong to a key: the same whenever, and in whichever turn of a loop, they are drawn."""

    def __init__(self, key: Tensor) -> None:
        super().__init__()
        self._key = key

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        start = self._offset
        self._offset += -(-count // 4)
        return self._key, scalar(start, dtypes.uint64)


_FACTORS = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


def keyed(seed: Any) -> Any:
    """The generator that a pair of integers stands for: another one for each pair."""
    if is_symbolic(seed):
        if seed.shape != (2,) or seed.dtype.is_floating_point:
            raise InvalidArgumentError(f"expected a seed of two integers. Received: {seed.dtype.name}, {seed.shape}")
        first, second = (torch.tensor(np.array(factor, np.uint64)) for factor in _FACTORS)
        pair = plain(seed).to(dtypes.int64).to(dtypes.uint64)
        return _Keyed((pair[0] * first + pair[1] * second + 1) & (2**63 - 1))
    return _Keyed(scalar(_number(seed), dtypes.uint64))


def begun(seed: Any) -> Any:
    """A generator that begins at a pair of integers, and goes on from call to call of a function that is recorded."""
    return torch.Generator().manual_seed(_number(seed))


def _number(seed: Any) -> int:
    return (sum(part * factor for part, factor in zip(_sizes(seed), _FACTORS, strict=True)) + 1) % 2**63


def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: str = "auto_select",
) -> Tensor:
    """Numbers from [minval, maxval), the same for the same `seed`, a pair of integers."""
    return uniform(shape, minval, maxval, dtype, keyed(seed))


def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: str = "auto_select",
) -> Tensor:
    """Numbers from the normal distribution, the same for the same `seed`, a pair of integers."""
    return normal(shape, mean, stddev, dtype, keyed(seed))


def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: str = "auto_select",
) -> Tensor:
    """Numbers within two standard deviations, the same for the same `seed`, a pair of integers."""
    return truncated_normal(shape, mean, stddev, dtype, keyed(seed))


def stateless_categorical(
    logits: Any, num_samples: int, seed: Any, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """Classes drawn as by `categorical`, the same for the same `seed`, a pair of integers."""
    return categorical(logits, num_samples, dtype, keyed(seed))


def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Numbers from the gamma distribution, of shape `shape`, the same for the same `seed`, a pair of integers."""
    alpha, beta = (convert_to_tensor(x, dtype).numpy() for x in (alpha, 1.0 if beta is None else beta))
    drawn = _on_host(keyed(seed)).gamma(alpha, 1 / beta, _sizes(shape))
    return convert_to_tensor(drawn.astype(dtypes.as_dtype(dtype).numpy))


def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """Numbers from the Poisson distribution, of shape `shape`, the same for the same `seed`, a pair of integers."""
    drawn = _on_host(keyed(seed)).poisson(convert_to_tensor(lam).numpy(), _sizes(shape))
    return convert_to_tensor(drawn.astype(dtypes.as_dtype(dtype).numpy))


def stateless_shuffle(value: Any, seed: Any, name: str | None = None) -> Tensor:
    """The rows of `value` in an order that is the same for the same `seed`, a pair of integers."""
    return shuffle(value, keyed(seed))


report(globals(), __all__)


def __getattr__(name: str) -> Any:
    """Generators with a state, and samplers of candidates, load when they are asked for."""
    if name in (
        "Algorithm",
        "Generator",
        "create_rng_state",
        "get_global_generator",
        "set_global_generator",
        "fold_in",
        "split",
    ):
        return getattr(importlib.import_module("duograph.tf.generator"), name)
    if name in ("log_uniform_candidate_sampler", "uniform_candidate_sampler"):
        return getattr(importlib.import_module("duograph.tf.candidates"), name)
    if name == "experimental":
        return sys.modules[__name__]
    return _missing(name)


_missing = missing(__name__, globals())
