"""Random numbers from the seeds that Keras keeps as variables."""

from __future__ import annotations

import threading

import numpy as np

import duograph.torch as torch
from duograph.graph.body import Body
from duograph.graph.dtype import float64, uint32, uint64
from duograph.ops.random import Generator, reserved, turned
from duograph.ops.variates import log_gamma_numbers, working
from duograph.tensor import Tensor


class _Current(threading.local):
    steps: Body | None = None
    """The loop whose turns are steps of training, while one is recorded: seeds move on in each, as they do when steps
    are made one by one."""


current = _Current()


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
        blocks = -(-count // 4)
        start = self._offset
        self._offset += reserved(blocks, current.steps)
        return turned(self._key, self._counter + start, blocks, current.steps)


def gamma_numbers(alpha: Tensor, generator: Generator) -> Tensor:
    """Numbers of the gamma distributions of shape `alpha` and rate 1."""
    return torch.exp(log_gamma_numbers(working(alpha), generator))


def beta_numbers(alpha: Tensor, beta: Tensor, generator: Generator) -> Tensor:
    """Numbers of the beta distributions of `alpha` and `beta`: a / (a + b) for numbers a, b of gamma distributions."""
    a = log_gamma_numbers(working(alpha), generator)
    return torch.sigmoid(a - log_gamma_numbers(working(beta), generator))


def binomial_numbers(counts: Tensor, probabilities: Tensor, key: Tensor, counter: Tensor) -> Tensor:
    """How many of `counts` trials succeed. NumPy draws them, so seeds and arguments are read."""
    generator = np.random.Generator(np.random.Philox(key=[int(key) & 0xFFFFFFFF, int(counter) & 0xFFFFFFFF]))
    drawn = generator.binomial(counts.numpy().astype(np.int64), probabilities.double().numpy())
    return torch.tensor(drawn, dtype=float64)
