"""DCGAN (Radford et al., "Unsupervised representation learning", 2015) for 64×64 images: a step of both networks."""

import numpy as np

from .workload import Goal, Workload

NOISE, WIDTH, SIZE, BATCH = 100, 64, 64, 32


def _batch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images in [-1, 1], and the noise that others are made of."""
    coarse = random.uniform(-1, 1, (BATCH, 3, SIZE // 8, SIZE // 8)).astype(np.float32)
    return coarse.repeat(8, 2).repeat(8, 3), random.standard_normal((BATCH, NOISE, 1, 1), np.float32)


DCGAN = Workload(
    name="dcgan",
    title=f"DCGAN for {SIZE}×{SIZE}, batch {BATCH}",
    model="dcgan",
    batch=_batch,
    goal=Goal(eager=1.2, compiled=1.2),
    learning_rate=1e-5,  # as for ResNet-18: so that 20 steps of two networks against each other can be compared
)
