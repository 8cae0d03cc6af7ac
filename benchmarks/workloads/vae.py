"""A variational autoencoder (Kingma & Welling, 2013) for MNIST, 784-400-20; the noise comes with the batch."""

import numpy as np

from .workload import Goal, Workload

PIXELS, HIDDEN, LATENT, BATCH = 784, 400, 20, 128


def _batch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Blurred pictures, and what is drawn for their latent variables."""
    coarse = random.uniform(size=(BATCH, 7, 7)).astype(np.float32)
    return coarse.repeat(4, 1).repeat(4, 2).reshape(BATCH, PIXELS), random.standard_normal((BATCH, LATENT), np.float32)


VAE = Workload(
    name="vae",
    title=f"VAE {PIXELS}-{HIDDEN}-{LATENT}, batch {BATCH}",
    model="vae",
    batch=_batch,
    goal=Goal(eager=1.2, compiled=1.2),
)
