"""Random numbers from the seeds that Keras keeps as variables."""

from __future__ import annotations

import numpy as np

import duograph.torch as torch
from duograph.graph.dtype import float32, float64, uint32, uint64
from duograph.ops.random import Generator, turned
from duograph.tensor import Tensor

ROUNDS = 8
"""Candidates for each number that is drawn by rejection. At least 95 of 100 are taken, so that one in 10^10 numbers is
the last candidate without having been taken."""


class SeededGenerator(Generator):
    """The sequence of one Keras seed: a key, and a counter that Keras advances at each use.

    Both are tensors and are not read: drawing again is the same trace. Each value of the counter has 2^32 blocks of
    numbers of its own.
    """

    def __init__(self, key: Tensor, counter: Tensor) -> None:
        super().__init__()
        self._key = key.to(uint32).to(uint64)
        self._counter = counter.to(uint32).to(uint64) * 2**32

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        before, blocks = turned(-(-count // 4))
        start = self._offset
        self._offset += blocks
        return self._key, self._counter + start if before is None else self._counter + start + before


def log_gamma_numbers(alpha: Tensor, generator: Generator) -> Tensor:
    """Logarithms of numbers of the gamma distributions of shape `alpha` and rate 1 (Marsaglia and Tsang 2000).

    Logarithms, since for a small `alpha` most of the numbers themselves are below the smallest float.
    """
    large = torch.where(alpha < 1, alpha + 1, alpha)
    d = large - 1 / 3
    candidates = (ROUNDS, *alpha.shape)
    normal = torch.randn(candidates, generator=generator, dtype=alpha.dtype)
    bar = torch.log(1 - torch.rand(candidates, generator=generator, dtype=alpha.dtype))
    root = 1 + normal * torch.rsqrt(9 * d)
    log_cube = 3 * torch.log(torch.where(root > 0, root, 1))
    taken = (root > 0) & (bar < 0.5 * normal**2 + d - d * root**3 + d * log_cube)
    log_v = log_cube[-1]
    for k in reversed(range(ROUNDS - 1)):
        log_v = torch.where(taken[k], log_cube[k], log_v)
    smaller = torch.log(1 - torch.rand(alpha.shape, generator=generator, dtype=alpha.dtype)) / alpha
    return torch.log(d) + log_v + torch.where(alpha < 1, smaller, 0)


def gamma_numbers(alpha: Tensor, generator: Generator) -> Tensor:
    """Numbers of the gamma distributions of shape `alpha` and rate 1."""
    return torch.exp(log_gamma_numbers(_working(alpha), generator))


def beta_numbers(alpha: Tensor, beta: Tensor, generator: Generator) -> Tensor:
    """Numbers of the beta distributions of `alpha` and `beta`: a / (a + b) for numbers a, b of gamma distributions."""
    a = log_gamma_numbers(_working(alpha), generator)
    return torch.sigmoid(a - log_gamma_numbers(_working(beta), generator))


def binomial_numbers(counts: Tensor, probabilities: Tensor, key: Tensor, counter: Tensor) -> Tensor:
    """How many of `counts` trials succeed. NumPy draws them, so seeds and arguments are read."""
    generator = np.random.Generator(np.random.Philox(key=[int(key) & 0xFFFFFFFF, int(counter) & 0xFFFFFFFF]))
    drawn = generator.binomial(counts.numpy().astype(np.int64), probabilities.double().numpy())
    return torch.tensor(drawn, dtype=float64)


def _working(parameter: Tensor) -> Tensor:
    return parameter if parameter.dtype is float64 else parameter.to(float32)
