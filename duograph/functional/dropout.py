"""Dropout: elements, or whole channels, set to zero at random in training.

Random numbers come from (seed, offset), 0-d uint64 run-time inputs that a generator hands out.
"""

from __future__ import annotations

import math

from ..graph import language as g
from ..graph.composite import composite
from ..graph.node import Node
from .checks import check_argument, check_floating


def kept(seed: Node, offset: Node, shape: tuple[int, ...], p: float) -> Node:
    """True with probability 1 - p: 32 random bits at or above p 2^32."""
    threshold = min(round(p * 2.0**32), 2**32 - 1)
    return ~(g.apply("random_bits", seed, offset, shape=shape) < threshold)


@composite
def dropout(x: Node, seed: Node, offset: Node, *, p: float, channels: bool = False) -> Node:
    """Elements zeroed with probability `p`, the others divided by 1 - p (Srivastava et al. 2014).

    With `channels`, whole channels [batch, channel, ...] at a time.
    """
    check_floating(input=x)
    check_argument(0.0 <= p <= 1.0, "p", "a probability from 0 to 1", p)
    if p == 0.0:
        return g.apply("copy", x)
    if p == 1.0:
        return x * 0.0
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if channels else x.shape
    return g.select(g.broadcast_to(kept(seed, offset, shape, p), x.shape), x * (1.0 / (1.0 - p)), 0.0)


SELU_LOW = -1.7580993408473766
"""What SELU tends to: -alpha * scale."""


@composite
def alpha_dropout(x: Node, seed: Node, offset: Node, *, p: float, channels: bool = False) -> Node:
    """Dropout that keeps mean and variance under SELU (Klambauer et al. 2017)."""
    check_floating(input=x)
    check_argument(0.0 <= p <= 1.0, "p", "a probability from 0 to 1", p)
    if p == 1.0:
        return x * 0.0
    keep = 1.0 - p
    scale = 1.0 / math.sqrt(keep * (1.0 + p * SELU_LOW**2))
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if channels else x.shape
    stays = g.broadcast_to(kept(seed, offset, shape, p), x.shape)
    return g.select(stays, x, SELU_LOW) * scale - scale * p * SELU_LOW
