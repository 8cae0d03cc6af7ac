"""`tf.random.Generator`: a source of numbers with a state of its own."""

from __future__ import annotations

import enum
import secrets
from typing import Any

import numpy as np

from . import dtypes, random
from .tensors import Tensor, _sizes, convert_to_tensor

__all__ = [
    "Algorithm", "Generator", "create_rng_state", "fold_in", "get_global_generator", "set_global_generator", "split",
]  # fmt: skip


class Algorithm(enum.Enum):
    """TensorFlow's names of algorithms. Duograph has one, which stands for each of them."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


class Generator:
    """A source of numbers whose state is a key and how often it was used.

    Made by `from_seed`, `from_state` or `from_non_deterministic_state`. The numbers follow the distributions asked
    for; they are not those of TensorFlow's algorithms.
    """

    def __init__(self, copy_from: Generator | None = None, state: Any = None, alg: Any = None) -> None:
        if copy_from is not None:
            state = copy_from.state
        if state is None:
            raise ValueError("tf.random.Generator expected copy_from or a state: use Generator.from_seed")
        self._key, self._used = _sizes(state)[-2:]

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A generator that a seed fixes."""
        return cls(state=(int(seed), 0))

    @classmethod
    def from_state(cls, state: Any, alg: Any = None) -> Generator:
        """The generator that has this `state`."""
        return cls(state=state)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator that differs each time."""
        return cls(state=(secrets.randbits(62), 0))

    from_key_counter = from_state

    @property
    def state(self) -> Tensor:
        """Key and counter, int64."""
        return convert_to_tensor(np.array([self._key, self._used], np.int64))

    @property
    def algorithm(self) -> int:
        return Algorithm.AUTO_SELECT.value

    def reset(self, state: Any) -> None:
        """Go to a state."""
        self._key, self._used = _sizes(state)[-2:]

    def reset_from_seed(self, seed: Any) -> None:
        """Begin anew from a seed."""
        self._key, self._used = int(seed), 0

    def skip(self, delta: int) -> Tensor:
        """Leave out `delta` draws; gives the state before."""
        before = self.state
        self._used += int(delta)
        return before

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds for the stateless functions: int64 of shape (2, count)."""
        return random.stateless_uniform((2, count), self._seed(), -(2**31), 2**31 - 1, dtypes.int64)

    def split(self, count: int = 1) -> list[Generator]:
        """Generators that are independent of this one and of one another."""
        return [Generator.from_state(pair) for pair in self.make_seeds(count).numpy().T.tolist()]

    def _seed(self) -> tuple[int, int]:
        self._used += 1
        return self._key, self._used

    def _begun(self) -> Any:
        return random.begun(self._seed())

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: Any = None
    ) -> Tensor:
        """Numbers from the normal distribution."""
        return random.normal(shape, mean, stddev, dtype, self._begun())

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: Any = None
    ) -> Tensor:
        """Numbers from the normal distribution within two standard deviations."""
        return random.truncated_normal(shape, mean, stddev, dtype, self._begun())

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: Any = None
    ) -> Tensor:
        """Numbers from [minval, maxval)."""
        return random.uniform(shape, minval, maxval, dtype, self._begun())

    def uniform_full_int(self, shape: Any, dtype: Any = dtypes.uint64, name: Any = None) -> Tensor:
        """Integers from the whole range of the dtype."""
        dtype = dtypes.as_dtype(dtype)
        limits = np.iinfo(dtype.numpy)
        host = random._on_host(self._begun())
        return convert_to_tensor(host.integers(limits.min, limits.max, _sizes(shape), dtype.numpy, endpoint=True))

    def binomial(self, shape: Any, counts: Any, probs: Any, dtype: Any = dtypes.int32, name: Any = None) -> Tensor:
        """How many of `counts` trials succeed, each with probability `probs`: of shape `shape`."""
        counts, probs = (convert_to_tensor(x).numpy() for x in (counts, probs))
        host = random._on_host(self._begun())
        drawn = host.binomial(counts.astype(np.int64), probs, _sizes(shape))
        return convert_to_tensor(drawn.astype(dtypes.as_dtype(dtype).numpy))


_shared: Generator | None = None


def get_global_generator() -> Generator:
    """The generator that all share: of a random state until `set_global_generator`."""
    global _shared
    if _shared is None:
        _shared = Generator.from_non_deterministic_state()
    return _shared


def set_global_generator(generator: Generator) -> None:
    """Replace the generator that all share."""
    global _shared
    _shared = generator


def create_rng_state(seed: Any, alg: Any = None) -> Tensor:
    """The state of `Generator.from_seed(seed)`."""
    return Generator.from_seed(seed).state


def split(seed: Any, num: int = 2, alg: Any = None) -> Tensor:
    """Seeds for the stateless functions that are independent of one another: of shape (num, 2)."""
    dtype = getattr(seed, "dtype", dtypes.int32)
    return random.stateless_uniform((int(num), 2), seed, 0, 2**31 - 1, dtype)


def fold_in(seed: Any, data: Any, alg: Any = None) -> Tensor:
    """Another seed, made of `seed` and a number."""
    first, second = _sizes(seed)
    dtype = getattr(seed, "dtype", dtypes.int32)
    return random.stateless_uniform((2,), (first ^ int(data) * 0x5851F42D, second), 0, 2**31 - 1, dtype)
