"""Random bits that are a function of a seed and a place, and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..dtype import DType, uint32, uint64
from ..errors import ArgumentError, DTypeError, ShapeError
from ..node import Primitive, Sample, Shape, register
from .rules import zero_gradient

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and √3 - 1, in 32 bits
_LOW = 0xFFFFFFFF


def philox(counter: Sequence[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """Philox4x32-10: four words of counter (uint64 arrays that hold 32 bits) and two of key to four random words.

    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & np.uint64(_LOW),
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & np.uint64(_LOW),
        )
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return [c0, c1, c2, c3]


def _random_bits(seed: np.ndarray, offset: np.ndarray, *, shape: Shape) -> np.ndarray:
    """Element i is word i mod 4 of the block whose counter is offset + i div 4 and whose key is the seed."""
    size = prod(shape)
    block = np.arange(-(-size // 4), dtype=np.uint64) + np.uint64(offset)
    zero = np.zeros_like(block)
    key = int(seed)
    words = philox(
        [block & np.uint64(_LOW), block >> np.uint64(32), zero, zero],
        (key & _LOW, key >> 32),
    )
    return np.stack(words, axis=-1).reshape(-1)[:size].astype(np.uint32).reshape(shape)


def _shape(seed: Shape, offset: Shape, *, shape: Shape) -> Shape:
    if seed != () or offset != ():
        raise ShapeError(f"random_bits: expected a 0-d seed and offset. Received: shapes {seed} and {offset}")
    if any(s < 0 for s in shape):
        raise ArgumentError(f"random_bits: expected sizes of at least 0. Received: shape {shape}")
    return shape


def _dtype(seed: DType, offset: DType, *, shape: Shape) -> DType:
    if seed is not uint64 or offset is not uint64:
        raise DTypeError(f"random_bits: expected a seed and an offset of uint64. Received: {seed.name}, {offset.name}")
    return uint32


register(
    Primitive(
        name="random_bits",
        exact=True,
        kind="random",
        arity=2,
        attributes=("shape",),
        shape=_shape,
        dtype=_dtype,
        evaluate=_random_bits,
        gradient=zero_gradient,
        samples=lambda: [
            Sample(
                (np.array(seed, np.uint64), np.array(offset, np.uint64)),
                {"shape": shape},
            )
            for seed, offset, shape in [
                (0, 0, ()),
                (2**63 + 5, 3, (7,)),
                (12345, 2**32 - 2, (3, 5)),
                (1, 2**64 - 1, (9,)),
                (1, 1, (0, 3)),
            ]
        ],
    )
)
